# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# Runs in the control domain: makes, changes and breaks the back ends of the guest's devices.
# Sourced by each order of a test.
#
# Devices are made by writing XenStore nodes directly, not by xl: the back end's driver publishes
# its features as soon as its directory appears, and the front end starts when its own does, so
# nodes written between the two replace the back end's features without a race.

drivers=/sys/bus/xen-backend/drivers
work=/tmp/back
mkdir -p $work

# The domain that runs the tests: the first guest.
[ -n "$dom" ] || for dom in $(xenstore-list /local/domain); do
	[ "$dom" = 0 ] || break
done

# Busybox prefers its own applets, which lack these functions.
losetup() {
	/usr/lib/xen-4.17/bin/losetup "$@"
}

back_of() {
	echo "/local/domain/0/backend/$1/$dom/$2"
}

front_of() {
	echo "/local/domain/$dom/device/$1/$2"
}

# await LIMIT COMMAND...: poll COMMAND for LIMIT seconds, but five times for each of them at least.
await() {
	end=$(($(date +%s) + $1))
	looks=$(($1 * 5))
	shift
	until "$@" > /dev/null 2>&1; do
		looks=$((looks - 1))
		if [ $looks -le 0 ] && [ "$(date +%s)" -gt $end ]; then
			echo "control domain: still false: $*"
			return 1
		fi
		usleep 10000
	done
}

fails() {
	! "$@"
}

node_is() {
	[ "$(xenstore-read "$1" 2> /dev/null)" = "$2" ]
}

# await_state TYPE ID back|front STATE
await_state() {
	case $3 in
	back) node="$(back_of "$1" "$2")/state" ;;
	front) node="$(front_of "$1" "$2")/state" ;;
	esac
	await 60 node_is "$node" "$4" && return
	echo "$node is $(xenstore-read "$node")"
	return 1
}

# folder_for READER FOLDER: make an empty directory that READER can read.
folder_for() {
	xenstore-write "$2" ""
	xenstore chmod "$2" n0 "$1"
}

# make_back TYPE ID [NODE VALUE]...: the directories of both ends, of which the guest cannot read
# its own yet; the back end's driver starts, as it needs both. The front end's gets the nodes in
# $front.
make_back() {
	type=$1 id=$2
	shift 2
	folder_for n0 "$(front_of "$type" "$id")"
	# shellcheck disable=SC2086  # names and values of any number
	in_folder "$(front_of "$type" "$id")" state 1 $front
	folder_for "r$dom" "$(back_of "$type" "$id")"
	in_folder "$(back_of "$type" "$id")" "$@" frontend "$(front_of "$type" "$id")" \
		frontend-id "$dom" online 1 state 1
}

# in_folder FOLDER [NODE VALUE]...: write all in one transaction.
in_folder() {
	folder=$1
	shift
	count=$#
	while [ "$count" -gt 0 ]; do
		set -- "$@" "$folder/$1" "$2"
		shift 2
		count=$((count - 2))
	done
	xenstore-write -- "$@"
}

# make_front TYPE ID BACK: let the guest read the front end's directory, and only then write the
# nodes that make it a device: all others are readable by then, and the guest may write its state.
make_front() {
	f=$(front_of "$1" "$2")
	xenstore chmod -r "$f" "n$dom" r0
	in_folder "$f" backend "$3" backend-id 0
}

# change TYPE ID NODE=VALUE...: replace nodes of the back end; "NODE=" removes one.
change() {
	b=$(back_of "$1" "$2")
	shift 2
	for pair; do
		if [ -n "${pair#*=}" ]; then
			xenstore-write -- "$b/${pair%%=*}" "${pair#*=}"
		else
			xenstore-rm "$b/${pair%%=*}"
		fi
	done
}

# front_nodes TYPE ID NODE:DEFAULT...: values of the front end's nodes, in one line.
front_nodes() {
	f=$(front_of "$1" "$2")
	shift 2
	for pair; do
		xenstore-read "$f/${pair%%:*}" 2> /dev/null || echo "${pair#*:}"
	done | tr '\n' ' '
}

# number DEVICE: major and minor in the back end's format.
number() {
	stat -L -c %t:%T "$1"
}

# vbd_make ID DEVICE MODE [NODE=VALUE]...: a disk; nodes are changed before the guest reads them.
vbd_make() {
	id=$1 device=$2 mode=$3
	shift 3
	front="virtual-device $id device-type ${device_type:-disk}"
	make_back vbd "$id" params "$device" type phy mode "$mode" dev "xvd$id" removable 0 \
		bootable 0 device-type "${device_type:-disk}" hotplug-status connected
	await_state vbd "$id" back 2 || return
	[ $# = 0 ] || change vbd "$id" "$@"
	xenstore-write "$(back_of vbd "$id")/physical-device" "$(number "$device")"
	make_front vbd "$id" "$(back_of vbd "$id")"
}

# ask_close TYPE ID: request the close of a device as the tool stack does.
ask_close() {
	in_folder "$(back_of "$1" "$2")" online 0 state 5
}

# unmake TYPE ID: remove the nodes of the device.
unmake() {
	xenstore-rm "$(front_of "$1" "$2")"
	xenstore-rm "$(back_of "$1" "$2")"
}

# remove TYPE ID: close the device and remove its nodes.
remove() {
	ask_close "$1" "$2"
	await_state "$1" "$2" back 6 || return
	unmake "$1" "$2"
}

# loop_make NAME MIB [LOSETUP OPTION]...: a loop device on a sparse file; prints it.
loop_make() {
	loop_file=$work/$1
	size=$2
	shift 2
	truncate -s "${size}M" "$loop_file"
	losetup -f --show "$@" "$loop_file"
}

# vif_make ID [NODE=VALUE]...: a network interface, 10.79.ID.1 here and 10.79.ID.2 in the guest.
vif_make() {
	id=$1
	shift
	mac=00:16:3e:79:00:$(printf %02x "$id")
	front="mac $mac handle $id"
	make_back vif "$id" mac "$mac" handle "$id" script none type vif
	await_state vif "$id" back 2 || return
	[ $# = 0 ] || change vif "$id" "$@"
	vif_up "$id"
	make_front vif "$id" "$(back_of vif "$id")"
}

# vif_up ID: the work of a hotplug script. The back end's driver says InitWait before it makes the interface.
vif_up() {
	await 60 test -e "/sys/class/net/vif$dom.$1"
	ip addr add "10.79.$1.1/24" dev "vif$dom.$1"
	ip link set "vif$dom.$1" up
	xenstore-write "$(back_of vif "$1")/hotplug-status" connected
}

# fetch ADDRESS: the file that is served there; busybox's wget needs a name service.
fetch() {
	printf 'GET /file HTTP/1.0\r\n\r\n' | timeout 600 nc "$1" 80 | {
		while read -r line && [ ${#line} -gt 1 ]; do
			:
		done
		cat
	}
}

# loop_end DEVICE
loop_end() {
	losetup -d "$1"
}

# blocks NAME: how many of a loop device's file are allocated.
blocks() {
	stat -c %b "$work/$1"
}

# fake_make TYPE ID [NODE VALUE]...: a device whose back end is only a set of XenStore nodes, which
# a test writes itself. The kernel here has no driver for its type. The front end's address is
# $fake_mac, none if that is empty.
fake_mac=00:16:3e:77:ff:01
fake_back() {
	echo "/local/domain/0/backend/fake/$dom/$1"
}

fake_make() {
	type=$1 id=$2
	shift 2
	folder_for n0 "$(front_of "$type" "$id")"
	in_folder "$(front_of "$type" "$id")" state 1 virtual-device "$id" device-type disk handle "$id" \
		${fake_mac:+mac $fake_mac}
	folder_for "r$dom" "$(fake_back "$id")"
	in_folder "$(fake_back "$id")" frontend "$(front_of "$type" "$id")" frontend-id "$dom" \
		online 1 state 2 "$@"
	make_front "$type" "$id" "$(fake_back "$id")"
}

# fake_end TYPE ID
fake_end() {
	xenstore-rm "$(fake_back "$2")"
	xenstore-rm "$(front_of "$1" "$2")"
}

# unbind and bind TYPE ID: unbind the back end's driver, and bind it again.
unbind() {
	echo "$1-$dom-$2" > "$drivers/$1/unbind"
}

bind() {
	echo "$1-$dom-$2" > "$drivers/$1/bind"
}
