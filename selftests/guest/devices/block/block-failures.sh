#!/bin/sh
# SPDX-License-Identifier: MIT
# Back ends that fail, vanish, restart and are replaced: no data, page, grant or event is lost.
cd "$(dirname "$0")" || exit
. ./tap.sh
. ./orders.sh
. ./leaks.sh

A=51728 DISK=/dev/xvdb
mkdir -p /mnt

write_fails() {
	if dd if=/dev/zero of=$DISK bs=1M count=8 oflag=direct 2> /tmp/dd.out; then
		echo "8 MiB were written where 4 fit"
		return 1
	fi
	cat /tmp/dd.out
	grep -q "Input/output error" /tmp/dd.out
}

control "mkdir -p \$work/small && mount -t tmpfs -o size=4m none \$work/small
	loop=\$(loop_make small/disk 16) && vbd_make $A \$loop w"
check "a disk on too small a file system appears" until_true 20 opens $DISK
check "a write that fails behind the back end fails with EIO" write_fails
check "the disk can still be read" dd if=$DISK of=/dev/null bs=64k count=16 iflag=direct
control "loop=\$(xenstore-read \$(back_of vbd $A)/params); remove vbd $A; loop_end \$loop
	umount \$work/small"
check "the disk of errors goes away" until_true 20 fails test -e $DISK

control "loop=\$(loop_make disk 64); echo loop=\$loop >> /tmp/control.sh; vbd_make $A \$loop w"
check "a disk for a file system appears" until_true 20 opens $DISK
# Busybox has a smaller one of the same name.
check "a file system is made" /usr/bin/mke2fs -q -t ext4 $DISK

# Files written and synced one after the other; the name of each is recorded only then.
writer() {
	n=0
	while n=$((n + 1)) && [ $n -le 60 ]; do
		awk -v n=$n 'BEGIN { for (i = 0; i < 256; i++) printf "%511d\n", n * 1000 + i }' \
			| dd of=/mnt/f$n conv=fsync 2> /dev/null && echo $n >> /tmp/acknowledged || return
	done
}

acknowledged_are_there() {
	count=0
	while read -r n; do
		awk -v n="$n" 'BEGIN { for (i = 0; i < 256; i++) printf "%511d\n", n * 1000 + i }' |
			cmp - /mnt/f"$n" || return
		count=$((count + 1))
	done < /tmp/acknowledged
	at_least "files acknowledged" $count "$1"
}

# The back end's driver is unbound from the disk during the writes and bound again.
killed() {
	rm -f /tmp/acknowledged
	mount -t ext4 $DISK /mnt || return
	writer &
	until_true 20 test -s /tmp/acknowledged || return
	control "unbind vbd $A && bind vbd $A" || return
	wait $! || echo "the writer failed"
	equal files "$(wc -l < /tmp/acknowledged)" 60 || return
	umount /mnt && echo 3 > /proc/sys/vm/drop_caches
}

# mounted COMMAND...: run it with the file system mounted.
mounted() {
	mount -t ext4 $DISK /mnt || return
	"$@"
	status=$?
	umount /mnt && return $status
}

REASON="this front end does not reconnect"
check_with pvblk "$REASON" "writing continues over a restart of the back end" killed
check_with pvblk "$REASON" "the file system is intact" e2fsck -f -n $DISK
check_with pvblk "$REASON" "every acknowledged file is there" mounted acknowledged_are_there 60

# Unplugged by force: the tool stack removes the nodes of both ends.
torn_out() {
	rm -f /tmp/acknowledged
	mount -t ext4 $DISK /mnt || return
	rm -f /mnt/f*
	sync
	writer > /dev/null 2>&1 &
	until_true 20 test -s /tmp/acknowledged || return
	control "unbind vbd $A; unmake vbd $A" || return
	wait $! && echo "the writer did not fail"
	umount /mnt || umount -l /mnt
	until_true 30 fails test -e $DISK
}

check "a disk with a mounted file system is removed by force" torn_out
control "vbd_make $A \$loop w"
check "the disk appears again" until_true 20 opens $DISK
# The first e2fsck replays the journal; the second must find nothing to repair.
check "the journal is replayed" sh -c "e2fsck -f -p $DISK; test \$? -le 1"
check "the file system is intact after the removal" e2fsck -f -n $DISK
check "every acknowledged file survived the removal" mounted acknowledged_are_there 1
control "remove vbd $A"

cycle() {
	control "vbd_make $A \$loop w" && until_true 20 opens $DISK &&
		dd if=$DISK of=/dev/null bs=64k count=4 iflag=direct &&
		control "remove vbd $A" && until_true 20 fails test -e $DISK
}

cycles() {
	left=$1
	while [ "$left" -gt 0 ]; do
		cycle || return
		left=$((left - 1))
	done
}

count=20
[ -z "$LONG" ] || count=1000
check "the first plugs and unplugs" cycles 5
measure > /tmp/before
check "$count plugs and unplugs" cycles $count
check "plugs and unplugs leak no grant, event channel or page" no_leak $count
finish
