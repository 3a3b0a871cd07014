#!/bin/sh
# SPDX-License-Identifier: MIT
# A disk whose back end breaks the protocol is closed, with one line in the log, and affects no
# other device: each behaviour of ../hostile in turn.
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

# appears BEHAVIOUR: the disk is there for programs; its back end must let the partition table be read.
appears() {
	check "$1: the disk appears" until_true 20 opens $DISK
}

# read_some: read from the hostile disk, past all caches; with or without an error.
read_some() {
	present && timeout 300 dd if=$DISK of=/dev/null bs=4k count=16 iflag=direct
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
	check "$1: a read ends in time" ends read_some
	leave "$1" vbd $ID
}

behave vbd $ID honest
appears honest
head -c 1048576 /dev/urandom > /tmp/data
check "honest: the disk is written" dd if=/tmp/data of=$DISK bs=64k oflag=direct
check "honest: the data are read back" sh -c "dd if=$DISK bs=64k count=16 iflag=direct | cmp - /tmp/data"
leave honest vbd $ID

behave vbd $ID error
check "error: the disk appears" until_true 20 present
check "error: a read fails" fails read_some
check "error: the log has the I/O error" until_logged 10 "I/O error, dev xvdp"
check "error: the disk stays" present
leave error vbd $ID

# A file system is made, written and synced; its errors would be in the log.
file_system() {
	mkdir -p /mnt && /usr/bin/mke2fs -q -t ext4 -F $DISK &&
		mount -t ext4 $DISK /mnt && cp ./hostile /mnt/file && sync /mnt/file && sync &&
		touch /mnt/after && sync && umount /mnt
}

for behaviour in no-flush no-barrier; do
	behave vbd $ID $behaviour
	appears $behaviour
	check "$behaviour: a file system is written and synced" file_system
	check "$behaviour: the log says so once" equal lines "$(logged_times "flush: not supported .*; no longer sent")" 1
	check "$behaviour: the file system has no error" fails logged "JBD2|EXT4-fs.*(error|abort)|I/O error"
	leave $behaviour vbd $ID
done

write_block() {
	dd if=./hostile of=$DISK bs=4k count=1 oflag=direct conv=notrunc
}

flush() {
	dd if=./hostile of=$DISK bs=4k count=1 conv=notrunc,fsync
}

# restarted COUNT: its back end is killed and comes back, for the COUNTth time.
restarted() {
	dd if=$DISK of=/dev/null bs=4k skip=512 count=1 iflag=direct
	until_true 20 connected_times "$1"
}

connected_times() {
	[ "$(logged_times "xvdp: [0-9]* sectors")" = "$1" ]
}

LOST="writes since the last flush may be lost"
behave vbd $ID amnesia
appears amnesia
check "amnesia: a write is flushed" flush
check "amnesia: the back end restarts" restarted 2
check "amnesia: nothing is lost that was flushed" fails logged "$LOST"
check "amnesia: so the next flush succeeds" flush
check "amnesia: another write is acknowledged" write_block
check "amnesia: the back end restarts before a flush" restarted 3
check "amnesia: the log says that writes may be lost" logged "$LOST"
check "amnesia: the next flush fails" fails flush
check "amnesia: the one after it succeeds" flush
leave amnesia vbd $ID

broken unknown-id "ring 0: id: invalid value"
broken huge-id "ring 0: id: invalid value"
broken twice "ring 0: id: invalid value"
broken bad-status "ring 0: status: invalid value 0x4d"
broken backwards "ring 0: rsp_prod: invalid value"
broken beyond "ring 0: rsp_prod: invalid value"
broken scribble "ring 0: .*: invalid value"

echo 2 > /sys/module/pvblk/parameters/timeout
behave vbd $ID silent
check "silent: the log names the device that does not respond" until_logged 20 "$DEVICE: sector [0-9]*: no response"
leave silent vbd $ID
echo 30 > /sys/module/pvblk/parameters/timeout

behave vbd $ID vanish
check "vanish: the back end's directory goes" until_true 20 gone vbd $ID
leave vanish vbd $ID

behave vbd $ID storm
appears storm
check "storm: a read succeeds" read_some
leave storm vbd $ID

kept=/sys/module/pvbus/parameters/kept_pages
usual=$(cat $kept)
echo 8 > $kept
behave vbd $ID hold-again
appears hold-again
dd if=$DISK of=/dev/null bs=44k count=1 iflag=direct 2> /dev/null
dd if=$DISK of=/dev/null bs=4k skip=512 count=1 iflag=direct 2> /dev/null
check "hold-again: the log says that pages are kept" until_logged 30 "vbd-$ID: pages: [0-9]* of earlier connections are still mapped"
check "hold-again: it is not connected meanwhile" connected_times 1
echo "$usual" > $kept
check "hold-again: it is when so many may be" until_true 20 connected_times 2
leave hold-again vbd $ID

behave vbd $ID hold
appears hold
# Else the device may be unplugged before the back end has had a request.
check "hold: a read succeeds" read_some
hold_and_leave vbd $ID
finish
