# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# Results in the format of the C programs' harness, and orders to the control domain; sourced.

export LD_LIBRARY_PATH=/lib/x86_64-linux-gnu
count=0

# result STATUS NAME
result() {
	count=$((count + 1))
	[ "$1" = 0 ] && echo "ok $count - $2" || echo "not ok $count - $2"
}

# check NAME COMMAND...
check() {
	name=$1
	shift
	"$@"
	result $? "$name"
}

# same NAME GOT EXPECTED
same() {
	[ "$2" = "$3" ] && result 0 "$1" && return
	echo "# got '$2', not '$3'"
	result 1 "$1"
}

# logged NAME TEXT [TIMES]: the kernel's log has TEXT so often, once by default.
logged() {
	found=$(dmesg | grep -cF "$2")
	[ "$found" = "${3:-1}" ] && result 0 "$1" && return
	echo "# '$2' is in the log $found times"
	result 1 "$1"
}

# await COMMAND...: poll it 1200 times, so for a minute at least.
await() {
	for _ in $(seq 1200); do
		"$@" > /dev/null 2>&1 && return
		usleep 50000
	done
	echo "# still false: $*"
	return 1
}

finish() {
	echo "1..$count"
}
