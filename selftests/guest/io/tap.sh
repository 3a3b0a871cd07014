# SPDX-License-Identifier: MIT
# Results of a shell test as the harness of the C programs prints them; sourced.

tests=0

# check NAME COMMAND...: one result; what COMMAND printed is shown when it fails.
check() {
	name=$1
	shift
	tests=$((tests + 1))
	if "$@" > /tmp/check.out 2>&1; then
		echo "ok $tests - $name"
	else
		echo "# exit status $? of: $*"
		tail -n 60 /tmp/check.out | sed 's/^/# /'
		echo "not ok $tests - $name"
	fi
}

# skip NAME REASON
skip() {
	tests=$((tests + 1))
	echo "ok $tests - $1 # SKIP $2"
}

# note TEXT: shown before the next result if that one fails.
note() {
	echo "# $*"
}

# until_true LIMIT COMMAND...: poll COMMAND for LIMIT seconds at most. Used only where neither end
# offers an event to wait for.
until_true() {
	end=$(($(date +%s) + $1))
	shift
	until "$@" > /dev/null 2>&1; do
		if [ "$(date +%s)" -gt $end ]; then
			echo "still not true: $*"
			return 1
		fi
		usleep 20000
	done
}

# equal WHAT GOT WANTED
equal() {
	[ "$2" = "$3" ] || {
		echo "$1 is '$2', wanted '$3'"
		return 1
	}
}

# at_least WHAT GOT WANTED
at_least() {
	[ "$2" -ge "$3" ] || {
		echo "$1 is '$2', wanted at least '$3'"
		return 1
	}
}

# fails COMMAND...: true if it fails.
fails() {
	! "$@"
}

# opens DISK: its node appears a moment before Linux lets anybody open it.
opens() {
	[ -b "$1" ] && true < "$1"
}

# logged PATTERN: a line of the kernel's log since mark_log matches it. The mark is a line itself:
# the log's buffer may have wrapped, so that lines cannot be counted.
mark_log() {
	marks=$((${marks:-0} + 1))
	# Linux would else drop what comes more often than ten times in five seconds.
	echo on > /proc/sys/kernel/printk_devkmsg
	echo "<7>test: mark $$.$marks" > /dev/kmsg
}

logged() {
	dmesg | awk -v mark="test: mark $$.$marks" '
		found { print }
		index($0, mark) { found = 1 }
		END { exit !found }' > /tmp/since_mark || {
		echo "the log has no mark: it is written faster than it is read"
		return 1
	}
	grep -qE -- "$1" /tmp/since_mark || {
		echo "no line of the kernel's log matches: $1"
		tail -n 12 /tmp/since_mark
		return 1
	}
}

finish() {
	echo "1..$tests"
}
