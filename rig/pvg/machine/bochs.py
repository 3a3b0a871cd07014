# SPDX-License-Identifier: GPL-2.0-only
"""Bochs, an emulator whose processors keep translations as silicon does: files and command line.

QEMU's emulation drops all translations whenever CR3 is loaded, as Xen does at each switch
between a program and the guest's kernel, and so hides a flush that was left out. Bochs drops
only those that are not global, and Xen makes those of programs global.
"""
import os
import re
import subprocess
import tty
from pathlib import Path
from typing import IO

from pvg.base import errors, packages
from pvg.machine import elf, emulator, grub
from pvg.machine.description import Machine

PROGRAM = "bochs-bin"
CPU = "ryzen"
# Other processors are too old to run Xen, or are of a kind that Xen protects from Meltdown in ways
# that flush everything (see xen_arguments).
_NO_64_BIT = ("bx_generic", "pentium", "pentium_mmx", "amd_k6_2_chomper", "p2_klamath", "p3_katmai",
              "p4_willamette", "core_duo_t2400_yonah", "atom_n270")
MOST_CPUS = 8           # that Debian's Bochs emulates
# Emulated instructions for each second of the guest: about what one processor of the host does, so
# that the guest's timers neither starve it nor have it wait.
SPEED = 20000000

_SETTINGS = """\
display_library: rfb, options="timeout=0"
cpu: model={cpu}, count={cpus}:1:1, ips={speed}, quantum=16, reset_on_triple_fault=0
cpu: ignore_bad_msrs=1
memory: guest={memory}, host={memory}
romimage: file=/usr/share/bochs/BIOS-bochs-latest, options=fastboot
vgaromimage: file=/usr/share/vgabios/vgabios.bin
vga: extension=none, update_freq=1
pci: enabled=1, chipset=i440fx
ata0-master: type=disk, path="{disk}", mode=flat, cylinders=0
boot: disk
clock: sync=none, time0=utc
sound: driver=dummy, waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy
speaker: enabled=0
log: -
info: action=ignore
error: action=ignore
panic: action=fatal
com1: enabled=1, mode={mode}, dev="{port}"
"""


def models() -> list[str]:
    """Names of the processors that can run a 64-bit hypervisor."""
    packages.require(packages.FOR_BOCHS)
    text = subprocess.run([PROGRAM, "--help", "cpu"], stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False).stdout
    return [name for name in re.findall(r"^([a-z]\w*)$", text, re.M) if name not in _NO_64_BIT]


def check_model(cpu: str) -> None:
    """Refuse a CPU that is none of models()."""
    known = models()
    if cpu not in known:
        raise errors.UsageError(f"--cpu {cpu}: there are: {', '.join(known)}")


def xen_arguments(cpu: str) -> list[str]:
    """Words on the hypervisor's command line that make an emulated CPU show a missing flush.

    Xen's protection from Meltdown, and the address-space tags that come with it, flush everything
    at each switch between program and kernel. A processor of AMD has neither.
    """
    amd = ("athlon", "phenom", "ryzen", "trinity", "turion", "zambezi")
    return [] if cpu.startswith(amd) else ["xpti=no", "pcid=no"]


class _Running(emulator.Running):
    """Bochs with the serial port on a pseudoterminal: PORT for us, OTHER_END for it."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int, other_end: int) -> None:
        super().__init__(process, port)
        # Held open, so that the port can be read as long as a process listens.
        self._ends = [port, other_end]

    def stop(self, grace: float = emulator.GRACE) -> None:
        super().stop(grace)
        while self._ends:
            os.close(self._ends.pop())


class Bochs(emulator.Emulator):
    """Debian's Bochs; it boots a hypervisor with modules, from a disk with GRUB on it."""

    boot_limit = 900        # such an emulator is some ten times slower

    def prepare(self) -> None:
        packages.require(packages.FOR_BOCHS)

    def command(self, machine: Machine) -> list[str]:
        """The words that start the emulator; its serial port is written to a file.

        The display listens on all addresses: it gets a network of its own, with nothing else in it.
        The kernel then drops the setting that ends the emulator with its parent.
        """
        return self._command(machine, "file", str(machine.folder / "serial"))

    def version(self) -> str:
        raise errors.RigError("Bochs saves no machines")

    def start(self, machine: Machine, output: IO[bytes] | None = None) -> emulator.Running:
        port, other_end = os.openpty()
        try:
            tty.setraw(other_end)
            words = self._command(machine, "term", os.ttyname(other_end))
            return _Running(emulator.spawn(words, output), port, other_end)
        except BaseException:
            os.close(port)
            os.close(other_end)
            raise

    def failure(self, status: int, said: bytes) -> str:
        return f"the emulator failed (exit {status})"

    def _command(self, machine: Machine, mode: str, port: str) -> list[str]:
        """The same with the serial PORT of some MODE; the files that they name are written."""
        self.prepare()
        cpu = machine.cpu or CPU
        check_model(cpu)
        if not machine.modules or machine.disks or machine.ports or machine.saved:
            raise errors.UsageError("Bochs boots the initial domain only: use --hv xen-dom0")
        disk = machine.folder / "disk"
        files: dict[str, Path | bytes] = {"xen": machine.kernel}
        files.update({f"module{i}": module.path for i, module in enumerate(machine.modules)})
        files["module0"] = elf.compact(machine.modules[0].path.read_bytes())
        grub.disk(disk, files, [
            grub.command("multiboot2", "xen", machine.arguments.split() + xen_arguments(cpu)),
            *(grub.command("module2 --nounzip", f"module{i}", module.arguments.split())
              for i, module in enumerate(machine.modules)), "boot"])
        settings, debugger = machine.folder / "bochsrc", machine.folder / "debugger"
        settings.write_text(_SETTINGS.format(
            cpu=cpu, cpus=min(machine.cpus, MOST_CPUS), speed=SPEED, memory=machine.memory,
            disk=disk, mode=mode, port=port), encoding="ascii")
        # Debian's Bochs is built with its debugger, which waits for an order first.
        debugger.write_text("continue\n", encoding="ascii")
        network = ["unshare", "--net"] + ([] if os.geteuid() == 0 else ["--map-root-user"])
        return [*network, "setpriv", "--pdeathsig", "KILL", PROGRAM, "-q",
                "-f", str(settings), "-rc", str(debugger)]


EMULATOR = Bochs()
