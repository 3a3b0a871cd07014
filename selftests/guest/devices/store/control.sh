#!/bin/sh
# SPDX-License-Identifier: MIT
# Requests of the tool stack to the whole guest are carried out and acknowledged. The commands that
# would end the guest are replaced by markers.
cd "$(dirname "$0")" || exit
. ./bus.sh

marker() {
	rm -f "$1"
	printf '#!/bin/sh\n: > /tmp/mark-%s\n' "${1##*/}" > "$1"
	chmod +x "$1"
}

in_log() {
	dmesg | grep -q "$1"
}

# The control node that the tool stack has written is empty again.
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
result $? "the request of xl shutdown is acknowledged"

control "xl reboot guest1" > /dev/null
await test -e /tmp/mark-reboot
result $? "xl reboot runs the command that reboots"

control "xl sysrq guest1 h"
await in_log "sysrq: HELP"
result $? "xl sysrq has the effect of the key"

write shutdown fly
await in_log "control/shutdown: 'fly' is unknown (-22); ignored"
result $? "an unknown request is logged"
await taken shutdown
result $? "an unknown request is acknowledged"

write shutdown suspend
await in_log "control/shutdown: not supported (-95); not acknowledged"
result $? "a request to suspend is refused"
[ "$(control "xenstore-read /local/domain/\$(xl domid guest1)/control/shutdown")" = suspend ]
result $? "a request to suspend is not acknowledged"
finish
