# SPDX-License-Identifier: MIT
"""Tests of the command line of selftests/guest/check: its steps, and the refusal of empty ones."""
import contextlib
import importlib
import io
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

import rigtest
from pvg import cli
from pvg.base import errors

FOLDER = rigtest.REPO / "selftests" / "guest"


class Steps(rigtest.Case):
    """The groups that a command line runs, with the places and programs of each."""

    program: Any

    @classmethod
    def setUpClass(cls) -> None:
        with mock.patch("sys.path", [str(FOLDER), *sys.path]):
            cls.program = rigtest.load(FOLDER / "check")

    def steps(self, *words: str, long: str = "") -> list[tuple[str, str, list[str]]]:
        """Place, group and programs of each step of the command line WORDS."""
        with mock.patch.dict(os.environ, {"PVGUEST_LONG": long}):
            return [(step.hv, step.group.name, list(step.programs))
                    for step in self.program.parse(words).steps]

    def test_a_program_alone_is_run_by_the_groups_that_have_it(self) -> None:
        self.assertEqual(self.steps("--program", "network-xdp"),
                         [("xen-domu", "network", ["network-xdp"])])
        self.assertEqual(self.steps("--program", "cow", "--hv", "xen-dom0"),
                         [("xen-dom0", "programs", ["cow"]), ("xen-dom0", "smp", ["cow"])])
        self.assertEqual(self.steps("--program", "nosmep"),
                         [("xen-dom0", "parameters", ["nosmep"])])

    def test_groups_that_need_more_kernels_only_where_no_other_has_the_program(self) -> None:
        self.assertEqual(self.steps("--program", "selfcheck"),
                         [("xen-dom0", "debug", ["selfcheck"]), ("xen-dom0", "checks", ["selfcheck"]),
                          ("xen-domu", "checks", ["selfcheck"])])
        names = {name for _, name, _ in self.steps("--program", "smp", long="1")}
        self.assertEqual(names, {"smp", "debug", "checks", "full"})

    def test_a_group_that_is_named_runs_any_program_of_its_kind(self) -> None:
        self.assertEqual(self.steps("--group", "programs", "--program", "smp", "--hv", "xen-domu"),
                         [("xen-domu", "programs", ["smp"])])

    def test_a_test_that_hangs_ends_before_its_program_is_ended(self) -> None:
        text = (FOLDER / "programs" / "guest.h").read_text()
        limit = int(rigtest.some(re.search(r"define TEST_TIMEOUT_DEFAULT (\d+)", text))[1])
        for module in (self.program, self.program.tlb, self.program.l1tf):
            with self.subTest(module.__name__):
                self.assertGreater(module.LIMIT, limit)

    def test_control_of_the_translations_is_a_program(self) -> None:
        self.assertEqual(self.steps("--program", "tlb_control"),
                         [("xen-dom0", "tlb", ["tlb_control"])])

    def test_every_program_is_in_a_group(self) -> None:
        known = {name for group in self.program.groups().values() for name in group.programs}
        made = re.search(r"^TEST_GEN_PROGS := ((?:.*\\\n)*.*)",
                         (FOLDER / "programs" / "Makefile").read_text(), re.M)
        assert made
        names = [*made[1].replace("\\\n", " ").split(), "compat"]
        self.assertIn("tlb_kernel", names)
        self.assertEqual([name for name in names if name not in known], [])

    def test_several_programs_each_where_it_belongs(self) -> None:
        self.assertEqual(self.steps("--program", "store", "--program", "tlb_kernel",
                                    "--hv", "xen-dom0"),
                         [("xen-dom0", "programs", ["store"]), ("xen-dom0", "tlb", ["tlb_kernel"])])

    def test_without_words_all_but_the_slow_ones(self) -> None:
        short, long = self.steps(), self.steps(long="1")
        self.assertEqual({name for _, name, _ in long}, set(self.program.groups()))
        self.assertEqual({name for _, name, _ in long} - {name for _, name, _ in short},
                         {"debug", "checks", "full", "l1tf", "many", "life"})

    def test_peers_run_programs_without_the_port(self) -> None:
        self.assertEqual(self.steps("--kernel", "native"),
                         [("none", "programs", []), ("none", "smp", [])])
        self.assertNotIn("hostile", [name for _, name, _ in self.steps("--kernel", "mainline")])

    def test_choice_that_runs_nothing_is_refused(self) -> None:
        for words, about in ((("--group", "hostile", "--hv", "xen-dom0"), "runs on xen-domu"),
                             (("--group", "bus", "--kernel", "mainline"), "kernel pvguest"),
                             (("--hv", "none"), "--kernel pvguest runs on xen-dom0 and xen-domu"),
                             (("--program", "nothing"), "--program nothing: no such program"),
                             (("--group", "x86", "--program", "cow"),
                              "--program cow: not in group x86, but in programs, smp, debug, checks, full$"),
                             (("--group", "smp", "--group", "l1tf", "--program", "tlb_share"),
                              "--program tlb_share: not in group smp or l1tf, but in tlb$"),
                             (("--group", "tlb", "--program", "tlb_share", "--hv", "xen-domu"),
                              "--program tlb_share: nothing runs it.*; group tlb runs on xen-dom0"),
                             (("--group", "smp", "--group", "ends", "--program", "cow"),
                              "--group ends"),
                             (("--program", "cow", "--program", "block-disks", "--hv", "xen-dom0"),
                              "--program block-disks"),
                             (("--hv", "xen-dom0", "--hv", "xen-domu", "--group", "tlb"),
                              "--hv xen-domu")):
            with self.subTest(words), self.assertRaisesRegex(errors.UsageError, about):
                self.steps(*words)

    def test_a_refusal_is_one_line_and_no_result(self) -> None:
        for words in (("--group", "hostile", "--hv", "xen-dom0"), ("--group", "no"), ("word",)):
            with self.subTest(words):
                done = subprocess.run([FOLDER / "check", *words], stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, text=True, check=False)
                self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
                self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def test_the_rigs_message_is_shown_above_the_lines_of_its_log(self) -> None:
        run = sys.modules["lib.guest"].Run("xen-dom0", "pvguest", ["true"])
        said = io.StringIO()
        with tempfile.NamedTemporaryFile("w", suffix=".log") as log, \
                contextlib.redirect_stderr(said):
            log.writelines(f"line {number}\n" for number in range(40))
            log.flush()
            cli.report(errors.RigError("the message", log.name))
        run.errors = f"progress\n{said.getvalue()}"
        self.assertEqual(run.tail()[0], "pvguest: the message")
        self.assertIn("line 39", run.tail()[-2])


class EmulatorsFault(rigtest.FolderCase):
    """Programs that had not ended when the emulator's fault ended the guest run again."""

    # The run of one's words: each program ends but the second, which ends the first run.
    _RUN = """#!/bin/sh
n=$(cat $0.count 2> /dev/null || echo 0)
echo $((n + 1)) > $0.count
for name in "$@"; do
    case $name in
    one | two | three)
        echo "@begin $name"
        echo "$name in run $n"
        if [ $name = two ] && [ $n -lt FAULTS ]; then
            printf 'pvguest: MESSAGE\npvguest: log: %s\n' $0.log >&2
            exit 125
        fi
        echo "@end $name 0"
    esac
done
"""

    @classmethod
    def setUpClass(cls) -> None:
        with mock.patch("sys.path", [str(FOLDER), *sys.path]):
            rigtest.load(FOLDER / "check")

    def programs(self, faults: int, log: str = ""
                 ) -> tuple[Any, list[tuple[str, list[str], int | None]]]:
        """The run whose first FAULTS the emulator ends, with LOG before; and the programs."""
        guest = sys.modules["lib.guest"]
        rig = self.folder / f"pvguest{faults}"
        rig.write_text(self._RUN.replace("FAULTS", str(faults)).replace("MESSAGE", errors.EmulatorFault.MESSAGE))
        rig.chmod(0o755)
        Path(f"{rig}.log").write_text(f"[ 1.0] Linux\n{log}[ 7.0] Oops: int3: 0000 [#1]\n")
        names = ("one", "two", "three")
        run = guest.Run("xen-domu", "pvguest", guest.command(1, names))
        run.words[0] = str(rig)
        return run, [(program.name, program.lines, program.status)
                     for program in guest.programs(run, names)]

    def test_programs_left_run_again(self) -> None:
        run, found = self.programs(1)
        self.assertEqual(found, [("one", ["one in run 0"], 0), ("two", ["two in run 1"], 0),
                                 ("three", ["three in run 1"], 0)])
        self.assertEqual(run.status, 0)

    def test_not_for_ever(self) -> None:
        run, found = self.programs(9)
        self.assertEqual(found, [("one", ["one in run 0"], 0), ("two", ["two in run 2"], None),
                                 ("three", [], None)])
        self.assertEqual(run.status, 125)

    def test_no_other_finding_is_lost(self) -> None:
        _, found = self.programs(1, log="[ 6.0] WARNING: possible circular locking\n")
        self.assertEqual([status for _, _, status in found], [0, None, None])
        rig = self.folder / "pvguest1.count"
        self.assertEqual(rig.read_text(), "1\n")

    def test_failure_of_the_program_that_was_cut_off_counts(self) -> None:
        with mock.patch.object(self, "_RUN", self._RUN.replace('"$name in', '"not ok $name in')):
            _, found = self.programs(1)
        self.assertEqual([status for _, _, status in found], [0, None, None])

    def test_all_lines_are_those_of_one_run(self) -> None:
        run, _ = self.programs(0)       # which counts as one
        rig = Path(run.words[0])
        rig.write_text(rig.read_text().replace("-lt 0", "-lt 3"))
        lines = run.lines()
        self.assertEqual((lines[1], run.status), ("one in run 3", 0))


class Translations(rigtest.Case):
    """Boots for the group tlb: QEMU cannot show what the control looks for."""

    def boots(self, names: list[str] | None, long: str = "") -> list[tuple[str, tuple[str, ...]]]:
        """Emulator and programs of each boot, for the chosen NAMES."""
        with mock.patch("sys.path", [str(FOLDER), *sys.path]):
            tlb = importlib.import_module("lib.tlb")
        found: list[tuple[str, tuple[str, ...]]] = []

        def run(_group: Any, _kernel: str, _vcpus: int, programs: tuple[str, ...], _rounds: int,
                options: list[str]) -> None:
            found.append(("bochs" if "bochs" in options else "qemu", programs))

        with mock.patch.object(tlb, "_run", run), mock.patch.object(tlb.build, "kernel"), \
             mock.patch.dict(os.environ, {"PVGUEST_LONG": long}):
            tlb.check(mock.MagicMock(), "pvguest", names)
        return found

    def test_boots(self) -> None:
        every = ("tlb_protect", "tlb_share", "tlb_migrate", "tlb_kernel")
        self.assertEqual(self.boots(None), [("bochs", ("tlb_control", "tlb_protect", "tlb_kernel",
                                                       "tlb_code")),
                                            ("qemu", every)])
        self.assertEqual(self.boots(["tlb_share"]), [("bochs", ("tlb_control", "tlb_share")),
                                                     ("qemu", ("tlb_share",))])
        self.assertEqual(self.boots(["tlb_control"]), [("bochs", ("tlb_control",))])
        self.assertEqual(self.boots(["tlb_code"]), [("bochs", ("tlb_control", "tlb_code"))])
        self.assertEqual(self.boots(["tlb_share", "tlb_control"]), self.boots(["tlb_share"]))
        self.assertEqual(self.boots(None, "1"), [("bochs", ("tlb_control", *every, "tlb_code"))] * 3
                         + [("qemu", every)] * 2)


if __name__ == "__main__":
    unittest.main()
