#!/bin/sh
# SPDX-License-Identifier: MIT
# The bus walks a device through its states whatever its back end does. The front end is a module
# that notes its callbacks, the back end is whoever writes to the store in the control domain.
cd "$(dirname "$0")" || exit
. ./lib.sh

calls=/sys/module/pvguest_bus_test/parameters/calls
device=/sys/bus/pvbus/devices/pvtest-7

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
	xenstore-write $fe/backend $be $fe/backend-id ${1-0} $fe/state 1
	xenstore-chmod $fe n$dom r0
	xenstore-chmod $fe/state n$dom r0
}
set_state() { xenstore-write $be/state $1; }
X
'

there() {
	control ". /tmp/pvtest; $1"
}

is_state() {
	[ "$(cat $device/state)" = "$1" ]
}

gather() {
	seen="$seen $(cat $calls)"
	seen=$(echo $seen)
	[ "$seen" = "$1" ]
}

# expect NAME CALLS STATE: these callbacks, no others, and then this state of ours.
expect() {
	seen=
	await gather "$2" || echo "# calls: $seen"
	await is_state "$3" || echo "# state: $(cat $device/state)"
	# Anything that comes too much comes soon.
	usleep 100000
	gather "$2" && is_state "$3"
	result $? "$1"
}

insmod ./pvguest_bus_test.ko || exit

there 'back 1; front'
expect "a device appears" "probe" Initialising
same "sysfs tells its node" "$(cat $device/nodename)" device/pvtest/7
same "sysfs tells its type" "$(cat $device/devtype)" pvtest
same "udev is told its type" "$(cat $device/modalias)" pvbus:pvtest
there 'set_state 2'
expect "the back end waits" "setup publish" Initialised
same "nodes are published" "$(there 'xenstore-read $fe/word $fe/state' | xargs)" "published 3"
there 'set_state 4'
expect "the back end connects" "connected" Connected
there 'xenstore-write $be/note resized'
expect "a detail changes" "resized" Connected

echo 1 > /sys/module/pvguest_bus_test/parameters/busy
there 'set_state 5'
expect "users keep it from closing" "closing" Connected
echo 0 > /sys/module/pvguest_bus_test/parameters/busy
echo release > $calls
expect "the users are gone" "closing" Closed
there 'set_state 6'
expect "the back end has let go" "disconnect" Closed
there 'set_state 1'
expect "the back end comes back" "" Initialising
there 'set_state 2'
expect "it waits again" "setup publish" Initialised
there 'set_state 4'
expect "it connects again" "connected" Connected
there 'set_state 2'
expect "it restarts without a word" "disconnect setup publish" Initialised
there 'set_state 4'
expect "and connects" "connected" Connected

echo restart > $calls
expect "the front end restarts" "" Closed
there 'set_state 6'
expect "the back end agrees" "disconnect" Initialising
there 'set_state 2'
expect "and waits" "setup publish" Initialised
there 'set_state 4'
expect "and connects anew" "connected" Connected

echo fail > $calls
echo fail > $calls
expect "the front end fails" "" Closed
logged "one line tells device and field" "pvtest pvtest-7: field test is 42"
same "the tool stack can read why" \
	"$(there 'xenstore-read /local/domain/$dom/error/device/pvtest/7/error')" "field test is 42"
there 'set_state 2'
expect "it is not tried on the same connection" "disconnect" Closed
there 'set_state 6; set_state 2'
expect "but when the back end has closed" "setup publish" Initialised
there 'set_state 4'
expect "a failed device serves again" "connected" Connected

there 'xenstore-rm $be'
expect "the back end vanishes" "disconnect" Initialising
there 'back 2'
expect "a new one comes" "setup publish" Initialised
there 'set_state banana'
expect "its state is no number" "" Closed
logged "which is told once" "/state makes no sense"
there 'set_state 6; set_state 2'
expect "and forgiven" "disconnect setup publish" Initialised
there 'set_state 4'
expect "when it behaves" "connected" Connected

there 'xenstore-rm $fe; front'
expect "another device of the same number" "closing disconnect remove probe" Initialising
there 'set_state 6'
expect "its back end closes the old connection" "" Initialising
there 'set_state 2; set_state 4'
expect "and takes the new one" "setup publish connected" Connected

echo pvtest-7 > /sys/bus/pvbus/drivers/pvtest/unbind &
await is_state Closed
there 'set_state 6'
wait
same "unbound by hand" "$(cat $calls)" "closing disconnect remove"
echo pvtest-7 > /sys/bus/pvbus/drivers/pvtest/bind
expect "bound by hand" "probe" Initialising
echo -5 > /sys/module/pvguest_bus_test/parameters/setup_error
there 'set_state 2'
expect "setup fails" "setup disconnect" Closed
logged "which is told" "cannot be set up (-5)"
echo 0 > /sys/module/pvguest_bus_test/parameters/setup_error
there 'set_state 6; set_state 2; set_state 4'
expect "and works the next time" "setup publish connected" Connected

there 'xenstore-rm $fe; xenstore-rm $be'
await [ ! -e $device ]
same "unplugged without notice" "$(cat $calls)" "closing disconnect remove"
check "no node of it comes back" there '! xenstore-read $fe/state 2> /dev/null'

# Nonsense where the tool stack says what there is.
there 'front 99999; back 2'
expect "a domain that cannot be" "probe" Initialising
logged "is told" "node backend-id makes no sense"
there 'xenstore-write $fe/backend-id 0'
expect "and waited for" "setup publish" Initialised
there 'xenstore-rm $fe; xenstore-write $fe/state 1; xenstore-chmod $fe/state n$dom r0'
expect "no back end at all" "disconnect remove probe" Initialising
logged "is told as well" "node backend-id is missing"
there 'xenstore-rm $fe; xenstore-write /local/domain/$dom/device/pvtest/seven/state 1'
await [ ! -e $device ]
logged "a name that is no number" "device/pvtest/seven is no device"
same "no device is left" "$(ls /sys/bus/pvbus/devices | grep -c pvtest)" 0
check "the module can go" rmmod pvguest_bus_test
check "the log has no warning" sh -c '! dmesg | grep -E "WARNING|BUG|Oops"'
finish
