# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# Counts of grant references, event channels and pages, which devices could leak; sourced.

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
	# The counters of each CPU are added up first; pages in its lists are free as well.
	echo 1 > /proc/sys/vm/stat_refresh
	awk '$1 == "nr_free_pages" || $1 == "count:" { n += $2 } END { print n }' /proc/zoneinfo
}

# nothing_missing CYCLES: since /tmp/before was measured, perhaps before the last device of then had given back
# all that was its own.
#
# Pages: slabs and page tables vary by some forty pages either way; a page leaked in every fourth
# cycle shows in a thousand cycles.
nothing_missing() {
	measure > /tmp/after
	# shellcheck disable=SC2046  # three numbers each
	set -- "$1" $(cat /tmp/before) $(cat /tmp/after)
	echo "grants $2, then $5; interrupts $3, then $6; free pages $4, then $7"
	at_least "grants in use before" "$2" "$5" &&
		at_least "event channels in use before" "$3" "$6" && [ $(($4 - $7)) -le $((200 + $1 / 4)) ]
}

# no_leak CYCLES: wait for pages that are freed late, as by RCU and by page pools.
no_leak() {
	until_true 20 nothing_missing "$1" || nothing_missing "$1"
}
