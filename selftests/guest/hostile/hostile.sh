# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# Helpers for tests of hostile back ends; sourced after tap.sh and orders.sh.

domain=$(control "xl domid guest1")
put ./hostile /tmp/hostile && control "chmod +x /tmp/hostile" || exit
# A disk served by Linux, which must stay unaffected.
GOOD=51728		# xvdb
[ -b /dev/xvdb ] || control "loop=\$(loop_make neighbour 4); cp /tmp/hostile \$loop; vbd_make $GOOD \$loop w" || exit
until_true 20 test -b /dev/xvdb || exit

# behave TYPE ID BEHAVIOUR: make a device with this back end.
behave() {
	mark_log
	before=$(grants)
	control "/tmp/hostile $1 $domain $2 $3"
}

# until_logged LIMIT PATTERN
until_logged() {
	until_true "$1" logged "$2" || logged "$2"
}

# logged_times PATTERN: in how many lines of the log since mark_log it is.
logged_times() {
	logged . > /dev/null
	grep -cE -- "$1" /tmp/since_mark
}

# grants: references in use, and pages that a back end still has mapped.
grants() {
	awk '/^in_use|^deferred/ { print }' /sys/kernel/debug/pvguest/grants | tr '\n' ' '
}

deferred() {
	test "$(awk '/^deferred/ { print $2 }' /sys/kernel/debug/pvguest/grants)" "$1" 0
}

as_before() {
	equal grants "$(grants)" "$before"
}

# gone TYPE ID: the back end has removed its directory.
gone() {
	control "! xenstore-exists /local/domain/0/hostile/$1/$domain/$2"
}

# unplug TYPE ID: remove the device and wait for its back end to end, or it could disturb the next.
unplug() {
	control "xenstore-rm /local/domain/$domain/device/$1/$2
		 xenstore-rm /local/domain/0/hostile/$1/$domain/$2
		 await 20 eval '! pidof hostile'" > /dev/null ||
		note "the back end of $1-$2 does not end"
}

unplugged() {
	[ ! -e "/sys/bus/xen/devices/$1-$2" ]
}

neighbour() {
	equal "sum of the other disk" "$(md5sum < ./hostile)" \
		"$(dd if=/dev/xvdb bs=4k iflag=direct | head -c "$(stat -c %s ./hostile)" | md5sum)"
}

no_accident() {
	! logged "BUG|WARNING|Oops|hung|stall|Call Trace"
}

# leave BEHAVIOUR TYPE ID: unplug the device and check the state after it.
leave() {
	check "$1: the other devices work" neighbour
	unplug "$2" "$3"
	check "$1: the device can be unplugged" until_true 20 unplugged "$2" "$3"
	check "$1: every grant is revoked" until_true 20 as_before
	check "$1: nothing else is in the log" no_accident
}

# hold_and_leave TYPE ID: the back end keeps pages mapped after the device is closed.
hold_and_leave() {
	control "xenstore-rm /local/domain/$domain/device/$1/$2"
	check "hold: the device can be unplugged" until_true 20 unplugged "$1" "$2"
	check "hold: pages still mapped are deferred" until_true 20 deferred -gt
	unplug "$1" "$2"
	check "hold: deferred pages are freed when the back end unmaps them" until_true 20 as_before
	check "hold: nothing else is in the log" no_accident
}

# The interface that the last device became.
interface() {
	ls "/sys/bus/xen/devices/$DEVICE/net" 2> /dev/null
}

up() {
	until_true 20 interface && ip link set "$(interface)" up
}

# Frames to an unused address.
send_some() {
	ip addr add 10.99.0.1/24 dev "$(interface)" 2> /dev/null
	ping -q -c "$1" -i 0.2 -W 1 10.99.0.2
	true
}

counter() {
	cat "/sys/class/net/$(interface)/statistics/$1"
}

# more_than COUNT [COUNTER]
more_than() {
	[ "$(counter "${2:-rx_packets}")" -gt "$1" ]
}

# receives: more packets come in.
receives() {
	was=$(counter rx_packets)
	until_true 10 more_than "$was"
}

# receives_first: the good packets with which every back end begins, so that it is connected.
receives_first() {
	until_true 20 more_than 3 &&
		until_true 20 grep -q 1 "/sys/class/net/$(interface)/carrier"
}
