# SPDX-License-Identifier: MIT
"""Tests of how a conformance run ends, what it leaves behind, and how its cases are chosen."""
import argparse
import gzip
import json
import os
import select
import signal
import stat
import subprocess
import sys
import unittest
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent))

import rigtest  # noqa: E402
from test_conformance_runner import IMPATIENCE, campaign, case  # noqa: E402
from pvg.base import errors, packages  # noqa: E402
from pvg.commands import conformance  # noqa: E402
from pvg.conformance import run, suite  # noqa: E402
from pvg.machine import xen  # noqa: E402

# Adapters stand at places of their own, so that their logs are always at the same ones.
ADAPTERS = rigtest.REPO / "build" / "test-adapters"
DESCRIBE = """#!/bin/sh
case "$1" in --describe) echo parts=single; echo accelerators=native; exit;; esac
"""
# The first two cases of an area that is small.
FIRST, SECOND = [c.name for c in suite.load() if c.area == "console"][:2]
BEGIN = f"echo '@info Xen 9.9 x'; echo '@case {FIRST}'; echo '@ok {FIRST} 5'\n"


def adapter(name: str, script: str) -> Path:
    """An adapter called NAME that runs guests by SCRIPT."""
    ADAPTERS.mkdir(parents=True, exist_ok=True)
    path = ADAPTERS / name
    path.write_text(DESCRIBE + script, encoding="ascii")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


class Campaigns(rigtest.FolderCase):
    """Runs within this process, with an adapter that is a shell script."""

    def campaign(self, script: str, cases: Sequence[suite.Case],
                 **options: Any) -> tuple[dict[str, run.Result], run.Campaign]:
        """Results by case name of CASES under an adapter that is SCRIPT."""
        return campaign(self.folder, script, cases, **options)

    def test_first_failure_stops_the_run(self) -> None:
        script = "echo '@case a'; echo '@ok a 5'; echo '@case b'; echo '@fail b x'; exit 0"
        cases = [case("a"), case("b"), case("c"), case("d", {"ALONE"})]
        results, campaign = self.campaign(script, cases, stop_early=True)
        self.assertEqual({name: r.result for name, r in results.items()}, {"a": "pass", "b": "fail"})
        self.assertEqual(campaign.boots, 1)
        self.assertEqual(campaign.ended, "demo.b did not pass")

    def test_limit_ends_the_run(self) -> None:
        script = "echo '@case a'; exec sleep 600"
        results, campaign = self.campaign(script, [case("a"), case("b", {"ALONE"})], limit=0.2)
        self.assertEqual(results, {})
        self.assertTrue(campaign.late)
        self.assertEqual(campaign.ended, "the limit of 0.2 s for the run is over")

    def test_interrupt_before_all_boots_are_asked_for(self) -> None:
        made: list[run.Campaign] = []

        def jobs(one: run.Campaign, cases: Sequence[suite.Case]) -> Iterator[run.Job]:
            made.append(one)
            yield run.Job("demo", list(cases))
            raise KeyboardInterrupt

        with mock.patch.object(run.Campaign, "_jobs", jobs), self.assertRaises(KeyboardInterrupt):
            self.campaign("echo '@case a'; exec sleep 600", [case("a")], silence=IMPATIENCE)
        self.assertEqual((made[0].ended, made[0].results), ("it was interrupted", {}))

    def test_run_within_its_limit(self) -> None:
        results, campaign = self.campaign("echo '@case a'; echo '@ok a 5'; echo '@done'; exit 0",
                                          [case("a")], limit=600)
        self.assertEqual(results["a"].result, "pass")
        self.assertFalse(campaign.late or campaign.ended)

    def test_hypervisor_on_which_everything_hangs(self) -> None:
        cases = [case(f"c{n}", {"ALONE"}) for n in range(9)]
        script = "name=${*##*case=}; echo \"@case ${name%% *}\"; exec sleep 600"
        results, campaign = self.campaign(script, cases, silence=IMPATIENCE)
        self.assertEqual(campaign.boots, run.MOST_HUNG)
        self.assertEqual([r.result for r in results.values()], ["fail"] * run.MOST_HUNG)
        self.assertIn("hung", campaign.ended)

    def test_a_pass_between_hung_cases_keeps_the_run_going(self) -> None:
        cases = [case(f"c{n}", {"ALONE"}) for n in range(2 * run.MOST_HUNG - 1)]
        good = f"c{run.MOST_HUNG - 1}"
        # Both lines of the one that passes come at once: it is not to seem hung in between.
        script = f"""name=${{*##*case=}}; name=${{name%% *}}
        case $name in {good}) printf "@case $name\\n@ok $name 5\\n"; exit 0;; esac
        echo "@case $name"; exec sleep 600"""
        results, campaign = self.campaign(script, cases, silence=IMPATIENCE)
        self.assertEqual(len(results), len(cases))
        self.assertEqual(campaign.ended, "")

    def test_skipped_case_that_did_not_begin_took_no_time(self) -> None:
        script = """echo '@case a'; echo '@ok a 5'; sleep 0.2; echo '@skip s not here'
        echo '@case t'; sleep 0.2; echo '@skip t nor here'; echo '@done'; exit 0"""
        results, _ = self.campaign(script, [case("a"), case("s"), case("t")])
        self.assertEqual(results["s"].seconds, 0)
        self.assertGreater(results["t"].seconds, 0)


class Commands(unittest.TestCase):
    """Runs of ./pvguest conformance with an adapter of the test's own."""

    def setUp(self) -> None:
        self.results = ADAPTERS / f"{self.id()}.json"
        ADAPTERS.mkdir(parents=True, exist_ok=True)
        self.results.unlink(missing_ok=True)

    def words(self, script: str, *words: str) -> list[str]:
        """The command line of a run with the adapter SCRIPT and WORDS."""
        path = adapter(self.id(), script)
        return [str(rigtest.PVGUEST), "conformance", "--hv", str(path), "--jobs", "1",
                "--json", str(self.results), *words]

    def found(self) -> dict[str, str]:
        """The results that the run wrote, by case name."""
        return {c["name"]: c["result"] for c in json.loads(self.results.read_bytes())["cases"]}

    def status(self, script: str, *words: str) -> tuple[int, str]:
        """Exit status and output of such a run."""
        done = subprocess.run(self.words(script, *words), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        return done.returncode, done.stdout

    def interrupted(self, number: int) -> None:
        """Signal NUMBER while the second case runs: the first result is written, nothing is left."""
        pids = ADAPTERS / f"{self.id()}.pids"
        pids.unlink(missing_ok=True)
        os.mkfifo(pids)
        self.addCleanup(pids.unlink)
        written = os.open(pids, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, written)
        script = BEGIN + f"""echo '@case {SECOND}'
        sleep 600 & emulator=$!
        trap 'kill $emulator; exit 143' TERM
        echo $$ $emulator > {pids}
        wait
        """
        words = self.words(script, "--area", "console")
        # Tests that a shell started in the background ignore SIGINT, and so would this.
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              start_new_session=True,
                              preexec_fn=lambda: signal.signal(number, signal.SIG_DFL)) as process:
            # The adapter writes there when it has said what it has to say.
            end = os.pidfd_open(process.pid)
            self.addCleanup(os.close, end)
            if written not in select.select([written, end], [], [])[0]:
                self.fail(process.communicate()[0])
            started = [int(pid) for pid in os.read(written, 100).split()]
            process.send_signal(number)
            said = process.communicate()[0]
        self.assertEqual(process.returncode, 128 + number, said)
        self.assertEqual(self.found(), {FIRST: "pass"}, said)
        self.assertIn(" not run: it was interrupted", said)
        self.assertEqual(len(started), 2)
        for pid in started:
            self.assertTrue(rigtest.gone(pid, 60), pid)

    def test_sigterm(self) -> None:
        self.interrupted(signal.SIGTERM)

    def test_sigint(self) -> None:
        self.interrupted(signal.SIGINT)

    def test_exit_statuses(self) -> None:
        one = ("--case", FIRST)
        begin = f"echo '@case {FIRST}'; "
        for script, status, words in (
                (f"{begin} echo '@ok {FIRST} 5'; exit 0", 0, one),
                (f"{begin} echo '@skip {FIRST} no'; exit 0", 0, one),
                (f"{begin} echo '@fail {FIRST} x'; exit 0", 1, one),
                (f"{begin} exit 12", 1, one),
                (f"{begin} exit 125", 125, one),
                ("exit 125", 125, one),
                ("exec sleep 600", 124, (*one, "--timeout", "1")),
                ("exit 0", 2, ("--case", "no_such_case")),
                ("exit 0", 2, ("--timeout", "0"))):
            with self.subTest(script=script, words=words):
                found, said = self.status(script, *words)
                self.assertEqual(found, status, said)

    def test_limit_for_the_run(self) -> None:
        status, said = self.status("exec sleep 600", "--area", "console", "--timeout", "1")
        self.assertEqual(status, 124, said)
        self.assertIn(" not run: the limit of 1 s for the run is over", said)
        self.assertEqual(self.found(), {})

    def test_stop_at_first_failure(self) -> None:
        script = BEGIN + f"echo '@case {SECOND}'; echo '@fail {SECOND} x'; exit 0"
        status, said = self.status(script, "--area", "console", "--stop-at-first-failure")
        self.assertEqual(status, 1, said)
        self.assertEqual(self.found(), {FIRST: "pass", SECOND: "fail"})
        self.assertIn(f" not run: console.{SECOND} did not pass", said)

    def test_run_that_gets_to_no_case_says_why_once(self) -> None:
        status, said = self.status("echo 'no machine today'; exit 125")
        self.assertEqual(status, 125, said)
        self.assertIn(f" not run: {run.MOST_HUNG} boots, none of which got to a case", said)
        lines = [line for line in said.splitlines() if "no machine today" in line]
        self.assertEqual(len(lines), 1, said)
        self.assertRegex(lines[0], r"^error +\w+\.\w+ and \d+ more: no case began; ")

    def test_name_of_the_hypervisor(self) -> None:
        for described, expected in (("", run.NAMELESS), ("echo hypervisor='Xen 4.99';", ("Xen", "4.99"))):
            path = adapter(self.id(), "exit 125")
            path.write_text(path.read_text().replace("echo parts", described + " echo parts"))
            done = rigtest.call("conformance", "--hv", path, "--case", FIRST, "--json", self.results)
            about = json.loads(self.results.read_bytes())["hypervisor"]
            self.assertEqual((about["name"], about["version"]), expected, done.stderr)
            self.assertIn(" ".join(expected).encode(), done.stdout)

    def test_chosen_cases_are_listed(self) -> None:
        def listed(*words: str) -> list[str]:
            done = rigtest.call("conformance", "--list", *words)
            self.assertEqual(done.returncode, 0, done.stderr)
            return [line.split()[0] for line in done.stdout.decode().splitlines()]

        console, areas = listed("--area", "console"), listed("--area", "console", "--area", "time")
        self.assertEqual({name.split(".")[0] for name in areas}, {"console", "time"})
        self.assertEqual(listed("--area", "console", "--leave-out", FIRST),
                         [name for name in console if name != f"console.{FIRST}"])
        self.assertEqual(listed("--case", FIRST, "--case", f"console.{SECOND}"),
                         [f"console.{FIRST}", f"console.{SECOND}"])


class Adapters(rigtest.FolderCase):
    """An adapter that can run no guest is refused in one line, before anything is built or run."""

    def program(self, name: str, script: str) -> Path:
        """A program called NAME in the test's folder."""
        path = self.folder / name
        path.write_text("#!/bin/sh\n" + script, encoding="ascii")
        path.chmod(0o755)
        return path

    def refused(self, hv: str | Path, *about: str, task: Sequence[str] = (),
                **environment: str) -> None:
        """Check that TASK on HV is refused in a line with the texts ABOUT."""
        with self.subTest(hv=hv, task=task):
            done = rigtest.call("conformance", "--hv", hv, *task, env=environment)
            text = done.stderr.decode()
            self.assertEqual((done.returncode, done.stdout), (2, b""), text)
            self.assertEqual(len(text.splitlines()), 1, text)
            for part in about:
                self.assertIn(part, text)

    def test_host_that_is_not_named(self) -> None:
        tasks: list[list[str]] = [[], ["--contract"], ["--mutants", "1"]]
        for task in tasks:
            self.refused("ssh", "adapter ssh: set PVGUEST_SSH", task=task, PVGUEST_SSH="")

    def test_host_that_cannot_be_reached(self) -> None:
        ssh = self.program("ssh", "echo 'no route' >&2; exit 255")
        self.refused("ssh", "root@box", "no route", PVGUEST_SSH="root@box",
                     PVGUEST_SSH_COMMAND=str(ssh))

    def test_machine_without_a_tool_stack(self) -> None:
        self.program("xl", "echo 'not a Xen host' >&2; exit 1")
        self.refused("xl", "adapter xl: xl info: not a Xen host", "xen-dom0",
                     PATH=f"{self.folder}:{os.environ['PATH']}")

    def test_program_that_is_no_adapter(self) -> None:
        self.refused("/bin/true", "adapter true", "--describe", "docs/adding-a-hypervisor.md")
        self.refused(self.program("other", "echo 'other: no such option' >&2; echo more >&2; exit 1"),
                     "adapter other: other: no such option")
        self.refused(self.program("silent", "exit 3"), "--describe", "exit status 3")
        self.refused(self.program("script", "echo 'Traceback (most' >&2; echo 'KeyError: x' >&2; exit 1"),
                     "adapter script: KeyError: x")
        self.refused(self.program("kitchen", "echo parts=single,kitchen"), "'kitchen'", "pair")
        self.program("text", "").write_text("no program")
        self.refused(self.folder / "text", "adapter text", "Exec format error")

    def test_tool_stack_names_the_hypervisor(self) -> None:
        self.program("xl", "echo 'host : x'; echo 'xen_version            : 4.99.1'")
        ssh = self.program("ssh", 'while [ "$1" != box ]; do shift; done; shift; exec "$@"')
        environment = {**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}",
                       "PVGUEST_SSH": "box", "PVGUEST_SSH_COMMAND": str(ssh)}
        for name in ("xl", "ssh"):
            done = subprocess.run([rigtest.REPO / "rig" / "adapters" / name, "--describe"],
                                  stdout=subprocess.PIPE, text=True, check=False, env=environment)
            self.assertEqual(done.returncode, 0)
            self.assertIn("hypervisor=Xen 4.99.1\n", done.stdout)


class Choice(unittest.TestCase):
    """The cases that options choose."""

    def test_several_patterns(self) -> None:
        cases = [case("one"), case("other"), case("two"), case("three")]
        choices: list[tuple[list[str], list[str], list[str]]] = [
            (["o*", "t*e"], [], ["one", "other", "three"]),
            ([], ["o*"], ["two", "three"]),
            (["t*"], ["two"], ["three"]),
            (["demo.t*", "one"], ["demo.three", "two"], ["one"])]
        for patterns, left_out, expected in choices:
            with self.subTest(patterns=patterns, left_out=left_out):
                self.assertEqual([c.name for c in suite.select(cases, (), patterns, left_out)], expected)

    def test_choices_that_choose_nothing(self) -> None:
        cases = [case("one"), case("two")]
        choices: list[tuple[list[str], list[str], list[str]]] = [
            (["nowhere"], [], []), ([], ["three"], []), ([], ["one", "three"], []),
            ([], [], ["three"]), ([], ["one"], ["o*"])]
        for areas, patterns, left_out in choices:
            with self.subTest(areas=areas, patterns=patterns, left_out=left_out), \
                    self.assertRaises(errors.UsageError):
                suite.select(cases, areas, patterns, left_out)


class Places(rigtest.FolderCase):
    """Logs and copies of different hypervisors."""

    def label(self, hv: str = "xen-dom0", own: Path | None = None, accel: str | None = None) -> str:
        """The name of the logs and results of such a run."""
        args = argparse.Namespace(hv=hv, xen=own, accel=accel)
        with mock.patch("pvg.machine.qemu.check_kvm"), mock.patch("pvg.guest.methods.load"):
            return conformance.make_setup(args).name

    def hypervisor(self, place: str) -> Path:
        """A file that could be a hypervisor, at PLACE."""
        path = self.folder / place
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"\x7fELF" + place.encode())
        return path

    def test_logs_of_two_hypervisors_stand_apart(self) -> None:
        own = [self.hypervisor(place) for place in ("one/xen", "two/xen", "one/xen-debug")]
        (self.folder / "two" / "xen-dom0").write_text(DESCRIBE, encoding="ascii")
        (self.folder / "two" / "xen-dom0").chmod(0o755)
        labels = [self.label(), self.label(accel="kvm"), *(self.label(own=path) for path in own),
                  self.label(str(self.folder / "two" / "xen-dom0"))]
        self.assertEqual(len(set(labels)), len(labels), labels)
        self.assertEqual(labels[0], "xen-dom0")

    def test_the_same_hypervisor_has_the_same_place(self) -> None:
        own = self.hypervisor("one/xen")
        self.assertEqual(self.label(own=own), self.label(own=self.folder / "one" / ".." / "one" / "xen"))

    def test_unpacked_copies_do_not_pile_up(self) -> None:
        with mock.patch.object(packages, "UNPACKED", self.folder / "packages"):
            made = []
            for number in range(xen.KEPT_COPIES + 3):
                packed = self.folder / f"xen-{number}.gz"
                packed.write_bytes(gzip.compress(b"\x7fELF" + bytes([number])))
                made.append(xen.binary(packed))
                # Times of files may be as coarse as a clock tick; the first stays in use.
                for age, path in enumerate(reversed(made)):
                    if path.exists():
                        os.utime(path, (1e9 - age, 1e9 - age))
                self.assertEqual(xen.binary(self.folder / "xen-0.gz"), made[0])
            kept = set((self.folder / "packages" / "own-xen").iterdir())
            self.assertEqual(len(kept), xen.KEPT_COPIES)
            self.assertIn(made[0], kept)
            self.assertIn(made[-1], kept)
            self.assertEqual(made[-1].read_bytes(), b"\x7fELF" + bytes([xen.KEPT_COPIES + 2]))


if __name__ == "__main__":
    unittest.main()
