#!/bin/sh
# SPDX-License-Identifier: MIT
# A disk takes no more of the guest's pages and time than it needs: pages that are not used are given
# back, and long copies are not made in interrupts. It also reconnects while a program waits to change
# its limits.
cd "$(dirname "$0")" || exit
. ./tap.sh
. ./orders.sh

A=51728 DISK=/dev/xvdb

if ! [ -e /sys/module/pvblk ]; then
	skip "pages of a disk" "this front end has others"
	finish
	exit
fi

# counter NAME: the sum over the rings.
counter() {
	awk -v name="$1" '{ for (i = 2; i < NF; i += 2) if ($i == name) n += $(i + 1) } END { print n + 0 }' \
		/sys/kernel/debug/pvblk/xvdb
}

counter_is() {
	equal "$1" "$(counter "$1")" "$2"
}

load() {
	fio --minimal --name=load --filename=$DISK --direct=1 --ioengine=libaio --iodepth=32 \
		--rw=read --bs=256k --size=32M --loops=4
}

# counts NAME LEAST: that counter is so high, or else there is another load: how many requests meet at once
# depends on which of the two ends the machine lets run.
counts() {
	at_least "$1" "$(counter "$1")" "$2" && return
	load > /dev/null
	return 1
}

plug() {
	control "vbd_make $A \$loop w $1" && until_true 20 opens $DISK
}

mark_log
control "loop=\$(loop_make disk 64); echo loop=\$loop >> /tmp/control.sh
	echo 4 > /sys/module/xen_blkback/parameters/max_queues
	echo 0 > /sys/module/xen_blkback/parameters/feature_persistent"
check "a disk of two rings appears" plug multi-queue-max-queues=2
check "it has two rings" equal rings "$(wc -l < /sys/kernel/debug/pvblk/xvdb)" 2
base=$(counter pages)
check "many large reads at once" load
check "its rings have made pages for them" until_true 1 counts pages $((base + 64))
check "not all data was copied in interrupts" until_true 1 counts put_off 1
echo 2 > /proc/sys/vm/drop_caches
check "where memory is short they are given back at once" counter_is pages "$base"
check "many large reads once more" load
check "the rings have grown again" until_true 1 counts pages $((base + 64))
check "pages that are not used are given back with time" until_true 300 counter_is pages "$base"
check "the disk still works" load

# A program changes the queue's limits while requests wait for the back end: it waits for them with a lock.
reconnected() {
	control "unbind vbd $A" || return
	dd if=$DISK of=/dev/null bs=64k count=4 iflag=direct 2> /dev/null &
	reader=$!
	until_true 20 sh -c "cat /proc/$reader/wchan | grep -q ." || return
	echo 64 > /sys/block/xvdb/queue/max_sectors_kb &
	writer=$!
	until_true 20 sh -c "grep -q freeze /proc/$writer/wchan || grep -q freeze /proc/$writer/stack"
	control "bind vbd $A" || return
	until_true 60 fails kill -0 $reader && wait $reader && wait $writer
}

check "a disk is connected again while a program waits to set its limits" reconnected
check "the program has set them" equal max_sectors_kb "$(cat /sys/block/xvdb/queue/max_sectors_kb)" 64
check "the disk works afterwards" load
check "the disk is unplugged" control "remove vbd $A"
check "and gone" until_true 20 fails test -e $DISK
check "the log has no warning" fails logged "WARNING:|BUG:|workqueue:"
finish
