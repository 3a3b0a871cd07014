# SPDX-License-Identifier: MIT
"""Boots guests by ./pvguest run, and sorts what test programs in them say."""
import re
import subprocess
import tempfile
from pathlib import Path

REPO = Path(__file__).resolve().parents[3]
BUILD = REPO / "build"
WORK = BUILD / "selftests-guest"
FOLDER = "/pvguest-tests"       # where programs stand in the guest

_RESULT = re.compile(r"^(not ok|ok) \d+ *-? *(.*)$")
_SKIP = re.compile(r"\s*# SKIP\s*(.*)$")


class Run:
    """One run of ./pvguest run: iterate over it for the lines of its output."""

    def __init__(self, hv, kernel, command, add=(), vcpus=1, timeout=600, options=()):
        self.words = [str(REPO / "pvguest"), "run", "--hv", hv, "--kernel", kernel,
                      "--no-build", "--memory", "512", "--vcpus", str(vcpus), "--timeout", str(timeout),
                      *options]
        for folder in add:
            self.words += ["--add", str(folder)]
        self.words += ["--", *command]
        self.status = None
        self.errors = ""

    def __iter__(self):
        with tempfile.TemporaryFile() as stderr:
            process = subprocess.Popen(self.words, stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, stderr=stderr)
            try:
                for raw in process.stdout:
                    yield raw.decode("utf-8", "replace").rstrip("\r\n")
            finally:
                if process.poll() is None:
                    process.terminate()
                self.status = process.wait()
                stderr.seek(0)
                self.errors = stderr.read().decode("utf-8", "replace")

    def tail(self):
        """The last lines of what the rig said."""
        return self.errors.splitlines()[-12:]


class Program:
    """What one test program said."""

    def __init__(self, name):
        self.name = name
        self.lines = []
        self.status = None      # None: it never ended


def programs(run, names):
    """Run NAMES under RUN-IN-GUEST; yields a Program for each, as they end."""
    current = None
    left = list(names)
    for line in run:
        words = line.split()
        if words[:1] == ["@begin"]:
            current = Program(words[1])
        elif words[:1] == ["@end"] and current:
            current.status = int(words[2])
            left.remove(current.name)
            yield current
            current = None
        elif current:
            current.lines.append(line)
    if current and current.name in left:
        left.remove(current.name)
        yield current
    for name in left:
        yield Program(name)


def command(limit, names):
    """The command that runs the programs NAMES, each for LIMIT seconds at most."""
    return [FOLDER + "/run-in-guest", str(limit), *names]


def report(group, program):
    """Print what the kselftest PROGRAM said into GROUP."""
    inner = group.group(program.name)
    notes = []
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
