#!/bin/sh
# SPDX-License-Identifier: MIT
# Debian's xenstore tools work in the guest as they are, and nobody gets at another's things.
cd "$(dirname "$0")" || exit
. ./lib.sh

same "write and read" "$(xenstore-write data/a hello && xenstore-read data/a)" hello
same "what the control domain sees" \
	"$(control 'for d in $(xenstore-list /local/domain); do [ $d = 0 ] || xenstore-read /local/domain/$d/data/a; done')" hello
same "an empty value" "$(xenstore-write data/empty '' && xenstore-read data/empty | wc -c)" 1
same "list" "$(xenstore-list data | xargs)" "a empty"
check "exists" xenstore-exists data/a
check "does not exist" sh -c '! xenstore-exists data/b'
same "no such node" "$(xenstore-read data/b 2>&1)" "xenstore-read: couldn't read path data/b"
same "permission denied" "$(xenstore-write domid 7 2>&1 | grep -c 'could not write')" 1
same "permissions" "$(xenstore-chmod data/a n$(xenstore-read domid) r0 && xenstore-ls -p data | grep -c ' a = .*r0')" 0
same "permissions are shown" "$(xenstore-ls -p data | grep -c '^a = "hello".*r0)')" 1
same "the tree" "$(xenstore-ls data | xargs)" "a = hello empty ="
xenstore-watch -n 2 data/w > /tmp/watched &
await grep -q data/w /tmp/watched
xenstore-write data/w 1
await sh -c '[ "$(wc -l < /tmp/watched)" = 2 ]'
same "watch" "$(xargs < /tmp/watched)" "data/w data/w"
wait
same "remove" "$(xenstore-rm data/a data/w data/empty && xenstore-list data | wc -l)" 0

# Long values and directories.
long=$(head -c 2000 /dev/zero | tr '\0' x)
same "a value longer than the ring's half" "$(xenstore-write data/long "$long" && xenstore-read data/long)" "$long"
xenstore-rm data/long
# Of a guest the daemon would not take so many.
control 'for d in $(xenstore-list /local/domain); do [ $d = 0 ] || dom=$d; done
xenstore-write $(for i in $(seq 100 219); do
	echo "/local/domain/$dom/data/many/a-rather-long-name-of-a-node-to-fill-pages-$i x"
done)'
same "a directory longer than a message" "$(xenstore-list data/many | wc -l)" 120
xenstore-rm data/many

finish
