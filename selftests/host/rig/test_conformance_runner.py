# SPDX-License-Identifier: MIT
"""Tests of the conformance runner itself, with adapters that fail in every way."""
import argparse
import contextlib
import io
import os
import stat
import sys
import tempfile
import unittest
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

REPO = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(REPO / "rig"))

from pvg.base import errors, paths, progress  # noqa: E402
from pvg.commands import conformance  # noqa: E402
from pvg.conformance import build, report, run, suite  # noqa: E402

PATIENCE = 600          # seconds for what takes none
IMPATIENCE = 0.1        # seconds of silence in which nothing is to come


def case(name: str, flags: Iterable[str] = (), **more: Any) -> suite.Case:
    """A case of area 'demo'."""
    return suite.Case(name, "demo", ["DEMO-001"], set(flags), "demo.c", 1, "", **more)


class Images:
    """A substitute for the built images."""

    def __init__(self, cases: Sequence[suite.Case]) -> None:
        self.cases = cases

    def path(self, area: str) -> Path:
        return Path("/dev/null")

    def common(self, area: str) -> list[suite.Case]:
        return [c for c in self.cases if not c.alone]


def campaign(folder: Path, script: str, cases: Sequence[suite.Case], first: float = PATIENCE,
             silence: float = PATIENCE, **options: Any) -> tuple[dict[str, run.Result], run.Campaign]:
    """Results by case name of CASES under an adapter in FOLDER that is SCRIPT.

    It may be silent for FIRST seconds before its first line, and for SILENCE seconds after that.
    """
    path = folder / "adapter"
    path.write_text("#!/bin/sh\n" + script, encoding="ascii")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    setup = run.Setup("fake", path, [], "tcg", ("single",))
    made = run.Campaign(setup, Images(cases), folder / "log", workers=1, silence=silence, **options)
    with mock.patch.object(run, "START_PATIENCE", first / silence):
        return {r.case.name: r for r in made.run(cases)}, made


class Runner(unittest.TestCase):
    """Each test writes an adapter as a shell script and looks at the results."""

    def setUp(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def campaign(self, script: str, cases: Sequence[suite.Case],
                 **options: Any) -> tuple[dict[str, run.Result], run.Campaign]:
        """The results of campaign(), in a folder of the test's own."""
        return campaign(Path(self.folder.name), script, cases, **options)

    def test_pass_skip_fail(self) -> None:
        script = """case "$*" in *after=b*) echo '@case c'; echo '@ok c 5'; echo '@done'; exit 0;; esac
        echo '@info Xen 9.9 x'; echo '@case a'; echo '@ok a 1500000'; echo '@case s'
        echo '@skip s no such thing'; echo '@case b'; echo '@fail b b.c:1: wrong'; exit 0"""
        results, run = self.campaign(script, [case(n) for n in "asbc"])
        self.assertEqual([r.result for r in results.values()], ["pass", "skip", "fail", "pass"])
        self.assertEqual(results["a"].seconds, 1.5)
        self.assertEqual(results["b"].reason, "b.c:1: wrong")
        self.assertEqual(run.info, "Xen 9.9 x")
        self.assertEqual(run.boots, 2)

    def test_crash_is_reported_and_the_rest_run(self) -> None:
        script = """case "$*" in *after=a*) echo '@case b'; echo '@ok b 5'; echo '@done'; exit 0;; esac
        echo '@case a'; echo 'boom'; exit 12"""
        results, _ = self.campaign(script, [case("a"), case("b")])
        self.assertEqual(results["a"].result, "fail")
        self.assertIn("crash", results["a"].reason)
        self.assertIn("boom", results["a"].reason)
        self.assertEqual(results["b"].result, "pass")

    def test_expected_end(self) -> None:
        for status, expected in ((12, "pass"), (0, "fail"), (13, "fail"), (125, "error")):
            results, _ = self.campaign(f"echo '@case a'; echo '@dying a crash'; exit {status}",
                                       [case("a", {"DIES"})])
            self.assertEqual(results["a"].result, expected, status)

    def test_end_before_it_was_expected(self) -> None:
        results, _ = self.campaign("echo '@case a'; exit 12", [case("a", {"DIES"})])
        self.assertEqual(results["a"].result, "fail")

    def test_hang(self) -> None:
        results, _ = self.campaign("echo '@case a'; exec sleep 600", [case("a")],
                                   silence=IMPATIENCE)
        self.assertEqual(results["a"].result, "fail")
        self.assertIn("hung", results["a"].reason)

    def test_silent_adapter_is_an_error(self) -> None:
        results, _ = self.campaign("exec sleep 600", [case("a"), case("b")], first=IMPATIENCE)
        self.assertEqual({r.result for r in results.values()}, {"error"})

    def test_adapter_that_dies_is_an_error(self) -> None:
        for end in ("exit 1", "exit 125", "kill -9 $$"):
            results, _ = self.campaign(end, [case("a")])
            self.assertEqual(results["a"].result, "error", end)
            results, _ = self.campaign(f"echo '@case a'; {end}", [case("a")])
            self.assertEqual(results["a"].result, "error", end)

    def test_noise(self) -> None:
        results, _ = self.campaign("head -c 100000 /dev/urandom; exit 0", [case("a")])
        self.assertEqual(results["a"].result, "error")
        results, _ = self.campaign("exec cat /dev/zero", [case("a")])
        self.assertEqual(results["a"].result, "error")

    def test_noise_around_lines(self) -> None:
        script = r"printf '\377\000\001@case a\nxx\n(XEN) y @ok a 7\r\n@done\n'; exit 0"
        results, _ = self.campaign(script, [case("a")])
        self.assertEqual(results["a"].result, "pass")

    def test_unreported_case_is_an_error(self) -> None:
        results, _ = self.campaign("echo '@case a'; echo '@ok a 1'; echo '@done'; exit 0",
                                   [case("a"), case("b")])
        self.assertEqual(results["b"].result, "error")

    def test_deviation_is_for_its_accelerator_only(self) -> None:
        for accelerator, expected in (("tcg", "deviation"), ("kvm", "fail")):
            results, _ = self.campaign("echo '@case a'; echo '@fail a x'; exit 0", [case(
                "a", deviation={"accelerator": accelerator, "reason": "known"})])
            self.assertEqual(results["a"].result, expected)

    def test_known_fault_is_for_its_releases_only(self) -> None:
        known = {"hypervisor": "Xen", "first": "4.17.5", "last": "4.23", "reason": "known"}
        for said, expected in (("Xen 4.17.5", "fault"), ("Xen 4.23.1-pre", "fault"),
                             ("Xen 4.19.0", "fault"), ("Xen 4.17.4", "fail"),
                             ("Xen 4.24.0", "fail"), ("Other 4.19.0", "fail"), ("Xen ?", "fail")):
            results, _ = self.campaign(
                f"echo '@info {said} x'; echo '@case a'; echo '@fail a x'; exit 0",
                [case("a", fault=known)])
            self.assertEqual(results["a"].result, expected, said)

    def test_fault_is_counted_apart(self) -> None:
        known = {"hypervisor": "Xen", "first": "4.17", "last": "4.17", "reason": "known"}
        results, _ = self.campaign(
            "echo '@info Xen 4.17.5 x'; echo '@case a'; echo '@fail a x'; exit 0",
            [case("a", fault=known)])
        about = {"name": "Xen", "version": "4.17.5", "adapter": "fake", "accelerator": "tcg"}
        entries = list(results.values())
        self.assertIn("ok 1 demo.a # XFAIL known (x)", report.ktap(about, entries))
        lines = report.table(about, entries, 1).splitlines()
        self.assertEqual((lines[0], lines[-1]), ("fault     demo.a: known (x)", "1 case in 1 s"))
        self.assertEqual(report.table(about, 2 * entries, 1).splitlines()[-1], "2 cases in 1 s")

    def test_failures_are_at_the_end(self) -> None:
        results, _ = self.campaign("echo '@case a'; echo '@fail a broken'; exit 0", [case("a")])
        skipped, _ = self.campaign("echo '@case b'; echo '@skip b no such thing'; exit 0", [case("b")])
        about = {"name": "Xen", "version": "4.17.5", "adapter": "fake", "accelerator": "tcg"}
        lines = report.table(about, [*results.values(), *skipped.values()], 1).splitlines()
        self.assertEqual(lines[0], "skip      demo.b: no such thing")
        self.assertEqual(lines[-3:-1], ["2 cases in 1 s", "fail      demo.a: broken"])

    def test_cases_are_chosen_by_name_alone_or_behind_the_area(self) -> None:
        cases = [case("one"), case("other"), case("two")]
        for pattern, expected in (("o*", ["one", "other"]), ("demo.o*", ["one", "other"]),
                                ("demo.two", ["two"]), ("t*o", ["two"])):
            with self.subTest(pattern):
                self.assertEqual([c.name for c in suite.select(cases, (), [pattern])], expected)

    def test_part_that_the_adapter_lacks(self) -> None:
        results, _ = self.campaign("exit 1", [case("a", {"PAIR"})])
        self.assertEqual(results["a"].result, "skip")

    def test_reports(self) -> None:
        results, _ = self.campaign("echo '@case a'; echo '@fail a <&#'; exit 0", [case("a")])
        about = {"name": "Xen", "version": "9", "adapter": "fake", "accelerator": "tcg"}
        entries = list(results.values())
        self.assertIn("not ok 1 demo.a", report.ktap(about, entries))
        self.assertIn("&lt;&amp;#", report.junit(about, entries))
        self.assertIn('"result": "fail"', report.as_json(about, entries))


class Terminal(io.TextIOWrapper):
    """A terminal that keeps what it was sent."""

    def isatty(self) -> bool:
        """It is one."""
        return True


class Shown(unittest.TestCase):
    """A run's standard error on a terminal."""

    def shown(self, *names: str) -> str:
        """The standard error of a run of one case, chosen by NAMES, with a console of two lines."""
        @contextlib.contextmanager
        def repeating(report: Callable[[], None], _seconds: float) -> Iterator[None]:
            report()
            yield

        sent = io.BytesIO()
        terminal = Terminal(sent)
        with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as stack:
            path = Path(scratch) / "adapter"
            path.write_text("#!/bin/sh\necho '@case a'; echo '@ok a 5'; exit 0", encoding="ascii")
            path.chmod(0o755)
            setup = run.Setup("fake", path, [], "tcg", ("single",))
            for place, name, value in (
                    (progress, "repeating", repeating), (paths, "LOGS", Path(scratch)),
                    (conformance, "RESULTS", Path(scratch)), (suite, "load", list),
                    (conformance, "make_setup", lambda _args: setup),
                    (build, "Images", lambda _cases: Images([case("a")]))):
                stack.enter_context(mock.patch.object(place, name, value))
            stack.enter_context(mock.patch("sys.stderr", terminal))
            stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
            args = argparse.Namespace(area=[], case=list(names), leave_out=[], jobs=1, timeout=None,
                                      stop_at_first_failure=False, ktap=None, junit=None, json=None)
            self.assertEqual(conformance.run_cases(args, [case("a")]), 0)
        return sent.getvalue().decode()

    def test_line_of_a_run(self) -> None:
        self.assertRegex(self.shown(), "^\rpvguest: 1 case on fake:  0 % [^\n]*"
                                       "\rpvguest: 1 case on fake: 0 failed in [0-9:]+ *\n$")

    def test_console_is_not_disturbed(self) -> None:
        self.assertRegex(self.shown("a"), "^@case a\n@ok a 5\n"
                                          "\rpvguest: 1 case on fake: 0 failed in [0-9:]+ *\n$")


class Accelerator(unittest.TestCase):
    """Whether this machine has KVM matters to our own adapters only."""

    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.path = Path(scratch.name) / "adapter"
        self.path.write_text("#!/bin/sh\necho accelerators=tcg,kvm\n", encoding="ascii")
        self.path.chmod(0o755)

    def made(self) -> run.Setup:
        """The setup of the adapter of this test with --accel kvm, where there is no KVM."""
        args = argparse.Namespace(hv=str(self.path), accel="kvm", xen=None)
        none = errors.UsageError("no KVM")
        with mock.patch("pvg.machine.qemu.check_kvm", side_effect=none):
            return conformance.make_setup(args)

    def test_own(self) -> None:
        with mock.patch.object(conformance, "ADAPTERS", self.path.parent), \
             self.assertRaisesRegex(errors.UsageError, "no KVM"):
            self.made()

    def test_another(self) -> None:
        self.assertEqual(self.made().accelerator, "kvm")


class Sources(unittest.TestCase):
    """Case files that are wrong stop everything, with file and line."""

    def parse(self, text: str) -> Any:
        os.makedirs(REPO / "build", exist_ok=True)
        with tempfile.TemporaryDirectory(dir=REPO / "build") as folder:
            path = Path(folder) / "x.c"
            path.write_text(text, encoding="ascii")
            return suite.parse_file(path, "demo")

    def test_good(self) -> None:
        found, = self.parse('/* A rule. */\nCASE(x, "A-001 B-002"\n\t" C-003", DOMU | ALONE)\n{\n}\n')
        self.assertEqual(found.clauses, ["A-001", "B-002", "C-003"])
        self.assertTrue(found.alone)
        self.assertEqual(found.comment, "A rule.")

    def test_bad(self) -> None:
        for text in ('\nCASE(x, "A-001", 0)\n', '/* R. */\nCASE(x, "", 0)\n',
                     '/* R. */\nCASE(x, "A-001", ODD)\n', '/* R. */\nCASE(x, A, 0)\n'):
            with self.assertRaises(errors.RigError):
                self.parse(text)

    def test_comment_that_leans_on_another(self) -> None:
        for opening in ("And", "Nor", "So", "The same", "What", "It"):
            with self.assertRaisesRegex(errors.RigError, rf":2: .* begins with '{opening}';"):
                self.parse(f'/* {opening} holds RAM. */\nCASE(x, "A-001", 0)\n')
        found, = self.parse('/* Sockets hold. */\nCASE(x, "A-001", 0)\n')
        self.assertEqual(found.comment, "Sockets hold.")
