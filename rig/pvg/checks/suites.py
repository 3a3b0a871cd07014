# SPDX-License-Identifier: GPL-2.0-only
"""Test suites and their units: which there are, and one run of one of them."""
import os
import re
import selectors
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Iterator, List, Tuple

from pvg.base import errors, ktap, paths, progress

# Seconds without a line after which a suite has hung: short and long.
FIRST = "style"         # takes seconds, so it is over before the others begin
SILENCE = {False: 3600, True: 8 * 3600}
_UNIT = re.compile(r"(?P<name>[a-z0-9_.-]+) (?P<seconds>[1-9]\d*)(?P<words>( \S+)*)")


@dataclass(frozen=True)
class Unit:
    """A part of a suite that can be run alone, or all of it.

    words: what to pass to the suite's program; seconds: how long a long run of it takes when the
    machine does nothing else, roughly
    """

    suite: str
    name: str = ""
    words: Tuple[str, ...] = ()
    seconds: int = 60

    @property
    def title(self) -> str:
        """Its name in logs and results."""
        return f"{self.suite}.{self.name}" if self.name else self.suite


@dataclass
class Outcome:
    """Results of one unit; failures: the text of each."""

    title: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: int = 0
    failures: List[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def names() -> List[str]:
    """Names of the suites: the folders of selftests/ with an executable called 'check'."""
    return sorted((p.parent.name for p in (paths.REPO / "selftests").glob("*/check")
                   if os.access(p, os.X_OK)), key=lambda name: (name != FIRST, name))


def units(suite: str) -> List[Unit]:
    """The units of SUITE, as its program 'units' lists them: NAME SECONDS WORD... in each line."""
    program = paths.REPO / "selftests" / suite / "units"
    if not os.access(program, os.X_OK):
        return [Unit(suite)]
    listed = subprocess.run([str(program)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            text=True, check=False)
    found: List[Unit] = []
    for line in listed.stdout.splitlines():
        match = _UNIT.fullmatch(line)
        if not match or match["name"] in {unit.name for unit in found}:
            raise errors.RigError(f"{paths.shown(program)}: not NAME SECONDS WORD..., or twice: "
                                  f"{line!r}")
        found.append(Unit(suite, match["name"], tuple(match["words"].split()),
                          int(match["seconds"])))
    if listed.returncode or not found:
        raise errors.RigError(f"{paths.shown(program)}: no units (exit status "
                              f"{listed.returncode})")
    return found


def kill(process: "subprocess.Popen[bytes]", how: int) -> None:
    """Send the signal HOW to the suite PROCESS and all that it started."""
    try:
        os.killpg(process.pid, how)
    except ProcessLookupError:
        pass


def _lines(process: "subprocess.Popen[bytes]", silence: float) -> Iterator[bytes]:
    """The lines that PROCESS prints; killed when there is none for SILENCE seconds."""
    assert process.stdout
    pending = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            if not selector.select(silence):
                kill(process, signal.SIGKILL)
                break
            data = os.read(process.stdout.fileno(), 65536)
            if not data:
                break
            *lines, pending = (pending + data).split(b"\n")
            yield from lines
    if pending:
        yield pending


def run(unit: Unit, long: bool, running: "List[subprocess.Popen[bytes]]") -> Outcome:
    """Run UNIT, in the list RUNNING meanwhile, and print its failures and its sum."""
    title = unit.title
    log_path = paths.LOGS / f"check-{title}.log"
    paths.LOGS.mkdir(parents=True, exist_ok=True)
    environment = dict(os.environ, PVGUEST_LONG="1" if long else "")
    reader, outcome = ktap.Reader(), Outcome(title)

    def failed(text: str) -> None:
        outcome.failures.append(f"{title}: not ok: {text}")
        progress.write(outcome.failures[-1] + "\n", sys.stdout)

    start = shown = time.monotonic()
    lock = threading.Lock()     # two threads report

    def report(silence: float) -> None:
        nonlocal shown
        with lock:
            now = time.monotonic()
            if now - shown >= silence:
                shown = now
                progress.say(f"{title}: {reader.passed} passed, {reader.failed} failed, "
                             f"{reader.skipped} skipped so far, {int(now - start)} s")

    progress.say(f"{title}: running (log: {paths.shown(log_path)})")
    with open(log_path, "wb") as log:
        with subprocess.Popen([str(paths.REPO / "selftests" / unit.suite / "check"), *unit.words],
                              cwd=paths.REPO, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=log, env=environment, start_new_session=True) as process:
            running.append(process)
            # One test may take minutes.
            with progress.repeating(lambda: report(progress.QUIET), progress.TICK):
                for raw in _lines(process, SILENCE[long]):
                    log.write(raw + b"\n")
                    log.flush()
                    failure = reader.feed(raw.decode("utf-8", "replace"))
                    if failure:
                        failed(failure)
                    report(progress.QUIET / 2)
        running.remove(process)
    problem = reader.finish(process.returncode)
    if problem:
        failed(f"{problem}; see {paths.shown(log_path)}")
    outcome.passed, outcome.failed = reader.passed, reader.failed
    outcome.skipped, outcome.seconds = reader.skipped, int(time.monotonic() - start)
    progress.write(f"{title}: {outcome} ({outcome.seconds} s)\n", sys.stdout)
    return outcome
