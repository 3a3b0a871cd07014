#!/bin/sh
# SPDX-License-Identifier: MIT
# XDP programs pass, drop, send back and redirect received packets.
cd "$(dirname "$0")" || exit
. ./tap.sh
. ./orders.sh
. ./nics.sh

HERE=10.79.5.2 THERE=10.79.5.1
serve
mkfifo /tmp/attached

# attach NIC ACTION: start the program there; it goes with the process $!.
attach() {
	local word
	./xdp "$1" "$2" > /tmp/attached &
	read -r word < /tmp/attached
	[ "$word" = attached ]
}

# detach PROCESS: end a program.
detach() {
	kill "$1" 2> /dev/null
	wait "$1" 2> /dev/null
}

# under NIC ACTION COMMAND...: run COMMAND while the program is attached.
under() {
	local under="$1" xdp status attached
	attach "$1" "$2"
	attached=$?
	xdp=$!
	shift 2
	# The queues may start anew to get headroom before the packets.
	[ $attached = 0 ] && carrier "$under" 1 && "$@"
	status=$?
	detach $xdp
	[ ! -e "/sys/class/net/$under" ] || carrier "$under" 1
	return $status
}

# come_back ID: all of ten packets sent to the first interface arrive from interface ID.
come_back() {
	got=$(control "at=/sys/class/net/vif\$dom.$1/statistics/rx_packets
		before=\$(cat \$at)
		ping -c 10 -A -W 1 $HERE > /dev/null
		came() { [ \$((\$(cat \$at) - before)) -ge 10 ]; }
		await 20 came > /dev/null
		echo \$((\$(cat \$at) - before))")
	at_least "packets from interface $1" "$got" 10
}

check "an interface appears" nic_up 5
first=$nic
check "another appears" nic_up 6
second=$nic
# The control domain knows its neighbour, so it sends without having to ask.
control "arp -i vif\$dom.5 -s $HERE 00:16:3e:79:00:05"

check "a program that passes all" under "$first" pass ping_of $THERE 0 4000 97
check "TCP under a program that passes all" under "$first" pass fetch_both $THERE $HERE
check "a program that drops all" fails under "$first" drop ping_of $THERE 100 100 1

# received: how many packets the first interface has received.
received() {
	cat "/sys/class/net/$first/statistics/rx_packets"
}

ten_more() {
	at_least "received packets" "$(($(received) - before))" 10
}

# unanswered: none of ten packets gets a reply, and all of them are counted, in the end.
unanswered() {
	before=$(received)
	control "fails ping -c 10 -A -W 1 $HERE > /dev/null" && until_true 20 ten_more
}

if [ -e /sys/module/pvnet ]; then
	check "packets that a program drops are counted" under "$first" drop unanswered
else
	skip "packets that a program drops are counted" "this front end does not count them"
fi
check "traffic after the program is detached" ping_of $THERE 100 100 1
check "a program that sends all back" under "$first" tx come_back 5
# The other interface needs a program as well, to have queues for redirected packets.
check "a program that redirects all to another interface" under "$second" pass \
	under "$first" "$(cat "/sys/class/net/$second/ifindex")" come_back 6
# Each change makes the interface connect anew; a program attached before that has ended must get
# packets all the same.
hasty() {
	local turn
	for turn in 1 2 3 4 5 6 7 8; do
		attach "$first" pass || return
		usleep $((turn * 30000))
		detach $!
		usleep $((turn * 20000))
		under "$first" pass ping_of $THERE 100 1000 100 || return
	done
}

check "programs attached and detached in quick succession" hasty
check "traffic after all this" fetch_both $THERE $HERE
check "an interface goes away under a program" under "$first" pass nic_away 5
check "the other interface goes away" nic_away 6
finish
