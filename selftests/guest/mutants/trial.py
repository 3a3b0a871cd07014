# SPDX-License-Identifier: MIT
"""Tries one fault: host tests, compiled with it in a copy of the sources."""
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from pvg.base import releases

from lib import build, guest
from mutants import faults

WORK = guest.WORK / "mutants"
LIMIT = 600             # seconds for one test that hangs


class Verdict:
    """The end of one trial: WHY is empty if the fault went unnoticed; BROKEN: nothing was shown."""

    def __init__(self, why: str = "", broken: str = "") -> None:
        self.why, self.broken = why, broken


def _seeded(fault: faults.Fault | None, folder: Path) -> Path:
    """A copy, in FOLDER, of what host tests compile, with FAULT, if any, in it."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("drivers", "arch/x86/pvguest", "hypercall-abi/include", "selftests/host"):
        shutil.copytree(faults.REPO / name, folder / name, symlinks=True)
    # Its Makefile asks there for the release.
    for name in ("rig", "linux"):
        (folder / name).symlink_to(faults.REPO / name)
    if not fault:
        return folder
    path = folder / fault.file
    path.write_text(fault.seed(path.read_text(encoding="utf-8")), encoding="utf-8")
    return folder


def attempt(fault: faults.Fault | None, names: Iterable[str]) -> Verdict:
    """Run the host tests NAMES, compiled with FAULT, or none; the verdict."""
    copy = _seeded(fault, WORK / "host" / (fault.id if fault else "none"))
    settings = [f"LINUX_RELEASE={releases.default()}", f"LINUX_SOURCE={build.LINUX / 'source'}"]
    try:
        for name in names:
            verdict = _one(copy, name, settings)
            if verdict.why or verdict.broken:
                return verdict
    finally:
        shutil.rmtree(copy, ignore_errors=True)
    return Verdict()


def _one(copy: Path, name: str, settings: Iterable[str]) -> Verdict:
    """Build and run the host test NAME in COPY."""
    room = next(copy.glob(f"selftests/host/*/{name}.c")).parent.name
    program = copy / "build" / "selftests" / "host" / room / name
    made = subprocess.run(["make", "-s", "-C", str(copy / "selftests" / "host"), *settings,
                           "CC=gcc -w", str(program)], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    if made.returncode:
        return Verdict(broken=f"{name} does not build: " + " ".join(made.stdout.splitlines()[:3]))
    try:
        ran = subprocess.run([str(program)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             text=True, errors="replace", check=False, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return Verdict(f"{name}: hangs")
    if not ran.returncode:
        return Verdict()
    line = re.search(r"\[ +(?:FAILED|ERROR) +\] \w+.*|AddressSanitizer: \S+|runtime error: .*",
                     ran.stdout)
    return Verdict(f"{name}: " + (line.group(0) if line else
                                  (ran.stdout.splitlines() or ["fails"])[-1]))
