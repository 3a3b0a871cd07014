#!/bin/sh
# SPDX-License-Identifier: MIT
# What the tool stack asks of the guest as a whole is done, and acknowledged. The commands that would
# end the guest leave a mark instead.
cd "$(dirname "$0")" || exit
. ./lib.sh

marker() {
	rm -f "$1"
	printf '#!/bin/sh\n: > /tmp/mark-%s\n' "${1##*/}" > "$1"
	chmod +x "$1"
}

in_log() {
	dmesg | grep -q "$1"
}

# The note that the tool stack has left is empty again.
taken() {
	[ -z "$(control "xenstore-read /local/domain/\$(xl domid guest1)/control/$1")" ]
}

write() {
	control "xenstore-write /local/domain/\$(xl domid guest1)/control/$1 $2"
}

marker /tmp/off
marker /sbin/reboot
echo /tmp/off > /proc/sys/kernel/poweroff_cmd

control "xl shutdown guest1" > /dev/null
await test -e /tmp/mark-off
result $? "xl shutdown runs the command that powers off"
await taken shutdown
result $? "and the tool stack sees that it has been heard"

control "xl reboot guest1" > /dev/null
await test -e /tmp/mark-reboot
result $? "xl reboot runs the command that reboots"

control "xl sysrq guest1 h"
await in_log "sysrq: HELP"
result $? "xl sysrq has the effect of the key"

write shutdown fly
await in_log "control/shutdown: 'fly' is nothing"
result $? "an unknown order is refused in the log"
await taken shutdown
result $? "and taken all the same"
finish
