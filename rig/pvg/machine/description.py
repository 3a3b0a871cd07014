# SPDX-License-Identifier: GPL-2.0-only
"""Parts of an emulated machine, in no emulator's words."""
import dataclasses
from pathlib import Path


from pvg.machine.disks import Disk


@dataclasses.dataclass(frozen=True)
class Module:
    """A file that the boot loader hands to the hypervisor, with the words behind its name."""

    path: Path
    arguments: str = ""


@dataclasses.dataclass(frozen=True)
class Network:
    """A network of the emulator's own, without a way out.

    address: of the emulator in it, with which it answers; mac: of the machine's interface
    """

    address: str
    mac: str


@dataclasses.dataclass
class Machine:
    """One machine, and what it boots.

    folder: the run's own, for sockets and files that the emulator needs
    kernel: what the boot loader starts: a hypervisor, or natively Linux
    arguments: the kernel's command line
    memory: MiB
    modules: of a hypervisor; the first is the kernel of its initial domain
    ramdisk: of a native Linux
    ports: sockets behind /dev/vport0p1 and so on
    behind_xen: drivers of virtio devices run in a domain, where addresses are not the bus's
    cpu: model of the processors; empty: the emulator's usual one
    accel: tcg (emulate) or kvm (use the processor)
    icount: virtual time counts instructions, 1 ns each
    versioned: looks the same to every version of the emulator, as a saved state requires
    saved: file with the state to go on from
    control: whether the emulator opens its control socket (control_socket)
    held: whether the processors stand still until a debugger has them go on
    """

    folder: Path
    kernel: Path
    arguments: str
    memory: int
    cpus: int = 1
    modules: list[Module] = dataclasses.field(default_factory=list)
    ramdisk: Path | None = None
    disks: list[Disk] = dataclasses.field(default_factory=list)
    networks: list[Network] = dataclasses.field(default_factory=list)
    ports: list[Path] = dataclasses.field(default_factory=list)
    behind_xen: bool = False
    cpu: str = ""
    accel: str = "tcg"
    icount: bool = False
    versioned: bool = False
    saved: Path | None = None
    control: bool = False
    held: bool = False

    @property
    def control_socket(self) -> Path:
        """Where the emulator listens for its control protocol."""
        return self.folder / "control"
