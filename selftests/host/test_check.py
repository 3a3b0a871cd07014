# SPDX-License-Identifier: MIT
"""Tests of 'pvguest check' with suites of two lines: what the end of its output tells."""
import contextlib
import io
import os
import types
import unittest
from unittest import mock

import rigtest
from pvg import packages, paths
from pvg.commands import check


class End(rigtest.FolderCase):
    """Continuous integration keeps the end of a long log: the failures must stand there."""

    def check(self, jobs=1, **scripts):
        """Run SCRIPTS, name = shell text, as suites; returns the exit status and the lines."""
        for name, text in scripts.items():
            path = self.folder / "selftests" / name / "check"
            path.parent.mkdir(parents=True)
            path.write_text(f"#!/bin/sh\n{text}\n")
            path.chmod(0o755)
        output = io.StringIO()
        with mock.patch.object(paths, "REPO", self.folder), \
             mock.patch.object(paths, "LOGS", self.folder / "log"), \
             mock.patch.object(packages, "require"), contextlib.redirect_stdout(output):
            status = check.main(types.SimpleNamespace(suite=[], long=False, jobs=jobs))
        return status, output.getvalue().splitlines()

    def test_failures_are_told_again_before_the_sum(self):
        status, lines = self.check(a="echo 'not ok 1 - first'; exit 1", b="echo 'ok 1 - good'",
                                   c="echo 'ok 1 - nice'; exit 3")
        self.assertEqual(status, 1)
        end = lines[lines.index("What failed:"):]
        self.assertEqual(end[1], "a: not ok: first")
        self.assertIn("c: not ok: failed without naming a test", end[2])
        self.assertEqual(end[3:], ["2 passed, 2 failed, 0 skipped"])

    def test_nothing_failed(self):
        status, lines = self.check(a="echo 'ok 1 - good'")
        self.assertEqual(status, 0)
        self.assertNotIn("What failed:", lines)

    def test_two_suites_at_one_time(self):
        # Each opens a pipe that the other one must open as well.
        os.mkfifo(self.folder / "one")
        os.mkfifo(self.folder / "other")
        to, back = self.folder / "one", self.folder / "other"
        status, lines = self.check(jobs=2, a=f"echo x > {to}; read x < {back}; echo 'ok 1 - a'",
                                   b=f"read x < {to}; echo x > {back}; echo 'ok 1 - b'")
        self.assertEqual(status, 0)
        self.assertEqual(lines[-1], "2 passed, 0 failed, 0 skipped")

    def test_suite_that_never_ends(self):
        with mock.patch.dict(check.LIMITS, {False: 0.2}):
            status, lines = self.check(a="echo 'ok 1 - good'; sleep 1000")
        self.assertEqual(status, 1)
        self.assertIn("a: not ok: failed without naming a test", lines[0])


if __name__ == "__main__":
    unittest.main()
