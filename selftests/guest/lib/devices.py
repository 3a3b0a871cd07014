# SPDX-License-Identifier: MIT
"""Tests of block and network devices: scripts in the guest that control the back ends too."""
import os
import subprocess
from collections.abc import Collection, Sequence
from pathlib import Path

from pvg.base import files, ktap, tools

from lib import build, guest

FOLDERS = [build.SOURCES / name for name in
           ("devices/lib", "devices/block", "devices/network", "hostile")]
GROUPS: dict[str, tuple[str, ...]] = {
    # The last one leaves a disk of the number that the others use.
    "block": ("block-features.sh", "block-disks.sh", "block-failures.sh", "block-plug.sh",
              "block-pages.sh", "block-invalid.sh"),
    # In a boot of its own: it takes the numbers of the other scripts' disks.
    "many": ("block-many.sh",),
    "network": ("network-traffic.sh", "network-xdp.sh", "network-failures.sh",
                "network-invalid.sh"),
    "pair": ("network-pair.sh",),
    "hostile": ("hostile-block.sh", "hostile-network.sh", "hostile-flood.sh"),
}
# Seconds for one script, in short and in full: for what hangs, as each wait in it has a limit.
LIMITS = {False: 3600, True: 6 * 3600}
_TOOLS = {"block": ("e2fsck", "fio", "mke2fs"), "many": ("e2fsck",), "network": ("iperf3",), "pair": ("iperf3",),
          "hostile": ("mke2fs",)}
# A feature that mainline's front ends use only with this option.
_MAINLINE = "xen_blkfront.max_ring_page_order=4"


def folder() -> Path:
    """The folder with the scripts and their programs."""
    out = guest.WORK / "add-io"
    inside = out / guest.FOLDER.lstrip("/")
    for script in (path for each in FOLDERS for path in each.glob("*.sh")):
        files.install(script, inside / script.name)
    files.install(build.RUNNER, inside / "run-in-guest")
    for source in (path for each in FOLDERS[1:3] for path in each.glob("*.c")):
        # The host may lack headers of what the guest's kernel has, such as linux/netdev.h.
        made = subprocess.run(["gcc", "-O2", "-Wall", "-static", "-s", "-idirafter",
                               str(build.LINUX / "source/include/uapi"), "-o",
                               str(inside / source.stem), str(source)], check=False)
        if made.returncode:
            raise build.BuildError(f"compiling {source} failed")
    build.make("check-guest-hostile.log", "-C", str(build.SOURCES / "hostile"), f"OUTPUT={guest.WORK}")
    files.install(guest.WORK / "hostile", inside / "hostile")
    return out


def _boot(kernel: str, name: str, scripts: Sequence[str],
          options: Sequence[str]) -> guest.Run:
    """The run of the SCRIPTS of the group NAME."""
    long = bool(os.environ.get("PVGUEST_LONG"))
    words = ["env", f"LONG={'1' if long else ''}", *guest.command(LIMITS[long], scripts)]
    if kernel == "mainline":
        options = [*options, "--append", _MAINLINE]
    return guest.Run("xen-domu", kernel, words, [folder(), tools.folder_with(_TOOLS[name])], vcpus=2,
                     timeout=LIMITS[long] * len(scripts), options=options)


def check(group: ktap.Group, kernel: str, name: str,
          scripts: Collection[str] | None = None) -> None:
    """Run the scripts of the group NAME, or those of them in SCRIPTS, in one boot."""
    chosen = [s for s in GROUPS[name] if not scripts or s.removesuffix(".sh") in scripts]
    if not chosen:
        return
    run = _boot(kernel, name, chosen, ["--orders"])
    guest.report_all(group, run, chosen)


def pair(group: ktap.Group, kernel: str) -> None:
    """Run the scripts for two guests at once; each line that they print begins with their name."""
    chosen = GROUPS["pair"]
    run = _boot(kernel, "pair", chosen, ["--guests", "2"])
    lines = run.lines()
    for name in ("guest1", "guest2"):
        inner = group.group(name)
        for program in guest.programs((line.partition(": ")[2] for line in lines
                                       if line.startswith(name + ": ")), chosen):
            guest.report(inner, program)
        inner.close()
    guest.report_end(group, run)
