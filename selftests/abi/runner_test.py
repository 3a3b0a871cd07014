#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of the conformance runner itself, with adapters that misbehave in every way."""
import os
import stat
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "rig"))

from pvg import conformance_cases, conformance_report, conformance_run, errors  # noqa: E402


def case(name, flags=(), **more):
    """A case of area 'demo'."""
    return conformance_cases.Case(name, "demo", ["DEMO-001"], set(flags), "demo.c", 1, "", **more)


class Images:
    """Stands for the built images."""

    def __init__(self, cases):
        self.cases = cases

    def path(self, area):
        return Path("/dev/null")

    def common(self, area):
        return [c for c in self.cases if not c.alone]


class Runner(unittest.TestCase):
    """Each test writes an adapter as a shell script and looks at the results."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def campaign(self, script, cases, **options):
        """Results by case name of CASES under an adapter that is SCRIPT."""
        path = Path(self.folder.name) / "adapter"
        path.write_text("#!/bin/sh\n" + script, encoding="ascii")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        setup = conformance_run.Setup("fake", path, [], "tcg", ("single",))
        run = conformance_run.Campaign(setup, Images(cases), Path(self.folder.name) / "log",
                                       workers=1, silence=1, **options)
        return {r.case.name: r for r in run.run(cases)}, run

    def test_pass_skip_fail(self):
        script = """case "$*" in *after=b*) echo '@case c'; echo '@ok c 5'; echo '@done'; exit 0;; esac
        echo '@info Xen 9.9 x'; echo '@case a'; echo '@ok a 1500000'; echo '@case s'
        echo '@skip s no such thing'; echo '@case b'; echo '@fail b b.c:1: wrong'; exit 0"""
        results, run = self.campaign(script, [case(n) for n in "asbc"])
        self.assertEqual([r.result for r in results.values()], ["pass", "skip", "fail", "pass"])
        self.assertEqual(results["a"].seconds, 1.5)
        self.assertEqual(results["b"].reason, "b.c:1: wrong")
        self.assertEqual(run.info, "Xen 9.9 x")
        self.assertEqual(run.boots, 2)

    def test_crash_is_reported_and_the_rest_run(self):
        script = """case "$*" in *after=a*) echo '@case b'; echo '@ok b 5'; echo '@done'; exit 0;; esac
        echo '@case a'; echo 'boom'; exit 12"""
        results, _ = self.campaign(script, [case("a"), case("b")])
        self.assertEqual(results["a"].result, "fail")
        self.assertIn("crash", results["a"].reason)
        self.assertIn("boom", results["a"].reason)
        self.assertEqual(results["b"].result, "pass")

    def test_expected_end(self):
        for status, wanted in ((12, "pass"), (0, "fail"), (13, "fail"), (125, "error")):
            results, _ = self.campaign(f"echo '@case a'; echo '@dying a crash'; exit {status}",
                                       [case("a", {"DIES"})])
            self.assertEqual(results["a"].result, wanted, status)

    def test_end_before_it_was_expected(self):
        results, _ = self.campaign("echo '@case a'; exit 12", [case("a", {"DIES"})])
        self.assertEqual(results["a"].result, "fail")

    def test_hang(self):
        results, _ = self.campaign("echo '@case a'; exec sleep 60", [case("a")])
        self.assertEqual(results["a"].result, "fail")
        self.assertIn("hung", results["a"].reason)

    def test_silent_adapter_is_an_error(self):
        results, _ = self.campaign("exec sleep 60", [case("a"), case("b")])
        self.assertEqual({r.result for r in results.values()}, {"error"})

    def test_adapter_that_dies_is_an_error(self):
        for end in ("exit 1", "exit 125", "kill -9 $$"):
            results, _ = self.campaign(end, [case("a")])
            self.assertEqual(results["a"].result, "error", end)
            results, _ = self.campaign(f"echo '@case a'; {end}", [case("a")])
            self.assertEqual(results["a"].result, "error", end)

    def test_noise(self):
        results, _ = self.campaign("head -c 100000 /dev/urandom; exit 0", [case("a")])
        self.assertEqual(results["a"].result, "error")
        results, _ = self.campaign("exec cat /dev/zero", [case("a")])
        self.assertEqual(results["a"].result, "error")

    def test_noise_around_lines(self):
        script = r"printf '\377\000\001@case a\nxx\n(XEN) y @ok a 7\r\n@done\n'; exit 0"
        results, _ = self.campaign(script, [case("a")])
        self.assertEqual(results["a"].result, "pass")

    def test_unreported_case_is_an_error(self):
        results, _ = self.campaign("echo '@case a'; echo '@ok a 1'; echo '@done'; exit 0",
                                   [case("a"), case("b")])
        self.assertEqual(results["b"].result, "error")

    def test_deviation_is_for_its_accelerator_only(self):
        for accelerator, wanted in (("tcg", "deviation"), ("kvm", "fail")):
            results, _ = self.campaign("echo '@case a'; echo '@fail a x'; exit 0", [case(
                "a", deviation={"accelerator": accelerator, "reason": "known"})])
            self.assertEqual(results["a"].result, wanted)

    def test_part_that_the_adapter_lacks(self):
        results, _ = self.campaign("exit 1", [case("a", {"PAIR"})])
        self.assertEqual(results["a"].result, "skip")

    def test_reports(self):
        results, _ = self.campaign("echo '@case a'; echo '@fail a <&#'; exit 0", [case("a")])
        about = {"name": "Xen", "version": "9", "adapter": "fake", "accelerator": "tcg"}
        entries = list(results.values())
        self.assertIn("not ok 1 demo.a", conformance_report.ktap(about, entries))
        self.assertIn("&lt;&amp;#", conformance_report.junit(about, entries))
        self.assertIn('"result": "fail"', conformance_report.as_json(about, entries))


class Sources(unittest.TestCase):
    """Case files that are wrong stop everything, with file and line."""

    def parse(self, text):
        with tempfile.TemporaryDirectory(dir=REPO / "build") as folder:
            path = Path(folder) / "x.c"
            path.write_text(text, encoding="ascii")
            return conformance_cases.parse_file(path, "demo")

    def test_good(self):
        found, = self.parse('/* A rule. */\nCASE(x, "A-001 B-002"\n\t" C-003", DOMU | ALONE)\n{\n}\n')
        self.assertEqual(found.clauses, ["A-001", "B-002", "C-003"])
        self.assertTrue(found.alone)
        self.assertEqual(found.comment, "A rule.")

    def test_bad(self):
        for text in ('\nCASE(x, "A-001", 0)\n', '/* R. */\nCASE(x, "", 0)\n',
                     '/* R. */\nCASE(x, "A-001", ODD)\n', '/* R. */\nCASE(x, A, 0)\n'):
            with self.assertRaises(errors.RigError):
                self.parse(text)


if __name__ == "__main__":
    os.makedirs(REPO / "build", exist_ok=True)
    unittest.main(verbosity=1)
