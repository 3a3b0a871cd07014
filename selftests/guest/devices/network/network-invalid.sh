#!/bin/sh
# SPDX-License-Identifier: MIT
# Invalid nodes of a network back end are named in the log and affect no other device.
cd "$(dirname "$0")" || exit
. ./tap.sh
. ./orders.sh
. ./nics.sh

HERE=10.79.5.2 THERE=10.79.5.1 BAD=6
serve
check "a good interface appears" nic_up 5

named() {
	until_true 20 logged "(vif|eth).*$1"
}

# refused NODE VALUE: a faked back end has this node; the log names the field.
refused() {
	mark_log
	control "fake_make vif $BAD feature-rx-copy 1 '$1' '$2'
		in_folder \$(front_of vif $BAD) '$1' '$2' state 1" && named "$1"
	status=$?
	control "in_folder \$(fake_back $BAD) state 6; fake_end vif $BAD"
	return $status
}

for pair in mac=nonsense mac=00:16:3e mac=ff:ff:ff:ff:ff:ff mac= feature-rx-copy=0; do
	check_with pvnet "this front end logs no such line" "$pair is refused by name" \
		refused "${pair%%=*}" "${pair#*=}"
done

# fake_nic: the name of the interface whose back end is faked, if there is one.
fake_nic() {
	grep -l 00:16:3e:77:ff:01 /sys/class/net/*/address | cut -d/ -f5 | grep .
}

# Not all tool stacks write a device's nodes at once: the device is probed again at each new node,
# and the error of that probe is logged.
piecemeal() {
	mark_log
	control "fake_mac= fake_make vif $BAD feature-rx-copy 1" && named "mac: cannot be read" &&
		control "in_folder \$(front_of vif $BAD) mac nonsense" && named "mac: 'nonsense'" &&
		control "in_folder \$(front_of vif $BAD) mac \$fake_mac" && until_true 20 fake_nic
	status=$?
	control "in_folder \$(fake_back $BAD) state 6; fake_end vif $BAD"
	until_true 20 fails fake_nic && return $status
}

check_with pvnet "this front end logs no such line" \
	"a device whose nodes are written one by one appears" piecemeal

taken() {
	nic_up $BAD "$@" && ping_of 10.79.$BAD.1 0 4000 997
	status=$?
	nic_away $BAD && return $status
}

for pair in multi-queue-max-queues=0 multi-queue-max-queues=-1 multi-queue-max-queues=abc \
	feature-sg=abc feature-gso-tcpv4=-1 feature-split-event-channels=7 \
	feature-multicast-control=nonsense feature-ctrl-ring=99; do
	check "packets pass with $pair" taken "$pair"
done

silent() {
	control "fake_make vif $BAD feature-rx-copy 1; await_state vif $BAD front 4
		in_folder \$(fake_back $BAD) state 4" || return
	nic=$(fake_nic)
	ip link set "$nic" up
	ip addr add 10.79.$BAD.2/24 dev "$nic"
	ping -c 3 -A -W 1 10.79.$BAD.1 > /dev/null
	control "in_folder \$(fake_back $BAD) state 6; fake_end vif $BAD"
	until_true 20 fails test -e "/sys/class/net/$nic"
}

check "a back end that never responds can be removed" silent
check "the good interface still works" fetch_both $THERE $HERE
check "the good interface goes away" nic_away 5
finish
