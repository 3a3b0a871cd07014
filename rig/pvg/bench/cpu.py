# SPDX-License-Identifier: GPL-2.0-only
"""The part of the benchmark that counts instructions of processes' operations on three kernels."""
import collections
import statistics
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pvg.base import errors, files, packages, paths, progress

SOURCE = paths.REPO / "selftests" / "bench" / "ops.c"
HV = {"pvguest": "xen-dom0", "mainline": "xen-dom0", "native": "none"}
BOOTS = {False: 5, True: 1}

# Rows of ops.c, and of the table, in order.
ROWS = {
    "null_call": "null system call",
    "open_close": "open+close",
    "signal": "signal delivery",
    "fork_exit": "fork+exit+wait",
    "fork_exec": "fork+exec+wait",
    "shell": "sh -c",
    "switch_2p_0k": "context switch, 2 processes, 0 KiB",
    "switch_16p_64k": "context switch, 16 processes, 64 KiB",
    "mmap": "mmap 4 MiB, touch every 4th page, munmap",
    "fault_shared": "shared file page fault",
    "fault_anonymous": "anonymous page fault",
    "fault_to_handler": "protection fault to handler",
    "mprotect": "mprotect 1 MiB there and back",
    "boot": "power-on to first user program",
}


class Result:
    """Figures of one boot of a kernel.

    rows: instructions by row name; hypercalls: row name -> kind -> calls per operation
    """

    def __init__(self, text: str) -> None:
        self.rows: dict[str, int] = {}
        self.hypercalls: dict[str, dict[str, float]] = collections.defaultdict(dict)
        self.ticks = 0
        for line in text.splitlines():
            words = line.split()
            if words[:1] == ["op"]:
                self.rows[words[1]] = int(words[2])
            elif words[:1] == ["boot"]:
                self.rows["boot"] = int(words[1])
            elif words[:1] == ["ticks_per_us"]:
                self.ticks = int(words[1])
            elif words[:1] == ["hypercalls"] and words[2] != "total" and words[3] != "0":
                self.hypercalls[words[1]][words[2]] = int(words[3]) / 1000

    def complaint(self) -> str | None:
        """Why these numbers cannot be used, or None."""
        missing = [name for name in ROWS if name not in self.rows]
        if missing:
            return "no number for " + ", ".join(missing)
        if not 950 <= self.ticks <= 1050:
            return f"the time-stamp counter ran at {self.ticks} MHz, so it counts no instructions"
        return None


def _program() -> Path:
    """Build ops.c; returns the folder that is added to the guest."""
    folder = paths.BUILD / "bench" / "add"
    target = folder / "bench" / "ops"
    stamp = paths.BUILD / "bench" / "stamp"
    expected = files.digest([SOURCE], [])
    if not target.exists() or files.read_text(stamp).strip() != expected:
        packages.require(packages.FOR_KERNEL)
        target.parent.mkdir(parents=True, exist_ok=True)
        built = subprocess.run(["gcc", "-static", "-O2", "-s", "-Wall", "-D_GNU_SOURCE",
                                "-o", str(target), str(SOURCE)], check=False)
        if built.returncode:
            raise errors.RigError(f"compiling {paths.shown(SOURCE)} failed")
        files.write_atomically(stamp, expected + "\n")
    return folder


def _run(kernel: str, options: Sequence[str], *command: str) -> tuple[str, float]:
    """Boot KERNEL and run COMMAND; returns its output and the seconds until its first byte."""
    words = [str(paths.REPO / "pvguest"), "run", "--hv", HV[kernel], "--kernel", kernel,
             "--add", str(_program()), "--timeout", "300", *options, "--", *command]
    start = time.monotonic()
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert process.stdout
    try:
        first = process.stdout.read(1)
        seconds = time.monotonic() - start
        text = (first + process.stdout.read()).decode("utf-8", "replace")
    finally:
        if process.poll() is None:
            process.terminate()
        status = process.wait()
    if status:
        error = errors.RigError(f"the benchmark did not run on {kernel} (exit status {status})")
        error.status = status
        raise error
    return text, seconds


def _measure(kernels: Sequence[str], boots: int, options: Sequence[str]) \
        -> tuple[dict[str, list[Result]], dict[str, list[float]]]:
    """Boot each kernel BOOTS times; returns kernel -> list of Result, kernel -> list of seconds."""
    results: dict[str, list[Result]] = collections.defaultdict(list)
    walls: dict[str, list[float]] = collections.defaultdict(list)
    line = progress.Line(f"benchmark, {boots} boot{'s' if boots > 1 else ''} of each kernel",
                         2 * boots * len(kernels))
    done = 0
    with line.beside_others():
        for _ in range(boots):
            # Kernels take turns, so that a change of the host's load meets all of them.
            for kernel in kernels:
                text, _ = _run(kernel, [*options, "--icount"], "/bench/ops")
                result = Result(text)
                complaint = result.complaint()
                if complaint:
                    raise errors.RigError(f"{kernel}: {complaint}")
                results[kernel].append(result)
                _, seconds = _run(kernel, options, "/bench/ops", "null_call")
                walls[kernel].append(seconds)
                done += 2
                line.update(done, kernel)
    line.finish()
    return results, walls


def _table(kernels: Sequence[str], numbers: Mapping[str, Mapping[str, float]],
           walls: Mapping[str, float]) -> Iterator[str]:
    """The lines of the table of instructions."""
    def cells(values: Mapping[str, float], form: str) -> list[str]:
        texts = [form.format(values[kernel]) for kernel in kernels]
        for over, under in (("pvguest", "mainline"), ("pvguest", "native")):
            if over in kernels and under in kernels:
                texts.append(f"{values[over] / values[under]:.2f}" if values[under] else "-")
        return texts

    head = ["instructions per operation", *kernels]
    head += [f"pvguest/{under}" for under in ("mainline", "native")
             if under in kernels and "pvguest" in kernels]
    rows = [head]
    for name, title in ROWS.items():
        rows.append([title, *cells({k: numbers[k][name] for k in kernels}, "{}")])
    rows.append(["command to first user program (wall, s)", *cells(walls, "{:.1f}")])
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    for row in rows:
        yield row[0].ljust(widths[0]) + "".join(
            "  " + cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))


def _hypercalls(kernel: str, hypercalls: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    """The lines about KERNEL's hypercalls per operation."""
    yield f"hypercalls per operation, {kernel}"
    for name, title in ROWS.items():
        kinds = hypercalls.get(name)
        if kinds:
            detail = ", ".join(f"{kind} {count:g}" for kind, count in
                               sorted(kinds.items(), key=lambda item: -item[1]))
            yield f"  {title}: {sum(kinds.values()):g} ({detail})"


def measure(kernels: Sequence[str], quick: bool, options: Sequence[str]) -> dict[str, Any]:
    """Measure operations of processes; prints the tables and returns all numbers."""
    boots = BOOTS[quick]
    results, walls = _measure(kernels, boots, options)
    numbers: dict[str, dict[str, int]] = {}
    hypercalls: dict[str, dict[str, dict[str, float]]] = {}
    wall: dict[str, float] = {}
    for kernel in kernels:
        numbers[kernel] = {name: round(statistics.median(r.rows[name] for r in results[kernel]))
                           for name in ROWS}
        # The calls of one boot: they hardly differ between boots.
        hypercalls[kernel] = results[kernel][-1].hypercalls
        wall[kernel] = round(statistics.median(walls[kernel]), 2)
    print("\n".join(_table(kernels, numbers, wall)))
    for kernel in kernels:
        if hypercalls[kernel]:
            print()
            print("\n".join(_hypercalls(kernel, hypercalls[kernel])))
    return {"boots": boots, "instructions": numbers, "wall_seconds": wall,
            "hypercalls": hypercalls}
