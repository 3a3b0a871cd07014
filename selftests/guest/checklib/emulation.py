# SPDX-License-Identifier: MIT
"""Counts page-table writes that the hypervisor had to emulate, by its own trace."""
import json

from checklib import build, guest

COUNTED = "PV_PTWR_EMULATION"
# Loops that build, change and tear down page tables in every way there is.
LOADS = (
    ("process", ("-t", "fork_storm_sees_parents_memory", "-t", "exec_storm",
                 "-t", "exit_group_from_many_threads")),
    ("mappings", ("-f", "faults", "-t", "tables_come_and_go")),
    ("cow", ("-t", "anonymous_private", "-t", "mprotect_against_writers")),
)


def _trace(kernel, folder, words, name):
    """Run WORDS in a guest under the trace; returns the counters, or None, and the run."""
    counts = guest.WORK / f"xentrace-{kernel}-{name}.json"
    counts.unlink(missing_ok=True)
    run = guest.Run("xen-domu", kernel, words, [folder], timeout=400,
                    options=["--xentrace", str(counts)])
    for _ in run:
        pass
    found = json.loads(counts.read_text(encoding="utf-8")) if counts.exists() else None
    return found, run


def check(group, kernel):
    """One result for each load: no emulated write, and a trace that could have shown one."""
    folder = build.programs(kernel)
    for program, arguments in LOADS:
        name = f"{program} makes no emulated page-table write"
        words = [f"{guest.FOLDER}/{program}", *arguments]
        counts, run = _trace(kernel, folder, words, program)
        if counts is None or run.status:
            group.result(False, name, [f"exit status {run.status}"] + run.tail())
            continue
        told = ", ".join(f"{key} {value}" for key, value in sorted(counts.items()) if value)
        group.result(counts.get(COUNTED) == 0 and counts.get("PV_HYPERCALL", 0) > 0, name,
                     [told or "the trace is empty"])
