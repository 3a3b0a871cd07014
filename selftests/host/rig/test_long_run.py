# SPDX-License-Identifier: MIT
"""Tests of 'pvguest check --long' with suites of two lines: units, shards, what is kept and when."""
import argparse
import contextlib
import io
import json
import os
import subprocess
import sys
import threading
import unittest
from typing import Any
from unittest import mock

import rigtest
from pvg.base import errors, packages, paths, progress, releases
from pvg.checks import results, shards, suites
from pvg.commands import check

SELFTESTS = rigtest.REPO / "selftests"
UNITS = "one 1000 x\ntwo 500 y z\nthree 400\nfour 100\n"


class Repository(rigtest.FolderCase):
    """A repository of its own, whose suites note each of their runs in a file."""

    def setUp(self) -> None:
        super().setUp()
        self.runs = self.folder / "build" / "runs"
        self.runs.parent.mkdir()
        for name, value in (("REPO", self.folder), ("BUILD", self.folder / "build"),
                            ("LOGS", self.folder / "build" / "log")):
            patch = mock.patch.object(paths, name, value)
            patch.start()
            self.addCleanup(patch.stop)
        (self.folder / ".gitignore").write_text("/build/\n")
        self.suite("a", "check", f'echo "a:$PVGUEST_LONG:$*" >> {self.runs}; echo "ok 1 - good"')
        self.suite("a", "units", f"printf '{UNITS}'")
        self.suite("b", "check", f'echo "b:$PVGUEST_LONG:$*" >> {self.runs}; echo "ok 1 # SKIP no"')
        self.git("init", "-q")
        self.commit()

    def suite(self, name: str, program: str, script: str) -> None:
        """Make PROGRAM of the suite NAME run SCRIPT."""
        path = self.folder / "selftests" / name / program
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def git(self, *words: str) -> None:
        """Run git with WORDS in the repository."""
        subprocess.run(["git", "-C", str(self.folder), "-c", "user.name=a", "-c", "user.email=a@b",
                        "-c", "commit.gpgsign=false", *words], check=True,
                       stdout=subprocess.DEVNULL)

    def commit(self) -> None:
        """Commit everything."""
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "x")

    def long(self, *names: str, **options: Any) -> tuple[int, list[str], list[str]]:
        """A long run of the suites NAMES: exit status, printed lines, and the runs that it made."""
        self.runs.unlink(missing_ok=True)
        args = dict({"suite": list(names), "long": True, "jobs": None, "shard": None,
                     "again": False, "sum": False, "linux": releases.usual()}, **options)
        output = io.StringIO()
        with mock.patch.object(packages, "require"), contextlib.redirect_stdout(output):
            status = check.main(argparse.Namespace(**args))
        made = self.runs.read_text().splitlines() if self.runs.exists() else []
        return status, output.getvalue().splitlines(), made

    @property
    def page(self) -> str:
        """The page about the last run, or an empty string."""
        path = self.folder / results.PAGE
        return path.read_text() if path.exists() else ""


class Resuming(Repository):
    """A unit that has passed on a commit is not run again."""

    def test_all_at_once(self) -> None:
        status, lines, made = self.long()
        self.assertEqual(status, 0)
        self.assertEqual(made, ["a:1:x", "a:1:y z", "a:1:", "a:1:", "b:1:"])
        self.assertRegex(lines[-1], r"^5 of 5 units of [0-9a-f]{12}: 4 passed, 0 failed, 1 skipped$")

    def test_second_run_has_nothing_to_do(self) -> None:
        self.long()
        status, lines, made = self.long()
        self.assertEqual((status, made), (0, []))
        self.assertIn("a.one: 1 passed, 0 failed, 0 skipped (0 s)", lines)

    def test_again(self) -> None:
        self.long()
        self.assertEqual(len(self.long(again=True)[2]), 5)

    def test_failed_suite_is_run_again(self) -> None:
        self.suite("b", "check", f"echo b >> {self.runs}; echo 'not ok 1 - bad'; exit 1")
        self.commit()
        status, lines, made = self.long()
        self.assertEqual((status, len(made)), (1, 5))
        self.assertIn("b: not ok: bad", lines[lines.index("Failed:"):])
        self.assertEqual(self.long()[2], ["b"])

    def test_run_that_was_ended(self) -> None:
        with mock.patch.object(suites, "run", side_effect=[suites.Outcome("a.one", 1),
                                                           KeyboardInterrupt]), \
             self.assertRaises(KeyboardInterrupt):
            self.long("a")
        self.assertEqual(self.long("a")[2], ["a:1:y z", "a:1:", "a:1:"])

    def test_unit_that_runs_when_all_is_ended(self) -> None:
        started, killed = threading.Event(), threading.Event()
        kept: list[suites.Outcome] = []

        def run(unit: suites.Unit, _long: bool, running: list[Any]) -> suites.Outcome:
            if unit.name == "one":
                running.append(None)
                started.set()
                self.assertTrue(killed.wait(60))
                return suites.Outcome(unit.title, failed=1)
            self.assertTrue(started.wait(60))
            raise KeyboardInterrupt

        with mock.patch.object(suites, "run", run), \
             mock.patch.object(suites, "kill", lambda *_: killed.set()), \
             self.assertRaises(KeyboardInterrupt):
            check._run_all([suites.Unit("a", "two"), suites.Unit("a", "one")], 2, True, kept.append)
        self.assertEqual(kept, [])

    def test_another_commit(self) -> None:
        self.long()
        self.commit()
        self.git("commit", "-q", "--allow-empty", "-m", "another")
        self.assertEqual(len(self.long()[2]), 5)

    def test_uncommitted_change_has_results_of_its_own(self) -> None:
        self.long()
        (self.folder / "new").write_text("1")
        self.assertEqual(len(self.long()[2]), 5)
        self.assertEqual(self.long()[2], [])
        (self.folder / "new").write_text("2")
        self.assertEqual(len(self.long()[2]), 5)
        (self.folder / "new").unlink()
        self.assertEqual(self.long()[2], [])

    def test_change_under_the_run_is_not_kept(self) -> None:
        self.suite("b", "check", f"echo x >> {self.folder / 'new'}; echo 'ok 1 - good'")
        self.commit()
        status, lines, _ = self.long("b")
        self.assertEqual(status, 1)
        self.assertIn("b: not run", lines)

    def test_clone_of_another_user(self) -> None:
        before = results.version()
        with mock.patch.dict(os.environ, GIT_TEST_ASSUME_DIFFERENT_OWNER="1"):
            self.assertEqual(results.version(), before)

    def test_damaged_results_count_as_missing(self) -> None:
        self.long()
        folder = results.Store(results.version()).folder
        record = json.loads((folder / "b.json").read_text())
        for text in ("", "[]", "{", json.dumps(dict(record, passed="many")),
                     json.dumps(dict(record, more=1)), json.dumps(dict(record, title="a.one"))):
            with self.subTest(text=text):
                (folder / "b.json").write_text(text)
                self.assertEqual(self.long()[2], ["b:1:"])


class Hook(rigtest.FolderCase):
    """The tests leave a repository alone that a hook of git has named to them."""

    def test_repository_of_a_hook(self) -> None:
        theirs = self.folder / "theirs"
        subprocess.run(["git", "init", "-q", str(theirs)], check=True)
        done = subprocess.run([sys.executable, "-B", "-m", "unittest",
                               "test_long_run.Resuming.test_run_that_was_ended"],
                              cwd=SELFTESTS / "host" / "rig", stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False,
                              env=dict(os.environ, GIT_DIR=str(theirs / ".git"),
                                       GIT_INDEX_FILE=str(theirs / ".git" / "index")))
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertFalse((theirs / ".git" / "index").exists())


class Sharding(Repository):
    """Shards are run alone; together they are everything."""

    def test_shards_add_up(self) -> None:
        every = []
        for number in (1, 2):
            self.assertEqual(self.page, "")
            status, _lines, made = self.long(shard=f"{number}/2")
            self.assertEqual(status, 0)
            every += made
        self.assertEqual(sorted(every), sorted(["a:1:x", "a:1:y z", "a:1:", "a:1:", "b:1:"]))
        self.assertIn("| all | 5 | 4 | 0 | 1 |", self.page)

    def test_shards_of_another_count_resume_as_well(self) -> None:
        self.long(shard="1/2")
        self.assertEqual(len(self.long(shard="1/1")[2]),
                         5 - len(shards.choose(check._units(["a", "b"]), "1/2")))

    def test_list(self) -> None:
        self.long("a", shard="1/4")
        status, lines, made = self.long(shard="list")
        self.assertEqual((status, made), (0, []))
        self.assertEqual(lines[0], "1/1: about 35 min")
        self.assertIn("  a.one: passed", lines)
        self.assertIn("  a.two: about 500 s", lines)

    def test_refused(self) -> None:
        for word in ("0/2", "3/2", "1", "a/b", "", "1/0", "-1/2"):
            with self.subTest(word=word), self.assertRaises(errors.UsageError):
                self.long(shard=word or " ")
        for word in ("2/6", "6/6", "2/999"):
            with self.subTest(word=word), self.assertRaisesRegex(
                    errors.UsageError, f"^--shard {word}: there are only 5 units, "):
                self.long(shard=word)
        self.assertEqual(len(self.long(shard="5/5")[2]), 1)
        for option, value in (("shard", "1/2"), ("again", True), ("sum", True)):
            with self.subTest(option=option), self.assertRaises(errors.UsageError):
                self.long(long=False, **{option: value})

    def test_balance(self) -> None:
        units = [suites.Unit("s", str(number), seconds=seconds)
                 for number, seconds in enumerate((2000, 900, 800, 700, 600, 10))]
        count = shards.fitting(units)
        made = shards.split(units, count)
        self.assertEqual(count, 2)
        self.assertEqual(sorted(unit.name for shard in made for unit in shard), list("012345"))
        self.assertLessEqual(max(map(shards.seconds, made)), shards.LONGEST)
        self.assertEqual(made, shards.split(units, count))

    def test_unit_longer_than_a_shard(self) -> None:
        units = [suites.Unit("s", name, seconds=9999) for name in "ab"]
        self.assertEqual(shards.fitting(units), 2)


class Page(Repository):
    """The page is about the units of one commit that have a result, and says which have none."""

    def test_part_of_a_run(self) -> None:
        status, lines, _ = self.long("a")
        self.assertEqual((status, self.page), (0, ""))
        status, lines, _ = self.long(sum=True)
        self.assertEqual(status, 1)
        self.assertIn("b: not run", lines)
        self.assertIn("\nNot complete: 4 of 5 units have a result. Without one: b.\n", self.page)
        self.assertIn("| a | 4 | 4 | 0 | 0 |", self.page)
        self.assertIn("| b | 0 of 1 | 0 | 0 | 0 |", self.page)
        self.assertIn("| all | 4 of 5 | 4 | 0 | 0 |", self.page)
        self.assertIn(results.machine(), self.page)

    def test_nothing_has_run(self) -> None:
        commit = results.version()
        cases: list[tuple[dict[str, Any], str]] = [
            ({}, f"no unit has a result for {commit}; run: ./pvguest check --long"),
            ({"suite": ["a"]},
             f"no unit has a result for {commit}; run: ./pvguest check --long a"),
            ({"shard": "2/2", "linux": "9.9"},
             f"no unit of this shard has a result for {commit}; run: "
             "./pvguest check --long --shard 2/2 --linux 9.9")]
        for options, text in cases:
            with self.subTest(options), mock.patch.object(progress, "say") as say:
                status, lines, made = self.long(sum=True, **options)
                self.assertEqual((status, lines, made, self.page), (1, [], [], ""))
                say.assert_called_once_with(text)

    def test_part_does_not_replace_a_complete_run(self) -> None:
        self.long()
        complete = self.page
        self.assertIn("\nComplete: all 5 units have a result.\n", complete)
        self.commit()
        self.git("commit", "-q", "--allow-empty", "-m", "another")
        self.long("a")
        self.long(sum=True)
        self.assertEqual(self.page, complete)
        self.long("b")
        self.long(sum=True)
        self.assertIn(results.version(), self.page)
        self.assertNotEqual(self.page, complete)

    def test_sum_runs_nothing_and_writes_it(self) -> None:
        self.long("a")
        self.long("b")
        self.assertEqual(self.page, "")
        status, _lines, made = self.long(sum=True)
        self.assertEqual((status, made), (0, []))
        self.assertIn(results.version(), self.page)
        self.assertIn(results.machine(), self.page)

    def test_not_of_uncommitted_changes(self) -> None:
        (self.folder / "new").write_text("1")
        status, _lines, _made = self.long()
        self.assertEqual((status, self.page), (0, ""))

    def test_the_page_itself_is_no_change(self) -> None:
        before = results.version()
        self.long()
        self.assertEqual(results.version(), before)
        self.assertEqual(self.long()[2], [])

    def test_failures_are_in_it(self) -> None:
        self.suite("b", "check", "echo 'not ok 1 - a | b'; exit 1")
        self.commit()
        self.assertEqual(self.long()[0], 1)
        self.assertIn("| all | 5 | 4 | 1 | 0 |", self.page)
        self.assertIn("- b: not ok: a \\| b\n", self.page)


class Units(Repository):
    """Lists that a suite's program 'units' may print."""

    def test_bad_lists(self) -> None:
        for script in ("echo name", "echo name 0", "echo NAME 1", "echo a 1; echo a 2", "true",
                       "echo a 1; exit 1", "echo 'a  1'"):
            with self.subTest(script=script):
                self.suite("a", "units", script)
                with self.assertRaises(errors.RigError):
                    suites.units("a")

    def test_suite_without_a_list(self) -> None:
        self.assertEqual(suites.units("b"), [suites.Unit("b")])


class Complete(unittest.TestCase):
    """The units of each suite of the repository are the whole suite, each part once."""

    def test_host(self) -> None:
        program = rigtest.load(SELFTESTS / "host" / "check")
        files = {kind: program.tests(kind) for kind in (".py", ".c")}
        units = [unit.words for unit in suites.units("host")]
        whole = [test.id() for test in program.flat(program.python_tests([]))]
        parts = [test.id() for words in units
                 for test in program.flat(program.python_tests(list(words)))]
        self.assertEqual(sorted(parts), sorted(whole))
        for path in files[".c"]:
            self.assertEqual(sum(program.chosen(path, words) for words in units), 1, path)

    def test_abi(self) -> None:
        names = [part.name for part in rigtest.load(SELFTESTS / "abi" / "parts.py").PARTS]
        self.assertEqual([unit.words for unit in suites.units("abi")], [(name,) for name in names])

    def test_guest(self) -> None:
        with mock.patch("sys.path", [str(SELFTESTS / "guest"), *sys.path]):
            program = rigtest.load(SELFTESTS / "guest" / "check")

        def ran(*words: str) -> list[str]:
            """The groups that the suite runs with WORDS: devices by script, tlb by program."""
            found: list[Any] = []

            def group(_top: Any, name: str, body: Any, *arguments: Any) -> None:
                if body is program.devices.check:
                    kernel, kind, scripts = arguments
                    found.extend((kernel, kind, script) for script in program.devices.GROUPS[kind]
                                 if not scripts or script.removesuffix(".sh") in scripts)
                elif body is program.tlb.check:
                    kernel, programs = arguments
                    found.extend((name, kernel, one) for one in programs or program.tlb.ALL)
                else:
                    found.append((name, *arguments))

            with mock.patch.object(program, "_group", group), \
                 mock.patch.object(program, "_programs", lambda top, *rest: found.append(rest)), \
                 mock.patch.object(program.build, "kernel"), \
                 mock.patch.object(program.sys, "argv", ["check", *words]), \
                 mock.patch.dict(os.environ, {"PVGUEST_LONG": "1"}), \
                 contextlib.redirect_stdout(io.StringIO()):
                program.main()
            return [str(one) for one in found]

        parts = [one for unit in suites.units("guest") for one in ran(*unit.words)]
        self.assertEqual(sorted(parts), sorted(ran()))


if __name__ == "__main__":
    unittest.main()
