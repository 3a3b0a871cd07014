#!/bin/sh
# SPDX-License-Identifier: MIT
# The tool stack pauses a busy guest and lets it go on: time has passed, clocks have not gone back, and no watchdog of
# Linux takes the pause for a fault.
cd "$(dirname "$0")" || exit
. ./bus.sh

# Seconds; in full longer than the 120 of the detector of hung tasks, else than the 20 of the one of soft lockups.
pause=${LONG:+130}
pause=${pause:-30}

# The wall clock within a second of the control domain's, which is read between two readings here.
wall_clock_agrees() {
	before=$(date +%s)
	there=$(control "date +%s")
	after=$(date +%s)
	[ "$there" -ge $((before - 1)) ] && [ "$there" -le $((after + 1)) ] && return
	echo "# $there there, $before to $after here"
	return 1
}

# paced NAME: the value of that name that pace has printed.
paced() {
	awk -v name="$1" '$1 == name { print $2 }' /tmp/paced
}

check "the wall clock is the control domain's before" wall_clock_agrees
uptime=$(cut -d . -f 1 /proc/uptime)
./pace > /tmp/paced &
pace=$!
while :; do sh -c :; done &
load=$!
sleep 15 &
sleeper=$!
paused=$(control "xl pause guest1 && xl list guest1 | awk '\$1 == \"guest1\" { print \$5 }'
sleep $pause; xl unpause guest1 || echo not unpaused")
same "xl list shows the guest as paused" "$paused" --p---
wait $sleeper
result $? "a program that waited meanwhile goes on"
check "xl list shows it as paused no more" \
	control "xl list guest1 | awk '\$1 == \"guest1\" { exit \$5 ~ /p/ }'"
check "the wall clock is the control domain's after it" wall_clock_agrees
paused=$(control "xl pause guest1; xl pause guest1; xl unpause guest1
xl list guest1 | awk '\$1 == \"guest1\" { print \$5 }'; xl unpause guest1")
same "a guest that was paused twice is paused after one xl unpause" "$paused" --p---
kill $load
kill $pace
wait $pace
result $? "the clock was read on each vCPU"
same "CLOCK_MONOTONIC never went back" "$(paced back)" 0
check "no vCPU ran in the pause" test "$(paced stood)" -ge $((pause * 1000))
check "CLOCK_MONOTONIC counts the pause" \
	test $(($(cut -d . -f 1 /proc/uptime) - uptime)) -ge "$pause"
sleep 15
check "no watchdog took the pause for a fault" sh -c '! dmesg |
	grep -E "soft lockup|LOCKUP|detected stall|blocked for more than|[cC]locksource.*(unstable|skew)|WARNING: |BUG: |Oops: "'
finish
