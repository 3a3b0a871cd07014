# SPDX-License-Identifier: GPL-2.0-only
"""Adapter 'xen-domu': the kernel as an ordinary guest, made by Debian's tool stack."""
import os
import re
import socket

from pvg import (control_domain, control_extras, cpio, disks, errors, network, qemu, session,
                 xentrace)
from pvg.guest import Guest

KERNELS = ("pvguest", "pvguest-full", "mainline", "mainline-full")

MOST_DISKS = 24         # with those that the rig uses: as many slots has the machine's bus

DEATHS = [
    (re.compile(rb"Domain \d+ has shut down, reason code 3"), "the guest crashed"),
    (re.compile(rb"Domain \d+ has shut down, reason code [0124]"),
     "the guest shut down before the command ended"),
    (re.compile(rb"guest\d+: gone"), "the guest ended before the command did"),
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
    attached = [disks.Disk(folder / "payload")]
    if options.xentrace:
        xentrace.make_disk(folder / "trace")
        attached.append(disks.Disk(folder / "trace"))
    files = {}
    own = {guest: options.disks(guest) for guest in range(1, options.guests + 1)}
    extras = ["tools"] if options.orders else []
    if any(disk.backend == "qdisk" for disk in sum(own.values(), [])):
        extras.append("qemu")
    for name in extras:
        files["extras"] = files.get("extras", "") + _device(len(attached)) + "\n"
        attached.append(disks.Disk(control_extras.extra(name), read_only=True))
    if options.orders:
        files["orders"] = f"/dev/vport0p{options.guests + 1}\n"
    for guest, wanted in own.items():
        named = {_device(len(attached) + index): disk for index, disk in enumerate(wanted)}
        attached += wanted
        files[f"guest{guest}.cfg"] = _config(options, guest, named)
    if len(attached) > MOST_DISKS:
        raise errors.UsageError(f"these are {len(attached) - MOST_DISKS} disks too many, all "
                                "guests together")
    _payload(options, folder / "payload", files)
    ports = [folder / f"port{number}" for number in range(options.guests + bool(options.orders))]
    words = control_domain.Machine(options).resume(ports, attached)
    made = session.Boot(words, deaths=DEATHS, guests=options.guests,
                        attach=lambda process: _attach(options, ports, process))
    if options.xentrace:
        _trace(made)
    return made


def _device(index):
    """Name that disk INDEX of the control domain has there."""
    return f"/dev/vd{chr(ord('a') + index)}"


def _payload(options, path, texts):
    """What the control domain reads after it has been resumed: TEXTS, kernel, file systems."""
    archive = cpio.Archive()
    archive.file("kernel", options.kernel_file().read_bytes())
    for guest in range(1, options.guests + 1):
        archive.file(f"initrd{guest}", options.initramfs(guest))
    for name, text in texts.items():
        archive.file(name, text)
    path.write_bytes(archive.bytes())


def _config(options, guest, own):
    """The tool stack's description of GUEST, with disks OWN: device here -> Disk."""
    disk_list = ", ".join(
        f"'vdev=xvd{chr(ord('a') + index)},access={'ro' if disk.read_only else 'rw'},"
        f"backendtype={disk.backend},{'devtype=cdrom,' if disk.cdrom else ''}target={device}'"
        for index, (device, disk) in enumerate(own.items()))
    vifs = ", ".join(f"'mac={network.mac(guest, index)},vifname={network.interface(guest, index)},"
                     f"bridge=br{index}'" for index in range(options.vifs))
    # Traced, the guest has a CPU of its own: records tell their CPU but not their domain.
    pinned = f"'{control_domain.Machine.CPUS - 1}'" if options.xentrace else "'all'"
    return "\n".join([
        f"name = '{network.name(guest)}'", "type = 'pv'", "kernel = '/guest/kernel'",
        f"ramdisk = '/guest/initrd{guest}'", f"memory = {options.memory}", f"cpus = {pinned}",
        f"vcpus = {options.vcpus}", f"disk = [{disk_list}]", f"vif = [{vifs}]",
        f"extra = 'console=hvc0 earlyprintk=xen panic=-1 {options.append}'",
        "on_poweroff = 'destroy'", "on_reboot = 'destroy'", "on_crash = 'destroy'", ""])


def _trace(made):
    """Have the control domain trace from just before the command until just after it."""
    wires = {}
    connect = made.attach

    def attach(process):
        wires["fd"] = process.stdin.fileno()
        return connect(process)

    made.attach = attach
    made.on_up = lambda guest: os.write(wires["fd"], b"trace\r")
    made.replies = [(re.compile(rb"pvguest-control: tracing"), Guest.acknowledge)]
    made.on_exit = lambda guest: os.write(wires["fd"], b"stop\r")
    made.linger = re.compile(rb"pvguest-control: traced")


def _attach(options, ports, process):
    """Connect to the guests' consoles and to the agent, and wake the control domain up."""
    control = qemu.Control(options.folder / "qmp")
    control.wait_running()
    control.close()
    found = []
    for path in ports:
        port = socket.socket(socket.AF_UNIX)
        port.connect(str(path))
        found.append(port.detach())
    os.write(process.stdin.fileno(), b"start\r")
    return found[:options.guests], found[options.guests] if options.orders else None
