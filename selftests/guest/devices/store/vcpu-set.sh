#!/bin/sh
# SPDX-License-Identifier: MIT
# The tool stack switches vCPUs of a guest that has four and began with one, while all are busy.
cd "$(dirname "$0")" || exit
. ./bus.sh

cpus=/sys/devices/system/cpu

online_are() {
	[ "$(cat $cpus/online)" = "$1" ]
}

# vcpu_set NUMBER: the control domain has fewer processors than four, which xl would complain of.
vcpu_set() {
	control "xl vcpu-set --ignore-host guest1 $1"
}

# node NUMBER WORD
node() {
	control "xenstore-write /local/domain/\$(xl domid guest1)/cpu/$1/availability $2"
}

# seen WITHOUT WITH: all that was written before has been read since; online are those WITHOUT, then
# WITH vCPU 3, which goes off and comes back.
seen() {
	node 3 offline
	await online_are "$1" || return
	node 3 online
	await online_are "$2"
}

there_and_back() {
	vcpu_set 4 && await online_are 0-3 && vcpu_set 1 && await online_are 0
}

same "one vCPU is online at first" "$(cat $cpus/online)" 0
same "four are present" "$(cat $cpus/present)" 0-3
logged "those that are not brought up are in the log" \
	"pvbus: cpu: vCPUs 1-3 are offline in XenStore; not brought up"
logged "none came up to be taken down" "smp: Brought up 1 node, 1 CPU"

md5sum /dev/zero &
load=$!
while :; do sh -c :; done &
load="$load $!"
times=${LONG:+20}
times=${times:-4}
rounds=0
while [ $rounds -lt "$times" ] && there_and_back; do
	rounds=$((rounds + 1))
done
same "xl vcpu-set goes to four vCPUs and back to one, again and again" "$rounds" "$times"
vcpu_set 3
check "xl vcpu-set goes to three vCPUs" await online_are 0-2
vcpu_set 4
check "xl vcpu-set goes to four vCPUs" await online_are 0-3
# shellcheck disable=SC2086  # numbers
kill $load

node 2 maybe
node 9 offline
node 0 offline
check "nodes of no vCPU, of no word and of the boot vCPU switch none" seen 0-2 0-3
logged "a value that is neither word is in the log" \
	"pvbus: cpu/2/availability: 'maybe' is neither online nor offline (-22); ignored"
logged "the refusal of the boot vCPU is in the log" \
	"pvbus: cpu/0/availability: cannot be made offline (-1); left as it is until a node changes"
node 2 online
node 0 online

echo 0 > $cpus/cpu2/online
vcpu_set 4
check "a vCPU that was switched off here stays so when the tool stack repeats itself" seen 0-1 0-1,3
node 2 offline
check "a node may follow what was done here" seen 0-1 0-1,3
node 2 online
check "a node that changes switches the vCPU" await online_are 0-3
vcpu_set 1
await online_are 0
echo 1 > $cpus/cpu1/online
same "a vCPU that the tool stack has switched off can be switched on here" "$(cat $cpus/online)" 0-1

check "the log has no warning" sh -c '! dmesg | grep -E "WARNING|BUG|Oops|INFO: rcu|soft lockup"'
finish
