#!/bin/sh
# SPDX-License-Identifier: MIT
# A network card whose back end breaks the protocol is closed, with one line in the log, and affects
# no other device: each behaviour of ../hostile in turn, or in short some of them.
cd "$(dirname "$0")" || exit
. ./tap.sh
. ./orders.sh
. ./hostile.sh

ID=9
DEVICE=vif-$ID

# receives_many: packets come in after those with which every back end begins.
receives_many() {
	until_true 20 more_than 12
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
check "honest: packets are received" receives
check "honest: packets are sent" send_some 3
check "honest: sent packets get responses" at_least tx_packets "$(counter tx_packets)" 1
leave honest vif $ID

broken tx-unknown-id "tx rsp.id"
[ -z "$LONG" ] || broken tx-huge-id "tx rsp.id"
[ -z "$LONG" ] || broken tx-twice "tx rsp.id"
[ -z "$LONG" ] || broken tx-status "tx rsp.status"
[ -z "$LONG" ] || broken tx-backwards "rsp_prod"
broken tx-beyond "rsp_prod"
broken tx-scribble "queue 0: .*: invalid value"
broken rx-id "rx rsp.id"
[ -z "$LONG" ] || broken rx-offset "rx rsp.status"
broken rx-size "rx rsp.status"
broken rx-chain "rx slots of a packet"
[ -z "$LONG" ] || broken rx-extra "rx extra"
broken rx-gso "rx gso.type"
[ -z "$LONG" ] || broken rx-beyond "rsp_prod"
[ -z "$LONG" ] || broken rx-scribble "queue 0: .*: invalid value"

for behaviour in rx-error $([ -z "$LONG" ] || echo rx-empty tx-silent); do
	behave vif $ID "$behaviour"
	check "$behaviour: the interface appears" up
	check "$behaviour: good packets are received" receives_first
	send_some 3 > /dev/null 2>&1
	check "$behaviour: the interface keeps its carrier" equal carrier "$(cat "/sys/class/net/$(interface)/carrier")" 1
	leave "$behaviour" vif $ID
done

for behaviour in rx-short rx-headers; do
	behave vif $ID $behaviour
	check "$behaviour: the interface appears" up
	check "$behaviour: packets are received" receives_many
	check "$behaviour: the interface keeps its carrier" equal carrier "$(cat "/sys/class/net/$(interface)/carrier")" 1
	leave $behaviour vif $ID
done

behave vif $ID rx-runt
check "rx-runt: the interface appears" up
check "rx-runt: the packets are counted as errors" until_true 20 more_than 0 rx_errors
check "rx-runt: the interface keeps its carrier" equal carrier "$(cat "/sys/class/net/$(interface)/carrier")" 1
leave rx-runt vif $ID

behave vif $ID vanish
check "vanish: the interface appears" up
send_some 2 > /dev/null 2>&1
check "vanish: the back end's directory goes" until_true 20 gone vif $ID
leave vanish vif $ID

behave vif $ID storm
check "storm: the interface appears" up
check "storm: packets are received" receives
check "storm: packets are sent" send_some 3
leave storm vif $ID

behave vif $ID hold
check "hold: the interface appears" up
check "hold: good packets are received" receives_first
send_some 2 > /dev/null 2>&1
hold_and_leave vif $ID
finish
