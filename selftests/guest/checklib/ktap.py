# SPDX-License-Identifier: MIT
"""Prints nested results in KTAP as they come."""


class Group:
    """Results that belong together; their sum is one result of the group above."""

    def __init__(self, parent=None, name="", depth=0):
        self.parent = parent
        self.name = name
        self.depth = depth
        self.count = 0
        self.failed = 0
        self.passed = 0
        if not parent:
            self._print("KTAP version 1")

    def _print(self, text):
        print("  " * self.depth + text, flush=True)

    def group(self, name):
        """Open a group called NAME within this one."""
        inner = Group(self, name, self.depth + 1)
        inner._print("KTAP version 1")
        inner._print("# Subtest: " + name)
        return inner

    def note(self, text):
        """Say TEXT beside the results."""
        for line in text.splitlines():
            self._print("# " + line)

    def result(self, good, name, notes=()):
        """One result; NOTES are printed before it."""
        for line in notes:
            self.note(line)
        self.count += 1
        self.failed += not good
        self.passed += bool(good)
        self._print(f"{'ok' if good else 'not ok'} {self.count} {name}")

    def skip(self, name, reason):
        """A test that did not run, and why."""
        self.count += 1
        self._print(f"ok {self.count} {name} # SKIP {reason}")

    def close(self):
        """The group is complete: print its plan and, above it, its sum."""
        self._print(f"1..{self.count}")
        if self.parent:
            self.parent.result(not self.failed, self.name)
