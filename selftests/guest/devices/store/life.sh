#!/bin/sh
# SPDX-License-Identifier: MIT
# Commands of the tool stack to a guest that runs, which watches itself meanwhile; and the ends of a second guest,
# which the control domain makes of the same kernel, with each of xl's actions.
cd "$(dirname "$0")" || exit
. ./bus.sh

id=$(control "xl domid guest1")
control "echo $(base64 -w 0 second.sh) | base64 -d > /tmp/second.sh"

# two ORDER: about the second guest
two() {
	control ". /tmp/second.sh; $1"
}

in_log() {
	dmesg | grep -qE "$1"
}

# nmis VCPU: how many it has had.
nmis() {
	awk -v field=$(($1 + 2)) '$1 == "NMI:" { print $field }' /proc/interrupts
}

more_nmis() {
	[ "$(nmis "$1")" -gt "$2" ]
}

# nmi_of VCPU: xl trigger raises one there, and only there.
nmi_of() {
	before=$(nmis "$1")
	others=$(nmis $((1 - $1)))
	control "xl trigger guest1 nmi $1" && await more_nmis "$1" "$before" || return
	[ "$(nmis "$1") $(nmis $((1 - $1)))" = "$((before + 1)) $others" ] && return
	echo "# vCPU $1 had $before, then $(nmis "$1"); the other $others, then $(nmis $((1 - $1)))"
	return 1
}

both_work() {
	taskset 1 sh -c : && taskset 2 sh -c :
}

# Hard affinity of each vCPU.
affinity() {
	control "xl vcpu-list guest1" | awk '$1 == "guest1" { print $(NF - 2) }' | tr '\n' ' '
}

paced() {
	awk -v name="$1" '$1 == name { print $2 }' /tmp/paced
}

./pace > /tmp/paced &
pace=$!

control "xl rename guest1 other"
same "xl rename changes the name" "$(control "xl domname $id")" other
control "xl sysrq other h"
check "the guest is served by its new name" await in_log "sysrq: HELP"
control "xl rename other guest1"
same "xl rename changes it back" "$(control "xl domid guest1")" "$id"

for processor in 1 0; do
	control "xl vcpu-pin guest1 all $processor"
	same "xl vcpu-pin ties both vCPUs to processor $processor" "$(affinity)" "$processor $processor "
	check "both run there" both_work
done
control "xl vcpu-pin guest1 all all"
same "xl vcpu-pin unties them" "$(affinity)" "all all "

control "xl sched-credit2 -d guest1 -w 512; xl sched-credit2 -d guest1 -c 50"
same "xl sched-credit2 sets weight and cap" \
	"$(control "xl sched-credit2 -d guest1" | awk '$1 == "guest1" { print $3, $4 }')" "512 50"
check "both vCPUs run with the cap" both_work
control "xl sched-credit2 -d guest1 -w 256; xl sched-credit2 -d guest1 -c 0"

control "xl debug-keys q"
check "the hypervisor reports the guest at xl debug-keys q" \
	control "xl dmesg | grep -q 'Notifying guest $id:1 '"
check "both vCPUs run after it" both_work

check "xl trigger raises an NMI on vCPU 0" nmi_of 0
check "xl trigger raises an NMI on vCPU 1" nmi_of 1
check "Linux reports an NMI without a reason" in_log "NMI received for unknown reason"
for event in init reset power sleep s3resume; do
	check "xl trigger $event is refused for a PV guest" \
		control "xl trigger guest1 $event 0 2>&1 | grep -q \"Send trigger '$event' failed\""
done

# By a FIFO, as the control domain has no room for the file. The output: xl's status, the file's first bytes, which
# say "64 bits, core, x86-64", and its length without those.
core=$(control "mkfifo /tmp/core
{ dd bs=1 count=20 2> /dev/null | xxd -p; wc -c; } < /tmp/core > /tmp/core.out &
xl dump-core guest1 /tmp/core; echo \$?; wait; cat /tmp/core.out; rm /tmp/core")
pages=$(($(control "xenstore-read /local/domain/$id/memory/target") / 4))
# shellcheck disable=SC2086  # three words
set -- $core
same "xl dump-core ends with status 0" "$1" 0
same "the dump is an ELF core of x86-64" "$2" 7f454c4602010100010000000000000004003e00
# Of each page its contents and its two frame numbers, then headers and vCPUs.
check "the dump has all pages" test $(($3 + 20)) -ge $((pages * (4096 + 16)))
check "the dump has no more" test $(($3 + 20)) -le $((pages * (4096 + 16) + 65536))
check "both vCPUs run after it" both_work

kill $pace
wait $pace
same "CLOCK_MONOTONIC never went back" "$(paced back)" 0
check "the log has no warning" sh -c '! dmesg | grep -E "WARNING|BUG|Oops|INFO: rcu|soft lockup"'

check "xl create -p makes a guest that is paused" two 'two destroy destroy destroy -p && has_state two p'
check "xl unpause starts it" two 'xl unpause two && until_true is_up'
check "xl shutdown -w waits until it has powered off" two \
	'xl shutdown -w two 2>&1 | grep "has been shut down, reason code 0" && until_true is_gone'
check "on_reboot=restart makes a guest again after xl reboot -w" two \
	'two destroy restart destroy && until_true is_up && xl reboot -w two && until_true is_new $made'
check "the new one comes up" two 'until_true is_up'
check "xl destroy ends it" two end
check "on_crash=preserve leaves a guest that has crashed" two \
	'two destroy destroy preserve && until_true is_up && xl sysrq two c; until_true has_state two sc'
check "xl destroy removes it" two end
check "on_crash=restart makes a guest again" two \
	'two destroy destroy restart && until_true is_up && xl sysrq two c; until_true is_new $made'
check "the new one comes up" two 'until_true is_up'
check "xl destroy ends it" two end
finish
