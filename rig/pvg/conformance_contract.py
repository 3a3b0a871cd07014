# SPDX-License-Identifier: GPL-2.0-only
"""The contract test: what any adapter must do before its results are believed."""
import os
import signal
import subprocess
import time

from pvg import conformance_adapter as adapter
from pvg import conformance_build, conformance_cases, paths

HELLO = b"hello from "


class Check:
    """Runs one adapter in several ways and prints KTAP lines about it."""

    def __init__(self, setup, out=print):
        self.setup = setup
        self.out = out
        self.count = 0
        self.failed = 0
        folder = conformance_build.make("images")
        conformance_build.make("hello")
        self.hello = folder / "hello.elf"
        self.sched = folder / "sched.elf"

    def words(self, image, cmdline="", timeout=60):
        """The adapter's command line."""
        return [str(self.setup.path), *self.setup.options, "--image", str(image), "--cmdline",
                cmdline, "--memory", "48", "--vcpus", "2", "--timeout", str(timeout)]

    def run(self, *args, **kwargs):
        """Run the adapter to its end: (status, console)."""
        done = subprocess.run(self.words(*args, **kwargs), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=200,
                              check=False)
        return done.returncode, done.stdout

    def say(self, good, what, detail=""):
        """One KTAP line."""
        self.count += 1
        self.failed += not good
        self.out(f"{'ok' if good else 'not ok'} {self.count} contract.{self.setup.name}.{what}"
                 + ("" if good else f" # {detail}"))

    def all(self):
        """Every check; returns how many failed."""
        status, text = self.run(self.hello)
        self.say(status == adapter.POWEROFF and HELLO in text, "poweroff",
                 f"status {status}, not 0, or no console")
        for case, expected in (("sched_shutdown_crash", adapter.CRASH),
                               ("sched_shutdown_reboot", adapter.REBOOT),
                               ("sched_shutdown_watchdog", adapter.WATCHDOG)):
            status, text = self.run(self.sched, f"case={case}")
            self.say(status == expected and b"@dying " + case.encode() in text,
                     adapter.ENDED[expected], f"status {status}, not {expected}")
        status, text = self.run(self.hello, "one=1 two=two,three")
        self.say(status == adapter.POWEROFF, "command_line", f"status {status}, not 0")
        started = time.monotonic()
        status, _ = self.run(self.sched, "case=sched_watchdog_poked", timeout=1)
        self.say(status == adapter.TIMEOUT and time.monotonic() - started < 60, "time_limit",
                 f"status {status}, not {adapter.TIMEOUT}")
        status, _ = self.run(paths.REPO / "README.md")
        self.say(status == adapter.TROUBLE, "no_image", f"status {status}, not {adapter.TROUBLE}")
        self.say(self.killed(), "terminated", "it did not end within 15 s of SIGTERM, or left "
                                              "processes behind")
        return self.failed

    def killed(self):
        """Whether SIGTERM ends the adapter and all it started."""
        with subprocess.Popen(self.words(self.sched, "case=sched_watchdog_poked", timeout=120),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, start_new_session=True) as process:
            os.read(process.stdout.fileno(), 1)
            children = descendants(process.pid)
            process.send_signal(signal.SIGTERM)
            try:
                process.communicate(timeout=15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                return False
            deadline = time.monotonic() + 5
            while any(os.path.exists(f"/proc/{pid}") for pid in children):
                if time.monotonic() > deadline:
                    return False
                time.sleep(0.05)
            return True


def descendants(pid):
    """Process numbers below PID."""
    found, parents = [], {}
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


def main(setup):
    """Entry point of 'conformance --contract'."""
    conformance_cases.load()
    check = Check(setup)
    print("KTAP version 1")
    failed = check.all()
    print(f"1..{check.count}")
    return 1 if failed else 0
