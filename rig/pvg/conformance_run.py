# SPDX-License-Identifier: GPL-2.0-only
"""Running cases: boots through an adapter, what the console says, who failed and why.

Many cases share a boot. A case that fails, crashes or hangs ends its boot; those behind it
go on in a new one. Nothing is run twice.
"""
import os
import queue
import re
import selectors
import signal
import subprocess
import threading
import time
from dataclasses import dataclass

from pvg import conformance_adapter as adapter
from pvg import errors, paths

LINE = re.compile(rb"@(?P<word>info|case|ok|fail|skip|dying|done|panic)\b ?(?P<rest>[^\r\n]*)")

# Seconds of silence after which a case counts as hung; the longest rests 2 s.
SILENCE = 30
# vCPUs for cases that need more than the shared page has room for.
MANY_VCPUS = 34
# How many times as long the first byte may take.
START_PATIENCE = 3
# Seconds for a whole boot.
BOOT_LIMIT = 300


@dataclass
class Result:
    """What became of one case."""

    case: object
    result: str
    reason: str = ""
    seconds: float = 0.0
    log: str = ""


@dataclass
class Setup:
    """How to reach the hypervisor: adapter executable and its constant options."""

    name: str
    path: object
    options: list
    accelerator: str
    parts: tuple
    memory: int = 48
    vcpus: int = 4
    extra: str = ""


class Boot:
    """One run of the adapter, line by line."""

    def __init__(self, setup, image, cmdline, log, echo=None, extra=()):
        self.log = log
        self.echo = echo
        words = [str(setup.path), *setup.options, "--image", str(image),
                 "--cmdline", f"{cmdline} {setup.extra}".strip(), "--memory", str(setup.memory),
                 "--vcpus", str(setup.vcpus), "--timeout", str(BOOT_LIMIT), *extra]
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, start_new_session=True)
        self.hung = False

    def lines(self, silence=SILENCE):
        """Yield (word, rest) for each line of the suite's protocol until the run ends."""
        pending, total = b"", 0
        fd = self.process.stdout.fileno()
        selector = selectors.DefaultSelector()
        selector.register(fd, selectors.EVENT_READ)
        with open(self.log, "wb") as log:
            while True:
                # Resuming a control domain on a busy machine takes its time.
                if not selector.select(silence if total else silence * START_PATIENCE):
                    self.hung = True
                    break
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
                        yield (match["word"].decode(),
                               match["rest"].decode("ascii", "replace").strip())

    def finish(self):
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
            return adapter.TIMEOUT
        finally:
            self.process.stdout.close()

    def stop(self):
        """End the run early."""
        self.hung = True
        return self.finish()


def tail(path, count=6):
    """The last lines of log PATH that say something."""
    data = path.read_bytes()[-4000:].decode("ascii", "replace")
    return " | ".join(line.strip() for line in data.splitlines()[-count:] if line.strip())


@dataclass
class Job:
    """What one boot is to do: all common cases of an area behind `after`, or those named."""

    area: str
    cases: list
    after: str = ""
    named: bool = False


def named_groups(cases, limit=600):
    """CASES in groups whose names fit on a command line."""
    groups, length = [], limit
    for case in cases:
        if length + len(case.name) + 1 > limit:
            groups.append([])
            length = 0
        groups[-1].append(case)
        length += len(case.name) + 1
    return groups


class Campaign:
    """Runs cases over an adapter with several workers and collects results."""

    def __init__(self, setup, images, folder, workers=2, echo=None, progress=None, mutant=0,
                 stop_early=False, silence=SILENCE):
        self.setup = setup
        self.images = images
        self.folder = folder
        self.workers = workers
        self.echo = echo
        self.progress = progress
        self.mutant = mutant
        self.stop_early = stop_early
        self.silence = silence
        self.info = ""
        self.results = {}
        self.boots = 0
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._jobs = queue.Queue()
        self._error = None

    def run(self, cases):
        """Run CASES; returns their results in the same order."""
        self.folder.mkdir(parents=True, exist_ok=True)
        runnable = []
        for case in cases:
            if case.part in self.setup.parts:
                runnable.append(case)
            else:
                self._settle(Result(case, "skip", f"adapter {self.setup.name} has no "
                                                  f"{case.part} part"))
        for area in dict.fromkeys(case.area for case in runnable):
            shared = [c for c in runnable if c.area == area and not c.alone]
            common = [c for c in shared if c.part == "single"]
            whole = self.images.common(area)
            if common and len(common) == len(whole):
                self._jobs.put(Job(area, common))
            else:
                for group in named_groups(common):
                    self._jobs.put(Job(area, group, named=True))
            for part in ("store", "pair"):
                for group in named_groups([c for c in shared if c.part == part]):
                    self._jobs.put(Job(area, group, named=True))
        for case in runnable:
            if case.alone:
                self._jobs.put(Job(case.area, [case], named=True))
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(self.workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._error:
            raise self._error
        return [self.results[case.name] for case in cases if case.name in self.results]

    def _work(self):
        while not self._stopped.is_set():
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return
            try:
                while job and not self._stopped.is_set():
                    job = self._boot(job)
            except (errors.PvgError, OSError) as error:
                self._error = error
                self._stopped.set()

    def _settle(self, result):
        with self._lock:
            known = result.case.deviation
            if known and known["accelerator"] == self.setup.accelerator and \
                    result.result == "fail":
                result.result = "deviation"
                result.reason = f"{known['reason']} ({result.reason})"
            self.results[result.case.name] = result
            if self.progress:
                self.progress(result, len(self.results))
        if self.stop_early and result.result in ("fail", "error"):
            self._stopped.set()

    def _log(self, job):
        with self._lock:
            self.boots += 1
            number = self.boots
        name = job.cases[0].name if len(job.cases) == 1 else f"{job.area}-{number}"
        return self.folder / f"{name}.log"

    def _boot(self, job):
        """Run one boot of JOB; returns the job that remains, or None."""
        words = ["case=" + ",".join(c.name for c in job.cases)] if job.named else \
            [f"after={job.after}"] if job.after else []
        if self.mutant:
            words.append(f"mutant={self.mutant}")
        log = self._log(job)
        shown = paths.shown(log)
        waiting = {case.name: case for case in job.cases}
        extra = []
        if job.cases[0].part == "pair":
            extra = ["--peer", str(self.images.path(job.area))]
        elif job.cases[0].part == "store":
            extra = ["--devices"]
        elif "MANY" in job.cases[0].flags:
            extra = ["--vcpus", str(MANY_VCPUS)]
        boot = Boot(self.setup, self.images.path(job.area), " ".join(words), log, self.echo, extra)
        current, dying, done, started = None, "", False, time.monotonic()
        panicked = ""
        for word, rest in boot.lines(self.silence):
            name, _, reason = rest.partition(" ")
            if word == "info":
                self.info = self.info or rest
            elif word == "case":
                current, dying, started = waiting.get(name), "", time.monotonic()
            elif word == "dying":
                dying = reason
            elif word == "panic":
                panicked = rest
            elif word == "done":
                done = True
                break
            elif name in waiting:
                taken = time.monotonic() - started
                if word == "ok" and reason.isdigit():
                    taken = int(reason) / 1e6
                outcome = {"ok": "pass", "fail": "fail", "skip": "skip"}[word]
                self._settle(Result(waiting.pop(name), outcome,
                                    "" if word == "ok" else reason, taken, shown))
                current = None
                if word == "fail":
                    # A failed case ends its boot; do not wait for more.
                    break
                if self._stopped.is_set():
                    boot.stop()
                    return None
        status = boot.finish()
        ended = "hung" if boot.hung or status == adapter.TIMEOUT else \
            adapter.ENDED.get(status, f"adapter exit status {status}")
        if current and current.name in waiting:
            del waiting[current.name]
            taken = time.monotonic() - started
            if dying and not panicked and adapter.ENDED.get(status) == dying and "DIES" in current.flags:
                self._settle(Result(current, "pass", "", taken, shown))
            else:
                # An ending that no guest can cause says nothing about the hypervisor.
                known = status in adapter.ENDED and status != adapter.TROUBLE
                result = "fail" if known or boot.hung else "error"
                self._settle(Result(current, result, panicked or f"{ended}: {tail(log)}",
                                    taken, shown))
        elif not done and len(waiting) == len(job.cases):
            # Not even the first case was reached.
            for case in waiting.values():
                self._settle(Result(case, "error", panicked or f"no case began; {ended}: "
                                                               f"{tail(log)}", 0, shown))
            return None
        if not waiting:
            return None
        if done:
            for case in waiting.values():
                self._settle(Result(case, "error", "the guest did not report it", 0, shown))
            return None
        rest = [case for case in job.cases if case.name in waiting]
        if job.named:
            return Job(job.area, rest, named=True)
        before = job.cases[job.cases.index(rest[0]) - 1]
        return Job(job.area, rest, after=before.name)
