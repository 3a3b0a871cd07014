#!/bin/sh
# SPDX-License-Identifier: MIT
# The tool stack takes memory of a guest that uses much of it, and gives it back, again and again.
cd "$(dirname "$0")" || exit
. ./bus.sh

balloon=/sys/devices/system/xen_memory/xen_memory0

# Linux's memory, and what the balloon holds of it; KiB.
total() {
	awk '/^MemTotal:/ { print $2 }' /proc/meminfo
}

held() {
	cat $balloon/info/low_kb
}

# The hypervisor's number of MiB of this guest.
counted() {
	control "xl list guest1" | awk '$1 == "guest1" { print $3 }'
}

# has MIB: the guest has so much, by what it says of itself.
has() {
	[ "$(cat $balloon/info/current_kb)" = $(($1 * 1024)) ]
}

# set_memory MIB: and what Linux and the hypervisor count agrees with it.
set_memory() {
	control "xl mem-set guest1 $1" && await has "$1" || return
	[ "$(counted)" = "$1" ] && [ $(($(total) + $(held))) = "$start" ] && return
	echo "# at $1 MiB: the hypervisor counts $(counted), Linux $(total) of $start, the balloon $(held)"
	return 1
}

target() {
	control "xenstore-write /local/domain/\$(xl domid guest1)/memory/target $1"
}

in_log() {
	dmesg | grep -qF "$1"
}

# The memory of programs changes, and what they keep is as they wrote it.
hog() {
	while :; do
		dd if=/dev/zero of=/tmp/balloon-hog bs=1M count=8 2> /dev/null
		rm /tmp/balloon-hog
		sort -n /tmp/balloon-lines | md5sum | cmp -s - /tmp/balloon-sorted && continue
		echo sort >> /tmp/balloon-wrong
	done
}

start=$(total)
same "the balloon is empty at first" "$(held)" 0
same "the target is what the guest was started with" "$(cat $balloon/target_kb)" 524288
check "the guest has that memory" has 512
same "the hypervisor counts the same" "$(counted)" 512

dd if=/dev/urandom of=/tmp/balloon-random bs=1M count=24 2> /dev/null
random=$(md5sum < /tmp/balloon-random)
seq 20000 > /tmp/balloon-lines
sort -n /tmp/balloon-lines | md5sum > /tmp/balloon-sorted
hog &
load=$!
times=${LONG:+20}
times=${times:-2}
rounds=0
while [ $rounds -lt "$times" ] && set_memory 200 && set_memory 350 && set_memory 512; do
	rounds=$((rounds + 1))
done
same "xl mem-set takes memory and gives it back, again and again" "$rounds" "$times"
same "Linux has all its memory again" "$(total)" "$start"

target lots
target 0
target 999999999
check "a target after invalid ones is followed" set_memory 300
logged "a target that is no number is in the log" \
	"pvballoon: memory/target: 'lots' is no number of KiB (-22); ignored"
logged "a target of zero is in the log" \
	"pvballoon: memory/target: 0 KiB is zero or above the domain's maximum (-34); ignored"

kill $load
wait $load
check "programs had their memory as they wrote it" test ! -e /tmp/balloon-wrong
rm -f /tmp/balloon-hog

target 4
check "a target that is too low takes what can be spared" \
	await in_log "as Linux has no more to spare (-12); trying again and again"
same "files in memory are as they were" "$(md5sum < /tmp/balloon-random)" "$random"
check "memory comes back" set_memory 512
same "all pages are Linux's again" "$(total)" "$start"
check "nothing was killed" sh -c '! dmesg | grep -iE "out of memory|oom-kill"'
check "the log has no warning" sh -c '! dmesg | grep -E "WARNING|BUG|Oops|INFO: rcu|soft lockup"'
finish
