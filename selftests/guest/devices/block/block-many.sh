#!/bin/sh
# SPDX-License-Identifier: MIT
# More devices at once than XenStore's daemon allows a domain transactions: every device is
# connected, each time.
cd "$(dirname "$0")" || exit
. ./tap.sh
. ./orders.sh

DISKS=14 INTERFACES=4

cat > /tmp/many.sh << 'EOF2'
. /tmp/control.sh
disks=$1 interfaces=$2
disk_ids() {
	seq 51728 16 $((51712 + 16 * disks))
}
interface_ids() {
	seq 11 $((10 + interfaces))
}
plug() {
	all=
	for id in $(disk_ids); do
		[ -e $work/many$id ] || echo $(loop_make many$id 1) > $work/loop$id
		front="virtual-device $id device-type disk"
		make_back vbd $id params $(cat $work/loop$id) type phy mode w dev xvd$id removable 0 \
			bootable 0 device-type disk hotplug-status connected
		await_state vbd $id back 2 || return
		xenstore-write $(back_of vbd $id)/physical-device $(number $(cat $work/loop$id))
		all="$all vbd/$id"
	done
	for id in $(interface_ids); do
		mac=00:16:3e:79:01:$(printf %02x $id)
		front="mac $mac handle $id"
		make_back vif $id mac $mac handle $id script none type vif
		await_state vif $id back 2 || return
		vif_up $id
		all="$all vif/$id"
	done
	set --
	for each in $all; do
		f=$(front_of ${each%/*} ${each#*/})
		xenstore chmod -r $f n$dom r0
		set -- "$@" $f/backend $(back_of ${each%/*} ${each#*/}) $f/backend-id 0
	done
	# In one transaction: the guest sees all of them at once.
	xenstore-write -- "$@"
}
unplug() {
	for id in $(disk_ids); do remove vbd $id || return; done
	for id in $(interface_ids); do remove vif $id || return; done
}
$3
EOF2
put /tmp/many.sh /tmp/many.sh || exit

connected() {
	[ "$(cat /sys/bus/xen/devices/v*/state | grep -c Connected)" = "$1" ]
}

before=$(cat /sys/bus/xen/devices/v*/state | grep -c Connected)

# all_up: they come up; the states of those that do not are shown.
all_up() {
	control "sh /tmp/many.sh $DISKS $INTERFACES plug" &&
		until_true 600 connected $((before + DISKS + INTERFACES)) && return
	grep . /sys/bus/xen/devices/v*/state
	return 1
}

rounds=3
[ -z "$LONG" ] || rounds=50
round=0
mark_log
while [ $((round += 1)) -le $rounds ]; do
	check "round $round: $DISKS disks and $INTERFACES interfaces are connected" all_up
	check "round $round: and go" control "sh /tmp/many.sh $DISKS $INTERFACES unplug"
	until_true 600 connected "$before"
done
check "no node could not be written" fails logged "cannot be written|disconnecting"
finish
