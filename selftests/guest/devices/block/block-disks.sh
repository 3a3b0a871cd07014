#!/bin/sh
# SPDX-License-Identifier: MIT
# Disks of every kind: writable, growing, partitioned, read-only, large sectors, CD-ROM.
cd "$(dirname "$0")" || exit
. ./tap.sh
. ./orders.sh

A=51728 DISK=/dev/xvdb QUEUE=/sys/block/xvdb/queue

# disk MODE [LOSETUP OPTION]...: a disk of 16 MiB is there as DISK.
disk() {
	mode=$1
	shift
	control "loop=\$(loop_make disk 16 $*) && vbd_make $A \$loop $mode" &&
		until_true 20 opens $DISK
}

disk_away() {
	control "loop=\$(xenstore-read \$(back_of vbd $A)/params); remove vbd $A && loop_end \$loop
		rm -f \$work/disk" && until_true 20 fails test -e $DISK
}

fio_disk() {
	fio --minimal --name=verify --filename=$DISK --verify=crc32c --verify_fatal=1 "$@"
}

# Sectors filled with their own number: the file behind the disk must hold them in their places.
numbered() {
	awk 'BEGIN { for (i = 0; i < 4096; i++) printf "%511d\n", i }' > /tmp/numbered
	dd if=/tmp/numbered of=$DISK bs=64k conv=fsync seek=1 &&
		equal "sum of the file" \
			"$(control "dd if=\$work/disk bs=64k skip=1 count=32 2> /dev/null | md5sum")" \
			"$(md5sum < /tmp/numbered)"
}

reread() {
	echo 3 > /proc/sys/vm/drop_caches
	dd if=$DISK bs=64k skip=1 count=32 2> /dev/null | cmp - /tmp/numbered
}

check "a writable disk appears" disk w
check "sysfs has the disk below its device on the bus xen" \
	equal place "$(realpath /sys/class/block/xvdb)" /sys/devices/vbd-$A/block/xvdb
check "a writable disk has the size of the file" equal size "$(cat /sys/block/xvdb/size)" 32768
check "a writable disk is not read-only" equal ro "$(cat /sys/block/xvdb/ro)" 0
check "a disk has the usual geometry" equal geometry "$(./geometry $DISK)" "255 63 2 0"
check "each sector written arrives in its place" numbered
check "each sector is read from its place" reread
check "buffered writes" fio_disk --rw=randwrite --ioengine=psync --bs=4k --size=4M --fsync=64
check "direct writes through io_uring" fio_disk --rw=randwrite --ioengine=io_uring --direct=1 \
	--iodepth=32 --bsrange=4k-64k --size=4M
check "direct I/O from buffers anywhere in a page" fio_disk --rw=randwrite --ioengine=libaio \
	--direct=1 --iodepth=8 --bsrange=512-16k --blockalign=512 --mem_align=512 --size=2M
check "mapped writes" fio_disk --rw=write --ioengine=mmap --size=2M

trim() {
	before=$(control "blocks disk")
	fio --minimal --name=trim --filename=$DISK --rw=trim --ioengine=psync --direct=1 --bs=64k \
		--offset=1M --size=4M > /dev/null || return
	after=$(control "blocks disk")
	note "allocated before: $before, after: $after"
	at_least "blocks given back" $((before - after)) 8000
}

if [ "$(cat $QUEUE/discard_max_bytes)" -gt 0 ]; then
	fio_disk --rw=write --ioengine=psync --bs=64k --size=8M --do_verify=0 --end_fsync=1 > /dev/null
	check "discarded blocks are given back by the file" trim
	check "discarded blocks read as zeroes" \
		sh -c "dd if=$DISK bs=1M skip=1 count=4 | cmp - -n 4194304 /dev/zero"
else
	check "the back end has discard" false
fi

grow() {
	control "truncate -s 24M \$work/disk && losetup -c \$(xenstore-read \$(back_of vbd $A)/params)"
	# The back end reads the size at the next request.
	dd if=$DISK of=/dev/null bs=4k count=1 iflag=direct 2> /dev/null
	until_true 20 grep -qx 49152 /sys/block/xvdb/size &&
		dd if=/tmp/numbered of=$DISK bs=1M seek=20 count=1 conv=fsync &&
		equal "sum of the new part" \
			"$(control "dd if=\$work/disk bs=1M skip=20 count=1 2> /dev/null | md5sum")" \
			"$(dd if=/tmp/numbered bs=1M count=1 2> /dev/null | md5sum)"
}

check "a disk grows while in use" grow
check "a writable disk goes away" disk_away

# A table of two partitions, by hand: 1 MiB from sector 2048, 2 MiB from sector 4096.
partitioned() {
	control "loop=\$(loop_make disk 16)
		{ head -c 446 /dev/zero
		printf '\\0\\0\\0\\0\\203\\0\\0\\0\\0\\010\\0\\0\\0\\010\\0\\0'
		printf '\\0\\0\\0\\0\\203\\0\\0\\0\\0\\020\\0\\0\\0\\020\\0\\0'
		head -c 32 /dev/zero; printf '\\125\\252'; } | dd of=\$work/disk conv=notrunc 2> /dev/null
		vbd_make $A \$loop w" && until_true 20 opens ${DISK}2
}

check "partitions are found" partitioned
check "the first partition has its place" equal place "$(cat /sys/block/xvdb/xvdb1/start) \
$(cat /sys/block/xvdb/xvdb1/size)" "2048 2048"
check "the second partition has its place" equal place "$(cat /sys/block/xvdb/xvdb2/start) \
$(cat /sys/block/xvdb/xvdb2/size)" "4096 4096"
check "a partition has the disk's geometry" equal geometry "$(./geometry ${DISK}2)" "255 63 2 4096"
check "a partitioned disk goes away" disk_away

check "a read-only disk appears" disk r
check "a read-only disk is marked read-only" equal ro "$(cat /sys/block/xvdb/ro)" 1
check "a read-only disk refuses writes" fails dd if=/dev/zero of=$DISK bs=4k count=1 conv=fsync
check "a read-only disk can be read" dd if=$DISK of=/dev/null bs=64k
check "a read-only disk goes away" disk_away

check "a disk of 4096-byte sectors appears" disk w --sector-size 4096
check "a disk of 4096-byte sectors has sectors of 4096 bytes" equal sector "$(cat $QUEUE/logical_block_size)" 4096
check "a disk of 4096-byte sectors has the size of the file" equal size "$(cat /sys/block/xvdb/size)" 32768
check "direct I/O of whole sectors" fio_disk --rw=randwrite --ioengine=libaio --direct=1 \
	--iodepth=8 --bsrange=4k-64k --size=2M
# Busybox's dd would continue without O_DIRECT.
check "direct I/O of an eighth of a sector is refused" fails fio_disk --rw=read --ioengine=psync \
	--direct=1 --bs=512 --size=64k
check "a disk of 4096-byte sectors goes away" disk_away

cdrom() {
	control "loop=\$(loop_make disk 16); device_type=cdrom; vbd_make $A \$loop r" &&
		until_true 20 opens $DISK
}

check "a CD-ROM appears" cdrom
check "a CD-ROM is read-only" equal ro "$(cat /sys/block/xvdb/ro)" 1
check "a CD-ROM can be read" dd if=$DISK of=/dev/null bs=64k
check "a CD-ROM goes away" disk_away
finish
