# SPDX-License-Identifier: GPL-2.0-only
"""Boot method 'xen-domu': ordinary guests, made by Debian's tool stack in a control domain."""
import os
import re
import socket
import tempfile
from pathlib import Path

from pvg.base import cpio
from pvg.guest.boot import Boot, Consoles
from pvg.guest.methods import ON_XEN, Method
from pvg.guest.plan import Domain, Plan
from pvg.machine import endings, network, qemu, xen, xentrace
from pvg.machine.control import domain as control
from pvg.machine.control import extras
from pvg.machine.disks import Disk
from pvg.machine.emulator import Running


def boot(plan: Plan) -> Boot:
    """How to resume the control domain and have it make the guests."""
    attached, files = _attached(plan)
    qemu.check_disks([disk for domain in plan.domains for disk in domain.disks])
    (plan.folder / "payload").write_bytes(_payload(plan, files))
    ports = [plan.folder / f"port{number}"
             for number in range(len(plan.domains) + bool(plan.orders))]
    around = control.ControlDomain(plan.folder, sum(d.memory for d in plan.domains), plan.accel,
                                   plan.icount)
    made = Boot(around.emulator, around.resumed(ports, attached), endings.TOOL_STACK,
                guests=len(plan.domains), attach=lambda running: _attach(made, running))
    if plan.trace:
        _trace(made, plan.folder / "trace", plan.trace)
    return made


def _attached(plan: Plan) -> tuple[list[Disk], dict[str, bytes]]:
    """The control domain's disks, and the files in the payload that depend on their order."""
    attached = [Disk(plan.folder / "payload")]
    if plan.trace:
        xentrace.make_disk(plan.folder / "trace")
        attached.append(Disk(plan.folder / "trace"))
    files, devices = {}, []
    programs = ["tools"] if plan.orders else []
    if any(disk.backend == "qdisk" for domain in plan.domains for disk in domain.disks):
        programs.append("qemu")
    for name in programs:
        devices.append(_device(len(attached)))
        attached.append(Disk(extras.extra(name), read_only=True))
    if devices:
        files["extras"] = "".join(f"{device}\n" for device in devices).encode()
    if plan.orders:
        files["orders"] = f"/dev/vport0p{len(plan.domains) + 1}\n".encode()
    for number, domain in enumerate(plan.domains, 1):
        own = {_device(len(attached) + index): disk for index, disk in enumerate(domain.disks)}
        attached += domain.disks
        files[f"guest{number}.cfg"] = config(plan, number, own).encode()
    return attached, files


def _device(index: int) -> str:
    """Name that disk INDEX of the control domain has there."""
    return f"/dev/vd{chr(ord('a') + index)}"


def _kernel(plan: Plan, number: int) -> str:
    """Name in the payload of the kernel of guest NUMBER, which others may have as well."""
    kernels = [domain.kernel for domain in plan.domains]
    return f"kernel{kernels.index(kernels[number - 1]) + 1}"


def _payload(plan: Plan, files: dict[str, bytes]) -> bytes:
    """The archive that the control domain reads after it has been resumed: FILES, kernels, file systems."""
    archive = cpio.Archive()
    for number, domain in enumerate(plan.domains, 1):
        if _kernel(plan, number) == f"kernel{number}":
            archive.file(f"kernel{number}", domain.kernel.read_bytes())
        if domain.ramdisk is not None:
            archive.file(f"initrd{number}", domain.ramdisk)
    for name, data in {**files, **plan.files}.items():
        archive.file(name, data, 0o755 if data.startswith(b"#!") else 0o644)
    return archive.bytes()


def quoted(text: str) -> str:
    """TEXT as a string of the tool stack's file (xlu__cfgl_dequote() undoes this)."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"


def _vif(vif: network.Vif) -> str:
    words = {"mac": vif.mac, "vifname": vif.name, "bridge": vif.bridge, "script": vif.script}
    return ",".join(f"{key}={value}" for key, value in words.items() if value)


def config(plan: Plan, number: int, own: dict[str, Disk]) -> str:
    """The tool stack's description of guest NUMBER, with disks OWN: device there -> Disk."""
    domain: Domain = plan.domains[number - 1]
    disk_list = ", ".join(
        f"'vdev=xvd{chr(ord('a') + index)},access={'ro' if disk.read_only else 'rw'},"
        f"backendtype={disk.backend},{'devtype=cdrom,' if disk.cdrom else ''}target={device}'"
        for index, (device, disk) in enumerate(own.items()))
    vifs = ", ".join(f"'{_vif(vif)}'" for vif in domain.vifs)
    lines = [f"name = '{network.name(number)}'", "type = 'pv'",
             f"kernel = '/guest/{_kernel(plan, number)}'", f"memory = {domain.memory}",
             # Traced, the guest has a CPU of its own: records have their CPU but not their domain.
             f"cpus = '{control.CPUS - 1 if plan.trace else 'all'}'", f"vcpus = {domain.vcpus}",
             f"disk = [{disk_list}]", f"vif = [{vifs}]", f"extra = {quoted(domain.arguments)}"]
    if domain.max_vcpus is not None:
        lines.append(f"maxvcpus = {domain.max_vcpus}")
    if domain.ramdisk is not None:
        lines.append(f"ramdisk = '/guest/initrd{number}'")
    lines += [f"on_{end} = 'destroy'" for end in ("poweroff", "reboot", "crash", "watchdog")]
    return "\n".join(lines) + "\n"


def _trace(made: Boot, disk: Path, target: Path) -> None:
    """Have the control domain trace from just before the command until just after it."""
    made.on_up = lambda guest: guest.send_to_control(b"trace")
    made.replies = [(re.compile(rb"pvguest-control: tracing"), lambda guest: guest.acknowledge())]
    made.on_exit = lambda guest: guest.send_to_control(b"stop")
    made.linger = re.compile(rb"pvguest-control: traced")
    made.finish = lambda: xentrace.write_counts(disk, target)


def _attach(made: Boot, running: Running) -> Consoles:
    """Connect to the guests' consoles and to the agent, and wake the control domain up."""
    protocol = qemu.Control(made.machine, running.ended)
    protocol.wait_running()
    protocol.close()
    found = []
    for path in made.machine.ports:
        port = socket.socket(socket.AF_UNIX)
        port.connect(str(path))
        found.append(port.detach())
    os.write(running.console_in, b"start\r")
    return Consoles(found[:made.guests], found[made.guests] if found[made.guests:] else None)


def prepare() -> None:
    """Fetch the hypervisor and what the control domain is made of, and boot that once."""
    with tempfile.TemporaryDirectory(prefix="pvguest-") as folder:
        control.ControlDomain(Path(folder), 0).saved()


METHOD = Method("xen-domu", kernels=ON_XEN,
                instead="use --hv none", console="console=hvc0 earlyprintk=xen panic=-1",
                disk_prefix="xvd",
                most_disks=24,      # as many slots has the bus of the machine
                vifs=True, tool_stack=True,
                own_xen=False, accelerators=("tcg", "kvm"), least_memory=48,
                most_arguments=xen.MOST_ARGUMENTS, prepare=prepare, boot=boot)
