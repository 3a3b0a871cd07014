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
	# The counters of each CPU are added up first; pages in its lists are free as well.
	echo 1 > /proc/sys/vm/stat_refresh
	awk '$1 == "nr_free_pages" || $1 == "count:" { n += $2 } END { print n }' /proc/zoneinfo
}

# nothing_missing CYCLES: since /tmp/before was measured.
#
# Pages: slabs and page tables of what runs move by some forty either way; what counts is what each
# cycle takes. A page leaked in every fourth cycle would show in a thousand.
nothing_missing() {
	measure > /tmp/after
	set -- "$1" $(cat /tmp/before) $(cat /tmp/after)
	echo "grants $2, then $5; interrupts $3, then $6; free pages $4, then $7"
	equal "grants in use" "$5" "$2" && equal "event channels in use" "$6" "$3" &&
		[ $(($4 - $7)) -le $((200 + $1 / 4)) ]
}

# no_leak CYCLES: what is given back late, as by RCU and by page pools, is waited for.
no_leak() {
	until_true 20 nothing_missing "$1" || nothing_missing "$1"
}
