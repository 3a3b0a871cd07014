#!/bin/sh
# SPDX-License-Identifier: MIT
# A further console: plugged in, used both ways, broken, plugged in again, out.
cd "$(dirname "$0")" || exit
. ./lib.sh

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
	read -t 20 -r line <&3
	echo "$line"
}

there 'plug; connect'
await sh -c 'dmesg | grep -q "hvc1 is channel"'
logged "it is told which terminal it is" "pvcon console-3: hvc1 is channel org.example.test"
open_terminal() {
	exec 3<> /dev/hvc1
	# Only now: what is set is forgotten with the last close.
	stty raw -echo <&3
}

open_terminal
same "both ways" "$(say hello)" HELLO
i=0
while [ $i -lt 300 ] && [ "$(say "line $i of many")" = "LINE $i OF MANY" ]; do
	i=$((i + 1))
done
same "round the ring many times" $i 300

# Another back end takes over; the open terminal goes on.
there 'leave; xenstore-write $be/state 2; connect'
same "after the back end's restart" "$(say again)" AGAIN

echo lie >&3
await sh -c 'dmesg | grep -q "console-3: in_prod is 5"'
logged "a lie is told once, with its field" "console-3: in_prod is"
there 'await 6; leave'
exec 3>&-
same "no other console minds" "$(cat /sys/bus/pvbus/devices/console-3/state)" Closed
there 'xenstore-write $be/state 2; connect'
open_terminal
same "it is forgiven when the back end comes anew" "$(say sorry)" SORRY

there 'kill $(cat /tmp/console-back.pid); xenstore-rm $fe; xenstore-rm $be'
await [ ! -e /sys/bus/pvbus/devices/console-3 ]
read -t 20 -r line <&3
same "unplugged: end of file" "$? $line" "1 "
exec 3>&-
check "the terminal is gone" sh -c '! echo x > /dev/hvc1'
check "the log has no warning" sh -c '! dmesg | grep -E "WARNING|BUG|Oops"'
finish
