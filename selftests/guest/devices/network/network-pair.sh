#!/bin/sh
# SPDX-License-Identifier: MIT
# Two guests reach each other over the bridge. The second tests, the first serves until its end.
cd "$(dirname "$0")" || exit
. ./tap.sh
. ./nics.sh

THERE=10.77.0.11
mkdir -p /tmp/www
awk 'BEGIN { for (i = 0; i < 100000; i++) printf "%79d\n", i * 7919 }' > /tmp/www/file
expected=$(md5sum < /tmp/www/file)

if [ "$PVGUEST_NUMBER" = 1 ]; then
	httpd -p 80 -h /tmp/www
	# Each run of the server serves one test of the other guest.
	for run in sends receives datagrams; do
		check "the first guest serves: $run" iperf3 -s -1
	done
	finish
	exit
fi
same() {
	equal sum "$(./fetch $THERE | md5sum)" "$expected"
}

check "the first guest answers" until_true 60 ping -c 1 -W 1 $THERE
check "pings of all sizes are answered" sh -c ". ./tap.sh; . ./nics.sh
	ping_of $THERE 0 65 1 && ping_of $THERE 1460 1486 1 && ping_of $THERE 100 65507 2311"
check "the first guest has a web server" until_true 60 ./fetch $THERE
check "a file arrives unchanged" same
check "TCP to the first guest" until_true 30 iperf3 -c $THERE -n 16M
check "TCP from the first guest" until_true 30 iperf3 -c $THERE -n 16M -R
check "datagrams to the first guest" until_true 30 iperf3 -c $THERE -u -b 0 -l 200 -t 2
finish
