# SPDX-License-Identifier: GPL-2.0-only
"""pvguest run: boots a guest, runs a command in it, brings back its output and exit status."""
import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from pvg.base import arguments, errors, paths, progress, releases
from pvg.kernel import build
from pvg.machine import bochs, disks, emulator, network, xen
from pvg.guest import by_hand, debian, initramfs, limits, methods, plan, session
from pvg.guest.boot import Boot

HELP = "boot a guest and run a command in it, or a shell"
Add = Callable[..., argparse.Action]
_BOOTS = 3              # of guests that the emulator ends while they boot
TAKES_COMMAND = True    # words after "--" arrive as args.command


def _add_guest(add: Add) -> None:
    """Options about the guest: where it runs, and what it has."""
    add("--hv", choices=methods.NAMES,
        help="where the guest runs: as an ordinary guest of Xen, as its initial domain, or "
             "natively (default: xen-domu; xen-dom0 with --emulator bochs)")
    add("--kernel", choices=build.NAMES,
        help="which kernel, as for ./pvguest build (default: pvguest; native with --hv none)")
    add("--linux", default=releases.default(), choices=releases.names(),
        help="Linux release (default: %(default)s)")
    add("--image", type=arguments.file, metavar="FILE",
        help="a kernel file of your own instead of the built one")
    add("--no-build", action="store_true", help="take the last kernel built, as it is")
    add("--bzimage", action="store_true", help="boot the compressed kernel, not the ELF file")
    add("--vcpus", type=arguments.number(1), default=1, metavar="N",
        help="vCPUs (default: 1; at most as many as the kernel was built for)")
    add("--max-vcpus", type=arguments.number(1), metavar="M",
        help="vCPUs that 'xl vcpu-set' can switch on, with those of --vcpus on at first (default: "
             "those; xen-domu only)")
    add("--memory", type=arguments.number(1, unit="MiB"), metavar="MIB",
        help=f"memory of the guest in MiB (default: 256; {debian.MEMORY_MIB} with another --root)")
    add("--add", type=arguments.folder, action="append", default=[], metavar="DIR",
        help="DIR's files appear at the same paths in the guest")
    add("--disk", action="append", default=[], metavar=disks.SYNTAX,
        help="a disk of the guest, raw or qcow2 (xvda, xvdb...; vda... with --hv none), which it "
             "may write; WORDs: see below")
    add("--root", default="initramfs", metavar=f"initramfs|debian|{disks.SYNTAX}",
        help="the guest's root file system (default: %(default)s): one in memory; the rig's Debian, "
             "changes to which are discarded afterwards; or a Debian that was installed on the disk "
             "FILE, which configures its own network")
    add("--no-network", action="store_true", help="no network interface (an initial domain never has one)")
    add("--vifs", type=arguments.number(1, network.BRIDGES), metavar="N",
        help=f"network interfaces, each on a bridge of its own (default: 1; at most "
             f"{network.BRIDGES})")
    add("--guests", type=arguments.number(1, network.GUESTS), default=1, metavar="N",
        help="boot N guests at once and run COMMAND in each, with PVGUEST_NUMBER (from 1) and "
             "PVGUEST_COUNT in its environment; each line of output begins with the guest's name "
             f"(default: 1; at most {network.GUESTS}; xen-domu only)")


def _add_machine(add: Add) -> None:
    """Options about the machine around it, and about the run."""
    add("--orders", action="store_true",
        help="for tests: the program 'control' in the guest runs its arguments as a shell command "
             "in the control domain (xen-domu only)")
    add("--emulator", choices=emulator.NAMES, default=emulator.NAMES[0],
        help="bochs: one whose processors keep translations as silicon does, for --hv xen-dom0; "
             "some ten times slower (default: %(default)s)")
    add("--cpu", metavar="MODEL",
        help=f"the processor that bochs emulates (default: {bochs.CPU}; bochs-bin --help cpu)")
    add("--accel", choices=("tcg", "kvm"), default="tcg",
        help="tcg: emulate; kvm: use this machine's processor (default: %(default)s)")
    add("--xen", type=arguments.file, metavar="FILE",
        help="a hypervisor of your own instead of Debian's (xen-dom0 only)")
    add("--xen-append", default="", metavar="WORDS",
        help="more words on the hypervisor's command line (xen-dom0 only)")
    add("--icount", action="store_true",
        help="virtual time counts instructions: 1 ns each (one vCPU, tcg)")
    add("--timeout", type=arguments.number(1, unit="seconds"), metavar="S",
        help=f"seconds until the guest is ended with exit status 124 (default: 600, or "
             f"{bochs.EMULATOR.boot_limit} with --emulator bochs or another --root; none for a shell)")
    add("--log", type=arguments.log_file, metavar="FILE",
        help="where everything but the command's output goes (default: a new file in build/log)")
    add("--xentrace", type=arguments.result_file, metavar="FILE",
        help="count the hypervisor's entries while COMMAND runs, and write them to FILE as a JSON "
             "object (xen-domu, one vCPU)")
    add("--append", default="", metavar="WORDS", help="more words on the guest's command line")
    add("--show-command", action="store_true",
        help="boot nothing: print the emulator's command line, and leave its files in a folder "
             "under build/by-hand")
    add("--gdb", type=arguments.number(1, 65535), nargs="?", const=by_hand.GDB_PORT,
        metavar="PORT",
        help="stop the machine before its first instruction, or with xen-domu where the control "
             "domain goes on, and wait for gdb at TCP port PORT "
             f"(default: {by_hand.GDB_PORT}) of this machine; there is no time limit but --timeout")


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of 'pvguest run'."""
    _add_guest(parser.add_argument)
    _add_machine(parser.add_argument)
    parser.usage = "./pvguest run [OPTION]... [-- COMMAND [ARGUMENT]...]"
    parser.epilog = (
        "example: ./pvguest run --hv xen-dom0 --vcpus 2 -- cat /proc/interrupts\n"
        "example: ./pvguest run --root debian --memory 1024\n"
        "Without COMMAND there is a shell, whose terminal has the size of this one at the start;\n"
        "after a change type 'stty rows N columns N' there.\n"
        "The command's standard output and standard error come out as ours; its standard\n"
        "input is empty. Exit status: the command's; 2: wrong usage; 124: timeout; 125: the rig\n"
        "or the build failed; 126: the guest crashed or never came up.\n\nWORDs of --disk and --root:\n"
        + "\n".join(f"  {word:9}{text}" for word, text in disks.WORDS.items()))


def _check(args: argparse.Namespace, method: methods.Method) -> None:
    """Complain about options that do not go together, before anything is built."""
    in_bochs = args.emulator == "bochs"
    if in_bochs and (args.hv != "xen-dom0" or args.accel != "tcg" or args.icount):
        raise errors.UsageError("--emulator bochs needs --hv xen-dom0, and neither --accel nor "
                                "--icount")
    if args.cpu and not in_bochs:
        raise errors.UsageError("--cpu needs --emulator bochs")
    if in_bochs and args.gdb is not None:
        raise errors.UsageError("--gdb needs --emulator qemu; Bochs has a debugger of its own")
    if in_bochs:
        bochs.check_model(args.cpu or bochs.CPU)
    name = args.kernel or method.kernels[0]
    if name not in method.kernels:
        raise errors.UsageError(f"--hv {args.hv} cannot run kernel {name}; {method.instead}")
    if (args.disk or _on_disk(args)) and not method.disk_prefix:
        what = "--disk" if args.disk else f"--root {args.root}"
        raise errors.UsageError(f"{what} needs --hv xen-domu or none: an initial domain has no "
                                "back end for disks")
    if args.vifs and args.no_network:
        raise errors.UsageError("--vifs and --no-network exclude each other")
    if args.vifs and not method.vifs:
        raise errors.UsageError(f"--vifs: a guest on {args.hv} has no network interface")
    if args.xen and not method.own_xen:
        raise errors.UsageError("--xen needs --hv xen-dom0: Debian's tool stack of the "
                                "control domain fits only Debian's hypervisor")
    if args.xen_append and not method.own_xen:
        raise errors.UsageError("--xen-append needs --hv xen-dom0: a control domain is resumed "
                                "with the hypervisor that it was booted on")
    several = max(args.vcpus, args.max_vcpus or 1) > 1
    if args.xentrace and (not method.tool_stack or args.icount or several or not args.command):
        raise errors.UsageError("--xentrace needs --hv xen-domu, one vCPU, no --icount "
                                "and a COMMAND")
    if args.orders and not (method.tool_stack and args.command):
        raise errors.UsageError("--orders needs --hv xen-domu, where there is a control domain,"
                                " and a COMMAND")
    if args.guests > 1:
        lacks = [what for what, is_there in (("--hv xen-domu", method.tool_stack),
                                             ("a COMMAND behind '--'", args.command),
                                             ("no --xentrace", not args.xentrace)) if not is_there]
        if lacks:
            raise errors.UsageError(f"--guests {args.guests} needs {' and '.join(lacks)}")
    if args.max_vcpus and not method.tool_stack:
        raise errors.UsageError("--max-vcpus needs --hv xen-domu, where a tool stack switches vCPUs")
    if args.icount and several:
        raise errors.UsageError("--icount counts on one CPU: leave --vcpus and --max-vcpus out")
    if args.gdb is not None and not in_bochs:
        by_hand.check_port(args.gdb)
    if args.show_command and (args.xentrace or args.orders or args.gdb is not None):
        raise errors.UsageError("--show-command leaves out what --xentrace, --orders and --gdb "
                                "need the rig for; add -s -S to its words for gdb")
    emulator.load(args.emulator).check(args.accel, args.icount)
    _check_size(args, method)


def _check_size(args: argparse.Namespace, method: methods.Method) -> None:
    """Complain about a guest that is too large or too small."""
    limits.check_arguments(args.append, "--append")
    limits.check_arguments(args.xen_append, "--xen-append")
    if args.image:
        _check_image(Path(args.image))
    limits.check_memory(_memory(args), args.guests, method, args.add, bool(args.image))
    limits.check_vcpus(args.vcpus, method, emulator.load(args.emulator), _cpus(args, method),
                       args.max_vcpus)


def _cpus(args: argparse.Namespace, method: methods.Method) -> int | None:
    """How many processors the kernel can use that is to be booted; None if that is not known."""
    if args.image:
        return limits.kernel_cpus(Path(args.image))
    built = _built(args, method)
    if not args.no_build:
        return built.cpus()
    built.require_built()
    return limits.kernel_cpus(built.elf)


def _memory(args: argparse.Namespace) -> int:
    """MiB of each guest."""
    return int(args.memory or (debian.MEMORY_MIB if _on_disk(args) else 256))


def _on_disk(args: argparse.Namespace) -> bool:
    """Whether the guest's root file system is on its first disk."""
    return bool(args.root != "initramfs")


def _check_image(path: Path) -> None:
    """Refuse a file that neither the hypervisor nor its tool stack takes for a kernel."""
    with open(path, "rb") as file:
        head = file.read(0x206)
    if not head.startswith((b"\x7fELF", b"\x1f\x8b")) and head[0x202:0x206] != b"HdrS":
        raise errors.UsageError(f"--image {path}: no kernel: neither an ELF file, compressed or not, "
                                "nor a bzImage")


def _built(args: argparse.Namespace, method: methods.Method) -> build.Kernel:
    """The kernel that is to be booted unless it is a file of the user's own."""
    return build.Kernel(args.kernel or method.kernels[0], args.linux)


def _kernel(args: argparse.Namespace, method: methods.Method) -> Path:
    """Path of the kernel to boot, built if need be."""
    if args.image:
        return Path(args.image).resolve()
    built = _built(args, method)
    if not args.no_build:
        built.build()
    # Without a hypervisor only the compressed file has an entry that the emulator knows.
    return built.bzimage if args.bzimage or args.hv == "none" else built.elf


def make_plan(args: argparse.Namespace, method: methods.Method, folder: Path) -> plan.Plan:
    """The plan of the command line ARGS, for METHOD to boot; files go into FOLDER."""
    _check(args, method)
    own_xen = Path(args.xen).resolve() if args.xen else None
    with_debian = args.root == "debian"
    requests = disks.requests(args.disk, args.guests,
                              args.root if _on_disk(args) and not with_debian else None)
    own = 1 + bool(args.xentrace) + args.orders + any("qdisk" in one.words for one in requests)
    limits.check_disks(args.guests * (len(requests) + with_debian), own if method.tool_stack else 0,
                       method)
    if with_debian:
        debian.check()
    if own_xen:
        xen.binary(own_xen)
    memory = _memory(args)
    vifs = 0 if args.no_network or not method.vifs else args.vifs or 1
    words = [method.console, debian.APPEND if _on_disk(args) else "", args.append]
    line = " ".join(filter(None, words))
    limits.check_command_line(line, method)
    image = _kernel(args, method)
    domains = []
    for guest in range(1, args.guests + 1):
        own = [debian.image().writable_copy(folder / f"root{guest}")] if with_debian else []
        own += [request.for_guest(guest, args.guests, folder) for request in requests]
        ramdisk = initramfs.make(initramfs.Contents(
            args.command, args.add, hold=bool(args.xentrace), guest=guest, guests=args.guests,
            vifs=vifs, switch=_on_disk(args), networkd=with_debian and vifs > 0,
            disks=[method.disk_prefix + chr(ord("a") + index) for index in range(len(own))]))
        domains.append(plan.Domain(image, line, memory, args.vcpus, ramdisk, own,
                                   [network.vif(guest, index) for index in range(vifs)],
                                   args.max_vcpus))
    return plan.Plan(folder, domains, args.emulator, args.accel, args.icount, args.cpu or "",
                     own_xen, args.xen_append, orders=args.orders,
                     trace=Path(args.xentrace) if args.xentrace else None)


def _boot(args: argparse.Namespace, method: methods.Method, folder: Path) -> Boot:
    """How to start what ARGS ask for; files go into FOLDER."""
    boot = method.boot(make_plan(args, method, folder))
    if _on_disk(args):
        boot.boot_limit, boot.shutdown_limit = debian.BOOT_LIMIT, debian.SHUTDOWN_LIMIT
    if args.gdb is not None:
        symbols = Path(args.image) if args.image else _built(args, method).objects / "vmlinux"
        by_hand.hold(boot, args.gdb, symbols)
    return boot


def _run(args: argparse.Namespace, boot: Boot, log: IO[bytes]) -> int:
    """Run BOOT, again where the emulator ended it before the command can have begun."""
    for left in reversed(range(_BOOTS)):
        try:
            return session.Session(boot, log, args.timeout, interactive=not args.command).run()
        except errors.EmulatorFault as fault:
            if fault.started or not left:
                raise
            progress.say(f"{fault.WHILE_BOOTING}; it boots again")
    raise AssertionError


def main(args: argparse.Namespace) -> int:
    """Run the guests that ARGS describe; returns the command's exit status."""
    args.hv = args.hv or ("xen-dom0" if args.emulator == "bochs" else "xen-domu")
    method = methods.load(args.hv)
    if args.show_command:
        with by_hand.new_folder() as folder:
            by_hand.show(_boot(args, method, folder))
        return 0
    with tempfile.TemporaryDirectory(prefix="pvguest-") as name:
        boot = _boot(args, method, Path(name))
        log_path = Path(args.log) if args.log else paths.new_log("run")
        with open(log_path, "wb") as log:
            status = _run(args, boot, log)
    sys.stdout.flush()
    return status
