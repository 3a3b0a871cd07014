# SPDX-License-Identifier: GPL-2.0-only
"""The part of the benchmark that measures disks and networks of ordinary guests."""
import collections
import statistics
import subprocess
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from pvg.base import errors, paths, progress, tools

Row = dict[str, float]      # column -> value

KERNELS = ("pvguest", "mainline")
SCRIPTS = paths.REPO / "selftests" / "bench" / "io-folder"
BOOTS = {False: 3, True: 1}

# Rows of io.sh, and of the table, in order; of the second kind from a boot of two guests.
ROWS = {
    "read_4k_qd1": "random 4 KiB read, depth 1",
    "write_4k_qd1": "random 4 KiB write, depth 1",
    "read_128k_qd1": "sequential 128 KiB read, depth 1",
    "write_128k_qd1": "sequential 128 KiB write, depth 1",
    "read_4k_qd32": "random 4 KiB read, depth 32",
    "write_4k_qd32": "random 4 KiB write, depth 32",
    "read_128k_qd32": "sequential 128 KiB read, depth 32",
    "write_128k_qd32": "sequential 128 KiB write, depth 32",
    "tcp_send": "TCP to the control domain, per MiB",
    "tcp_send_window": "the same, windows of 416 KiB",
    "tcp_receive": "TCP from the control domain, per MiB",
    "udp_send_64": "UDP of 64 bytes sent, per packet",
    "udp_receive_64": "UDP of 64 bytes received, per packet",
}
PAIR_ROWS = {"tcp_guest_to_guest": "TCP from guest to guest, per MiB"}
TITLES = {**ROWS, **PAIR_ROWS}
COLUMNS = ("instructions", "notifications", "events")
LIMIT = 1800            # seconds of this machine for one boot; the guest's are instructions


def _folders() -> tuple[list[str | Path], str]:
    """The folders to add to the guest: the tests' helpers with our own script, and its tools."""
    made = subprocess.run([str(SCRIPTS)], stdout=subprocess.PIPE, text=True, check=False)
    if made.returncode:
        raise errors.RigError(f"{paths.shown(SCRIPTS)} failed (exit status {made.returncode})")
    folder, script = made.stdout.splitlines()
    return [folder, tools.folder_with(("fio", "iperf3"))], script


def parse(text: str) -> dict[str, Row]:
    """Row name -> column -> value, of what io.sh prints (also behind the name of a guest)."""
    found = {}
    for line in text.splitlines():
        words = line.split()
        if "op" in words:
            name, *values = words[words.index("op") + 1:]
            found[name] = dict(zip(COLUMNS, (int(value) / 1e6 for value in values)))
    return found


def _run(kernel: str, folders: Sequence[str | Path], options: Sequence[str],
         command: Sequence[str], expected: Collection[str]) -> dict[str, Row]:
    words = [str(paths.REPO / "pvguest"), "run", "--hv", "xen-domu", "--kernel", kernel,
             "--icount", "--timeout", str(LIMIT), *options]
    for folder in folders:
        words += ["--add", str(folder)]
    done = subprocess.run([*words, "--", *command], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, text=True, check=False)
    found = parse(done.stdout)
    missing = [name for name in expected if name not in found]
    if done.returncode or missing:
        raise errors.RigError(f"the io benchmark gave no {', '.join(missing) or 'result'} on "
                              f"{kernel} (exit status {done.returncode})")
    return found


def measure(kernels: Sequence[str], quick: bool, options: Sequence[str]) \
        -> dict[str, dict[str, Row]]:
    """Kernel -> row -> column -> the median over boots."""
    kernels = [kernel for kernel in kernels if kernel in KERNELS]
    folders, script = _folders()
    results: dict[str, dict[str, list[Row]]] = {
        kernel: collections.defaultdict(list) for kernel in kernels}
    boots, done = BOOTS[quick], 0
    line = progress.Line(f"io benchmark, {boots} boot{'s' if boots > 1 else ''} of each kernel",
                         60 * boots * len(kernels))
    with line.beside_others():
        for _ in range(boots):
            for kernel in kernels:
                found = _run(kernel, folders, [*options, "--orders"], [script, str(int(quick))], ROWS)
                found.update(_run(kernel, folders, [*options, "--guests", "2"],
                                  ["env", "PEER=1", script, str(int(quick))], PAIR_ROWS))
                for name in TITLES:
                    results[kernel][name].append(found[name])
                done += 60
                line.update(done, kernel)
    line.finish()
    return {kernel: {name: {column: statistics.median(one[column] for one in found)
                            for column in COLUMNS} for name, found in rows.items()}
            for kernel, rows in results.items()}


def table(numbers: Mapping[str, Mapping[str, Row]]) -> Iterator[str]:
    """The lines of the table."""
    kernels = list(numbers)
    head = ["per operation"]
    for column in COLUMNS:
        head += [f"{column}, {kernel}" for kernel in kernels]
        if len(kernels) > 1 and column == "instructions":
            head.append("/".join(kernels))
    rows = [head]
    for name, title in TITLES.items():
        row = [title]
        for column in COLUMNS:
            values = [numbers[kernel][name][column] for kernel in kernels]
            form = "{:.0f}" if column == "instructions" else "{:.3f}"
            # Between two guests the control domain cannot be asked.
            known = column != "notifications" or name in ROWS
            row += [form.format(value) if known else "-" for value in values]
            if len(values) > 1 and column == "instructions":
                row.append(f"{values[0] / values[1]:.2f}" if values[1] else "-")
        rows.append(row)
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    for row in rows:
        yield row[0].ljust(widths[0]) + "".join(
            "  " + cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))
