#!/bin/sh
# SPDX-License-Identifier: MIT
# Data survive every combination of a block back end's features.
cd "$(dirname "$0")" || exit
. ./tap.sh
. ./orders.sh

ID=51728		# xvdb
DISK=/dev/xvdb
SIZE=8			# MiB

verify() {
	fio --minimal --name=verify --filename=$DISK --direct=1 --ioengine=libaio --iodepth=16 \
		--verify=crc32c --verify_fatal=1 --group_reporting \
		--rw=randwrite "$@"
}

queue() {
	cat "/sys/block/xvdb/queue/$1"
}

# taken QUEUES ORDER INDIRECT PERSISTENT FLUSH: the front end uses the features that were offered.
taken() {
	answer=$(control "front_nodes vbd $ID multi-queue-num-queues:1 ring-page-order:0 \
		feature-persistent:0; xenstore-read \$(back_of vbd $ID)/feature-persistent")
	# shellcheck disable=SC2086  # a number for each node
	set -- "$@" $answer
	equal queues "$6" "$1" && equal ring-page-order "$7" "$2" || return
	# Both ends must publish it.
	equal "persistent grants of the back end" "$9" "$4" || return
	[ "$4" = 0 ] || equal feature-persistent "$8" 1 || return
	# Eleven pages fit into a request that is not indirect.
	if [ "$3" = 0 ]; then
		[ "$(queue max_hw_sectors_kb)" -le 44 ]
	else
		at_least "KiB of a request" "$(queue max_hw_sectors_kb)" 64
	fi || return
	case $5 in
	0) equal cache "$(queue write_cache)" "write through" ;;
	1) equal cache "$(queue write_cache)" "write back" ;;
	esac
}

same_in_file() {
	echo 3 > /proc/sys/vm/drop_caches
	equal "sum of the file" "$(control "md5sum < \$work/disk")" "$(md5sum < $DISK)"
}

combination() {
	queues=$1 order=$2 indirect=$3 persistent=$4 flush=$5
	title="$queues rings of $((1 << order)) pages, indirect $indirect, persistent $persistent, flush $flush"
	cache="write through"
	[ "$flush" = 0 ] || cache="write back"
	if [ "$indirect" = 0 ]; then
		set -- feature-max-indirect-segments=
	else
		set --
	fi
	control "
		echo $persistent > /sys/module/xen_blkback/parameters/feature_persistent
		echo $cache > /sys/block/\${loop#/dev/}/queue/write_cache
		vbd_make $ID \$loop w multi-queue-max-queues=$queues max-ring-page-order=$order $*"
	check "$title: connects" until_true 20 opens $DISK
	check "$title: is used by the front end" \
		taken "$queues" "$order" "$indirect" "$persistent" "$flush"
	check "$title: large and small blocks" verify --bsrange=4k-256k --size=${SIZE}M
	check "$title: sectors" verify --bs=512 --size=256k --offset=1M
	check "$title: the file has the same data" same_in_file
	check "$title: the back end closes" control "remove vbd $ID"
	check "$title: the disk is gone" until_true 20 fails test -e $DISK
}

# As large a ring as the back end allows; mainline has that on its command line.
[ ! -e /sys/module/pvblk ] || echo 4 > /sys/module/pvblk/parameters/ring_order
control "loop=\$(loop_make disk $SIZE); echo loop=\$loop >> /tmp/control.sh
	echo 4 > /sys/module/xen_blkback/parameters/max_queues"
# The short form has every pair of values at least once.
while read -r words; do
	# shellcheck disable=SC2086
	combination $words
done << END
1 0 0 0 0
1 0 1 1 1
2 0 0 1 0
2 0 1 0 1
1 2 0 0 1
1 2 1 1 0
END
[ -z "$LONG" ] || while read -r words; do
	# shellcheck disable=SC2086
	combination $words
done << END
1 0 0 0 1
1 0 0 1 0
1 0 0 1 1
1 0 1 0 0
1 0 1 0 1
1 0 1 1 0
2 0 0 0 0
2 0 0 0 1
2 0 0 1 1
2 0 1 0 0
2 0 1 1 0
2 0 1 1 1
1 2 0 0 0
1 2 0 1 0
1 2 0 1 1
1 2 1 0 0
1 2 1 0 1
1 2 1 1 1
2 3 1 0 1
2 3 1 1 1
END
finish
