# SPDX-License-Identifier: MIT
"""Boots guests by ./pvguest run, and sorts the output of the test programs in them."""
import re
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from pvg.base import errors, files, ktap, progress, releases

REPO = Path(__file__).resolve().parents[3]
BUILD = REPO / "build"
try:
    WORK = BUILD / f"selftests-guest{releases.suffix()}"
except errors.UsageError as error:     # the environment names no release that there is
    print(f"selftests/guest: {error}", file=sys.stderr)
    raise SystemExit(error.status) from None
FOLDER = "/pvguest-tests"       # where programs stand in the guest
RUNS = 3                        # of guests that the emulator ends

_RESULT = re.compile(r"^(not ok|ok) \d+ *-? *(.*)$")
_COMPLAINT = re.compile(r"WARNING: |BUG: |INFO: |UBSAN: |Oops: |pvguest: check: ")
_SKIP = re.compile(r"\s*# SKIP\s*(.*)$")


class Run:
    """One run of ./pvguest run: iterate over it for the lines of its output, or take them all."""

    def __init__(self, hv: str, kernel: str, command: Sequence[str], add: Iterable[Path] = (),
                 vcpus: int = 1, timeout: int = 600, options: Sequence[str] = ()) -> None:
        self.words = [str(REPO / "pvguest"), "run", "--hv", hv, "--kernel", kernel,
                      "--no-build", "--memory", "512", "--vcpus", str(vcpus), "--timeout", str(timeout),
                      *options]
        for folder in add:
            self.words += ["--add", str(folder)]
        self.command = list(command)
        self.status: int | None = None      # None: not ended yet
        self.errors = ""

    def __iter__(self) -> Iterator[str]:
        words = [*self.words, "--", *self.command]
        with tempfile.TemporaryFile() as stderr, \
                subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=stderr) as process:
            assert process.stdout
            try:
                for raw in process.stdout:
                    yield raw.decode("utf-8", "replace").rstrip("\r\n")
            finally:
                if process.poll() is None:
                    process.terminate()
                self.status = process.wait()
                stderr.seek(0)
                self.errors = stderr.read().decode("utf-8", "replace")

    def lines(self) -> list[str]:
        """All lines; of another run where the emulator's fault ended it."""
        found: list[str] = []
        for _ in range(RUNS):
            found = list(self)
            if not self.is_emulators_fault():
                break
        return found

    def is_emulators_fault(self) -> bool:
        """Whether the run ended because the emulator ran what the guest does not have, and no more.

        A log with a complaint of the kernel before that is a finding, which another run may lack.
        """
        if self.status != errors.EXIT_RIG or errors.EmulatorFault.MESSAGE not in self.errors:
            return False
        log = re.search(rf"^{progress.PREFIX}log: (.*)$", self.errors, re.M)
        text = (REPO / log[1]).read_text("utf-8", "replace") if log else ""
        if _COMPLAINT.search(text.partition("Oops: int3: ")[0]):
            return False
        progress.say(f"{errors.EmulatorFault.MESSAGE}: the tests that were left run again")
        return True

    def tail(self) -> list[str]:
        """The rig's message, and after it the last lines of its log and the log's path."""
        return self.errors.splitlines()[-(files.LAST_LINES + 2):]


class Program:
    """The output of one test program."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: list[str] = []
        self.status: int | None = None      # None: it never ended


def _ended(lines: Iterable[str]) -> Iterator[Program]:
    """The programs in LINES of RUN-IN-GUEST, as they end; last one that did not, if there is any."""
    current = None
    for line in lines:
        words = line.split()
        if words[:1] == ["@begin"]:
            current = Program(words[1])
        elif words[:1] == ["@end"] and current:
            current.status = int(words[2])
            yield current
            current = None
        elif current:
            current.lines.append(line)
    if current:
        yield current


def programs(lines: Iterable[str], names: Collection[str]) -> Iterator[Program]:
    """A Program for each of NAMES, as they end in LINES of RUN-IN-GUEST, then for those that did not.

    Of a Run whose command has the NAMES, those left when the emulator's fault ended it run again.
    """
    left = list(names)
    cut: Program | None = None
    for runs_left in reversed(range(RUNS)):
        cut = None
        for program in _ended(lines):
            if program.status is None:
                cut = program
            elif program.name in left:
                left.remove(program.name)
                yield program
        failed = cut and any(line.startswith("not ok") for line in cut.lines)
        if not (runs_left and left and not failed and isinstance(lines, Run)
                and lines.is_emulators_fault()):
            break
        lines.command = [word for word in lines.command if word in left or word not in names]
    if cut and cut.name in left:
        left.remove(cut.name)
        yield cut
    for name in left:
        yield Program(name)


def command(limit: int, names: Iterable[str]) -> list[str]:
    """The command that runs the programs NAMES, each for LIMIT seconds at most."""
    return [FOLDER + "/run-in-guest", str(limit), *names]


def report(group: ktap.Group, program: Program) -> None:
    """Print the results of the kselftest PROGRAM into GROUP."""
    inner = group.group(program.name)
    notes: list[str] = []
    plan = None
    for line in program.lines:
        result = _RESULT.match(line)
        if line.startswith("1.."):
            plan = int(line[3:])
        if not result:
            if line.strip() and not re.match(r"TAP|1\.\.|#\s+(RUN|OK|FAIL)\s", line):
                notes.append(line.lstrip("# "))
            continue
        name = result.group(2)
        skip = _SKIP.search(name)
        if skip:
            inner.skip(_SKIP.sub("", name), skip.group(1) or "no reason given")
        else:
            good = result.group(1) == "ok"
            inner.result(good, name, [] if good else notes)
        notes = []
    if program.status is None:
        inner.result(False, "ends", ["the guest was gone before this program ended"] + notes[-10:])
    elif plan is None or plan != inner.count:
        inner.result(False, "gives all its results",
                     [f"planned {plan}, gave {inner.count}, exit status {program.status}"]
                     + notes[-10:])
    inner.close()


def report_end(group: ktap.Group, run: Run) -> None:
    """Print into GROUP that RUN ended with an error, if it did."""
    if run.status:
        group.result(False, "the guest ends without an error",
                     [f"exit status {run.status}"] + run.tail())


def report_all(group: ktap.Group, run: Run, names: Collection[str]) -> None:
    """Print into GROUP the results of the programs NAMES in RUN, as they end, and of the end."""
    for program in programs(run, names):
        report(group, program)
    report_end(group, run)
