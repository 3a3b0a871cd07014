#!/bin/sh
# SPDX-License-Identifier: MIT
# Network back ends are plugged, restarted, removed and replaced under traffic; only packets are
# lost.
cd "$(dirname "$0")" || exit
. ./tap.sh
. ./orders.sh
. ./nics.sh
. ./leaks.sh

HERE=10.79.5.2 THERE=10.79.5.1
serve

check "an interface appears" nic_up 5
last=$(cat "/sys/class/net/$nic/ifindex")
check "data pass over the interface" fetch_both $THERE $HERE

# The back end's driver is unbound from the interface and bound again; only then does XenStore show
# a change.
restarted() {
	before=$(cat "/sys/class/net/$nic/carrier_changes")
	control "unbind vif 5; bind vif 5; vif_up 5" || return
	until_true 20 sh -c "[ \$(cat /sys/class/net/$nic/carrier_changes) -ge $((before + 2)) ]" &&
		carrier "$nic" 1 && fetch_both $THERE $HERE
}

check_with pvnet "this front end does not reconnect" \
	"the carrier follows a restart of the back end" restarted

unplugged() {
	ping -A -s 20000 $THERE > /dev/null 2>&1 &
	./fetch $THERE > /dev/null &
	nic_away 5
	status=$?
	kill %1 %2 2> /dev/null
	wait
	return $status
}

check "the interface is unplugged under traffic" unplugged
check "the interface is plugged in again" nic_up 5
# Its directory existed long before its nodes. The device must not be set up twice.
check "the interface appears once" equal index "$(cat "/sys/class/net/$nic/ifindex")" $((last + 1))
check "data pass after the interface was plugged in again" fetch_both $THERE $HERE

torn_out() {
	ping -A -s 20000 $THERE > /dev/null 2>&1 &
	control "unbind vif 5; unmake vif 5" && until_true 30 fails nic_of 5
	status=$?
	kill %1 2> /dev/null
	wait
	return $status
}

check "the interface is removed by force under traffic" torn_out
check "the interface is plugged in after the removal" nic_up 5
check "data pass after the removal" fetch_both $THERE $HERE
check "the interface is closed and removed" nic_away 5

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
check "plugs and unplugs leak no grant, event channel or page" no_leak $count

# On the rig's own bridge the control domain passes only packets from a guest's own address.
spoofed() {
	ip addr add 10.77.0.99/24 dev eth0
	control "tcpdump -i guest1 -c 3 -w /tmp/at-guest src 10.77.0.99 > /tmp/d1 2>&1 < /dev/null &
		tcpdump -i br0 -w /tmp/at-bridge src 10.77.0.99 > /tmp/d2 2>&1 < /dev/null &
		echo \$! > /tmp/d2.pid
		await 60 grep -q listening /tmp/d1; await 60 grep -q listening /tmp/d2"
	# The neighbour's address must be set: an ARP request for it would get no reply.
	arp -i eth0 -s 10.77.0.1 "$(control "cat /sys/class/net/br0/address")"
	ping -c 5 -A -W 1 -I 10.77.0.99 10.77.0.1 && return 1
	sent=$(control "await 60 test -s /tmp/at-guest; tcpdump -n -r /tmp/at-guest 2> /dev/null | wc -l")
	seen=$(control "kill \$(cat /tmp/d2.pid); usleep 200000
		tcpdump -n -r /tmp/at-bridge 2> /dev/null | wc -l")
	ip addr del 10.77.0.99/24 dev eth0
	arp -i eth0 -d 10.77.0.1
	at_least "packets that left the guest" "$sent" 3 && equal "packets beyond the filter" "$seen" 0
}

if [ -e /sys/class/net/eth0 ]; then
	check "packets from the guest's own address pass" ping_of 10.77.0.1 100 100 1
	check "packets from a forged address are dropped" spoofed
	check "packets from the guest's own address pass afterwards" ping_of 10.77.0.1 100 100 1
else
	check "the rig gives the guest an interface" false
fi
finish
