#!/bin/sh
# SPDX-License-Identifier: MIT
# A network card whose back end breaks the protocol is given up, with one line in the log, and
# nothing else suffers: each behaviour of ../hostile in turn, or in short some of them.
cd "$(dirname "$0")" || exit
. ./tap.sh
. ./orders.sh
. ./hostile.sh

ID=9
DEVICE=vif-$ID

# The interface that the last device became.
interface() {
	ls "/sys/bus/pvbus/devices/$DEVICE/net" 2> /dev/null
}

up() {
	until_true 20 interface && ip link set "$(interface)" up
}

# Frames to somebody who is not there.
send_some() {
	ip addr add 10.99.0.1/24 dev "$(interface)" 2> /dev/null
	ping -q -c "$1" -i 0.2 -W 1 10.99.0.2
	true
}

counter() {
	cat "/sys/class/net/$(interface)/statistics/$1"
}

# receives: more packets come in.
receives() {
	was=$(counter rx_packets)
	until_true 10 more_than "$was"
}

more_than() {
	[ "$(counter rx_packets)" -gt "$1" ]
}

broken() {
	behave vif $ID "$1"
	check "$1: the interface appears" up
	send_some 3 > /dev/null 2>&1 &
	check "$1: the log names device and field" until_logged 20 "$DEVICE.*$2"
	wait
	check "$1: the interface has no carrier" until_true 10 fails grep -q 1 "/sys/class/net/$(interface)/carrier"
	leave "$1" vif $ID
}

behave vif $ID honest
check "honest: the interface appears" up
check "honest: receives" receives
check "honest: sends" send_some 3
check "honest: what is sent is answered" at_least tx_packets "$(counter tx_packets)" 1
leave honest vif $ID

broken tx-unknown-id "tx rsp.id"
[ -z "$LONG" ] || broken tx-huge-id "tx rsp.id"
[ -z "$LONG" ] || broken tx-twice "tx rsp.id"
[ -z "$LONG" ] || broken tx-status "tx rsp.status"
[ -z "$LONG" ] || broken tx-backwards "rsp_prod"
broken tx-beyond "rsp_prod"
broken tx-scribble "the back end set"
broken rx-id "rx rsp.id"
[ -z "$LONG" ] || broken rx-offset "rx rsp.status"
broken rx-size "rx rsp.status"
broken rx-chain "rx slots of a packet"
[ -z "$LONG" ] || broken rx-extra "rx extra"
broken rx-gso "rx gso.type"
[ -z "$LONG" ] || broken rx-beyond "rsp_prod"
[ -z "$LONG" ] || broken rx-scribble "the back end set"

for behaviour in rx-error $([ -z "$LONG" ] || echo rx-empty tx-silent); do
	behave vif $ID $behaviour
	check "$behaviour: the interface appears" up
	send_some 3 > /dev/null 2>&1
	check "$behaviour: the device goes on" equal carrier "$(cat "/sys/class/net/$(interface)/carrier")" 1
	leave $behaviour vif $ID
done

behave vif $ID vanish
check "vanish: the interface appears" up
send_some 2 > /dev/null 2>&1
check "vanish: the back end's directory goes" until_true 20 gone vif $ID
leave vanish vif $ID

behave vif $ID storm
check "storm: the interface appears" up
check "storm: receives" receives
check "storm: sends" send_some 3
leave storm vif $ID

behave vif $ID hold
check "hold: the interface appears" up
send_some 2 > /dev/null 2>&1
hold_and_leave vif $ID
finish
