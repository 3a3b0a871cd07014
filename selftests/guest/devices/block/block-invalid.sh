#!/bin/sh
# SPDX-License-Identifier: MIT
# Invalid nodes of a block back end are named in the log and affect no other device.
cd "$(dirname "$0")" || exit
. ./tap.sh
. ./orders.sh

GOOD=51728 BAD=51744 DISK=/dev/xvdc

control "loop=\$(loop_make disk 8); echo loop=\$loop >> /tmp/control.sh; vbd_make $GOOD \$loop w"
check "a good disk appears" until_true 20 opens /dev/xvdb

# named FIELD: the log has one line with the device and the field.
named() {
	until_true 20 logged "(vbd|xvdc|51744|$BAD).*$1"
}

# fake NODE=VALUE...: a faked back end publishes these nodes when it connects.
fake() {
	nodes=
	for pair; do
		nodes="$nodes ${pair%%=*} '${pair#*=}'"
	done
	control "fake_make vbd $BAD && await_state vbd $BAD front 3 &&
		in_folder \$(fake_back $BAD) sectors 2048 info 0 sector-size 512 state 4 $nodes"
}

fake_away() {
	control "in_folder \$(fake_back $BAD) state 6; fake_end vbd $BAD" &&
		until_true 20 fails test -e $DISK
}

# refused NODE VALUE: an invalid node of a connecting back end is named, and there is no disk.
refused() {
	mark_log
	fake "$1=$2" && named "${1}" && fails test -e $DISK && fake_away
}

for pair in sectors=abc sectors=-1 sectors= sectors=99999999999999999999 sector-size=7 \
	sector-size=0 sector-size=1000000; do
	check_with pvblk "this front end logs no such line" "$pair is refused by name" \
		refused "${pair%%=*}" "${pair#*=}"
done

# taken NODE=VALUE...: data pass when the other nodes are valid.
taken() {
	control "vbd_make $BAD \$loop w $*" && until_true 20 opens $DISK &&
		dd if=/dev/urandom of=/tmp/data bs=64k count=16 2> /dev/null &&
		dd if=/tmp/data of=$DISK bs=256k oflag=direct 2> /dev/null &&
		dd if=$DISK bs=64k count=16 iflag=direct 2> /dev/null | cmp - /tmp/data
	status=$?
	control "remove vbd $BAD" && until_true 20 fails test -e $DISK && return $status
}

for pair in max-ring-page-order=99 max-ring-page-order=-1 max-ring-page-order=abc \
	feature-max-indirect-segments=1000000000 feature-max-indirect-segments=-5 \
	feature-max-indirect-segments=abc multi-queue-max-queues=0 multi-queue-max-queues=-1; do
	check "data pass with $pair" taken "$pair"
done

# A state that does not exist, before and after the device is in use.
state_99() {
	control "fake_make vbd $BAD; await_state vbd $BAD front 3" || return
	mark_log
	control "in_folder \$(fake_back $BAD) state 99"
	named state
}

check_with pvblk "this front end logs no such line" "a state of 99 is named" state_99
check_with pvblk "there is no device of that state" "the device of that state goes away" fake_away

# A back end that never responds and then closes: waiting requests fail. Linux itself reads the
# partition table first, and no program can open the disk until that has failed; then it finds no
# disk or an empty one.
silent() {
	mark_log
	fake || return
	until_true 20 test -b $DISK || return
	dd if=$DISK of=/tmp/nothing bs=4k count=1 iflag=direct 2> /dev/null &
	fake_away || return
	wait $!
	[ ! -s /tmp/nothing ] && until_true 20 logged "I/O error, dev ${DISK#/dev/}, sector 0"
}

check_with pvblk "this front end waits without end" \
	"requests to a back end that never responds fail when it closes" silent

# The disk waits for a new back end until its own directory is removed as well.
vanish() {
	fake && until_true 20 test -b $DISK && control "xenstore-rm \$(fake_back $BAD)" &&
		control "xenstore-rm \$(front_of vbd $BAD)" && until_true 30 fails test -e $DISK
}

check "a disk whose nodes are removed goes away" vanish
check "the good disk still works" sh -c "dd if=/dev/xvdb of=/dev/null bs=64k iflag=direct"
finish
