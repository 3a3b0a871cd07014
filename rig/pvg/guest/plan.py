# SPDX-License-Identifier: GPL-2.0-only
"""Plans of a boot: guests, and the machine around them. Each boot method takes a plan."""
import dataclasses
from pathlib import Path


from pvg.machine.disks import Disk
from pvg.machine.network import Vif


@dataclasses.dataclass
class Domain:
    """One guest.

    kernel: its kernel, or any other ELF file with Xen's notes; arguments: the command line
    memory: MiB; ramdisk: contents of the initial RAM file system, if there is one
    max_vcpus: how many the tool stack may switch on, of which vcpus are on at first (default: those)
    """

    kernel: Path
    arguments: str
    memory: int
    vcpus: int
    ramdisk: bytes | None = None
    disks: list[Disk] = dataclasses.field(default_factory=list)
    vifs: list[Vif] = dataclasses.field(default_factory=list)
    max_vcpus: int | None = None


@dataclasses.dataclass
class Plan:
    """Guests to be booted at once, and how.

    folder: empty, for files that are needed while they run
    domains: the guests; methods that know no tool stack boot one
    accel, icount, cpu: as for machine.description.Machine
    xen: a hypervisor of the user's own; xen_append: more words on the hypervisor's command line
    cpus: processors of the machine, where it is not the control domain's (default: one a vCPU)
    orders: an agent in the control domain takes orders of guests
    trace: file into which the hypervisor's entries are counted while the command runs
    files: more files that the control domain finds in /guest, with their contents
    """

    folder: Path
    domains: list[Domain]
    emulator: str = "qemu"
    accel: str = "tcg"
    icount: bool = False
    cpu: str = ""
    xen: Path | None = None
    xen_append: str = ""
    cpus: int | None = None
    orders: bool = False
    trace: Path | None = None
    files: dict[str, bytes] = dataclasses.field(default_factory=dict)

    def processors(self) -> int:
        """How many processors a machine has that is made for the guest alone."""
        return 1 if self.icount else self.cpus or self.domains[0].vcpus
