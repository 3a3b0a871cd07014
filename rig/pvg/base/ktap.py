# SPDX-License-Identifier: GPL-2.0-only
"""KTAP, the kernel's form of test results: read line by line and counted, or printed as they come."""
import re
from collections.abc import Iterable

_RESULT = re.compile(r"^( *)(not ok|ok)\b *(\d+)?(?: *-)? *(.*)$")
_PLAN = re.compile(r"^1\.\.(\d+)")
NOTES = 30          # lines before a failed result that are kept with it: the last ones
_SKIP = re.compile(r"# *SKIP\b", re.I)


class Reader:
    """Counts the results of one suite; nested results count instead of their summary."""

    def __init__(self) -> None:
        self.passed = self.failed = self.skipped = 0
        self.plan: int | None = None
        self._top = 0               # results without indentation, for the plan
        self._open: dict[int, int] = {}       # indentation -> failed results below since the last result
        self._notes: list[str] = []

    def feed(self, line: str) -> str | None:
        """Take in LINE; returns the text of the failure that it reports, or None."""
        line = line.rstrip("\n")
        plan = _PLAN.match(line)
        if plan:
            self.plan = int(plan.group(1))
            return None
        match = _RESULT.match(line)
        if not match:
            if line.strip():
                self._notes = (self._notes + [line])[-NOTES:]
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

    def finish(self, status: int) -> str | None:
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


class Group:
    """Results that belong together; their sum is one result of the group above."""

    def __init__(self, parent: "Group | None" = None, name: str = "", depth: int = 0) -> None:
        self.parent = parent
        self.name = name
        self.depth = depth
        self.count = 0
        self.failed = 0
        self.passed = 0
        if not parent:
            self._print("KTAP version 1")

    def _print(self, text: str) -> None:
        print("  " * self.depth + text, flush=True)

    def group(self, name: str) -> "Group":
        """Open a group called NAME within this one."""
        inner = Group(self, name, self.depth + 1)
        inner._print("KTAP version 1")
        inner._print("# Subtest: " + name)
        return inner

    def note(self, text: str) -> None:
        """Say TEXT beside the results."""
        for line in text.splitlines():
            self._print("# " + line)

    def result(self, good: bool, name: str, notes: Iterable[str] = ()) -> None:
        """One result; NOTES are printed before it."""
        for line in notes:
            self.note(line)
        self.count += 1
        self.failed += not good
        self.passed += bool(good)
        self._print(f"{'ok' if good else 'not ok'} {self.count} {name}")

    def skip(self, name: str, reason: str) -> None:
        """A test that did not run, and why."""
        self.count += 1
        self._print(f"ok {self.count} {name} # SKIP {reason}")

    def close(self) -> None:
        """The group is complete: print its plan and, above it, its sum."""
        self._print(f"1..{self.count}")
        if self.parent:
            self.parent.result(not self.failed, self.name)
