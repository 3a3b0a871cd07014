# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# Results of a shell test in the format of the C programs' harness; sourced.

tests=0

# check NAME COMMAND...: one result; the output of COMMAND is shown when it fails.
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

# check_with MODULE REASON NAME COMMAND...: as check where the kernel has MODULE, one of our front
# ends; where it has not, REASON says why the test is skipped.
check_with() {
	if [ -e "/sys/module/$1" ]; then
		shift 2
		check "$@"
	else
		skip "$3" "$2"
	fi
}

# note TEXT: shown before the next result if that one fails.
note() {
	echo "# $*"
}

# until_true LIMIT COMMAND...: poll COMMAND for LIMIT seconds at most, but five times for each of them
# at least: a machine that lets the guest stand still makes seconds pass, not looks. Used only where
# neither end has an event to wait for.
until_true() {
	end=$(($(date +%s) + $1))
	looks=$(($1 * 5))
	shift
	until "$@" > /dev/null 2>&1; do
		looks=$((looks - 1))
		if [ $looks -le 0 ] && [ "$(date +%s)" -gt $end ]; then
			echo "still false: $*"
			return 1
		fi
		usleep 20000
	done
}

# equal NAME GOT EXPECTED
equal() {
	[ "$2" = "$3" ] || {
		echo "$1 is '$2', expected '$3'"
		return 1
	}
}

# at_least NAME GOT LEAST
at_least() {
	[ "$2" -ge "$3" ] || {
		echo "$1 is '$2', expected at least '$3'"
		return 1
	}
}

# fails COMMAND...: true if it fails.
fails() {
	! "$@"
}

# opens DISK: its node appears a moment before Linux permits an open.
opens() {
	[ -b "$1" ] && true < "$1"
}

# logged PATTERN: a line of the kernel's log since mark_log matches it. The mark is a line itself:
# the log's buffer may have wrapped, so that lines cannot be counted.
mark_log() {
	marks=$((${marks:-0} + 1))
	# Linux drops lines beyond ten in five seconds otherwise.
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
