# SPDX-License-Identifier: GPL-2.0-only
"""pvguest build: makes the kernels that runs need."""
import argparse

from pvg.base import paths, releases
from pvg.kernel import build

HELP = "build a kernel (Linux with our port, with mainline's, or native)"


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of 'pvguest build'."""
    parser.add_argument("--kernel", action="append", choices=[*build.NAMES, "all"],
                        help="which one (default: pvguest; may be given more than once): pvguest "
                             "is Linux with our port, mainline with Linux's own, native with none; "
                             "-full adds what a distribution's kernel has on, -debug the port's "
                             "checks of itself, -checks those and Linux's; "
                             f"all: {', '.join(build.BASES)}")
    parser.add_argument("--linux", default=releases.default(), choices=releases.names(),
                        help="Linux release (default: %(default)s)")
    parser.epilog = ("example: ./pvguest build --kernel mainline\n"
                     "The kernels' files are left in build/kernels/RELEASE/NAME, their objects\n"
                     "in build/linux-RELEASE/NAME.")


def main(args: argparse.Namespace) -> int:
    """Build what ARGS name and print where each kernel is."""
    names = args.kernel or ["pvguest"]
    if "all" in names:
        names = list(build.BASES)
    for name in names:
        built = build.Kernel(name, args.linux)
        built.build()
        print(paths.shown(built.elf))
    return 0
