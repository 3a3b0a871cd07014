# SPDX-License-Identifier: GPL-2.0-only
"""Counts the hypervisor's trace records of one CPU (formats: xen/include/public/trace.h)."""
import collections
import json
import struct
from pathlib import Path

from pvg.base import errors, files

DISK_BYTES = 512 << 20      # sparse; holds a decimal size, a line end and the records
_SIZE_DIGITS = 15
GUEST_CPU = 1

_LOST = 0x0001F001          # records that found the buffer full
_CPU_CHANGE = 0x0001F003    # the records that follow are of another CPU
_FLAG_64 = 0x100            # addresses in the record are 64 bits wide

NAMES = {
    0x201001: "PV_HYPERCALL",
    0x201003: "PV_TRAP",
    0x201004: "PV_PAGE_FAULT",
    0x201005: "PV_FORCED_INVALID_OP",
    0x201006: "PV_EMULATE_PRIVOP",
    0x201007: "PV_EMULATE_4GB",
    0x201008: "PV_MATH_STATE_RESTORE",
    0x201009: "PV_PAGING_FIXUP",
    0x20100A: "PV_GDT_LDT_MAPPING_FAULT",
    0x20100B: "PV_PTWR_EMULATION",
    0x20100C: "PV_PTWR_EMULATION",      # same, with the wider entry of PAE and 64 bits
    0x20100D: "PV_HYPERCALL",           # same, second format
}


def make_disk(path: Path) -> None:
    """Make the empty disk into which the control domain writes the records."""
    with open(path, "wb") as disk:
        disk.truncate(DISK_BYTES)


def records(disk: Path) -> bytes:
    """The raw records on the disk file DISK."""
    with open(disk, "rb") as file:
        head = file.read(_SIZE_DIGITS + 1)
        if not head[:_SIZE_DIGITS].isdigit():
            raise errors.RigError("the control domain wrote no trace")
        return file.read(int(head))


def count(data: bytes, cpu: int = GUEST_CPU) -> dict[str, int]:
    """Counter of the names of records in DATA that CPU made; "LOST" counts lost ones."""
    found = collections.Counter({name: 0 for name in NAMES.values()})
    found["LOST"] = 0
    current = None
    at = 0
    while at + 4 <= len(data):
        head, = struct.unpack_from("<I", data, at)
        event, extra, cycles = head & 0x0FFFFFFF, head >> 28 & 7, head >> 31
        body = at + 4 + 8 * cycles
        at = body + 4 * extra
        if at > len(data):
            break
        if event == _CPU_CHANGE:
            current, = struct.unpack_from("<i", data, body)
        elif current == cpu and event == _LOST:
            found["LOST"] += struct.unpack_from("<I", data, body)[0]
        elif current == cpu:
            plain = event & ~_FLAG_64
            found[NAMES.get(plain, f"{plain:#x}")] += 1
    return found


def write_counts(disk: Path, path: Path) -> None:
    """Write what the disk file DISK counts as a JSON object into the file PATH."""
    files.write_atomically(path, json.dumps(count(records(disk)), indent=1) + "\n")
