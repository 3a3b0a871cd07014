# SPDX-License-Identifier: GPL-2.0-only
"""Counts what the port takes, and what Linux's own port to the same interface takes."""
import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from pvg.base import errors, paths

Part = dict[str, int]       # lines, files and the like, by name

# Parts of mainline's port that serve other kinds of guests, left out to compare like with like.
NOT_PV_GUEST = {"efi.c", "enlighten_hvm.c", "enlighten_pvh.c", "mmu_hvm.c", "platform-pci-unplug.c",
                "smp_hvm.c", "suspend_hvm.c", "vga.c", "grant-table.c", "pmu.c"}
MAINLINE_FRONT_ENDS = ["drivers/block/xen-blkfront.c", "drivers/net/xen-netfront.c",
                       "drivers/tty/hvc/hvc_xen.c"]
# Of drivers/xen what this port has, too: events and time, grants, store, bus, the tool stack's
# orders, the memory balloon. Back ends, the initial domain's devices and the like are left out.
MAINLINE_BUS = ["drivers/xen/balloon.c", "drivers/xen/events", "drivers/xen/features.c",
                "drivers/xen/grant-table.c", "drivers/xen/manage.c", "drivers/xen/mem-reservation.c",
                "drivers/xen/sys-hypervisor.c", "drivers/xen/time.c", "drivers/xen/xenbus"]
NOT_FRONT = {"xenbus_dev_backend.c", "xenbus_probe_backend.c"}
SOURCE = re.compile(r"\.[chS]$")


def lines(path: Path) -> int:
    """Number of lines of the file PATH."""
    with open(path, "rb") as file:
        return sum(1 for _ in file)


def folder(path: Path, leave_out: Collection[str] = ()) -> Part:
    """Lines and files of C and assembly below PATH."""
    return total(path.rglob("*"), leave_out)


def total(entries: Iterable[Path], leave_out: Collection[str] = ()) -> Part:
    """The same of the files ENTRIES."""
    found = [entry for entry in entries if SOURCE.search(entry.name)
             and entry.is_file() and entry.name not in leave_out]
    return {"lines": sum(lines(entry) for entry in found), "files": len(found),
            "largest": max((lines(entry) for entry in found), default=0)}


def patches(path: Path) -> Part:
    """Lines of Linux's own files that the patch series in PATH adds and removes."""
    added = removed = 0
    touched = set()
    series = path / "series"
    if not series.exists():
        raise errors.UsageError(f"{paths.shown(series)} is missing")
    for name in series.read_text().split():
        for line in (path / name).read_text().splitlines():
            if line.startswith("+++ "):
                touched.add(line[4:])
            elif line.startswith("+"):
                added += 1
            elif line.startswith("-") and not line.startswith("---"):
                removed += 1
    return {"added": added, "removed": removed, "files": len(touched)}


def ours(release: str) -> dict[str, Any]:
    """Lines of our port, by part."""
    parts = {"processor, memory, events, time": folder(paths.REPO / "arch/x86/pvguest")}
    for driver in sorted((paths.REPO / "drivers").iterdir()):
        if driver.is_dir():
            parts[f"drivers/{driver.name}"] = folder(driver)
    parts["ABI wrappers"] = folder(paths.REPO / "hypercall-abi/include")
    return {"parts": parts, "patches": patches(paths.REPO / "linux" / release / "patches")}


def mainline(tree: Path) -> dict[str, Any]:
    """The same for Linux's own port in the source TREE, guest parts only."""
    bus = [entry for name in MAINLINE_BUS
           for entry in ((tree / name).rglob("*") if (tree / name).is_dir() else [tree / name])]
    return {"parts": {
        "processor, memory, time": folder(tree / "arch/x86/xen", NOT_PV_GUEST),
        "events, grants, store, bus": total(bus, NOT_FRONT),
        "front ends": total([tree / name for name in MAINLINE_FRONT_ENDS]),
    }}
