#!/bin/sh
# SPDX-License-Identifier: MIT
# Measures disk and network of a guest on an emulator whose clock counts instructions: a time is a
# number of instructions then, of the whole machine, the same back ends included on every kernel.
#
# usage: io.sh QUICK, where QUICK is 1 for a tenth of the work; with PEER set, in each of two guests
#
# Prints "op NAME INSTRUCTIONS NOTIFICATIONS EVENTS" for each operation, all three for one million
# operations: what the machine executed, how often the front end notified the back end, how often
# the back end notified the front end.
cd "$(dirname "$0")" || exit
. ./tap.sh
# Of two guests none gives orders, as both would.
[ -n "$PEER" ] || . ./orders.sh

DISK=/dev/xvdb
scale=10
[ "$1" != 1 ] || scale=1

# interrupts: of both ends' rings so far, here and in the control domain.
interrupts() {
	awk '/blkif|xvdb|eth0|vif0/ { n += $2 } END { print n + 0 }' /proc/interrupts
	control "awk '/blkif|guest1-q/ { n += \$2 } END { print n + 0 }' /proc/interrupts"
}

# row NAME OPERATIONS NANOSECONDS EVENTS NOTIFICATIONS EVENTS NOTIFICATIONS
row() {
	awk -v name="$1" -v ops="$2" -v ns="$3" -v e0="$4" -v n0="$5" -v e1="$6" -v n1="$7" 'BEGIN {
		if (ops > 0)
			printf "op %s %.0f %.0f %.0f\n", name, ns / ops * 1e6, (n1 - n0) / ops * 1e6,
				(e1 - e0) / ops * 1e6
	}'
}

# disk NAME READ|WRITE SIZE DEPTH MIB: one run of fio. Of its fields 6 to 9 are about reading
# and 47 to 50 about writing: KiB moved, KiB/s, operations/s, milliseconds.
disk() {
	before=$(interrupts)
	result=$(fio --minimal --name=io --filename=$DISK --direct=1 --ioengine=libaio --rw="$2" \
		--bs="$3"k --iodepth="$4" --size=24M --io_size="$5"M --norandommap --randseed=1)
	after=$(interrupts)
	# shellcheck disable=SC2046  # two numbers
	case $2 in
	*read) set -- "$@" $(echo "$result" | cut -d';' -f6,9 | tr ';' ' ') ;;
	*) set -- "$@" $(echo "$result" | cut -d';' -f47,50 | tr ';' ' ') ;;
	esac
	# shellcheck disable=SC2086
	row "$1" $(($6 / $3)) "${7}000000" $before $after
}

# stream NAME JSON-KEY UNIT IPERF3 WORDS...: for each UNIT bytes, or for each packet.
stream() {
	name=$1 key=$2 unit=$3 server=${SERVER:-10.77.0.1}
	shift 3
	[ -n "$PEER" ] || control "iperf3 -s -1 -D -B $server --pidfile /tmp/iperf.pid
		await 10 sh -c 'netstat -ltn | grep -q :5201'"
	before=$(interrupts)
	iperf3 -J -c "$server" "$@" > /tmp/iperf.json || return
	after=$(interrupts)
	# The bytes received and the time: the last sum of its kind.
	# shellcheck disable=SC2046,SC2086
	set -- $(awk -v key="\"$key\"" -v unit="$unit" -v FS='[:,]' '
		{ gsub(/[ \t]/, "") }
		$1 == key { on = 1 }
		on && $1 == "\"seconds\"" { s = $2 }
		on && $1 == "\"bytes\"" { b = $2 }
		on && $1 == "\"packets\"" { p = $2 }
		on && $1 == "\"lost_packets\"" { lost = $2 }
		on && /}/ { on = 0 }
		END { printf "%d %.0f", unit ? b / unit : p - lost, s * 1e9 }' /tmp/iperf.json)
	# shellcheck disable=SC2086
	row "$name" "$1" "$2" $before $after
}

if [ -n "$PEER" ]; then
	interrupts() {
		awk '/eth0|vif0/ { n += $2 } END { print n + 0 }' /proc/interrupts
		echo 0
	}
	# Two guests: the first serves and stays until it has served.
	if [ "$PVGUEST_NUMBER" = 1 ]; then
		iperf3 -s -1 > /dev/null
	else
		SERVER=10.77.0.11
		until_true 30 ping -c 1 -W 1 $SERVER
		stream tcp_guest_to_guest sum_received 1048576 -n $((scale * 16))M
	fi
	exit
fi

control "loop=\$(loop_make disk 24) && dd if=/dev/zero of=\$loop bs=1M count=24 &&
	vbd_make 51728 \$loop w" && until_true 30 opens $DISK || exit
disk warm_up read 128 32 8 > /dev/null
for depth in 1 32; do
	disk read_4k_qd$depth randread 4 $depth $((scale * 2))
	disk write_4k_qd$depth randwrite 4 $depth $((scale * 2))
	disk read_128k_qd$depth read 128 $depth $((scale * 12))
	disk write_128k_qd$depth write 128 $depth $((scale * 12))
done
stream tcp_send sum_received 1048576 -n $((scale * 16))M
# The receiver's window ends each burst, and how far it grows is chance: once more with a fixed one.
stream tcp_send_window sum_received 1048576 -n $((scale * 16))M -w 416K
stream tcp_receive sum_received 1048576 -n $((scale * 16))M -R
stream udp_send_64 sum 0 -u -b 0 -l 64 -t 1
stream udp_receive_64 sum 0 -u -b 0 -l 64 -t 1 -R
