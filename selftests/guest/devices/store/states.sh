#!/bin/sh
# SPDX-License-Identifier: MIT
# The bus takes a device through its states, whatever its back end does. The front end is a module
# that records its callbacks; the back end is this script, which writes to XenStore in the control
# domain.
cd "$(dirname "$0")" || exit
. ./bus.sh

calls=/sys/module/pvguest_bus_test/parameters/calls
device=/sys/bus/xen/devices/pvtest-7

control 'for d in $(xenstore-list /local/domain); do [ $d = 0 ] || dom=$d; done
ln -sf $(command -v xenstore-read) /tmp/xenstore-chmod
cat > /tmp/pvtest <<X
PATH=$PATH:/tmp
dom=$dom
be=/local/domain/0/backend/pvtest/$dom/7
fe=/local/domain/$dom/device/pvtest/7
X
cat >> /tmp/pvtest <<"X"
back() {
	xenstore-write $be/frontend $fe $be/state $1
	xenstore-chmod -r $be n0 r$dom
}
front() {
	# Nodes get the permissions of the one above: the front end may write from the first on.
	xenstore-exists ${fe%/*} || xenstore-write ${fe%/*} ""
	xenstore-chmod ${fe%/*} n$dom r0
	xenstore-write $fe/backend $be $fe/backend-id ${1-0} $fe/state 1
}
set_state() { xenstore-write $be/state $1; }
X
'

there() {
	control ". /tmp/pvtest; $1"
}

# step STATE...: the back end goes through these, each by an order of its own: of two in one order a
# front end may see the last only.
step() {
	for state; do
		there "set_state $state"
	done
}

is_state() {
	[ "$(cat $device/state)" = "$1" ]
}

gather() {
	seen="$seen $(cat $calls)"
	# shellcheck disable=SC2086,SC2116  # for one blank between two words
	seen=$(echo $seen)
	[ "$seen" = "$1" ]
}

seconds() {
	cut -d . -f 1 /proc/uptime
}

# waits NAME CALLS: after these callbacks, and no others, the front end is Closed and waits for its back end to
# close. The bus waits 5 s, then disconnects by itself: a look that comes too late for that, on a busy machine,
# may find the disconnect as well. $begin: when it was made to close.
waits() {
	seen=
	await is_state Closed
	# A callback too many would follow soon.
	usleep 100000
	if ! gather "$2"; then
		[ "$seen" = "${2:+$2 }disconnect" ] && [ $(($(seconds) - begin)) -ge 4 ]
	fi && is_state Closed
	waited=$?
	[ $waited = 0 ] || echo "# calls: $seen; state: $(cat $device/state)"
	result $waited "$1"
}

# expect NAME CALLS STATE: these callbacks, no others, and then this state of the front end.
expect() {
	seen=
	expect_more "$@"
}

# expect_more NAME CALLS STATE: as expect, with what waits has seen.
expect_more() {
	await gather "$2" || echo "# calls: $seen"
	await is_state "$3" || echo "# state: $(cat $device/state)"
	# A callback too many would follow soon.
	usleep 100000
	gather "$2" && is_state "$3"
	result $? "$1"
}

# await_long COMMAND...: for pauses of half a minute.
await_long() {
	for _ in 1 2 3 4 5 6 7 8; do
		await "$@" > /dev/null && return
	done
	echo "# still false: $*"
}

insmod ./pvguest_bus_test.ko || exit

there 'back 1; front'
expect "a new device is probed" "probe" Initialising
same "sysfs shows its node" "$(cat $device/nodename)" device/pvtest/7
same "sysfs shows its type" "$(cat $device/devtype)" pvtest
same "the modalias holds its type" "$(cat $device/modalias)" xen:pvtest
there 'set_state 2'
expect "back end InitWait: the front end is set up" "setup publish" Initialised
same "back end InitWait: nodes are published" "$(there 'xenstore-read $fe/word $fe/state' | xargs)" "published 3"
there 'set_state 4'
expect "back end Connected: the front end connects" "connected" Connected
there 'xenstore-write $be/note resized'
expect "a changed node of the back end reaches the front end" "resized" Connected

echo 1 > /sys/module/pvguest_bus_test/parameters/busy
there 'set_state 5'
expect "back end Closing: a busy front end stays connected" "closing" Connected
echo 0 > /sys/module/pvguest_bus_test/parameters/busy
begin=$(seconds)
echo release > $calls
waits "the front end closes when it is no longer busy" "closing"
there 'set_state 6'
expect_more "back end Closed: the front end disconnects" "closing disconnect" Closed
there 'set_state 1'
expect "back end Initialising: the front end initialises" "" Initialising
there 'set_state 2'
expect "back end InitWait after a close: the front end is set up" "setup publish" Initialised
there 'set_state 4'
expect "back end Connected after a close: the front end connects" "connected" Connected
there 'set_state 2'
expect "back end InitWait without a close: the front end starts anew" "disconnect setup publish" Initialised
there 'set_state 4'
expect "back end Connected without a close: the front end connects" "connected" Connected

# The bus waits 5 s for the back end to close, then disconnects by itself: an attempt whose look came too
# late for that, on a busy machine, shows nothing and is made again, whole.
for _ in 1 2 3 4 5; do
	begin=$(seconds)
	echo restart > $calls
	seen=
	await is_state Closed
	gather ""
	closed=$?
	[ $(($(seconds) - begin)) -lt 4 ] && break
	step 6 2 4
	await is_state Connected
	gather ""
done
result "$closed" "a restart of the front end closes it, without a disconnect before its back end has closed"
there 'set_state 6'
expect "back end Closed after a restart: the front end initialises" "disconnect" Initialising
there 'set_state 6'
expect "back end still Closed at its next change: the front end stays as it is" "" Initialising
there 'set_state 2'
expect "back end InitWait after a restart: the front end is set up" "setup publish" Initialised
there 'set_state 4'
expect "back end Connected after a restart: the front end connects" "connected" Connected

begin=$(seconds)
echo fail > $calls
echo fail > $calls
waits "a failure of the front end closes it" ""
logged "a failure is logged once, with device and field" "pvtest pvtest-7: field test is 42; disconnecting"
same "the tool stack can read the error" \
	"$(there 'xenstore-read /local/domain/$dom/error/device/pvtest/7/error')" "field test is 42"
there 'set_state 2'
expect_more "back end InitWait: a failed device is not set up again" "disconnect" Closed
step 6 2
expect "back end Closed, then InitWait: a failed device is set up again" "setup publish" Initialised
there 'set_state 4'
expect "back end Connected: a failed device connects again" "connected" Connected

there 'xenstore-rm $be'
expect "the back end's directory is removed" "disconnect" Initialising
there 'back 2'
expect "a new back end in InitWait" "setup publish" Initialised
begin=$(seconds)
there 'set_state banana'
waits "a state that is no number closes the front end" ""
logged "a state that is no number is logged once" "/state: invalid (-22); disconnecting"
step 6 2
expect_more "back end Closed, then InitWait after a bad state: set up again" "disconnect setup publish" Initialised
there 'set_state 4'
expect "back end Connected after a bad state: the front end connects" "connected" Connected

# The back end is still Connected, to the device that has gone: the new one asks it to close.
there 'xenstore-rm $fe; front'
expect "a device that replaces another of its number is probed" "closing disconnect remove probe" Closed
there 'set_state 6'
expect "the back end closes the replaced device" "" Initialising
step 2 4
expect "the back end connects the new device" "setup publish connected" Connected

echo pvtest-7 > /sys/bus/xen/drivers/pvtest/unbind &
await is_state Closed
there 'set_state 6'
wait
same "unbinding closes and removes the device" "$(cat $calls)" "closing disconnect remove"
echo pvtest-7 > /sys/bus/xen/drivers/pvtest/bind
expect "binding probes the device" "probe" Initialising
echo -5 > /sys/module/pvguest_bus_test/parameters/setup_error
there 'set_state 2'
expect "a failing setup closes the device" "setup disconnect" Closed
logged "a failing setup is logged with its error" "setup: failed (-5); disconnecting"
echo 0 > /sys/module/pvguest_bus_test/parameters/setup_error
step 6 2 4
expect "a later setup of the same device succeeds" "setup publish connected" Connected

# A back end that asks for another attempt whenever one has failed, at once: the bus pauses longer each
# time, and gives the device up in the end.
echo -5 > /sys/module/pvguest_bus_test/parameters/setup_error
there 'xenstore-write $be/online 1
(while :; do
	case $(xenstore-read $fe/state) in
	1) state=2 ;;
	*) state=6 ;;
	esac
	[ "$(xenstore-read $be/state)" = $state ] || set_state $state
	usleep 50000
done) < /dev/null > /dev/null 2>&1 &
echo $! > /tmp/pvtest-again'
seen=
is_given_up() {
	seen="$seen $(cat $calls)"
	case $seen in
	*given_up*) ;;
	*) false ;;
	esac
}
await_long is_given_up
there 'kill $(cat /tmp/pvtest-again)'
logged "a device that fails each time is given up" "connection: failed 12 times (-5); closed until it is plugged in again"
# One of the twelve was above.
same "the device has been set up eleven times" "$(echo "$seen" | tr ' ' '\n' | grep -c setup)" 11
same "the driver is called when the bus gives up" "${seen##* disconnect }" given_up
echo 0 > /sys/module/pvguest_bus_test/parameters/setup_error
there 'xenstore-rm $fe; xenstore-rm $be'
await [ ! -e $device ]
cat $calls > /dev/null
there 'back 1; front'
expect "a device that was given up is probed when it is plugged in again" "probe" Initialising
step 2 4
expect "and connects" "setup publish connected" Connected

there 'xenstore-rm $fe; xenstore-rm $be'
await [ ! -e $device ]
same "a device whose directories are removed is closed and removed" "$(cat $calls)" "closing disconnect remove"
check "no node of a removed device is written again" there '! xenstore-read $fe/state 2> /dev/null'

# Invalid nodes of the tool stack.
there 'front 99999; back 2'
expect "a device with an invalid backend-id stays initialising" "probe" Initialising
logged "an invalid backend-id is logged" "backend-id: invalid (-22); waiting for it to change"
there 'xenstore-write $fe/backend-id 0'
expect "a corrected backend-id lets the device be set up" "setup publish" Initialised
there 'xenstore-rm $fe; xenstore-write $fe/state 1; xenstore-chmod $fe/state n$dom r0'
expect "a device without a back end is probed" "disconnect remove probe" Initialising
logged "a missing backend-id is logged" "backend-id: missing (-2); waiting for it to change"
there 'xenstore-rm $fe; xenstore-write /local/domain/$dom/device/pvtest/seven/state 1'
await [ ! -e $device ]
logged "a device whose name is no number is logged" "device/pvtest/seven: name is not a number (-22); ignored"
same "no device of the test is left" "$(echo /sys/bus/xen/devices/*pvtest*)" \
	"/sys/bus/xen/devices/*pvtest*"
check "the module can be unloaded" rmmod pvguest_bus_test
check "the log has no warning" sh -c '! dmesg | grep -E "WARNING|BUG|Oops"'
finish
