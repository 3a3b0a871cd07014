# SPDX-License-Identifier: MIT
"""Tests of the store and the device bus that give orders to the control domain."""
import shutil
import subprocess
import sys

from checklib import build, guest

sys.path.insert(0, str(guest.REPO / "rig"))
from pvg import packages  # noqa: E402  (the path must be set first)

TOOLS = "xenstore-utils"
LIBRARIES = {"libxenstore.so.4": "libxenstore4", "libxentoolcore.so.1": "libxentoolcore1",
             "libc.so.6": "libc6", "libgcc_s.so.1": "libgcc-s1"}
PLACES = ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu")
LOADER = "lib64/ld-linux-x86-64.so.2"
TESTS = ("tools.sh", "states.sh", "console.sh", "control.sh")
LIMIT = 900             # seconds for one of them


def _library(name):
    for place in PLACES:
        path = packages.find_file(LIBRARIES[name], f"{place}/{name}")
        if path.exists():
            return path
    raise build.BuildError(f"Debian package {LIBRARIES[name]} holds no {name}")


def _folder():
    """What the guest needs: Debian's tools, the tests, the module."""
    folder = guest.WORK / "add-bus"
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("read", "write", "list", "ls", "rm", "exists", "watch", "chmod"):
        tool = f"usr/bin/xenstore-{name}"
        build.install(packages.find_file(TOOLS, tool), folder / tool)
    for name in LIBRARIES:
        build.install(_library(name), folder / "lib/x86_64-linux-gnu" / name)
    build.install(packages.find_file("libc6", LOADER), folder / LOADER)
    inside = folder / guest.FOLDER.lstrip("/")
    for script in sorted((build.SOURCES / "bus").glob("*.sh")):
        build.install(script, inside / script.name)
    build.install(build.SOURCES / "run-in-guest", inside / "run-in-guest")
    module = guest.WORK / "module-pvguest"
    module.mkdir(parents=True, exist_ok=True)
    objects = build.LINUX / "pvguest"
    build.make("check-guest-module-bus.log", "-C", str(build.SOURCES),
               f"LINUX={build.LINUX / 'source'}", f"OUTPUT={module}", f"MODULES={objects}",
               str(module / "pvguest_bus_test.ko"))
    build.install(module / "pvguest_bus_test.ko", inside / "pvguest_bus_test.ko")
    back = guest.WORK / "console-back"
    source = build.SOURCES / "bus" / "console-back.c"
    made = subprocess.run(["gcc", "-Os", "-static", "-nostdlib", "-ffreestanding", "-fno-stack-protector",
                           "-fno-asynchronous-unwind-tables", "-Wall", "-s",
                           "-include", str(build.LINUX / "source/tools/include/nolibc/nolibc.h"),
                           "-o", str(back), str(source), "-lgcc"],
                          capture_output=True, text=True, check=False)
    if made.returncode:
        raise build.BuildError("compiling console-back.c failed: " + made.stderr)
    build.install(back, inside / "console-back")
    return folder


def check(group):
    """One group of results for each test."""
    run = guest.Run("xen-domu", "pvguest", guest.command(LIMIT, TESTS), [_folder()],
                    timeout=2800, options=["--orders", "--no-network"])
    for program in guest.programs(run, TESTS):
        guest.report(group, program)
    if run.status:
        group.result(False, "the guest ends well", [f"exit status {run.status}"] + run.tail())
