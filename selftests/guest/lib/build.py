# SPDX-License-Identifier: MIT
"""Builds the programs that run in the guest, and the folders that --add takes."""
import shutil
import stat
import subprocess
from collections.abc import Iterable
from pathlib import Path

from pvg.base import releases
from pvg.base.files import install

from lib import guest

SOURCES = guest.REPO / "selftests" / "guest"
RUNNER = SOURCES / "lib" / "run-in-guest"
LINUX = guest.BUILD / f"linux-{releases.default()}"
PROGRAMS = ("process", "mappings", "cow", "signals", "segments", "compat", "ptrace",
            "fpu", "ioport", "clocks", "modules", "tracing", "system", "store", "images", "evtchn")
# First the one that needs a clean log: vcpus has backtraces made.
SMP_PROGRAMS = ("system", "smp", "vcpus", "events", "accessed", "clocks", "cow", "swap",
                "segments", "reaper", "aliases", "concurrency")
# In a kernel that checks itself; the last one looks at what the checks found.
DEBUG_PROGRAMS = ("smp", "accessed", "cow", "process", "selfcheck")
# In one with Linux's checks as well: the log is looked at by system, and before selfcheck fills it.
CHECKS_PROGRAMS = ("smp", "cow", "process", "mappings", "signals", "segments", "accessed", "swap",
                   "events", "reaper", "aliases", "system", "selfcheck")
# In a kernel with the options of a distribution.
FULL_PROGRAMS = ("cgroup", "smp", "cow", "swap", "mappings", "process", "system",
                 "concurrency")
# With more vCPUs than the machine has processors.
SHARED_PROGRAMS = ("fpu", "locks")
# The same, by choice of the locks and of the event-channel ABI.
LOCK_PROGRAMS = ("locks",)
# With the older of the two event-channel ABIs.
TWO_LEVEL_PROGRAMS = ("events", "vcpus")
# All of them, each once.
ALL_PROGRAMS = tuple(dict.fromkeys((*PROGRAMS, *SMP_PROGRAMS, *DEBUG_PROGRAMS, *CHECKS_PROGRAMS, *FULL_PROGRAMS,
                                    *SHARED_PROGRAMS, *TWO_LEVEL_PROGRAMS)))
MODULES = ("pvguest_test.ko", "pvguest_vcpu_test.ko", "pvguest_tlb.ko")
PORT_MODULES = ("pvguest_event_test.ko",)       # need our port


class BuildError(Exception):
    """A build failed; the text says which and where the log is."""


def make(log_name: str, *words: str) -> None:
    """Run make with WORDS; its output goes to build/log/LOG_NAME."""
    log = guest.BUILD / "log" / log_name
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "wb") as out:
        done = subprocess.run(["make", "-s", *words], stdin=subprocess.DEVNULL, stdout=out,
                              stderr=out, check=False)
    if done.returncode:
        raise BuildError(f"make {' '.join(words[:3])} failed; see {log}")


# Use kernels as they were last built.
as_built = False


def kernel(name: str) -> None:
    """Build the kernel NAME."""
    if as_built:
        return
    done = subprocess.run([str(guest.REPO / "pvguest"), "build", "--kernel", name],
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise BuildError(f"building kernel {name} failed")


def programs(kernel_name: str) -> Path:
    """Build our own programs and KERNEL_NAME's module; returns the folder to add."""
    common = guest.WORK / "programs"
    common.mkdir(parents=True, exist_ok=True)
    make("check-guest-programs.log", "-C", str(SOURCES / "programs"), f"LINUX={LINUX / 'source'}",
          f"OUTPUT={common}", "all")
    folder = guest.WORK / f"add-{kernel_name}"
    inside = folder / guest.FOLDER.lstrip("/")
    for program in sorted(common.iterdir()):
        if program.is_file() and program.stat().st_mode & stat.S_IXUSR:
            install(program, inside / program.name)
            subprocess.run(["strip", str(inside / program.name)], check=False)
    install(RUNNER, inside / "run-in-guest")
    objects = LINUX / kernel_name
    if (objects / "Module.symvers").exists():
        modules = MODULES + (PORT_MODULES if kernel_name.startswith("pvguest") else ())
        module = guest.WORK / f"module-{kernel_name}"
        module.mkdir(parents=True, exist_ok=True)
        make(f"check-guest-module-{kernel_name}.log", "-C", str(SOURCES / "programs"),
              f"LINUX={LINUX / 'source'}", f"OUTPUT={module}", f"MODULES={objects}",
              *(str(module / name) for name in modules))
        for name in modules:
            install(module / name, inside / name)
    return folder


def some_programs(kernel_name: str, name: str, names: Iterable[str]) -> Path:
    """A folder NAME with the programs NAMES alone: loading the archive takes Bochs seconds a MiB."""
    inside = guest.FOLDER.lstrip("/")
    everything = programs(kernel_name) / inside
    folder = guest.WORK / f"add-{name}-{kernel_name}"
    shutil.rmtree(folder, ignore_errors=True)
    for file in (*names, "run-in-guest"):
        install(everything / file, folder / inside / file)
    return folder
