#!/bin/sh
# SPDX-License-Identifier: MIT
# A disk whose back end breaks the protocol is given up, with one line in the log, and nothing else
# suffers: each behaviour of ../hostile in turn.
cd "$(dirname "$0")" || exit
. ./tap.sh
. ./orders.sh
. ./hostile.sh

ID=51952		# xvdp
DISK=/dev/xvdp
DEVICE=vbd-$ID

present() {
	test -b $DISK
}

# read_some: of the hostile disk, past all caches; it ends, well or not.
read_some() {
	present && timeout 20 dd if=$DISK of=/dev/null bs=4k count=16 iflag=direct
}

ends() {
	"$@"
	[ $? -lt 124 ]
}

# Its back end breaks the protocol as soon as anything is read, such as a partition table.
broken() {
	behave vbd $ID "$1"
	until_true 20 present > /dev/null && read_some > /dev/null 2>&1 &
	check "$1: the log names device and field" until_logged 20 "$DEVICE: .*$2"
	wait
	check "$1: a read fails" fails read_some
	check "$1: but it comes to an end" ends read_some
	leave "$1" vbd $ID
}

behave vbd $ID honest
check "honest: the disk appears" until_true 20 present
head -c 1048576 /dev/urandom > /tmp/data
check "honest: takes data" dd if=/tmp/data of=$DISK bs=64k oflag=direct
check "honest: gives them back" sh -c "dd if=$DISK bs=64k count=16 iflag=direct | cmp - /tmp/data"
leave honest vbd $ID

behave vbd $ID error
check "error: the disk appears all the same" until_true 20 present
check "error: a read fails" fails read_some
check "error: and says why" until_logged 10 "I/O error, dev xvdp"
check "error: the disk stays" present
leave error vbd $ID

broken unknown-id "id is"
broken huge-id "id is"
broken twice "id is"
broken bad-status "status is 0x4d"
broken backwards "rsp_prod is"
broken beyond "rsp_prod is"
broken scribble "ring 0: .* is"

echo 2 > /sys/module/pvblk/parameters/timeout
behave vbd $ID silent
check "silent: the log says who is waited for" until_logged 20 "$DEVICE: .*no answer"
leave silent vbd $ID
echo 30 > /sys/module/pvblk/parameters/timeout

behave vbd $ID vanish
check "vanish: the back end's directory goes" until_true 20 gone vbd $ID
leave vanish vbd $ID

behave vbd $ID storm
check "storm: the disk appears" until_true 20 present
check "storm: a read succeeds" read_some
leave storm vbd $ID

behave vbd $ID hold
check "hold: the disk appears" until_true 20 present
hold_and_leave vbd $ID
finish
