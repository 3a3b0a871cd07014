#!/bin/sh
# SPDX-License-Identifier: MIT
# Packets of every size and kind pass between the guest and a back end, with each set of offloads.
cd "$(dirname "$0")" || exit
. ./tap.sh
. ./orders.sh
. ./nics.sh

HERE=10.79.5.2 THERE=10.79.5.1
serve

sizes() {
	if [ -n "$LONG" ]; then
		ping_of $THERE 0 65507 1
		return
	fi
	# Around slots of 4096 bytes, packets of 1500, and at both ends.
	ping_of $THERE 0 65 1 && ping_of $THERE 1460 1486 1 && ping_of $THERE 2944 2970 1 &&
		ping_of $THERE 4050 4100 1 && ping_of $THERE 8150 8200 5 &&
		ping_of $THERE 100 65507 2311 && ping_of $THERE 65490 65507 1
}

# captured FILTER: how many packets on the back end's interface match since capture began.
capture() {
	control "rm -f /tmp/capture; tcpdump -i vif\$dom.5 -s 200 -U -w /tmp/capture > /tmp/dump.log \
		2>&1 < /dev/null & echo \$! > /tmp/dump.pid
		await 60 test -s /tmp/capture"
}

captured() {
	control "kill \$(cat /tmp/dump.pid) 2> /dev/null; await 60 fails kill -0 \$(cat /tmp/dump.pid)
		tcpdump -n -r /tmp/capture '$1' 2> /dev/null | wc -l"
}

# Every checksum that leaves the guest, as tcpdump in the control domain judges it.
checksums_right() {
	captured ip > /dev/null
	bad=$(control "tcpdump -n -vv -r /tmp/capture 'src $HERE' 2> /dev/null |
		grep -c -E 'incorrect|bad cksum|bad udp'")
	good=$(control "tcpdump -n -vv -r /tmp/capture 'src $HERE' 2> /dev/null |
		grep -c -E '\\(correct\\)|udp sum ok'")
	at_least "good checksums" "$good" 100 && equal "bad checksums" "$bad" 0
}

longer_than_mtu() {
	captured "src $HERE and tcp and greater 1600"
}

check "an interface appears and has a carrier" nic_up 5
check "pings of all sizes are answered" sizes
check "TCP both ways" fetch_both $THERE $HERE

offloads() {
	for pair; do
		./nic "$nic" "${pair%=*}" "${pair#*=}" || return
	done
}

check "checksums and segmentation in the guest" offloads tso=off tx=off
capture
check "TCP both ways without offloads" fetch_both $THERE $HERE
check "each checksum that the guest computed is good" checksums_right
check "no packet is longer than the MTU" equal packets "$(longer_than_mtu)" 0
check "offloads again" offloads tx=on sg=on tso=on
capture
check "TCP both ways with offloads" fetch_both $THERE $HERE
check "packets longer than the MTU reach the back end" at_least packets "$(longer_than_mtu)" 10
check "GRO off" offloads gro=off
check "TCP both ways without GRO" fetch_both $THERE $HERE
check "GRO on" offloads gro=on
receive_checksums() {
	offloads "rx=$1" && equal rx "$(./nic "$nic" rx)" "$1" && fetch_both $THERE $HERE
}

if [ -e /sys/module/pvnet ]; then
	check "TCP both ways, checksums checked by the guest" receive_checksums off
	check "TCP both ways, checksums checked by the back end" receive_checksums on
else
	skip "checksums of received packets" "this front end cannot leave them to the guest"
fi
check "scatter-gather off" offloads sg=off
check "TCP both ways without scatter-gather" fetch_both $THERE $HERE
check "scatter-gather on" offloads sg=on tso=on

# The other end computes and checks checksums itself.
control "ethtool -K vif\$dom.5 tx off tso off > /dev/null"
check "TCP both ways with a back end that offloads nothing" fetch_both $THERE $HERE
control "ethtool -K vif\$dom.5 tx on tso on > /dev/null"

mtu() {
	control "ip link set vif\$dom.5 mtu $1" && ip link set "$nic" mtu "$1" &&
		ping_of $THERE $(($1 - 28)) $(($1 - 28)) 1 && fetch_both $THERE $HERE
}

for size in 1280 9000 65517; do
	check "an MTU of $size" mtu $size
done
check "the usual MTU again" mtu 1500

# deferred POLLS NANOSECONDS: the core repeats so many polls without work itself.
deferred() {
	echo "$1" > "/sys/class/net/$nic/napi_defer_hard_irqs" &&
		echo "$2" > "/sys/class/net/$nic/gro_flush_timeout" && fetch_both $THERE $HERE
}

check "TCP both ways with few events" deferred 2 200000
check "TCP both ways with all events" deferred 0 0

ipv6() {
	address=$(control "ip -6 addr show dev vif\$dom.5" | sed -n 's/.*inet6 \(fe80[^/]*\).*/\1/p')
	ping -6 -c 1 -W 5 -s 3000 "$address%$nic"
}

# Each is one packet and waits 5 s for its reply, in which the machine may stand still.
check "IPv6 both ways" until_true 1 ipv6

# A group without members gets no reply; the group of all hosts gets one from each.
multicast() {
	echo 0 > /proc/sys/net/ipv4/icmp_echo_ignore_broadcasts
	control "ping -c 1 -W 5 -I vif\$dom.5 224.0.0.1" | grep "from $HERE"
}

check "multicast reaches the guest" until_true 1 multicast

# queues_add_up COUNT: so many have counters, and with the rest these add up to the device's.
queues_add_up() {
	local name before sum
	equal "receive queues" "$(./queue-stats "$nic" | grep -c '^rx.* rx_packets ')" "$1" &&
		equal "transmit queues" "$(./queue-stats "$nic" | grep -c '^tx.* tx_packets ')" "$1" ||
		return
	for name in rx_packets rx_bytes tx_packets tx_bytes; do
		before=$(cat "/sys/class/net/$nic/statistics/$name")
		sum=$(./queue-stats "$nic" | sed -n "s/^device $name //p")
		# Packets may come meanwhile.
		at_least "$name" "$sum" "$before" &&
			at_least "$name" "$(cat "/sys/class/net/$nic/statistics/$name")" "$sum" || return
	done
}

two_channels() {
	./nic "$nic" channels 1 && equal channels "$(./nic "$nic" channels)" "1 $1" &&
		carrier "$nic" 1 && fetch_both $THERE $HERE && queues_add_up 1 &&
		./nic "$nic" channels "$1" &&
		carrier "$nic" 1 && equal channels "$(./nic "$nic" channels)" "$1 $1" &&
		fetch_both $THERE $HERE && queues_add_up "$1"
}

if ./nic "$nic" channels > /dev/null 2>&1; then
	check "the number of queues changes under way" two_channels 2
else
	skip "the number of queues changes under way" "this front end cannot change it"
fi
if [ -e /sys/module/pvnet ]; then
	check "sent packets are counted" at_least packets "$(counter "$nic" tx_packets)" 1000
	check "received packets are counted" at_least packets "$(counter "$nic" rx_packets)" 1000
else
	check "there are counters" sh -c "./nic $nic stats | grep -q '[0-9]\$'"
fi

stream() {
	control "iperf3 -s -1 -D -B $THERE --pidfile /tmp/iperf.pid
		await 60 sh -c 'netstat -ltn | grep -q :5201'" && iperf3 -c $THERE "$@"
}

check "iperf3 sends" stream -n 16M
check "iperf3 receives" stream -n 16M -R
check "iperf3 both ways, four streams" stream -n 16M --bidir -P 4
check "iperf3 sends datagrams" stream -u -b 0 -l 200 -t 2
check "iperf3 receives datagrams" stream -u -b 0 -l 200 -t 2 -R
check "the interface goes away" nic_away 5

for kind in feature-sg=0 feature-gso-tcpv4-prefix=1 multi-queue-max-queues=1 \
	feature-split-event-channels=0; do
	check "a back end with $kind" nic_up 5 $kind
	check "TCP both ways, $kind" fetch_both $THERE $HERE
	check "away again, $kind" nic_away 5
done
finish
