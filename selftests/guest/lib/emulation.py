# SPDX-License-Identifier: MIT
"""Counts page-table writes that the hypervisor emulated, by its own trace."""
import json
from collections.abc import Sequence
from pathlib import Path

from pvg.base import ktap

from lib import build, guest

COUNTED = "PV_PTWR_EMULATION"
# Loops that build, change and free page tables in every way.
LOADS = (
    ("process", ("-t", "fork_storm_sees_parents_memory", "-t", "exec_storm",
                 "-t", "exit_group_from_many_threads")),
    ("mappings", ("-f", "faults", "-t", "tables_come_and_go")),
    ("cow", ("-t", "anonymous_private", "-t", "mprotect_against_writers")),
)


def _trace(kernel: str, folder: Path, words: Sequence[str],
           name: str) -> tuple[dict[str, int] | None, guest.Run]:
    """Run WORDS in a guest under the trace; returns the counters, or None, and the run."""
    counts = guest.WORK / f"xentrace-{kernel}-{name}.json"
    counts.unlink(missing_ok=True)
    run = guest.Run("xen-domu", kernel, words, [folder], timeout=7200,
                    options=["--xentrace", str(counts)])
    run.lines()
    found = json.loads(counts.read_text(encoding="utf-8")) if counts.exists() else None
    return found, run


def check(group: ktap.Group, kernel: str) -> None:
    """One result for each load: no emulated write, and a trace that could have shown one."""
    folder = build.programs(kernel)
    for program, arguments in LOADS:
        name = f"{program} makes no emulated page-table write"
        words = [f"{guest.FOLDER}/{program}", *arguments]
        counts, run = _trace(kernel, folder, words, program)
        if counts is None or run.status:
            group.result(False, name, [f"exit status {run.status}"] + run.tail())
            continue
        listed = ", ".join(f"{key} {value}" for key, value in sorted(counts.items()) if value)
        group.result(counts.get(COUNTED) == 0 and counts.get("PV_HYPERCALL", 0) > 0, name,
                     [listed or "the trace is empty"])
