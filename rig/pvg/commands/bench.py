# SPDX-License-Identifier: GPL-2.0-only
"""pvguest bench: instructions per operation of our kernel, mainline's port and native Linux."""
import argparse
import json
import sys
from typing import Any

from pvg.base import arguments, errors, files, releases
from pvg.bench import cpu, io
from pvg.kernel import build

HELP = "count instructions per operation on three kernels, side by side"

GROUPS = {"cpu": "operations of processes", "io": "disks and networks of ordinary guests"}


def _kernels(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in cpu.HV:
            raise argparse.ArgumentTypeError(f"no kernel '{name}'; there are: {', '.join(cpu.HV)}")
    return names


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of 'pvguest bench'."""
    add = parser.add_argument
    add("group", nargs="*", metavar="GROUP",
        help="measurements: " + " or ".join(f"{name} ({what})" for name, what in
                                            GROUPS.items()) + "; default: both")
    add("--quick", action="store_true",
        help=f"one boot of each kernel instead of the median of {cpu.BOOTS[False]} (cpu) or "
             f"{io.BOOTS[False]} (io), and of io a tenth of the work")
    add("--json", type=arguments.result_file, metavar="FILE", help="write all numbers there as well")
    add("--kernels", type=_kernels, default=list(cpu.HV), metavar="NAME,...",
        help="which kernels, with commas between them (default: " + ",".join(cpu.HV) + ")")
    add("--linux", default=releases.default(), choices=releases.names(),
        help="Linux release (default: %(default)s)")
    add("--no-build", action="store_true", help="take the last kernels built, as they are")
    parser.epilog = ("example: ./pvguest bench --quick --json bench.json\n"
                     "The tables are the output. Virtual time counts instructions (QEMU's -icount), so\n"
                     "the host's load does not matter, but for the wall-clock row.\n"
                     "docs/benchmarks.md explains each row.")


def main(args: argparse.Namespace) -> int:
    """Run the benchmark and print its tables; it judges nothing."""
    for name in args.group:
        if name not in GROUPS:
            raise errors.UsageError(f"no group '{name}'; there are: {', '.join(GROUPS)}")
    chosen = args.group or list(GROUPS)
    if chosen == ["io"] and not set(args.kernels) & set(io.KERNELS):
        raise errors.UsageError(f"--kernels {','.join(args.kernels)}: group io measures "
                                f"{' and '.join(io.KERNELS)}")
    if args.no_build:
        for name in args.kernels:
            if "cpu" in chosen or name in io.KERNELS:
                build.Kernel(name, args.linux).require_built()
    options = ["--linux", args.linux] + (["--no-build"] if args.no_build else [])
    found: dict[str, Any] = cpu.measure(args.kernels, args.quick, options) if "cpu" in chosen else {}
    if "io" in chosen:
        if found:
            print()
        found["io"] = io.measure(args.kernels, args.quick, options)
        print("\n".join(io.table(found["io"])))
    sys.stdout.flush()
    if args.json:
        files.write_atomically(args.json, json.dumps(found, indent=1) + "\n")
    return 0
