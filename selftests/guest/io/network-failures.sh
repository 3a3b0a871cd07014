#!/bin/sh
# SPDX-License-Identifier: MIT
# Network back ends come, go, vanish and return under traffic; nothing is lost but packets.
cd "$(dirname "$0")" || exit
. ./tap.sh
. ./orders.sh
. ./nics.sh
. ./leaks.sh

HERE=10.79.5.2 THERE=10.79.5.1
serve

check "an interface appears" nic_up 5
last=$(cat "/sys/class/net/$nic/ifindex")
check "it works" fetch_both $THERE $HERE

# The back end's driver lets go of the interface, and takes it again; only then does the store show
# that anything has happened.
restarted() {
	before=$(cat "/sys/class/net/$nic/carrier_changes")
	control "unbind vif 5; bind vif 5; vif_up 5" || return
	until_true 20 sh -c "[ \$(cat /sys/class/net/$nic/carrier_changes) -ge $((before + 2)) ]" &&
		carrier "$nic" 1 && fetch_both $THERE $HERE
}

if [ -e /sys/module/pvnet ]; then
	check "the carrier goes and comes back with the back end" restarted
else
	skip "the carrier goes and comes back with the back end" \
		"this front end does not reconnect"
fi

unplugged() {
	ping -A -s 20000 $THERE > /dev/null 2>&1 &
	./fetch $THERE > /dev/null &
	nic_away 5
	status=$?
	kill %1 %2 2> /dev/null
	wait
	return $status
}

check "it is unplugged under traffic" unplugged
check "it is plugged in again" nic_up 5
# Its directory was there long before its nodes were. Whoever sets it up must not lose it again.
check "it appears once" equal index "$(cat "/sys/class/net/$nic/ifindex")" $((last + 1))
check "it works again" fetch_both $THERE $HERE

torn_out() {
	ping -A -s 20000 $THERE > /dev/null 2>&1 &
	control "unbind vif 5; unmake vif 5" && until_true 30 fails nic_of 5
	status=$?
	kill %1 2> /dev/null
	wait
	return $status
}

check "it is torn out under traffic" torn_out
check "it is back" nic_up 5
check "it works after that" fetch_both $THERE $HERE
check "it goes in order" nic_away 5

cycles() {
	left=$1
	while [ "$left" -gt 0 ]; do
		nic_up 5 && ping_of $THERE 1000 1000 1 && nic_away 5 || return
		left=$((left - 1))
	done
}

count=20
[ -z "$LONG" ] || count=1000
check "the first plugs and unplugs" cycles 5
measure > /tmp/before
check "$count plugs and unplugs" cycles $count
check "leave no grant, event channel or page behind" no_leak $count

# On the rig's own bridge the control domain passes only what comes from a guest's own address.
spoofed() {
	ip addr add 10.77.0.99/24 dev eth0
	control "tcpdump -i guest1 -c 3 -w /tmp/at-guest src 10.77.0.99 > /tmp/d1 2>&1 < /dev/null &
		tcpdump -i br0 -w /tmp/at-bridge src 10.77.0.99 > /tmp/d2 2>&1 < /dev/null &
		echo \$! > /tmp/d2.pid
		await 10 grep -q listening /tmp/d1; await 10 grep -q listening /tmp/d2"
	# The neighbour must be known, as nobody would answer the question for it.
	arp -i eth0 -s 10.77.0.1 "$(control "cat /sys/class/net/br0/address")"
	ping -c 5 -A -W 1 -I 10.77.0.99 10.77.0.1 && return 1
	sent=$(control "await 10 test -s /tmp/at-guest; tcpdump -n -r /tmp/at-guest 2> /dev/null | wc -l")
	seen=$(control "kill \$(cat /tmp/d2.pid); usleep 200000
		tcpdump -n -r /tmp/at-bridge 2> /dev/null | wc -l")
	ip addr del 10.77.0.99/24 dev eth0
	arp -i eth0 -d 10.77.0.1
	at_least "packets that left the guest" "$sent" 3 && equal "packets beyond the filter" "$seen" 0
}

if [ -e /sys/class/net/eth0 ]; then
	check "packets from the guest's own address pass" ping_of 10.77.0.1 100 100 1
	check "packets from a forged address do not" spoofed
	check "packets from its own address pass afterwards" ping_of 10.77.0.1 100 100 1
else
	check "the rig gives the guest an interface" false
fi
finish
