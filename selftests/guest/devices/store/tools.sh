#!/bin/sh
# SPDX-License-Identifier: MIT
# Debian's xenstore tools work in the guest unmodified, and permissions hold.
cd "$(dirname "$0")" || exit
. ./bus.sh

same "a value is written and read" "$(xenstore-write data/a hello && xenstore-read data/a)" hello
same "the control domain reads the value" \
	"$(control 'for d in $(xenstore-list /local/domain); do [ $d = 0 ] || xenstore-read /local/domain/$d/data/a; done')" hello
same "an empty value" "$(xenstore-write data/empty '' && xenstore-read data/empty | wc -c)" 1
same "a directory is listed" "$(xenstore-list data | xargs)" "a empty"
check "an existing node exists" xenstore-exists data/a
check "a missing node does not exist" sh -c '! xenstore-exists data/b'
same "a read of a missing node fails" "$(xenstore-read data/b 2>&1)" "xenstore-read: couldn't read path data/b"
same "a write without permission fails" "$(xenstore-write domid 7 2>&1 | grep -c 'could not write')" 1
same "permissions" "$(xenstore-chmod data/a "n$(xenstore-read domid)" r0 && xenstore-ls -p data | grep -c ' a = .*r0')" 0
same "permissions are shown" "$(xenstore-ls -p data | grep -c '^a = "hello".*r0)')" 1
same "the tree is listed" "$(xenstore-ls data | xargs)" "a = hello empty ="
xenstore-watch -n 2 data/w > /tmp/watched &
await grep -q data/w /tmp/watched
xenstore-write data/w 1
await sh -c '[ "$(wc -l < /tmp/watched)" = 2 ]'
same "a watch reports two events" "$(xargs < /tmp/watched)" "data/w data/w"
wait
same "nodes are removed" "$(xenstore-rm data/a data/w data/empty && xenstore-list data | wc -l)" 0

# Long values and directories.
long=$(head -c 2000 /dev/zero | tr '\0' x)
same "a value longer than the ring's half" "$(xenstore-write data/long "$long" && xenstore-read data/long)" "$long"
xenstore-rm data/long
# The daemon's quota keeps a guest from creating so many nodes.
control 'for d in $(xenstore-list /local/domain); do [ $d = 0 ] || dom=$d; done
xenstore-write $(for i in $(seq 100 219); do
	echo "/local/domain/$dom/data/many/a-rather-long-name-of-a-node-to-fill-pages-$i x"
done)'
same "a directory longer than a message" "$(xenstore-list data/many | wc -l)" 120
xenstore-rm data/many

finish
