# SPDX-License-Identifier: GPL-2.0-only
"""pvguest run: boots a guest, runs a command in it, brings back its output and exit status."""
import os
import sys
import tempfile
from pathlib import Path

from pvg import (debian, disks, errors, hv, initramfs, kernel, linux_tree,
                 network, paths, session, xentrace)

HELP = "boot a guest and run a command in it, or a shell"
TAKES_COMMAND = True    # words after "--" arrive as args.command


def _positive(text):
    value = int(text)
    if value <= 0:
        raise ValueError(text)
    return value


_positive.__name__ = "positive number"


def configure(parser):
    """Options of 'pvguest run'."""
    add = parser.add_argument
    add("--hv", choices=hv.NAMES, default="xen-domu",
        help="where the guest runs: as an ordinary guest of Xen, as its initial domain, or "
             "natively (default: %(default)s)")
    add("--kernel", choices=kernel.NAMES,
        help="which kernel (default: pvguest; native with --hv none)")
    add("--linux", default=linux_tree.DEFAULT, choices=linux_tree.releases(),
        help="Linux release (default: %(default)s)")
    add("--image", metavar="FILE", help="a kernel file of your own instead of the built one")
    add("--no-build", action="store_true", help="take the last kernel built, as it is")
    add("--bzimage", action="store_true", help="boot the compressed kernel, not the ELF file")
    add("--vcpus", type=_positive, default=1, metavar="N", help="virtual CPUs (default: 1)")
    add("--memory", type=_positive, metavar="MIB",
        help=f"memory of the guest (default: 256; {debian.MEMORY_MIB} with --root debian)")
    add("--add", action="append", default=[], metavar="DIR",
        help="DIR's files appear at the same paths in the guest")
    add("--disk", action="append", default=[], metavar=disks.SYNTAX,
        help="a disk of the guest, raw or qcow2 (xvda, xvdb...; vda... with --hv none), which it "
             "may write; WORDs: see below")
    add("--root", choices=("initramfs", "debian"), default="initramfs",
        help="the guest's root file system (default: %(default)s); what is written to debian "
             "is forgotten afterwards")
    add("--no-network", action="store_true", help="no network interface")
    add("--vifs", type=_positive, choices=range(1, network.BRIDGES + 1), metavar="N",
        help=f"network interfaces, each on a bridge of its own (default: 1; at most "
             f"{network.BRIDGES})")
    add("--guests", type=_positive, choices=range(1, network.GUESTS + 1), default=1, metavar="N",
        help="boot N guests at once and run COMMAND in each, with PVGUEST_NUMBER (from 1) and "
             "PVGUEST_COUNT in its environment; each line of output begins with the guest's name")
    add("--orders", action="store_true",
        help="for tests: the program 'control' in the guest has its words carried out as a shell "
             "command in the control domain")
    add("--accel", choices=("tcg", "kvm"), default="tcg", help="emulate, or use the processor")
    add("--xen", metavar="FILE", help="a hypervisor of your own instead of Debian's")
    add("--icount", action="store_true", help="virtual time counts instructions: 1 ns each")
    add("--timeout", type=_positive, metavar="S",
        help="seconds until the guest is ended with exit status 124 (default: 600; none for a "
             "shell)")
    add("--log", metavar="FILE", help="where everything but the command's output goes")
    add("--xentrace", metavar="FILE",
        help="count the hypervisor's entries while COMMAND runs; a JSON object (xen-domu)")
    add("--append", default="", metavar="WORDS", help="more words on the guest's command line")
    parser.usage = "pvguest run [OPTION]... [-- COMMAND [ARGUMENT]...]"
    parser.epilog = (
        "example: pvguest run --hv xen-dom0 --add build/tests -- /tests/fork_storm 100\n"
        "The command's standard output and standard error come out as ours; its standard\n"
        "input is empty. Exit status: the command's; 124: timeout; 125: the rig or the build\n"
        "failed; 126: the guest crashed or never came up.\n\nWORDs of --disk:\n"
        + "\n".join(f"  {word:9}{text}" for word, text in disks.WORDS.items()))


class Options:
    """The command line with its defaults filled in and its files checked."""

    def __init__(self, args, folder):
        self.__dict__.update(vars(args))
        self.folder = folder
        self.kernel = args.kernel or ("native" if args.hv == "none" else "pvguest")
        self._disk_requests = disks.requests(args.disk, args.guests)
        self.vifs = 0 if args.no_network or args.hv == "xen-dom0" else args.vifs or 1
        self.image_file = self._file(args.image, "--image") if args.image else None
        if args.xen:
            if args.hv != "xen-dom0":
                raise errors.UsageError("--xen needs --hv xen-dom0: Debian's tool stack of the "
                                        "control domain fits only Debian's hypervisor")
            self.xen = self._file(args.xen, "--xen")
        for path in args.add:
            if not os.path.isdir(path):
                raise errors.UsageError(f"--add {path}: no such folder")
        if args.xentrace and (args.hv != "xen-domu" or args.icount or args.vcpus > 1
                              or not args.command):
            raise errors.UsageError("--xentrace needs --hv xen-domu, one virtual CPU, no --icount "
                                    "and a COMMAND")
        if args.orders and (args.hv != "xen-domu" or not args.command):
            raise errors.UsageError("--orders needs --hv xen-domu, where there is a control domain,"
                                    " and a COMMAND")
        if args.guests > 1 and (args.hv != "xen-domu" or not args.command or args.xentrace):
            raise errors.UsageError("--guests needs --hv xen-domu, a COMMAND and no --xentrace")
        self.debian = args.root == "debian"
        if self.debian and args.hv == "xen-dom0":
            raise errors.UsageError("--root debian needs --hv xen-domu or none: an initial domain "
                                    "has no back end for its disk")
        self.memory = args.memory or (debian.MEMORY_MIB if self.debian else 256)
        if self.debian:
            self.append = f"{debian.APPEND} {args.append}".strip()
        if args.icount and args.vcpus > 1:
            raise errors.UsageError("--icount counts on one CPU: leave --vcpus out")

    @staticmethod
    def _file(path, option):
        if not os.path.isfile(path):
            raise errors.UsageError(f"{option} {path}: no such file")
        return Path(path).resolve()

    def kernel_file(self):
        """Path of the kernel to boot, built if need be."""
        if self.image_file:
            return self.image_file
        built = kernel.Kernel(self.kernel, self.linux)
        if self.no_build:
            if not built.elf.exists():
                raise errors.UsageError(f"--no-build: kernel {self.kernel} was never built; "
                                        f"run: pvguest build --kernel {self.kernel}")
        else:
            built.build()
        # Without a hypervisor only the compressed file has an entry that the emulator knows.
        return built.bzimage if self.bzimage or self.hv == "none" else built.elf

    def disks(self, guest):
        """The disks of GUEST, from 1; copy-on-write files are made."""
        root = [debian.image().writable_copy(self.folder / f"root{guest}")] if self.debian else []
        return root + [request.for_guest(guest, self.guests, self.folder)
                       for request in self._disk_requests]

    def initramfs(self, guest):
        """Contents of the initial RAM file system of GUEST, from 1."""
        prefix = "vd" if self.hv == "none" else "xvd"
        count = len(self._disk_requests) + self.debian
        return initramfs.make(initramfs.Wishes(
            self.command, self.add, hold=bool(self.xentrace), guest=guest, guests=self.guests,
            vifs=self.vifs, disks=[prefix + chr(ord("a") + index) for index in range(count)],
            debian=self.debian))


def main(args):
    """Run the guests that ARGS describe; returns the command's exit status."""
    with tempfile.TemporaryDirectory(prefix="pvguest-") as folder:
        options = Options(args, Path(folder))
        log_path = Path(args.log) if args.log else paths.new_log("run")
        boot = hv.load(options.hv).boot(options)
        if options.debian:
            boot.boot_limit, boot.shutdown_limit = debian.BOOT_LIMIT, debian.SHUTDOWN_LIMIT
        with open(log_path, "wb") as log:
            run = session.Session(boot, log, options.timeout, interactive=not options.command)
            status = run.run()
        if options.xentrace:
            xentrace.write_counts(options.folder / "trace", options.xentrace)
    sys.stdout.flush()
    return status
