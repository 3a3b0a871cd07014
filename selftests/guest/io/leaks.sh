# SPDX-License-Identifier: MIT
# Counts what devices may leak: grant references, event channels, pages; sourced.

# measure: grants, event channels in /proc/interrupts, free pages.
measure() {
	sync
	echo 3 > /proc/sys/vm/drop_caches
	if [ -e /sys/kernel/debug/pvguest/grants ]; then
		awk '$1 == "in_use" || $1 == "lost" { n += $2 } END { print n }' \
			/sys/kernel/debug/pvguest/grants
	else
		echo 0
	fi
	# A line for each interrupt; those of devices name an event channel.
	grep -cE "evtchn|-dyn-|pvguest" /proc/interrupts
	awk '/^MemFree:/ { print $2 / 4 }' \
		/proc/meminfo
}

# no_leak CYCLES: nothing is missing since /tmp/before was measured.
#
# Pages: caches, per-CPU lists and the log of what happened move by some hundred pages either way;
# what counts is what each cycle takes. A page leaked in every fourth cycle would show.
no_leak() {
	measure > /tmp/after
	set -- "$1" $(cat /tmp/before) $(cat /tmp/after)
	echo "grants $2, then $5; interrupts $3, then $6; free pages $4, then $7"
	equal "grants in use" "$5" "$2" && equal "event channels in use" "$6" "$3" || return
	[ $((${4%.*} - ${7%.*})) -le $((1000 + $1 / 4)) ]
}
