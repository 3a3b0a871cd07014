# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2034  # made: for life.sh
# Runs in the control domain: a second guest, of the kernel and the files of the first. Sourced by orders of life.sh.

# two POWEROFF REBOOT CRASH [WORD]...: make it, with these actions at its ends, by xl create WORD...
two() {
	cat > /tmp/two.cfg << END
name = "two"
type = "pv"
kernel = "/guest/kernel1"
ramdisk = "/guest/initrd1"
memory = 64
on_poweroff = "$1"
on_reboot = "$2"
on_crash = "$3"
extra = "console=hvc0 panic=-1 rdinit=/bin/busybox -- init"
END
	shift 3
	xl create "$@" /tmp/two.cfg > /dev/null || return
	made=$(xl domid two)
}

until_true() {
	for _ in $(seq 1200); do
		"$@" > /dev/null 2>&1 && return
		usleep 50000
	done
	echo "still false: $*"
	return 1
}

# Its first program runs: it has said so (life.py).
is_up() {
	[ "$(xenstore-read "/local/domain/$(xl domid two)/data/up")" = 1 ]
}

# state NAME: the letters of its state in xl's list.
state() {
	xl list "$1" | awk -v name="$1" '$1 == name { gsub(/-/, "", $5); print $5 }'
}

has_state() {
	[ "$(state "$1")" = "$2" ]
}

is_gone() {
	! xl domid two
}

# is_new ID: it has been made again since it was domain ID.
is_new() {
	[ "$(xl domid two)" -gt "$1" ]
}

end() {
	xl destroy two && until_true is_gone
}
