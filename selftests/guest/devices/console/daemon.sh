#!/bin/sh
# SPDX-License-Identifier: MIT
# The daemon of the consoles stands still: the guest goes on, and so does the console afterwards.
cd "$(dirname "$0")" || exit
. ./bus.sh

# Orders travel by the console as well, so XenStore says when the daemon stops and goes on.
control 'for d in $(xenstore-list /local/domain); do [ $d = 0 ] || dom=$d; done
ln -sf $(command -v xenstore-read) /tmp/xenstore-chmod
PATH=$PATH:/tmp
data=/local/domain/$dom/data
xenstore-write $data/daemon running
xenstore-chmod $data/daemon n0 r$dom
word() {
	until xenstore-exists $data/$1; do usleep 50000; done
}
(word stop; kill -STOP $(pidof xenconsoled); xenstore-write $data/daemon stopped
word go; kill -CONT $(pidof xenconsoled); xenstore-write $data/daemon running) \
	< /dev/null > /dev/null 2>&1 &'

daemon_is() {
	[ "$(xenstore-read data/daemon)" = "$1" ]
}

# Five times as much as the ring holds.
messages() {
	echo on > /proc/sys/kernel/printk_devkmsg
	i=0
	while [ $i -lt 200 ]; do
		echo "<1>message $i to a daemon that stands still"
		i=$((i + 1))
	done > /dev/kmsg
}

xenstore-write data/stop 1
await daemon_is stopped
same "the daemon stands still" "$(xenstore-read data/daemon)" stopped
messages
same "the guest goes on" "$(dmesg | grep -c "to a daemon that stands still")" 200
xenstore-write data/go 1
await daemon_is running
same "the daemon goes on" "$(control "echo heard")" heard
finish
