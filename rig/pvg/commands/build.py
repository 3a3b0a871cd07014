# SPDX-License-Identifier: GPL-2.0-only
"""pvguest build: makes the kernels that runs need."""
from pvg import kernel, linux_tree, paths

HELP = "build a kernel (Linux with our port, with mainline's, or native)"


def configure(parser):
    """Options of 'pvguest build'."""
    parser.add_argument("--kernel", action="append", choices=[*kernel.NAMES, "all"],
                        help="which one (default: pvguest; may be given more than once); "
                             "-full adds what a distribution's kernel has on")
    parser.add_argument("--linux", default=linux_tree.DEFAULT, choices=linux_tree.releases(),
                        help="Linux release (default: %(default)s)")
    parser.epilog = ("example: pvguest build --kernel mainline\n"
                     "The kernels' files are left in build/kernels/RELEASE/NAME, their objects\n"
                     "in build/linux-RELEASE/NAME.")


def main(args):
    """Build what ARGS name and print where each kernel is."""
    names = args.kernel or ["pvguest"]
    if "all" in names:
        names = kernel.BASES
    for name in names:
        built = kernel.Kernel(name, args.linux)
        built.build()
        print(paths.shown(built.elf))
