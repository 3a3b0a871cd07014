#!/bin/sh
# SPDX-License-Identifier: MIT
# What makes no sense in a network back end's nodes is named in the log, and harms nothing else.
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

# refused NODE VALUE: a back end of our own says so; the log names the field.
refused() {
	mark_log
	control "fake_make vif $BAD feature-rx-copy 1 '$1' '$2'
		in_folder \$(front_of vif $BAD) '$1' '$2' state 1" && named "$1"
	status=$?
	control "in_folder \$(fake_back $BAD) state 6; fake_end vif $BAD"
	return $status
}

for pair in mac=nonsense mac=00:16:3e mac=ff:ff:ff:ff:ff:ff mac= feature-rx-copy=0; do
	if [ -e /sys/module/pvnet ]; then
		check "$pair is refused by name" refused "${pair%%=*}" "${pair#*=}"
	else
		skip "$pair is refused by name" "this front end says less"
	fi
done

# fake_nic: the name of the interface whose back end is our own, if there is one.
fake_nic() {
	grep -l 00:16:3e:77:ff:01 /sys/class/net/*/address | cut -d/ -f5 | grep .
}

# Not all tool stacks write a device's nodes at once: whenever one comes, the device is tried again,
# and what is wrong then is told.
piecemeal() {
	mark_log
	control "fake_mac= fake_make vif $BAD feature-rx-copy 1" && named "mac: cannot be read" &&
		control "in_folder \$(front_of vif $BAD) mac nonsense" && named 'mac: "nonsense"' &&
		control "in_folder \$(front_of vif $BAD) mac \$fake_mac" && until_true 20 fake_nic
	status=$?
	control "in_folder \$(fake_back $BAD) state 6; fake_end vif $BAD"
	until_true 20 fails fake_nic && return $status
}

if [ -e /sys/module/pvnet ]; then
	check "a device whose nodes come one by one appears" piecemeal
else
	skip "a device whose nodes come one by one appears" "this front end says less"
fi

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

check "a back end that never answers can go" silent
check "the good interface still works" fetch_both $THERE $HERE
check "the good interface goes away" nic_away 5
finish
