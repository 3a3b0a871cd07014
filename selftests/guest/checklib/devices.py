# SPDX-License-Identifier: MIT
"""Tests of block and network devices: scripts in the guest that give orders to the back ends."""
import os
import subprocess

from checklib import build, guest, tools

SCRIPTS = build.SOURCES / "io"
GROUPS = {
    "block": ("block-features.sh", "block-disks.sh", "block-failures.sh", "block-nonsense.sh"),
    "network": ("network-traffic.sh", "network-xdp.sh", "network-failures.sh",
                "network-nonsense.sh"),
    "pair": ("network-pair.sh",),
    "hostile": ("hostile-block.sh", "hostile-network.sh"),
}
LIMITS = {False: 900, True: 10800}      # seconds for one script: in short, and in full
_TOOLS = {"block": ("e2fsck", "fio", "mke2fs"), "network": ("iperf3",), "pair": ("iperf3",),
          "hostile": ()}
# What mainline's front ends do not use unless told to.
_MAINLINE = "xen_blkfront.max_ring_page_order=4"


def folder():
    """The folder with the scripts and their programs."""
    out = guest.WORK / "add-io"
    inside = out / guest.FOLDER.lstrip("/")
    for script in SCRIPTS.glob("*.sh"):
        build.install(script, inside / script.name)
    build.install(build.SOURCES / "run-in-guest", inside / "run-in-guest")
    for source in SCRIPTS.glob("*.c"):
        made = subprocess.run(["gcc", "-O2", "-Wall", "-static", "-s", "-o",
                               str(inside / source.stem), str(source)], check=False)
        if made.returncode:
            raise build.BuildError(f"compiling {source} failed")
    build.make("check-hostile.log", "-C", str(build.SOURCES / "hostile"), f"OUTPUT={guest.WORK}")
    build.install(guest.WORK / "hostile", inside / "hostile")
    return out


def _boot(kernel, name, wanted, options):
    """The run of the scripts WANTED of the group NAME."""
    long = bool(os.environ.get("PVGUEST_LONG"))
    words = ["env", f"LONG={'1' if long else ''}", *guest.command(LIMITS[long], wanted)]
    if kernel == "mainline":
        options = [*options, "--append", _MAINLINE]
    return guest.Run("xen-domu", kernel, words, [folder(), tools.folder(_TOOLS[name])], vcpus=2,
                     timeout=LIMITS[long] * len(wanted), options=options)


def _end(group, run):
    if run.status:
        group.result(False, "the guest ends well", [f"exit status {run.status}"] + run.tail())


def check(group, kernel, name, scripts=None):
    """Run the scripts of the group NAME, or those of them in SCRIPTS, in one boot."""
    wanted = [s for s in GROUPS[name] if not scripts or s.removesuffix(".sh") in scripts]
    if not wanted:
        return
    run = _boot(kernel, name, wanted, ["--orders"])
    for program in guest.programs(run, wanted):
        guest.report(group, program)
    _end(group, run)


def pair(group, kernel):
    """Run the scripts for two guests at once; each line that they print begins with their name."""
    wanted = GROUPS["pair"]
    run = _boot(kernel, "pair", wanted, ["--guests", "2"])
    lines = list(run)
    for name in ("guest1", "guest2"):
        inner = group.group(name)
        for program in guest.programs((line.partition(": ")[2] for line in lines
                                       if line.startswith(name + ": ")), wanted):
            guest.report(inner, program)
        inner.close()
    _end(group, run)
