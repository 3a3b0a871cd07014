# SPDX-License-Identifier: GPL-2.0-only
"""Adapter 'xen-domu': the kernel as an ordinary guest, made by Debian's tool stack."""
import os
import re
import socket

from pvg import control_domain, cpio, disks, errors, network, qemu, session, xentrace

KERNELS = ("pvguest", "pvguest-full", "mainline", "mainline-full")

DEATHS = [
    (re.compile(rb"Domain \d+ has shut down, reason code 3"), "the guest crashed"),
    (re.compile(rb"Domain \d+ has shut down, reason code [0124]"),
     "the guest shut down before the command ended"),
    (re.compile(rb"pvguest-control: guest gone"), "the guest ended before the command did"),
    (re.compile(rb"libxl: error: ([^\r\n]*)"), "the tool stack could not make the guest"),
    (re.compile(rb"Panic on CPU \d+"), "the hypervisor panicked"),
    (re.compile(rb"Hardware Dom0 crashed"), "the control domain crashed"),
]


def boot(options):
    """How to resume the control domain and have it make the guest."""
    if options.kernel not in KERNELS:
        raise errors.UsageError(f"--hv xen-domu cannot run kernel {options.kernel}; "
                                "use --hv none")
    folder = options.folder
    _payload(options, folder / "payload")
    attached = [disks.Disk(folder / "payload")]
    if options.xentrace:
        xentrace.make_disk(folder / "trace")
        attached.append(disks.Disk(folder / "trace"))
    attached += [disks.Disk(path, qemu.disk_format(path)) for path in options.disks]
    words = control_domain.Machine(options).resume([folder / "console"], attached)
    made = session.Boot(words, deaths=DEATHS, attach=lambda run, process: _attach(folder, process))
    if options.xentrace:
        _trace(made)
    return made


def _payload(options, path):
    """What the control domain reads after it has been resumed."""
    archive = cpio.Archive()
    archive.file("kernel", options.kernel_file().read_bytes())
    archive.file("initrd", options.initramfs())
    archive.file("guest1.cfg", _config(options, 1))
    path.write_bytes(archive.bytes())


def _config(options, guest):
    """The tool stack's description of GUEST."""
    first = "bc"[bool(options.xentrace)]
    disk_list = ", ".join(f"'phy:/dev/vd{chr(ord(first) + index)},xvd{chr(ord('a') + index)},w'"
                          for index in range(len(options.disks)))
    vifs = ", ".join(f"'mac={network.mac(guest, index)},vifname={network.interface(guest, index)},"
                     f"bridge=br{index}'" for index in range(options.vifs))
    # Traced, the guest has a CPU of its own: records tell their CPU but not their domain.
    pinned = f"'{control_domain.Machine.CPUS - 1}'" if options.xentrace else "'all'"
    return "\n".join([
        f"name = '{network.name(guest)}'", "type = 'pv'", "kernel = '/guest/kernel'",
        "ramdisk = '/guest/initrd'", f"memory = {options.memory}", f"cpus = {pinned}",
        f"vcpus = {options.vcpus}", f"disk = [{disk_list}]", f"vif = [{vifs}]",
        f"extra = 'console=hvc0 earlyprintk=xen panic=-1 {options.append}'",
        "on_poweroff = 'destroy'", "on_reboot = 'destroy'", "on_crash = 'destroy'", ""])


def _trace(made):
    """Have the control domain trace from just before the command until just after it."""
    orders = {}
    connect = made.attach

    def attach(run, process):
        orders["fd"] = process.stdin.fileno()
        return connect(run, process)

    made.attach = attach
    made.on_up = lambda run: os.write(orders["fd"], b"trace\r")
    made.replies = [(re.compile(rb"pvguest-control: tracing"), session.Session.acknowledge)]
    made.on_exit = lambda run: os.write(orders["fd"], b"stop\r")
    made.linger = re.compile(rb"pvguest-control: traced")


def _attach(folder, process):
    """Connect to the guest's console and wake the control domain up."""
    control = qemu.Control(folder / "qmp")
    control.wait_running()
    control.close()
    console = socket.socket(socket.AF_UNIX)
    console.connect(str(folder / "console"))
    os.write(process.stdin.fileno(), b"start\r")
    fd = console.detach()
    return fd, fd
