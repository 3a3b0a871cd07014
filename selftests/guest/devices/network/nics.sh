# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# The guest's end of the interfaces that vif_make makes in the control domain; sourced.

# nic_of ID: the name of interface ID.
nic_of() {
	for nic in /sys/class/net/*; do
		[ "$(cat "$nic/address")" = "00:16:3e:79:00:$(printf %02x "$1")" ] || continue
		basename "$nic"
		return
	done
	return 1
}

# nic_up ID [NODE=VALUE]...: make an interface and set its address; its name is then in $nic.
nic_up() {
	id=$1
	control "vif_make $*" && until_true 20 nic_of "$id" || return
	nic=$(nic_of "$id")
	ip addr add "10.79.$id.2/24" dev "$nic" && ip link set "$nic" up && carrier "$nic" 1
}

# carrier NIC 0|1: wait for it; if in vain, show the states of both ends.
carrier() {
	local id
	until_true 20 sh -c "[ \"\$(cat /sys/class/net/$1/carrier)\" = $2 ]" && return
	grep . "/sys/class/net/$1/flags" "/sys/class/net/$1/device/state"
	id=$(($(sed 's/.*:/0x/' "/sys/class/net/$1/address")))
	control "xenstore-ls \$(front_of vif $id); xenstore-ls \$(back_of vif $id)
		dmesg | tail -n 5"
	return 1
}

nic_away() {
	control "remove vif $1" && until_true 20 fails nic_of "$1"
}

# ping_of ADDRESS FIRST LAST STEP: every size of a range, replies compared.
ping_of() {
	./pings "$@"
}

# serve: a web server with a file of its own on each end.
serve() {
	mkdir -p /tmp/www
	awk 'BEGIN { for (i = 0; i < 100000; i++) printf "%79d\n", i * 7919 }' > /tmp/www/file
	httpd -p 80 -h /tmp/www
	control "mkdir -p /tmp/www
		awk 'BEGIN { for (i = 0; i < 100000; i++) printf \"%79d\\n\", i * 6091 }' > /tmp/www/file
		httpd -p 80 -h /tmp/www"
	file_here=$(md5sum < /tmp/www/file)
	file_there=$(control "md5sum < /tmp/www/file")
}

# fetch_both CONTROL GUEST: 8 MB by TCP each way between these addresses, compared.
fetch_both() {
	equal "sum of the file the guest fetched" "$(./fetch "$1" | md5sum)" \
		"$file_there" &&
		equal "sum of the file the control domain fetched" \
			"$(control "fetch $2 | md5sum")" "$file_here"
}

# counter NIC NAME: the sum of a counter of all its queues.
counter() {
	./nic "$1" stats | awk -v name="$2" '$1 ~ name "$" { n += $2 } END { print n + 0 }'
}
