# SPDX-License-Identifier: GPL-2.0-only
"""Boot method 'xen-dom0': the guest as the initial domain of Xen."""
from pvg.guest.boot import Boot
from pvg.guest.methods import ON_XEN, Method
from pvg.guest.plan import Plan
from pvg.machine import emulator, endings, xen
from pvg.machine.description import Module


def boot(plan: Plan) -> Boot:
    """How to start Xen with the kernel and its initial RAM file system as modules."""
    domain, = plan.domains
    modules = [Module(domain.kernel, domain.arguments)]
    if domain.ramdisk is not None:
        modules.append(Module(plan.folder / "initrd"))
        modules[1].path.write_bytes(domain.ramdisk)
    machine = xen.machine(plan.folder, modules, domain.memory, domain.vcpus, plan.xen,
                          plan.xen_append)
    machine.cpus, machine.accel, machine.icount = plan.processors(), plan.accel, plan.icount
    machine.cpu = plan.cpu
    used = emulator.load(plan.emulator)
    return Boot(used, machine, endings.INITIAL_DOMAIN, boot_limit=used.boot_limit)


def prepare() -> None:
    """Fetch the hypervisor."""
    xen.binary()


METHOD = Method("xen-dom0", kernels=ON_XEN,
                instead="use --hv none", console="console=hvc0 earlyprintk=xen panic=-1",
                disk_prefix="", most_disks=0, vifs=False, tool_stack=False,
                own_xen=True, accelerators=("tcg", "kvm"), least_memory=72,
                most_arguments=xen.MOST_ARGUMENTS, prepare=prepare, boot=boot)
