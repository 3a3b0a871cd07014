#!/bin/sh
# SPDX-License-Identifier: MIT
# A disk is unplugged and plugged in again in every order: no disk is left that cannot be used, and
# a detach that was refused is completed when the disk is released.
cd "$(dirname "$0")" || exit
. ./tap.sh
. ./orders.sh
. ./leaks.sh

A=51728 DISK=/dev/xvdb
mkdir -p /mnt

gone() {
	fails test -e $DISK && fails test -e /sys/block/xvdb
}

plug() {
	control "vbd_make $A \$loop w" && until_true 20 opens $DISK
}

reads() {
	dd if=$DISK of=/dev/null bs=64k count=4 iflag=direct
}

writes() {
	dd if=/dev/zero of=$DISK bs=64k count=4 oflag=direct
}

device_gone() {
	fails test -e /sys/bus/xen/devices/vbd-$A
}

control "loop=\$(loop_make disk 16); echo loop=\$loop >> /tmp/control.sh"
check "a disk appears" plug
check "a file system is made" /usr/bin/mke2fs -q -t ext4 $DISK
control "remove vbd $A"
check "an unused disk is unplugged" until_true 20 gone
measure > /tmp/before

# A detach that is refused, as the disk is in use; the tool stack gives up.
refused() {
	mount -t ext4 $DISK /mnt && control "ask_close vbd $A" && mark_log || return
	control "await_state vbd $A front 4 && node_is \$(back_of vbd $A)/state 5" &&
		echo data > /mnt/file && sync /mnt/file
}

check "refused: the disk appears" plug
check "refused: a mounted disk stays and works" refused
check "refused: the disk is unmounted" umount /mnt
check "refused: both ends close then" control "await_state vbd $A back 6 && await_state vbd $A front 6"
check "refused: no dead disk is left" until_true 20 gone
# The tool stack begins a second time, and finds both closed.
check "refused: a later detach ends" control "unmake vbd $A"
check "refused: the device goes with its directory" until_true 20 device_gone
check "refused: the same name is plugged in again" plug
check "refused: with the same data" sh -c "mount -t ext4 $DISK /mnt && grep data /mnt/file && umount /mnt"
check "refused: and unplugged" control "remove vbd $A"
check "refused: it is gone" until_true 20 gone

# Plugged in again before anything was removed.
check "kept: the disk appears" plug
check "kept: it is closed, its directories stay" control "ask_close vbd $A; await_state vbd $A back 6"
check "kept: no dead disk is left" until_true 20 gone
check "kept: the tool stack puts another device there" control "unmake vbd $A; vbd_make $A \$loop w"
check "kept: the disk is back" until_true 20 opens $DISK
check "kept: it works" reads
check "kept: it is unplugged" control "remove vbd $A"
check "kept: it is gone" until_true 20 gone

# The back end starts again in the same directories.
check "again: the disk appears" plug
check "again: it is closed" control "ask_close vbd $A; await_state vbd $A back 6"
check "again: no dead disk is left" until_true 20 gone
check "again: the tool stack brings it back" control "in_folder \$(back_of vbd $A) online 1 state 1"
check "again: the disk is back" until_true 30 opens $DISK
check "again: it works" reads
check "again: it is unplugged" control "remove vbd $A"
check "again: it is gone" until_true 20 gone

# Unplugged while a program has the disk open, which closes it afterwards.
check "open: the disk appears" plug
exec 9< $DISK
check "open: the detach is refused" control "ask_close vbd $A; await_state vbd $A front 4"
check "open: the disk can still be read" reads
exec 9<&-
check "open: both ends close when the program does" control "await_state vbd $A back 6"
check "open: no dead disk is left" until_true 20 gone
check "open: the directories are removed" control "unmake vbd $A"

# By force: the tool stack removes both directories at once.
check "forced: the disk appears" plug
exec 9< $DISK
check "forced: the nodes are removed while it is open" control "unbind vbd $A; unmake vbd $A"
check "forced: the disk goes" until_true 30 gone
check "forced: the open file has no data" equal bytes "$(dd bs=4k count=1 <&9 2> /dev/null | wc -c)" 0
exec 9<&-
check "forced: the same name is plugged in again" plug
check "forced: it works" writes
# A detach that was refused, then by force.
exec 9< $DISK
check "forced: a detach is refused first" control "ask_close vbd $A; await_state vbd $A front 4"
check "forced: then the nodes are removed" control "unbind vbd $A; unmake vbd $A"
check "forced: the disk goes as well" until_true 30 gone
exec 9<&-
check "forced: the same name once more" plug
check "forced: it works once more" reads
check "forced: it is unplugged" control "remove vbd $A"
check "forced: it is gone" until_true 20 gone

# The guest's own unbinding lasts, whatever other devices come and go.
check "by hand: the disk appears" plug
check "by hand: it is unbound" sh -c "echo vbd-$A > /sys/bus/xen/drivers/pvblk/unbind"
check "by hand: it is gone" until_true 20 gone
B=51744
check "by hand: another disk comes" control "other=\$(loop_make other 1)
	echo other=\$other >> /tmp/control.sh; vbd_make $B \$other w"
check "by hand: and is there" until_true 20 opens /dev/xvdc
check "by hand: the first is not bound by that" gone
check "by hand: the other goes" control "remove vbd $B; loop_end \$other"
check "by hand: it is bound" sh -c "echo vbd-$A > /sys/bus/xen/drivers/pvblk/bind"
control "unbind vbd $A; bind vbd $A"
check "by hand: the disk is back" until_true 30 opens $DISK
check "by hand: it is unplugged" control "remove vbd $A"
check "by hand: it is gone in the end" until_true 20 gone

check "no order leaks a grant, event channel or page" no_leak 20
check "the log has no warning" fails logged "WARNING:|BUG:|workqueue:"
finish
