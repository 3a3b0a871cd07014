# SPDX-License-Identifier: MIT
# Hostile back ends, as tests in the guest use them; sourced after tap.sh and orders.sh.

domain=$(control "xl domid guest1")
put ./hostile /tmp/hostile && control "chmod +x /tmp/hostile" || exit
# A disk served by Linux: nothing may happen to it.
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

# grants: references in use, and pages that a back end has not let go of.
grants() {
	awk '/^in_use|^deferred/ { print }' /sys/kernel/debug/pvguest/grants | tr '\n' ' '
}

deferred() {
	[ "$(awk '/^deferred/ { print $2 }' /sys/kernel/debug/pvguest/grants)" "$1" 0 ]
}

as_before() {
	equal grants "$(grants)" "$before"
}

# gone TYPE ID: the back end has removed its directory.
gone() {
	control "! xenstore-exists /local/domain/0/hostile/$1/$domain/$2"
}

# unplug TYPE ID: and wait for the back end's end, which could meddle with its successor.
unplug() {
	control "xenstore-rm /local/domain/$domain/device/$1/$2
		 xenstore-rm /local/domain/0/hostile/$1/$domain/$2
		 await 20 eval '! pidof hostile'" > /dev/null ||
		note "the back end of $1-$2 does not end"
}

unplugged() {
	[ ! -e "/sys/bus/pvbus/devices/$1-$2" ]
}

neighbour() {
	equal "sum of the other disk" "$(md5sum < ./hostile)" \
		"$(dd if=/dev/xvdb bs=4k iflag=direct | head -c "$(stat -c %s ./hostile)" | md5sum)"
}

no_accident() {
	! logged "BUG|WARNING|Oops|hung|stall|Call Trace"
}

# leave BEHAVIOUR TYPE ID: what must hold after each of them.
leave() {
	check "$1: the other devices work" neighbour
	unplug "$2" "$3"
	check "$1: the device can be unplugged" until_true 20 unplugged "$2" "$3"
	check "$1: every grant is back" until_true 20 as_before
	check "$1: nothing else is in the log" no_accident
}

# hold_and_leave TYPE ID: the back end keeps pages beyond the end.
hold_and_leave() {
	control "xenstore-rm /local/domain/$domain/device/$1/$2"
	check "hold: the device can be unplugged" until_true 20 unplugged "$1" "$2"
	check "hold: pages still in use are kept apart" until_true 20 deferred -gt
	unplug "$1" "$2"
	check "hold: and released when the back end lets go" until_true 20 as_before
	check "hold: nothing else is in the log" no_accident
}
