# SPDX-License-Identifier: MIT
"""Tests of 'pvguest check' with suites of two lines: the end of its output."""
import argparse
import contextlib
import io
import os
import selectors
import subprocess
import tempfile
import types
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import rigtest
from pvg.base import packages, paths
from pvg.checks import suites
from pvg.commands import check


class End(rigtest.FolderCase):
    """Continuous integration keeps the end of a long log: the failures must be there."""

    def check(self, jobs: int = 1, **scripts: str) -> tuple[int, list[str]]:
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
            status = check.main(argparse.Namespace(suite=[], long=False, jobs=jobs, shard=None,
                                                   again=False, sum=False))
        return status, output.getvalue().splitlines()

    def test_failures_are_repeated_before_the_sum(self) -> None:
        status, lines = self.check(a="echo 'not ok 1 - first'; exit 1", b="echo 'ok 1 - good'",
                                   c="echo 'ok 1 - nice'; exit 3")
        self.assertEqual(status, 1)
        end = lines[lines.index("Failed:"):]
        self.assertEqual(end[1], "a: not ok: first")
        self.assertIn("c: not ok: failed without naming a test", end[2])
        self.assertEqual(end[3:], ["2 passed, 2 failed, 0 skipped"])

    def test_nothing_failed(self) -> None:
        status, lines = self.check(a="echo 'ok 1 - good'")
        self.assertEqual(status, 0)
        self.assertNotIn("Failed:", lines)

    def test_two_suites_at_one_time(self) -> None:
        # Each opens a pipe that the other one must open as well.
        os.mkfifo(self.folder / "one")
        os.mkfifo(self.folder / "other")
        to, back = self.folder / "one", self.folder / "other"
        status, lines = self.check(jobs=2, a=f"echo x > {to}; read x < {back}; echo 'ok 1 - a'",
                                   b=f"read x < {to}; echo x > {back}; echo 'ok 1 - b'")
        self.assertEqual(status, 0)
        self.assertEqual(lines[-1], "2 passed, 0 failed, 0 skipped")

    def test_style_ends_before_the_others_begin(self) -> None:
        events = []

        class Pool:
            """Runs a job only when its result is asked for."""

            def __init__(self, *_: object) -> None:
                pass

            def __enter__(self) -> "Pool":
                return self

            def __exit__(self, *_: object) -> None:
                pass

            def submit(self, job: Callable[[Any], Any], unit: Any) -> Any:
                """Take JOB for UNIT of a suite."""
                events.append(("submitted", unit.suite))

                def result() -> Any:
                    events.append(("ended", unit.suite))
                    return job(unit)
                return types.SimpleNamespace(result=result)

        with mock.patch("concurrent.futures.ThreadPoolExecutor", Pool):
            status, lines = self.check(jobs=2, **{name: "echo 'ok 1 - good'"
                                                  for name in ("a", "style", "z")})
        self.assertEqual((status, lines[-1]), (0, "3 passed, 0 failed, 0 skipped"))
        self.assertEqual(events[:3], [("submitted", "style"), ("ended", "style"),
                                      ("submitted", "a")])

    def test_suite_that_never_ends(self) -> None:
        limits = []

        class Selector(selectors.DefaultSelector):
            """Waits for the first output for good; when asked again the time is over."""

            def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
                limits.append(timeout)
                return super().select() if len(limits) == 1 else []

        with mock.patch("selectors.DefaultSelector", Selector):
            status, lines = self.check(a="echo 'ok 1 - good'; sleep 1000")
        self.assertEqual(status, 1)
        self.assertEqual(limits, 2 * [suites.SILENCE[False]])
        self.assertIn("a: not ok: failed without naming a test", lines[0])
        self.assertEqual(lines[-1], "1 passed, 1 failed, 0 skipped")


class Words(rigtest.Case):
    """A suite alone refuses a word or an option that it does not know, and runs nothing."""

    def test_refused_in_one_line(self) -> None:
        for suite in ("abi", "host", "style"):
            for word in ("no-such", "--no-such"):
                with self.subTest(suite=suite, word=word):
                    done = subprocess.run([rigtest.REPO / "selftests" / suite / "check", word],
                                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                          check=False)
                    self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
                    self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
                    self.assertIn(word, done.stderr)

    def test_word_that_chooses_no_test(self) -> None:
        done = subprocess.run([rigtest.REPO / "selftests" / "host" / "check", "test_ktap.py:no_such"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
        self.assertIn("'test_ktap.py:no_such' chooses no test", done.stderr)

    def test_continuous_integration_takes_no_word(self) -> None:
        # Whatever it starts is not the real test command.
        with tempfile.TemporaryDirectory() as folder:
            make = Path(folder) / "make"
            make.write_text("#!/bin/sh\necho made\n")
            make.chmod(0o755)
            expectations: list[tuple[list[str], tuple[int, str, str]]] = [
                ([], (0, "made\n", "")), (["words"], (2, "", "words"))]
            for words, expected in expectations:
                done = subprocess.run([rigtest.REPO / ".ci" / "run", *words], stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, text=True, check=False,
                                      env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}",
                                           # A locale that is not there has the shell warn.
                                           "LC_ALL": "C"})
                self.assertEqual((done.returncode, done.stdout), expected[:2], done.stderr)
                self.assertEqual(len(done.stderr.splitlines()), bool(words), done.stderr)
                self.assertIn(expected[2], done.stderr)


class Programs(rigtest.Case):
    """Results that suite 'host' gives of a C test, by how this ends."""

    def results(self, ran: "subprocess.CompletedProcess[bytes] | Exception") -> tuple[int, list[str]]:
        """Failures and output where running the only program ends with RAN."""
        suite = rigtest.load(rigtest.REPO / "selftests" / "host" / "check")
        built = subprocess.CompletedProcess([], 0, "", "")
        output = io.StringIO()
        with mock.patch.object(suite, "tests", return_value=[Path("units/test_x.c")]), \
             mock.patch("subprocess.run", side_effect=[built, ran]), contextlib.redirect_stdout(output):
            count, failed = suite.c_tests([], 0)
        lines = [line for line in output.getvalue().splitlines() if not line.startswith("#")]
        self.assertEqual(count, len(lines))
        return failed, lines

    def test_program_that_never_ends(self) -> None:
        for said, good in ((None, []), (b"ok 1 - one\n", ["ok 1 - test_x: one"])):
            failed, lines = self.results(subprocess.TimeoutExpired([], 3600, said))
            self.assertEqual((failed, lines[:-1]), (1, good))
            self.assertRegex(lines[-1], "^not ok [12] - test_x took more than 3600 s$")

    def test_programs_that_end(self) -> None:
        one, bad = b"ok 1 - one\n", b"not ok 2 - two\n"
        for status, said, failures, last in ((0, one, 0, "ok 1 - test_x: one"),
                                             (1, one + bad, 1, "not ok 2 - test_x: two"),
                                             (-11, one, 1, "not ok 2 - test_x ended early"),
                                             (0, b"", 1, "not ok 1 - test_x ended early")):
            failed, lines = self.results(subprocess.CompletedProcess([], status, said))
            self.assertEqual((failed, lines[-1]), (failures, last))


if __name__ == "__main__":
    unittest.main()
