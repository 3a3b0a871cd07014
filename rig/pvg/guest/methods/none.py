# SPDX-License-Identifier: GPL-2.0-only
"""Boot method 'none': the kernel natively in the emulator, without a hypervisor."""
from pvg.guest.boot import Boot
from pvg.guest.methods import Method
from pvg.guest.plan import Plan
from pvg.machine import emulator, endings
from pvg.machine.description import Machine, Network


def boot(plan: Plan) -> Boot:
    """How to start the native kernel."""
    domain, = plan.domains
    ramdisk = None
    if domain.ramdisk is not None:
        ramdisk = plan.folder / "initrd"
        ramdisk.write_bytes(domain.ramdisk)
    machine = Machine(
        plan.folder, domain.kernel, domain.arguments, domain.memory, plan.processors(),
        ramdisk=ramdisk, disks=domain.disks,
        # Networks of the emulator's own, with the control domain's addresses.
        networks=[Network(vif.address, vif.mac) for vif in domain.vifs],
        accel=plan.accel, icount=plan.icount)
    return Boot(emulator.load(plan.emulator), machine, endings.NATIVE)


METHOD = Method("none", kernels=("native", "native-full"), instead="it runs native ones; leave --kernel out",
                console="console=ttyS0 earlyprintk=serial,ttyS0 panic=-1",
                # Their names end in one letter.
                disk_prefix="vd", most_disks=26, vifs=True, tool_stack=False, own_xen=False,
                accelerators=("tcg", "kvm"), least_memory=48,
                # COMMAND_LINE_SIZE of Linux on x86, less the byte that ends it.
                most_arguments=2047, prepare=lambda: None, boot=boot,
                # With more the MP table exceeds the 600 bytes that QEMU's firmware has for it, and
                # is not there at all.
                firmware_cpus=19)
