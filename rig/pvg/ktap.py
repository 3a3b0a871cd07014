# SPDX-License-Identifier: GPL-2.0-only
"""Reads KTAP, the kernel's form of test results, line by line and counts it."""
import re

_RESULT = re.compile(r"^( *)(not ok|ok)\b *(\d+)?(?: *-)? *(.*)$")
_PLAN = re.compile(r"^1\.\.(\d+)")
_SKIP = re.compile(r"# *SKIP\b", re.I)


class Reader:
    """Counts the results of one suite; nested results count instead of their summary."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.plan = None
        self._top = 0               # results without indentation, for the plan
        self._open = {}             # indentation -> failed results below since the last result
        self._notes = []

    def feed(self, line):
        """Take in LINE; returns the text of a failure if it tells of one, else None."""
        line = line.rstrip("\n")
        plan = _PLAN.match(line)
        if plan:
            self.plan = int(plan.group(1))
            return None
        match = _RESULT.match(line)
        if not match:
            if line.strip():
                self._notes = (self._notes + [line])[-20:]
            return None
        notes, self._notes = self._notes, []
        depth, good = len(match.group(1)), match.group(2) == "ok"
        name = match.group(4)
        self._top += depth == 0
        below = [level for level in self._open if level > depth]
        failed_below = sum(self._open.pop(level) for level in below)
        self._open.setdefault(depth, 0)
        if below:
            # The summary of what stood below; it fails by itself only if nothing below did.
            if good or failed_below:
                self._open[depth] += failed_below
                return None
        if good:
            if _SKIP.search(name):
                self.skipped += 1
            else:
                self.passed += 1
            return None
        self.failed += 1
        self._open[depth] += 1
        return "\n".join([name, *("  " + note.strip() for note in notes)])

    def finish(self, status):
        """The suite ended with exit STATUS; returns what is wrong with the whole, or None."""
        problem = None
        if self.plan is not None and self.plan != self._top:
            problem = f"planned {self.plan} results, gave {self._top}"
        elif not self.passed + self.failed + self.skipped:
            problem = "gave no results"
        elif status and not self.failed:
            problem = "failed without naming a test"
        if problem:
            self.failed += 1
            return f"{problem} (exit status {status})"
        return None
