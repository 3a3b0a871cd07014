# SPDX-License-Identifier: MIT
"""Tests that long work is not silent: messages where standard error is no terminal."""
import contextlib
import io
import os
import subprocess
import tarfile
import threading
import types
import unittest
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import rigtest
from pvg.base import files, packages, paths, progress
from pvg.bench import cpu
from pvg.bench import io as disks
from pvg.checks import suites
from pvg.conformance import build as guests
from pvg.guest import debian
from pvg.kernel import build, linux
from pvg.machine import qemu
from pvg.machine.control import domain
from pvg.machine.description import Machine

PATIENCE = 600          # seconds for what takes none
IMPATIENCE = 0.2        # seconds for what is not to come


class Writes(io.StringIO):
    """A file that keeps apart what each call wrote."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def write(self, text: str) -> int:
        """Keep TEXT."""
        self.texts.append(text)
        return len(text)


class Terminal(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        """It is one."""
        return True


class Late(float):
    """A time. When it is first compared with an earlier one, another thread runs OTHER meanwhile."""

    def __new__(cls, seconds: float, other: Callable[[], None]) -> "Late":
        self = super().__new__(cls, seconds)
        self.thread = threading.Thread(target=other)
        return self

    thread: threading.Thread

    def __sub__(self, earlier: float) -> float:
        seconds = float(self) - earlier
        if self.thread.ident is None:
            self.thread.start()
            self.thread.join(IMPATIENCE)
        return seconds


class Noted(rigtest.FolderCase):
    """Keeps what is said, and the seconds of a clock that only the test moves."""

    def setUp(self) -> None:
        super().setUp()
        self.seconds = 1000.0
        self.said: list[tuple[float, str]] = []
        self.again = threading.Event()
        self.phrase = "nothing"
        self.patch(progress, "say", self.say)

    def patch(self, place: object, name: str, value: object) -> None:
        """Have VALUE as NAME of PLACE for the test."""
        patch = mock.patch.object(place, name, value)
        patch.start()
        self.addCleanup(patch.stop)

    def say(self, text: str) -> None:
        """Takes the place of progress.say()."""
        self.said.append((self.seconds - 1000, text))
        if self.phrase in text:
            self.again.set()

    def line(self, total: int) -> progress.Line:
        """A line of a job."""
        with mock.patch("sys.stderr", io.StringIO()):
            return progress.Line("job", total, lambda: self.seconds)

    def clock(self) -> float:
        """A clock on which half a minute passes between two looks."""
        self.seconds += 30
        return self.seconds

    def impatient(self, phrase: str) -> None:
        """Let no time pass before the next word; again: set when PHRASE is said."""
        self.phrase = phrase
        self.patch(progress, "QUIET", 0)
        self.patch(progress, "TICK", 0.001)

    def wait(self, *_words: object) -> bool:
        """Work that ends when PHRASE was said about it."""
        self.assertTrue(self.again.wait(PATIENCE))
        return True

    def script(self, path: Path, text: str) -> None:
        """Make PATH the shell script TEXT."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def release(self) -> None:
        """Let a program end that reads a pipe, when PHRASE was said about it."""
        self.again.wait(PATIENCE)
        (self.folder / "go").write_text("go\n")


class Lines(Noted):
    """The line of a long job."""

    def test_slow_work_has_a_line_each_half_minute(self) -> None:
        line = self.line(1000)
        for second in range(100):
            self.seconds = 1000 + second
            line.update(second // 10)
        self.assertEqual(self.said, [(0, "job"), (30, "job: 0 %, 0:30"), (60, "job: 0 %, 1:00"),
                                     (90, "job: 0 %, 1:30")])

    def test_fast_work_has_a_line_each_tenth(self) -> None:
        line = self.line(160)
        for count in range(160):
            line.update(count)
            self.seconds += 1 / 16
        line.finish()
        self.assertEqual([text for _, text in self.said],
                         ["job", *(f"job: {percent} %, 0:0{percent // 10}"
                                   for percent in range(10, 100, 10)), "job: done in 0:10"])

    def test_work_that_reports_nothing_meanwhile(self) -> None:
        self.impatient("job: 30 %, ")
        with mock.patch("sys.stderr", io.StringIO()), \
             progress.Line("job", 100, self.clock) as line:
            line.update(30)
            # However many lines there were by now, there is another.
            self.again.clear()
            self.wait()
        said = len(self.said)
        # It is over: no thread is left that could say more.
        self.assertFalse([thread.name for thread in threading.enumerate() if "(run)" in thread.name])
        line.finish()
        self.assertEqual(len(self.said), said + 1)

    def test_two_threads_make_one_line(self) -> None:
        """The second looks at the time while the first does."""
        line = self.line(100)
        jobs: tuple[Callable[[], None], ...] = (line.tick, lambda: line.update(0))
        for job in jobs:
            late = Late(self.seconds + 30, line.tick)
            self.seconds = late
            job()
            late.thread.join(PATIENCE)
        self.assertEqual([text for _, text in self.said], ["job", "job: 0 %, 0:30", "job: 0 %, 1:00"])

    def test_thread_that_an_interrupt_finds_starting(self) -> None:
        start = threading.Thread.start

        def interrupted(thread: threading.Thread) -> None:
            start(thread)
            raise KeyboardInterrupt

        with mock.patch.object(threading.Thread, "start", interrupted), \
             self.assertRaises(KeyboardInterrupt), progress.repeating(lambda: None, PATIENCE):
            self.fail("the body ran")
        self.assertFalse([thread.name for thread in threading.enumerate() if "(run)" in thread.name])

    def test_line_is_not_ticking_where_a_program_draws_its_own(self) -> None:
        """A benchmark's boots on a terminal; elsewhere lines do not touch each other."""
        ticking = []

        @contextlib.contextmanager
        def repeating(*_words: object) -> Iterator[None]:
            ticking.append(True)
            yield

        row = dict.fromkeys(disks.COLUMNS, 1.0)
        self.patch(progress, "repeating", repeating)
        self.patch(cpu, "_run", lambda *_words: ("", 1.0))
        self.patch(cpu.Result, "complaint", lambda _self: None)
        self.patch(disks, "_run", lambda *_words: dict.fromkeys(disks.TITLES, row))
        self.patch(disks, "_folders", lambda: ([], "script"))
        jobs: tuple[Callable[[], Any], ...] = (lambda: cpu._measure(["pvguest"], 1, []),
                                               lambda: disks.measure(["pvguest"], True, []))
        for job in jobs:
            for place, expected in ((Terminal(), []), (io.StringIO(), [True])):
                ticking.clear()
                with mock.patch("sys.stderr", place):
                    job()
                self.assertEqual(ticking, expected)

    def test_build_of_a_kernel(self) -> None:
        """A compiler that says nothing until there was a line that it still works."""
        self.impatient("%, ")
        self.patch(paths, "BUILD", self.folder)
        self.patch(paths, "LOGS", self.folder)
        kernel = build.Kernel("pvguest")
        kernel.objects = self.folder
        os.mkfifo(self.folder / "go")
        self.patch(kernel, "_command", lambda *_words: ["sh", "-c", f"read x < {self.folder}/go"])
        waiter = threading.Thread(target=self.release)
        waiter.start()
        with mock.patch.object(kernel.tree, "objects", return_value=100), \
             mock.patch("sys.stderr", io.StringIO()), \
             open(self.folder / "log", "wb") as log, \
             open(self.folder / "lock", "w", encoding="ascii") as lock:
            kernel._make(log, lock, "vmlinux")
        waiter.join(PATIENCE)
        self.assertTrue(self.again.is_set())


class Others(Noted):
    """Other work that takes minutes."""

    def test_a_suite_whose_test_takes_minutes(self) -> None:
        self.patch(paths, "REPO", self.folder)
        self.patch(paths, "LOGS", self.folder / "log")
        self.impatient("a: 1 passed, 0 failed, 0 skipped so far")
        os.mkfifo(self.folder / "go")
        self.script(self.folder / "selftests" / "a" / "check",
                    f"echo 'ok 1'; read x < {self.folder}/go; echo 'ok 2'")
        waiter = threading.Thread(target=self.release)
        waiter.start()
        running: list[subprocess.Popen[bytes]] = []
        with contextlib.redirect_stdout(io.StringIO()):
            outcome = suites.run(suites.Unit("a"), False, running)
        waiter.join(PATIENCE)
        self.assertEqual(outcome.passed, 2)

    def test_two_threads_of_a_suite_make_one_line(self) -> None:
        """The thread that looks at the time does so while a result comes."""
        reports: list[Callable[[], None]] = []
        late = Late(1000, lambda: reports[0]())

        @contextlib.contextmanager
        def repeating(report: Callable[[], None], _seconds: float) -> Iterator[None]:
            reports.append(report)
            yield

        self.patch(progress, "repeating", repeating)
        self.patch(suites, "time", types.SimpleNamespace(monotonic=lambda: late if reports else 0))
        self.patch(paths, "REPO", self.folder)
        self.patch(paths, "LOGS", self.folder / "log")
        self.script(self.folder / "selftests" / "a" / "check", "echo 'ok 1'")
        with contextlib.redirect_stdout(io.StringIO()):
            suites.run(suites.Unit("a"), False, [])
        late.thread.join(PATIENCE)
        self.assertEqual([text for _, text in self.said if "so far" in text],
                         ["a: 1 passed, 0 failed, 0 skipped so far, 1000 s"])

    def test_results_of_two_suites_do_not_mix(self) -> None:
        """Each line is written at once, with its end."""
        self.patch(paths, "REPO", self.folder)
        self.patch(paths, "LOGS", self.folder / "log")
        self.script(self.folder / "selftests" / "a" / "check", "echo 'not ok 1 - bad'; exit 1")
        with contextlib.redirect_stdout(Writes()) as out:
            suites.run(suites.Unit("a"), False, [])
        self.assertEqual(out.texts[0], "a: not ok: bad\n")
        self.assertRegex(out.texts[1], r"^a: 0 passed, 1 failed, 0 skipped \(\d+ s\)\n$")

    def test_packages(self) -> None:
        self.patch(packages, "_installed", lambda _names: set())
        self.patch(os, "geteuid", lambda: 0)
        self.patch(paths, "BUILD", self.folder)
        self.patch(paths, "LOGS", self.folder)
        self.patch(packages, "_with_update", self.wait)
        self.impatient("still installing packages, ")
        packages.require(["one"])
        self.assertEqual(self.said[0][1], "installing one")

    def test_fetching(self) -> None:
        def fetch(words: Sequence[str], log: Path, folder: Path) -> bool:
            return not self.wait(words, log, folder)

        self.patch(paths, "BUILD", self.folder)
        self.patch(paths, "LOGS", self.folder)
        self.patch(packages, "UNPACKED", self.folder)
        self.patch(packages, "_with_update", fetch)
        self.impatient("still fetching package one, ")
        with self.assertRaisesRegex(Exception, "could not download"):
            packages.unpacked("one")

    def test_unpacking_a_package(self) -> None:
        def fetch(_words: Sequence[str], _log: Path, folder: Path) -> bool:
            (folder / "one_1_all.deb").write_text("")
            return True

        def unpack(words: Sequence[str], **_how: object) -> subprocess.CompletedProcess[str]:
            self.wait()
            Path(words[-1]).mkdir()
            return subprocess.CompletedProcess(words, 0, "", "")

        self.patch(paths, "LOGS", self.folder)
        self.patch(packages, "UNPACKED", self.folder)
        self.patch(packages, "_with_update", fetch)
        self.patch(subprocess, "run", unpack)
        self.impatient("still unpacking package one, ")
        self.assertEqual(packages.unpacked("one"), self.folder / "one" / "root")

    def tree(self) -> linux.LinuxTree:
        """A Linux that is to be unpacked from an archive with one file."""
        (self.folder / "Makefile").write_text("")
        archive = self.folder / "one.tar.xz"
        with tarfile.open(archive, "w:xz") as tar:
            tar.add(self.folder / "Makefile", "linux/Makefile")
        tree = linux.LinuxTree()
        tree.work, tree.source = self.folder, self.folder / "source"
        tree.about = {"package": "one", "tested": "1", "version": ""}
        self.patch(packages, "find_file", lambda *_words: archive)
        self.patch(packages, "version_installed", lambda _name: "1")
        return tree

    def test_unpacking_linux(self) -> None:
        """One member that takes long, such as one that the disk has no room in its cache for."""
        extract = tarfile.TarFile.extract

        def slow(tar: tarfile.TarFile, *words: Any, **how: Any) -> None:
            self.wait()
            extract(tar, *words, **how)

        tree = self.tree()
        self.patch(tarfile.TarFile, "extract", slow)
        self.impatient("unpacking one: 0 %, ")
        with mock.patch("sys.stderr", io.StringIO()):
            tree._unpack()
        self.assertTrue((tree.source / "Makefile").exists())

    def test_removing_a_linux_unpacked_in_part(self) -> None:
        tree = self.tree()
        (self.folder / "part").mkdir()
        self.patch(linux, "shutil", types.SimpleNamespace(
            rmtree=lambda path, **_how: self.wait() and path.rmdir()))
        self.impatient("still removing a one that was unpacked in part, ")
        tree._unpack()
        self.assertTrue((tree.source / "Makefile").exists())

    def test_saving_the_control_domain(self) -> None:
        target = self.folder / "saved-1"
        control = object.__new__(domain.ControlDomain)
        control.machine = Machine(self.folder, Path("kernel"), "", 64)
        control.emulator = mock.Mock()
        (self.folder / ".saved-1").write_text("")
        self.patch(paths, "LOGS", self.folder)
        self.patch(domain, "_wait_ready", lambda *_words: None)
        self.patch(qemu, "Control", mock.Mock())
        self.patch(domain, "_wait_saved", self.wait)
        self.impatient("booting the control domain once: 0 %, ")
        with mock.patch("sys.stderr", io.StringIO()):
            control._boot_and_save(target)

    def test_debian(self) -> None:
        """Removing the folder that the file system was made of."""
        target = self.folder / "bookworm-1.img"
        (self.folder / ".bookworm-1.img").write_text("")
        self.patch(paths, "LOGS", self.folder)
        self.patch(debian, "_proxies", lambda: [])
        self.patch(debian, "_run",
                   lambda *_words, **_environment: (self.folder / ".bookworm-1.img").write_text(""))
        self.patch(debian, "shutil", types.SimpleNamespace(rmtree=self.wait))
        self.impatient("making the Debian root file system: 0 %, ")
        with mock.patch("sys.stderr", io.StringIO()):
            debian._make(target, [])

    def test_building_the_bare_guests(self) -> None:
        def make(words: Sequence[str], **_how: object) -> subprocess.CompletedProcess[bytes]:
            self.wait()
            return subprocess.CompletedProcess(words, 0)

        self.patch(paths, "LOGS", self.folder)
        self.patch(subprocess, "run", make)
        self.impatient("still building the bare guests, ")
        guests.make("images")


class Turns(Noted):
    """Work that two processes must not do at one time: the second says that it waits."""

    def check(self, lock: Path, what: str, job: Callable[[], object], done: Sequence[str],
              before: Sequence[str], after: Sequence[str]) -> None:
        """JOB, which notes in DONE what it does, gets as far as BEFORE while LOCK is held."""
        self.phrase = f"waiting for another process: {what}"
        worker = threading.Thread(target=job)
        with files.locked(lock, "the test"):
            worker.start()
            self.assertTrue(self.again.wait(PATIENCE))
            self.assertEqual(done, before)
        worker.join(PATIENCE)
        self.assertEqual(done, after)

    def test_building_the_bare_guests(self) -> None:
        done: list[str] = []

        def make(words: Sequence[str], **_how: object) -> subprocess.CompletedProcess[bytes]:
            done.append(words[0])
            return subprocess.CompletedProcess(words, 0)

        self.patch(paths, "LOGS", self.folder)
        self.patch(guests, "FOLDER", self.folder)
        self.patch(subprocess, "run", make)
        self.check(self.folder / ".lock", "the build of the bare guests",
                   lambda: guests.make("images"), done, [], ["make"])

    def test_lists_of_packages(self) -> None:
        done: list[str] = []

        def apt(words: Sequence[str], *_how: object) -> bool:
            done.append(words[0])
            return len(done) > 1

        self.patch(paths, "BUILD", self.folder)
        self.patch(packages, "_apt", apt)
        self.check(self.folder / ".apt-update.lock", "lists of packages",
                   lambda: packages._with_update(["download"], self.folder), done,
                   ["download"], ["download", "update", "download"])


class Said(unittest.TestCase):
    """Texts on standard error."""

    def test_a_line_at_once(self) -> None:
        """Lines of two threads do not mix."""
        with mock.patch("sys.stderr", Writes()) as out:
            progress.say("word")
        self.assertEqual(out.texts, ["pvguest: word\n"])


if __name__ == "__main__":
    unittest.main()
