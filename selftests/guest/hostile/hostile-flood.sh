#!/bin/sh
# SPDX-License-Identifier: MIT
# A back end that keeps its front end busy takes neither the guest's processor nor its log nor its
# memory, and other devices go on: indexes that jump, nodes rewritten without end, restarts without end.
cd "$(dirname "$0")" || exit
. ./tap.sh
. ./orders.sh
. ./leaks.sh
. ./hostile.sh

DISK=/dev/xvdp

# choose TYPE: the device that is the subject from now on.
choose() {
	TYPE=$1
	case $TYPE in
	vbd) ID=51952 ;;
	vif) ID=9 ;;
	esac
	DEVICE=$TYPE-$ID
	back=/local/domain/0/hostile/$TYPE/$domain/$ID
	frontend=/local/domain/$domain/device/$TYPE/$ID
}

# begin BEHAVIOUR: make the device, and when it works have its back end begin.
begin() {
	what="$1 of $TYPE"
	measure > /tmp/before
	behave "$TYPE" "$ID" "$1"
	if [ "$TYPE" = vbd ]; then
		check "$what: the disk appears" until_true 20 opens $DISK
		label=xvdp
	else
		check "$what: the interface appears" up
		check "$what: good packets are received" receives_first
		label=$(interface)
	fi
	events=$(cat /sys/kernel/uevent_seqnum)
	began=$(seconds)
	if [ "$TYPE" = vbd ]; then
		dd if=$DISK of=/dev/null bs=4k skip=512 count=1 iflag=direct 2> /dev/null &
	else
		send_some 3 > /dev/null 2>&1 &
	fi
}

seconds() {
	cut -d . -f 1 /proc/uptime
}

over() {
	control "xenstore-exists $back/over"
}

# has_done COUNT: what the back end does it has done so often.
has_done() {
	[ "$(control "xenstore-read $back/restarts")" -ge "$1" ]
}

another() {
	control "loop=\$(loop_make another 4) && echo \$loop > /tmp/another && vbd_make 51776 \$loop w" &&
		until_true 60 opens /dev/xvde &&
		dd if=/dev/xvde of=/dev/null bs=64k count=16 iflag=direct &&
		control "remove vbd 51776 && loop_end \$(cat /tmp/another)" &&
		until_true 20 unplugged vbd 51776
}

# enough: the other devices work while the back end goes on; then it ends.
enough() {
	check "$what: the other devices work meanwhile" neighbour
	[ -z "$LONG" ] || check "$what: another disk comes and goes meanwhile" another
	check "$what: the back end goes on meanwhile" fails over
	control "xenstore-write $back/enough ''"
	check "$what: the back end ends" until_true 120 over
	times=$(control "xenstore-read $back/over")
	lasted=$(($(seconds) - began))
	note "$what: $times times in $lasted s"
}

# at_most NAME GOT MOST
at_most() {
	echo "$1: $2"
	[ "$2" -le "$3" ]
}

# interrupts: of the device, on all vCPUs.
interrupts() {
	awk -v name="^$label(-q|$)" 'NR == 1 { vcpus = NF }
		$NF ~ name { for (i = 2; i < 2 + vcpus; i++) n += $i }
		END { print n + 0 }' /proc/interrupts
}

# most_interrupts: how many the device has had in the end, though it loses its event channels.
most_interrupts() {
	most=0
	until [ -e /tmp/enough ]; do
		now=$(interrupts)
		[ "$now" -lt "$most" ] || most=$now
		usleep 50000
	done
	echo "$most" > /tmp/most
}

# few_lines LIMIT: the log has at most so many about the device.
few_lines() {
	at_most "lines of the log" "$(logged_times "$DEVICE|$label: ")" "$1"
}

few_events() {
	at_most "events for user programs" $(($(cat /sys/kernel/uevent_seqnum) - events)) "$1"
}

reads() {
	dd if=$DISK of=/dev/null bs=4k count=16 iflag=direct
}

# works: as before the back end began, perhaps after a pause.
works() {
	if [ "$TYPE" = vbd ]; then
		check "$what: the disk is connected" until_true 60 control "node_is $frontend/state 4"
		check "$what: it can be read" reads
		check "$what: it has its size" until_true 20 grep -qx 8192 /sys/block/xvdp/size
	else
		check "$what: the interface has its carrier" grep -qx 1 "/sys/class/net/$label/carrier"
		check "$what: packets are received" receives
	fi
}

# waits: a network back end that does not come back.
waits() {
	check "$what: the front end waits for it" until_true 60 control "node_is $frontend/state 1"
	check "$what: the interface has no carrier" grep -qx 0 "/sys/class/net/$label/carrier"
}

# ends: a disk's back end comes back, a network card's does not.
ends() {
	if [ "$TYPE" = vbd ]; then
		works
	else
		waits
	fi
}

left() {
	leave "$what" "$TYPE" "$ID"
	check "$what: nothing leaks" no_leak 10
}

toggle() {
	rm -f /tmp/enough
	begin toggle
	before_it=$(interrupts)
	most_interrupts &
	check "$what: the log names the field" until_logged 20 "$DEVICE: .*rsp_prod: invalid value"
	enough
	true > /tmp/enough
	wait
	check "$what: the back end sends events" at_least events "$times" 9000
	check "$what: few of them are taken" at_most interrupts $(($(cat /tmp/most) - before_it)) \
		$((50 + 2 * lasted))
	check "$what: the log names the field once" equal lines "$(logged_times rsp_prod)" 1
	# One more when it connects, and one when it does not close in time.
	check "$what: the log has few lines more" few_lines 3
	left
}

# writes_show_little BEHAVIOUR: nodes are rewritten meanwhile, and few of the writes show.
writes_show_little() {
	begin "$1"
	enough
	wait
	check "$what: nodes are written" at_least writes "$times" 500
	# A new size is looked for four times a second, and logged by driver and block layer.
	check "$what: the log has few lines of it" few_lines $((20 + 8 * lasted))
	check "$what: few events are sent" few_events $((80 + 4 * lasted))
}

flood() {
	writes_show_little flood
	works
	check "$what: the device has not lost its connection" fails logged "disconnecting"
	left
}

flood_states() {
	writes_show_little flood-states
	ends
	left
}

restart() {
	begin restart
	check "$what: the back end restarts" until_true 60 has_done 4
	enough
	wait
	# The pauses between them double: in an hour there are no more.
	check "$what: restarts come ever more rarely" at_most restarts "$times" 16
	check "$what: the log has few lines of it" few_lines 40
	ends
	left
}

# In short the neighbour is read, and no further disk is plugged in meanwhile.
if [ -z "$LONG" ]; then
	choose vbd
	toggle
	flood
else
	for type in vbd vif; do
		choose "$type"
		toggle
		flood
		flood_states
		restart
	done
fi
finish
