# SPDX-License-Identifier: GPL-2.0-only
"""Running cases: boots through an adapter, what the console says, who failed and why.

Many cases share a boot. A case that fails, crashes or hangs ends its boot; those behind it
go on in a new one. Nothing is run twice.
"""
import concurrent.futures
import contextlib
import os
import re
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pvg.conformance import adapter, suite
from pvg.conformance.suite import Case
from pvg.base import paths, patience
from pvg.machine import endings
from pvg.machine.endings import End

LINE = re.compile(rb"@(?P<word>info|case|ok|fail|skip|dying|done|panic)\b ?(?P<rest>[^\r\n]*)")

# Results by the suite's words about a case.
OUTCOMES = {"ok": "pass", "fail": "fail", "skip": "skip"}

# Seconds of silence (patience.Clock) after which a case counts as hung; the longest rests 2 s.
SILENCE = 30
# vCPUs for cases that need more than the shared page has room for.
MANY_VCPUS = 34
# How many times as long the suite's first line may take.
START_PATIENCE = 3
# Seconds for a whole boot.
BOOT_LIMIT = 300
# Boots in a row that hang and pass no case, after which a run is given up.
MOST_HUNG = 4
# Name and release of a hypervisor of which nothing is known.
NAMELESS = ("unknown", "(neither a guest nor the adapter named it)")


@dataclass
class Result:
    """Result of one case.

    blamed: an error that the end of the hypervisor or guest explains, and no trouble of the rig
    """

    case: Case
    result: str
    reason: str = ""
    seconds: float = 0.0
    log: str = ""
    blamed: bool = False


@dataclass
class Setup:
    """How to reach the hypervisor: adapter executable and its constant options.

    hypervisor: its name and release, if the adapter says them
    """

    name: str
    path: Path
    options: list[str]
    accelerator: str
    parts: tuple[str, ...]
    memory: int = 48
    vcpus: int = 4
    extra: str = ""
    hypervisor: str = ""


class Boot:
    """One run of the adapter, line by line."""

    def __init__(self, setup: Setup, image: Path, cmdline: str, log: Path,
                 echo: Callable[[bytes], None] | None = None, extra: Sequence[str] = ()) -> None:
        self.log = log
        self.echo = echo
        words = [str(setup.path), *setup.options, "--image", str(image),
                 "--cmdline", f"{cmdline} {setup.extra}".strip(), "--memory", str(setup.memory),
                 "--vcpus", str(setup.vcpus), "--timeout", str(BOOT_LIMIT * patience.SLOWEST),
                 *extra]
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, start_new_session=True)
        self.hung = False
        self.stopping = False       # another thread has ended the run

    def lines(self, silence: float = SILENCE) -> Iterator[tuple[str, str]]:
        """Yield (word, rest) for each line of the suite's protocol until the run ends."""
        pending, total, begun = b"", 0, False
        clock = patience.Clock()
        last_read = clock.now()
        assert self.process.stdout
        fd = self.process.stdout.fileno()
        selector = selectors.DefaultSelector()
        selector.register(fd, selectors.EVENT_READ)
        with open(self.log, "wb") as log:
            while True:
                # Words from before the run was ended count: asked first, so that one look follows.
                last = self.stopping
                ready, now = selector.select(0 if last else 1), clock.now()
                # Resuming a control domain takes its time.
                limit = silence if begun else silence * START_PATIENCE
                if not ready and not last and now < last_read + limit and now < BOOT_LIMIT:
                    continue
                if not ready or now >= BOOT_LIMIT:
                    self.hung = True
                    break
                last_read = now
                data = os.read(fd, 65536)
                if not data:
                    break
                total += len(data)
                if total > adapter.CONSOLE_LIMIT:
                    break
                log.write(data)
                if self.echo:
                    self.echo(data)
                pending += data
                *complete, pending = pending.split(b"\n")
                # A line without end is noise; do not let it grow.
                pending = pending[-65536:]
                for line in complete:
                    match = LINE.search(line)
                    if match:
                        begun = True
                        yield (match["word"].decode(),
                               match["rest"].decode("ascii", "replace").strip())
                if last:
                    self.hung = True
                    break

    def finish(self) -> int:
        """Make sure that the adapter is gone; returns its exit status."""
        try:
            return self.process.wait(0 if self.hung else 10)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
            return End.TIMEOUT
        finally:
            if self.process.stdout:
                self.process.stdout.close()

    def stop(self) -> int:
        """End the run early."""
        self.hung = True
        return self.finish()

    def halt(self) -> None:
        """Have the thread that reads lines() stop, and the adapter end meanwhile."""
        self.stopping = True
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()


def tail(path: Path, count: int = 6) -> str:
    """The last lines of log PATH that say something."""
    data = path.read_bytes()[-4000:].decode("ascii", "replace")
    return " | ".join(line.strip() for line in data.splitlines()[-count:] if line.strip())


@dataclass
class Job:
    """Cases of one boot: all common cases of an area behind `after`, or those named."""

    area: str
    cases: list[Case]
    after: str = ""
    named: bool = False


def named_groups(cases: Sequence[Case], limit: int = 600) -> list[list[Case]]:
    """CASES in groups whose names fit on a command line."""
    groups: list[list[Case]] = []
    length = limit
    for case in cases:
        if length + len(case.name) + 1 > limit:
            groups.append([])
            length = 0
        groups[-1].append(case)
        length += len(case.name) + 1
    return groups


class Images(Protocol):
    """Where the images of areas are (build.Images)."""

    def path(self, area: str) -> Path:
        """The image of AREA."""

    def common(self, area: str) -> list[Case]:
        """Those cases of AREA that share a boot without being named."""


class Attempt:
    """One boot of JOB: what the guest says of its cases; SETTLE takes each result."""

    def __init__(self, job: Job, log: Path, settle: Callable[[Result], None]) -> None:
        self.job = job
        self.log = log
        self.settle = settle
        self.shown = paths.shown(log)
        self.waiting = {case.name: case for case in job.cases}
        self.done = False           # the guest has nothing more to run
        self.passed = False         # a case has
        self.fruitless = ""         # why not even the first case was reached
        self._current: Case | None = None
        self._dying = ""            # how the case that runs says that the guest ends
        self._panicked = ""
        self._started = time.monotonic()

    def take(self, word: str, rest: str) -> bool:
        """Take in one line of the suite's protocol; False if no other can be of use."""
        name, _, reason = rest.partition(" ")
        if word == "case":
            self._current = self.waiting.get(name)
            self._dying, self._started = "", time.monotonic()
        elif word == "dying":
            self._dying = reason
        elif word == "panic":
            self._panicked = rest
        elif word == "done":
            self.done = True
        elif word in OUTCOMES and name in self.waiting:
            # A case that does not apply is skipped without having begun.
            taken = time.monotonic() - self._started if self._current else 0.0
            if word == "ok" and reason.isdigit():
                taken = int(reason) / 1e6
            self.passed |= word == "ok"
            self.settle(Result(self.waiting.pop(name), OUTCOMES[word],
                               "" if word == "ok" else reason, taken, self.shown))
            self._current = None
            # A failed case ends its boot.
            return word != "fail"
        return not self.done

    def close(self, status: int, hung: bool) -> Job | None:
        """The boot has ended with STATUS, or HUNG; returns the job that remains."""
        ended = "hung" if hung or status == End.TIMEOUT else \
            endings.WORDS[End(status)] if status in list(End) else \
            f"adapter exit status {status}"
        said = f"{ended}: {tail(self.log)}"
        if self._current and self._current.name in self.waiting:
            self._close_current(status, hung, said)
        elif not self.done and len(self.waiting) == len(self.job.cases):
            self.fruitless = self._panicked or f"no case began; {said}"
            self._give_up(self.fruitless, hung or status in list(End) and status != End.TROUBLE)
        if self.done or not self.waiting:
            self._give_up("the guest did not report it", blamed=True)
            return None
        rest = [case for case in self.job.cases if case.name in self.waiting]
        if self.job.named:
            return Job(self.job.area, rest, named=True)
        before = self.job.cases[self.job.cases.index(rest[0]) - 1]
        return Job(self.job.area, rest, after=before.name)

    def _close_current(self, status: int, hung: bool, said: str) -> None:
        """The guest ended while a case ran, as that case may have announced."""
        case = self._current
        assert case
        del self.waiting[case.name]
        taken = time.monotonic() - self._started
        known = status in list(End)
        if self._dying and not self._panicked and known and \
                endings.WORDS[End(status)] == self._dying and "DIES" in case.flags:
            self.settle(Result(case, "pass", "", taken, self.shown))
            return
        # An ending that no guest can cause says nothing about the hypervisor.
        result = "fail" if known and status != End.TROUBLE or hung else "error"
        self.settle(Result(case, result, self._panicked or said, taken, self.shown))

    def _give_up(self, reason: str, blamed: bool) -> None:
        """No case that waits gets a result; BLAMED: not by the rig's fault."""
        for case in self.waiting.values():
            self.settle(Result(case, "error", reason, 0, self.shown, blamed))
        self.waiting.clear()


class Campaign:
    """Runs cases over an adapter with several workers and collects results."""

    def __init__(self, setup: Setup, images: Images, folder: Path, workers: int = 2,
                 echo: Callable[[bytes], None] | None = None,
                 progress: Callable[[Result, int], None] | None = None, mutant: int = 0,
                 stop_early: bool = False, silence: float = SILENCE,
                 limit: float | None = None) -> None:
        self.setup = setup
        self.images = images
        self.folder = folder
        self.workers = workers
        self.echo = echo
        self.progress = progress
        self.mutant = mutant
        self.stop_early = stop_early
        self.silence = silence
        self.limit = limit          # seconds for the whole run
        self.ended = ""             # why it ended before every case had a result
        self.late = False           # its limit was over
        self.info = ""
        self.results: dict[str, Result] = {}
        self.boots = 0
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._running: set[Boot] = set()
        self._hung = 0              # boots in a row
        self._fruitless = 0         # boots in a row, as long as no case has been reached
        self._reached = False       # a case has

    def run(self, cases: Sequence[Case]) -> list[Result]:
        """Run CASES; returns their results in the same order, without those that it did not get to."""
        self.folder.mkdir(parents=True, exist_ok=True)
        runnable = []
        for case in cases:
            if case.part in self.setup.parts:
                runnable.append(case)
            else:
                self._settle(Result(case, "skip", f"adapter {self.setup.name} has no "
                                                  f"{case.part} part"))
        with concurrent.futures.ThreadPoolExecutor(self.workers) as pool:
            try:
                waiting = [pool.submit(self._work, job) for job in self._jobs(runnable)]
                for future in concurrent.futures.as_completed(waiting, self.limit):
                    future.result()
            except concurrent.futures.TimeoutError:
                self.late = True
                self.halt(f"the limit of {self.limit:g} s for the run is over")
            except BaseException:
                self.halt("it was interrupted")
                raise
        return self.so_far(cases)

    def so_far(self, cases: Sequence[Case]) -> list[Result]:
        """The results of those of CASES that have one, in the same order."""
        return [self.results[case.name] for case in cases if case.name in self.results]

    def halt(self, why: str) -> None:
        """Begin no other boot and end those that run; what they were at gets no result."""
        with self._lock:
            self.ended = self.ended or why
            self._stopped.set()
            for boot in self._running:
                boot.halt()

    def _jobs(self, cases: Sequence[Case]) -> Iterator[Job]:
        """The boots that CASES need."""
        for area in dict.fromkeys(case.area for case in cases):
            shared = [c for c in cases if c.area == area and not c.alone]
            common = [c for c in shared if c.part == "single"]
            if common and len(common) == len(self.images.common(area)):
                yield Job(area, common)
            else:
                for group in named_groups(common):
                    yield Job(area, group, named=True)
            for part in ("store", "pair"):
                for group in named_groups([c for c in shared if c.part == part]):
                    yield Job(area, group, named=True)
        for case in cases:
            if case.alone:
                yield Job(case.area, [case], named=True)

    def _work(self, job: Job | None) -> None:
        while job and not self._stopped.is_set():
            job = self._boot(job)

    def hypervisor(self) -> tuple[str, str]:
        """Name and release of the hypervisor, as a guest of this campaign or the adapter reported them."""
        words = (self.info or self.setup.hypervisor).split()
        if not words:
            return NAMELESS
        return words[0], words[1] if len(words) > 1 else "(release not named)"

    def _settle(self, result: Result) -> None:
        with self._lock:
            known = result.case.deviation
            if known and known["accelerator"] == self.setup.accelerator and \
                    result.result == "fail":
                result.result = "deviation"
                result.reason = f"{known['reason']} ({result.reason})"
            if result.result == "fail" and suite.excused(result.case, *self.hypervisor()):
                result.result = "fault"
                result.reason = f"{result.case.fault['reason']} ({result.reason})"
            self.results[result.case.name] = result
            if self.progress:
                self.progress(result, len(self.results))
        if self.stop_early and result.result in ("fail", "error"):
            self.halt(f"{result.case.area}.{result.case.name} did not pass")

    def _log(self, job: Job) -> Path:
        with self._lock:
            self.boots += 1
            number = self.boots
        name = job.cases[0].name if len(job.cases) == 1 else f"{job.area}-{number}"
        return self.folder / f"{name}.log"

    def _start(self, job: Job, log: Path) -> Boot:
        """Start a boot of JOB."""
        words = ["case=" + ",".join(c.name for c in job.cases)] if job.named else \
            [f"after={job.after}"] if job.after else []
        if self.mutant:
            words.append(f"mutant={self.mutant}")
        image = self.images.path(job.area)
        extra = []
        if job.cases[0].part == "pair":
            extra = ["--peer", str(image)]
        elif job.cases[0].part == "store":
            extra = ["--devices"]
        elif "MANY" in job.cases[0].flags:
            extra = ["--vcpus", str(MANY_VCPUS)]
        return Boot(self.setup, image, " ".join(words), log, self.echo, extra)

    def _boot(self, job: Job) -> Job | None:
        """Run one boot of JOB; returns the job that remains, or None."""
        log = self._log(job)
        attempt = Attempt(job, log, self._settle)
        boot = self._start(job, log)
        with self._lock:
            self._running.add(boot)
            if self._stopped.is_set():
                boot.halt()
        try:
            for word, rest in boot.lines(self.silence):
                if word == "info":
                    self.info = self.info or rest
                elif not attempt.take(word, rest):
                    break
            status = boot.finish()
        finally:
            with self._lock:
                self._running.discard(boot)
        if self._stopped.is_set():
            return None
        rest_of_it = attempt.close(status, boot.hung)
        self._count_hung(boot.hung and not attempt.passed)
        self._count_fruitless(attempt.fruitless)
        return rest_of_it

    def _count_hung(self, hung: bool) -> None:
        """A boot has ended, and HUNG: end the run if everything hangs on this hypervisor."""
        with self._lock:
            self._hung = self._hung + 1 if hung else 0
            many = self._hung >= MOST_HUNG
        if many:
            self.halt(f"{MOST_HUNG} boots in a row hung and passed no case")

    def _count_fruitless(self, why: str) -> None:
        """A boot has ended, before any case if there is a WHY: end the run if none gets to a case."""
        with self._lock:
            self._reached |= not why
            self._fruitless += 1
            many = not self._reached and self._fruitless >= MOST_HUNG
        if many:
            self.halt(f"{MOST_HUNG} boots, none of which got to a case")
