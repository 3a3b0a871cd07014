# SPDX-License-Identifier: MIT
"""Tests of XenStore and the device bus that send orders to the control domain."""
import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from pvg.base import files, ktap, tools

from lib import build, console, guest

TOOLS = tuple(f"xenstore-{name}" for name in ("read", "write", "list", "ls", "rm", "exists",
                                              "watch", "chmod"))
BALLOON = "balloon.sh"      # of the group balloon
# Of the group vcpu-set: a guest that begins with one of this many vCPUs.
VCPU_SET, MAX_VCPUS = "vcpu-set.sh", 4
SCRIPTS = ("store/tools.sh", "store/states.sh", "console/console.sh", "console/daemon.sh",
           "store/control.sh", "lib/bus.sh")
TESTS = tuple(Path(script).name for script in SCRIPTS[:-1])
LIMIT = 3600            # seconds for one of them that hangs


def _scripts(name: str, scripts: Iterable[str]) -> tuple[Path, Path]:
    """A new folder NAME for the guest, and in it the one with SCRIPTS and what runs them."""
    folder = guest.WORK / name
    shutil.rmtree(folder, ignore_errors=True)
    inside = folder / guest.FOLDER.lstrip("/")
    for script in scripts:
        files.install(build.SOURCES / "devices" / script, inside / Path(script).name)
    files.install(build.RUNNER, inside / "run-in-guest")
    return folder, inside


def _folder() -> Path:
    """The folder for the guest: Debian's tools, the tests, the module."""
    folder, inside = _scripts("add-bus", SCRIPTS)
    tools.install(TOOLS, folder)
    module = guest.WORK / "module-pvguest"
    module.mkdir(parents=True, exist_ok=True)
    objects = build.LINUX / "pvguest"
    build.make("check-guest-module-bus.log", "-C", str(build.SOURCES / "programs"),
               f"LINUX={build.LINUX / 'source'}", f"OUTPUT={module}", f"MODULES={objects}",
               str(module / "pvguest_bus_test.ko"))
    files.install(module / "pvguest_bus_test.ko", inside / "pvguest_bus_test.ko")
    back = guest.WORK / "console-back"
    source = build.SOURCES / "devices" / "console" / "console-back.c"
    made = subprocess.run(["gcc", "-Os", "-static", "-nostdlib", "-ffreestanding", "-fno-stack-protector",
                           "-fno-asynchronous-unwind-tables", "-Wall", "-s",
                           "-include", str(build.LINUX / "source/tools/include/nolibc/nolibc.h"),
                           "-o", str(back), str(source), "-lgcc"],
                          capture_output=True, text=True, check=False)
    if made.returncode:
        raise build.BuildError("compiling console-back.c failed: " + made.stderr)
    files.install(back, inside / "console-back")
    return folder


def check(group: ktap.Group) -> None:
    """One group of results for each test."""
    run = guest.Run("xen-domu", "pvguest", guest.command(LIMIT, TESTS), [_folder()],
                    timeout=LIMIT * len(TESTS), options=["--orders", "--no-network"])
    guest.report_all(group, run, TESTS)
    console.check(group)


def vcpu_set(group: ktap.Group) -> None:
    """The tool stack switches vCPUs of a guest that has more than it begins with."""
    folder, _ = _scripts("add-vcpu-set", (f"store/{VCPU_SET}", "lib/bus.sh"))
    words = ["env", f"LONG={os.environ.get('PVGUEST_LONG', '')}", *guest.command(LIMIT, [VCPU_SET])]
    run = guest.Run("xen-domu", "pvguest", words, [folder],
                    timeout=LIMIT, options=["--orders", "--no-network", "--max-vcpus", str(MAX_VCPUS)])
    guest.report_all(group, run, [VCPU_SET])


def balloon(group: ktap.Group) -> None:
    """The tool stack takes memory of a guest and gives it back."""
    folder, _ = _scripts("add-balloon", (f"store/{BALLOON}", "lib/bus.sh"))
    words = ["env", f"LONG={os.environ.get('PVGUEST_LONG', '')}", *guest.command(LIMIT, [BALLOON])]
    run = guest.Run("xen-domu", "pvguest", words, [folder], timeout=LIMIT,
                    options=["--orders", "--no-network"])
    guest.report_all(group, run, [BALLOON])
