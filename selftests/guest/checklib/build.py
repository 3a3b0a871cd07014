# SPDX-License-Identifier: MIT
"""Builds the programs that run in the guest, and the folders that --add takes."""
import hashlib
import os
import shutil
import stat
import subprocess

from checklib import guest

SOURCES = guest.REPO / "selftests" / "guest"
LINUX = guest.BUILD / "linux-6.12"
PROGRAMS = ("process", "mappings", "cow", "signals", "segments", "compat", "ptrace",
            "fpu", "ioport", "clocks", "modules", "tracing", "system", "store")
SMP_PROGRAMS = ("smp", "clocks", "cow", "segments")
# With more vCPUs than the machine has processors.
SHARED_PROGRAMS = ("fpu",)


class BuildError(Exception):
    """A build failed; the text says which and where the log is."""


def make(log_name, *words):
    """Run make with WORDS; its output goes to build/log/LOG_NAME."""
    log = guest.BUILD / "log" / log_name
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "wb") as out:
        done = subprocess.run(["make", "-s", *words], stdin=subprocess.DEVNULL, stdout=out,
                              stderr=out, check=False)
    if done.returncode:
        raise BuildError(f"make {' '.join(words[:3])} failed; see {log}")


# Take kernels as they were last built.
as_built = False


def kernel(name):
    """Have the kernel NAME built."""
    if as_built:
        return
    done = subprocess.run([str(guest.REPO / "pvguest"), "build", "--kernel", name],
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise BuildError(f"building kernel {name} failed")


def install(source, target):
    """Copy the program SOURCE to TARGET, whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.copyfile(source, temporary)
    os.chmod(temporary, 0o755)
    os.replace(temporary, target)


def programs(kernel_name):
    """Build our own programs and KERNEL_NAME's module; returns the folder to add."""
    common = guest.WORK / "programs"
    common.mkdir(parents=True, exist_ok=True)
    make("check-guest-programs.log", "-C", str(SOURCES), f"LINUX={LINUX / 'source'}",
          f"OUTPUT={common}", "all")
    folder = guest.WORK / f"add-{kernel_name}"
    inside = folder / guest.FOLDER.lstrip("/")
    for program in sorted(common.iterdir()):
        if program.is_file() and program.stat().st_mode & stat.S_IXUSR:
            install(program, inside / program.name)
            subprocess.run(["strip", str(inside / program.name)], check=False)
    install(SOURCES / "run-in-guest", inside / "run-in-guest")
    objects = LINUX / kernel_name
    if (objects / "Module.symvers").exists():
        module = guest.WORK / f"module-{kernel_name}"
        module.mkdir(parents=True, exist_ok=True)
        make(f"check-guest-module-{kernel_name}.log", "-C", str(SOURCES),
              f"LINUX={LINUX / 'source'}", f"OUTPUT={module}", f"MODULES={objects}",
              str(module / "pvguest_test.ko"))
        install(module / "pvguest_test.ko", inside / "pvguest_test.ko")
    return folder


def digest(*paths):
    """Hash of the contents of files and of the files below folders."""
    total = hashlib.sha256()
    for path in paths:
        below = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in below:
            if file.is_file():
                total.update(str(file.relative_to(path.parent)).encode())
                total.update(file.read_bytes())
    return total.hexdigest()[:24]
