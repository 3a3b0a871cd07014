# SPDX-License-Identifier: MIT
"""Tests of what the tool stack does to a guest as a whole, from its creation to its end."""
import os
import shutil
import subprocess
from collections.abc import Collection, Sequence

from pvg.base import files, ktap, tools

from lib import build, guest

# Each has boots of its own, with these kernels and this much memory, MiB: the dump is as large as the guest, and
# the detectors of lockups and hung tasks are in the kernel with Linux's checks only.
SCRIPTS: dict[str, Sequence[tuple[str, int]]] = {
    "life": (("pvguest", 96),),
    "pause": (("pvguest", 256), ("pvguest-checks", 512))}
LIMIT = 3600            # seconds for one of them that hangs
# Of the second guest, whose first program is busybox's init: it says in XenStore that it runs.
_RCS = """#!/bin/sh
mount -t devtmpfs dev /dev
LD_LIBRARY_PATH=/lib/x86_64-linux-gnu xenstore-write data/up 1
"""


def _build(name: str) -> None:
    """A new folder guest.WORK / NAME with the scripts and their program."""
    shutil.rmtree(guest.WORK / name, ignore_errors=True)
    inside = guest.WORK / name / guest.FOLDER.lstrip("/")
    sources = build.SOURCES / "devices"
    for script in (*(sources / f"store/{script}.sh" for script in (*SCRIPTS, "second")), sources / "lib/bus.sh"):
        files.install(script, inside / script.name)
    files.install(build.RUNNER, inside / "run-in-guest")
    tools.install(["xenstore-write"], guest.WORK / name)
    start = guest.WORK / name / "etc/init.d/rcS"
    start.parent.mkdir(parents=True)
    start.write_text(_RCS, encoding="utf-8")
    start.chmod(0o755)
    made = subprocess.run(["gcc", "-O2", "-Wall", "-static", "-s", "-o", str(inside / "pace"),
                           str(sources / "store/pace.c")], capture_output=True, text=True, check=False)
    if made.returncode:
        raise build.BuildError("compiling pace.c failed: " + made.stderr)


def check(group: ktap.Group, chosen: Collection[str] | None = None) -> None:
    """One group of results for each boot of a script, or of those CHOSEN."""
    _build("add-life")
    for script, boots in SCRIPTS.items():
        for kernel, memory in boots if not chosen or script in chosen else ():
            build.kernel(kernel)
            inner = group.group(f"{script}, {kernel}")
            name = f"{script}.sh"
            words = ["env", f"LONG={os.environ.get('PVGUEST_LONG', '')}", *guest.command(LIMIT, [name])]
            run = guest.Run("xen-domu", kernel, words, [guest.WORK / "add-life"], 2, LIMIT,
                            ["--orders", "--no-network", "--memory", str(memory)])
            guest.report_all(inner, run, [name])
            inner.close()
