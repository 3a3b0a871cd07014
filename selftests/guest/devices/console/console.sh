#!/bin/sh
# SPDX-License-Identifier: MIT
# A second console: plugged in, used both ways, broken by its back end, connected again, unplugged.
cd "$(dirname "$0")" || exit
. ./bus.sh

for piece in $(base64 -w 2000 console-back); do
	control "echo $piece >> /tmp/console-back.base64"
done
control 'base64 -d < /tmp/console-back.base64 > /tmp/console-back; chmod +x /tmp/console-back'
control 'for d in $(xenstore-list /local/domain); do [ $d = 0 ] || dom=$d; done
ln -sf $(command -v xenstore-read) /tmp/xenstore-chmod
cat > /tmp/console <<X
PATH=$PATH:/tmp
dom=$dom
be=/local/domain/0/backend/console/$dom/3
fe=/local/domain/$dom/device/console/3
X
cat >> /tmp/console <<"X"
plug() {
	xenstore-write $be/frontend $fe $be/state 1
	xenstore-chmod -r $be n0 r$dom
	xenstore-write $fe/backend $be $fe/backend-id 0 $fe/state 1 $fe/name org.example.test \
		$fe/type ioemu
	xenstore-chmod $fe n$dom r0
	xenstore-chmod $fe/state n$dom r0
	xenstore-write $be/state 2
}
await() {
	for _ in $(seq 400); do
		[ "$(xenstore-read $fe/state)" = $1 ] && return
		usleep 50000
	done
	echo "state is still $(xenstore-read $fe/state), not $1"
	return 1
}
connect() {
	await 3
	/tmp/console-back $dom $(xenstore-read $fe/ring-ref) $(xenstore-read $fe/port) \
		< /dev/null > /dev/null 2>&1 &
	echo $! > /tmp/console-back.pid
	xenstore-write $be/state 4
	await 4
}
leave() {
	kill $(cat /tmp/console-back.pid)
	xenstore-write $be/state 6
}
X
'

there() {
	control ". /tmp/console; $1"
}

# say WORD: write it, read one line.
say() {
	echo "$1" >&3
	# shellcheck disable=SC3045  # busybox's read knows -t
	read -t 300 -r line <&3
	echo "$line"
}

there 'plug; connect'
await sh -c 'dmesg | grep -q "terminal: hvc1, channel"'
logged "the log names its terminal" "pvcon console-3: terminal: hvc1, channel org.example.test"
open_terminal() {
	exec 3<> /dev/hvc1
	# Settings are lost with the last close.
	stty raw -echo <&3
}

open_terminal
same "a line passes both ways" "$(say hello)" HELLO
i=0
while [ $i -lt 300 ] && [ "$(say "line $i of many")" = "LINE $i OF MANY" ]; do
	i=$((i + 1))
done
same "300 lines pass, around the ring many times" $i 300

# Another back end connects; the terminal stays open.
there 'leave; xenstore-write $be/state 2; connect'
same "a line passes after the back end's restart" "$(say again)" AGAIN

echo break >&3
await sh -c 'dmesg | grep -q "console-3: in_prod: invalid value 5"'
logged "a violation of the protocol is logged once, with its field" "console-3: in_prod: invalid value"
there 'await 6; leave'
exec 3>&-
same "the device is closed then" "$(cat /sys/bus/xen/devices/console-3/state)" Closed
there 'xenstore-write $be/state 2; connect'
open_terminal
same "a line passes after the next connection" "$(say anew)" ANEW

there 'kill $(cat /tmp/console-back.pid); xenstore-rm $fe; xenstore-rm $be'
await [ ! -e /sys/bus/xen/devices/console-3 ]
# shellcheck disable=SC3045  # as above
read -t 300 -r line <&3
same "the terminal reads end of file when it is unplugged" "$? $line" "1 "
exec 3>&-
check "the terminal of an unplugged console cannot be opened" sh -c '! echo x > /dev/hvc1'
check "the log has no warning" sh -c '! dmesg | grep -E "WARNING|BUG|Oops"'
finish
