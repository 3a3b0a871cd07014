# SPDX-License-Identifier: GPL-2.0-only
"""The contract test: rules that any adapter must keep before its results count."""
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from pvg.base import errors, paths, patience
from pvg.machine import endings
from pvg.machine.endings import End
from pvg.conformance import build, suite
from pvg.conformance.run import Setup

HELLO = b"hello from "
LIMIT = 600             # seconds for a guest that is to end, which takes a few on an idle machine


class Check:
    """Runs one adapter in several ways and prints KTAP lines about it."""

    def __init__(self, setup: Setup, out: Callable[[str], None] = print) -> None:
        self.setup = setup
        self.out = out
        self.count = 0
        self.failed = 0
        folder = build.make("images")
        build.make("hello")
        self.hello = folder / "hello.elf"
        self.sched = folder / "sched.elf"

    def words(self, image: Path, cmdline: str = "", timeout: int = LIMIT) -> list[str]:
        """The adapter's command line."""
        return [str(self.setup.path), *self.setup.options, "--image", str(image), "--cmdline",
                cmdline, "--memory", "48", "--vcpus", "2", "--timeout", str(timeout)]

    def run(self, image: Path, cmdline: str = "", timeout: int = LIMIT) -> tuple[int, bytes]:
        """Run the adapter to its end: (status, console)."""
        done = subprocess.run(self.words(image, cmdline, timeout), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=2 * LIMIT, check=False)
        return done.returncode, done.stdout

    def say(self, good: bool, what: str, detail: str = "") -> None:
        """One KTAP line."""
        self.count += 1
        self.failed += not good
        self.out(f"{'ok' if good else 'not ok'} {self.count} contract.{self.setup.name}.{what}"
                 + ("" if good else f" # {detail}"))

    def all(self) -> int:
        """Every check; returns how many failed."""
        status, text = self.run(self.hello)
        self.say(status == End.POWEROFF and HELLO in text, "poweroff",
                 f"status {status}, not 0, or no console")
        for case, expected in (("sched_shutdown_crash", End.CRASH),
                               ("sched_shutdown_reboot", End.REBOOT),
                               ("sched_shutdown_watchdog", End.WATCHDOG)):
            status, text = self.run(self.sched, f"case={case}")
            self.say(status == expected and b"@dying " + case.encode() in text,
                     endings.WORDS[expected], f"status {status}, not {expected}")
        status, text = self.run(self.hello, "one=1 two=two,three")
        self.say(status == End.POWEROFF, "command_line", f"status {status}, not 0")
        clock = patience.Clock()
        status, _ = self.run(self.sched, "case=sched_watchdog_poked", timeout=1)
        self.say(status == End.TIMEOUT and clock.now() < 60, "time_limit",
                 f"status {status}, not {End.TIMEOUT}")
        status, _ = self.run(paths.REPO / "README.md")
        self.say(status in (errors.EXIT_USAGE, End.TROUBLE), "no_image",
                 f"status {status}, neither {errors.EXIT_USAGE} nor {End.TROUBLE}")
        self.say(self.killed(), "terminated", "it did not end within 15 s of SIGTERM, or left "
                                              "processes behind")
        return self.failed

    def killed(self) -> bool:
        """Whether SIGTERM ends the adapter and all it started."""
        with subprocess.Popen(self.words(self.sched, "case=sched_watchdog_poked", timeout=120),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, start_new_session=True) as process:
            assert process.stdout
            os.read(process.stdout.fileno(), 1)
            children = descendants(process.pid)
            process.send_signal(signal.SIGTERM)
            clock = patience.Clock()
            while process.returncode is None:
                try:
                    process.communicate(timeout=0.5)
                except subprocess.TimeoutExpired:
                    if clock.now() > 15:
                        os.killpg(process.pid, signal.SIGKILL)
                        return False
            clock = patience.Clock()
            while any(os.path.exists(f"/proc/{pid}") for pid in children):
                if clock.now() > 5:
                    return False
                time.sleep(0.05)
            return True


def descendants(pid: int) -> list[int]:
    """Process numbers below PID."""
    found: list[int] = []
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", encoding="ascii", errors="replace") as file:
                    parents[int(entry)] = int(file.read().rpartition(")")[2].split()[1])
            except (OSError, IndexError, ValueError):
                continue
    todo = [pid]
    while todo:
        parent = todo.pop()
        below = [child for child, its in parents.items() if its == parent]
        found += below
        todo += below
    return found


def main(setup: Setup) -> int:
    """Entry point of 'conformance --contract'."""
    suite.load()
    check = Check(setup)
    print("KTAP version 1")
    failed = check.all()
    print(f"1..{check.count}")
    return 1 if failed else 0
