# SPDX-License-Identifier: GPL-2.0-only
"""QEMU: its command line for a machine, its end, and its control socket."""
import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Callable
from typing import IO, Any

from pvg.base import errors, packages
from pvg.machine import emulator
from pvg.machine.description import Machine, Module
from pvg.machine.disks import Disk

PROGRAM = "qemu-system-x86_64"

# SMAP off: QEMU 7.2's IRET to ring 3 faults on user stacks with it on.
CPU = "max,-smap"


def check_kvm() -> None:
    """Refuse --accel kvm on a machine that has none."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        raise errors.UsageError("--accel kvm: /dev/kvm cannot be used here; leave it out")


class Qemu(emulator.Emulator):
    """Debian's QEMU."""

    most_cpus = 255         # of its machine 'pc', max_cpus

    def check(self, accel: str, icount: bool) -> None:
        if accel == "kvm":
            check_kvm()
            if icount:
                raise errors.UsageError("--icount counts emulated instructions: it needs "
                                        "--accel tcg")

    def may_run_stale_code(self, machine: Machine) -> bool:
        return machine.accel == "tcg" and machine.cpus > 1

    def prepare(self) -> None:
        packages.require(packages.FOR_RUN)

    def command(self, machine: Machine) -> list[str]:
        self.check(machine.accel, machine.icount)
        words = [PROGRAM, *_board(machine), "-kernel", str(machine.kernel),
                 "-append", machine.arguments]
        if machine.modules:
            words += ["-initrd", ",".join(map(_module, machine.modules))]
        elif machine.ramdisk:
            words += ["-initrd", str(machine.ramdisk)]
        words += ["-serial", "stdio"]
        if machine.saved:
            words += ["-incoming", f"exec:cat '{machine.saved}'"]
        if machine.control:
            words += ["-qmp", f"unix:{machine.control_socket},server=on,wait=off"]
        if machine.held:
            words += ["-S"]
        return words + _devices(machine)

    def version(self) -> str:
        return subprocess.run([PROGRAM, "--version"], stdout=subprocess.PIPE, text=True,
                              check=True).stdout

    def start(self, machine: Machine, output: IO[bytes] | None = None) -> emulator.Running:
        self.prepare()
        return emulator.Running(emulator.spawn(self.command(machine), output))

    def failure(self, status: int, said: bytes) -> str:
        text = said.decode("utf-8", "replace")
        if re.search(r'Failed to get (shared )?".*" lock', text):
            return ("a disk's file is in use by another guest; end that, or add ',cow' or ',ro' "
                    "to both")
        return f"the emulator failed (exit {status})"


EMULATOR = Qemu()


def check_disks(disks: list[Disk]) -> None:
    """Raise RigError if an emulator that starts now cannot have DISKS.

    One that resumes a saved machine takes no locks of its disks' files before it runs, and of
    those that it only reads none at all: without this, two guests could have one file.
    """
    if not disks:
        return
    words = [PROGRAM, "-accel", "tcg", "-m", "16M", "-display", "none", "-nodefaults",
             "-no-user-config", "-S", "-monitor", "stdio", *_disks(disks)]
    result = subprocess.run(words, input=b"quit\n", stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, check=False)
    if result.returncode:
        raise errors.RigError(EMULATOR.failure(result.returncode, result.stdout))


def _board(machine: Machine) -> list[str]:
    """Processors and memory, and nothing else on the board.

    Each CPU has a socket of its own, as the firmware's MP table, which a kernel without ACPI
    reads, lists only the first CPU of each.
    """
    words = ["-accel", machine.accel, "-cpu", CPU if machine.accel == "tcg" else "host",
             "-m", f"{machine.memory}M", "-smp", f"{machine.cpus},sockets={machine.cpus}",
             "-display", "none", "-nodefaults", "-no-user-config", "-no-reboot"]
    if machine.icount:
        words += ["-icount", "shift=0,sleep=off"]
    if machine.versioned:
        words += ["-machine", "pc-i440fx-7.2"]
    return words


def _module(module: Module) -> str:
    """QEMU separates modules by commas and reads a doubled one as itself."""
    return f"{module.path} {module.arguments}".strip().replace(",", ",,")


def _devices(machine: Machine) -> list[str]:
    """Ports, disks and networks, all virtio."""
    options = ",disable-legacy=on,iommu_platform=on" if machine.behind_xen else ""
    words = []
    if machine.ports:
        words += ["-device", f"virtio-serial-pci,id=ports{options}"]
    for number, path in enumerate(machine.ports, 1):
        words += ["-chardev", f"socket,id=port{number},path={path},server=on,wait=off",
                  "-device", f"virtserialport,bus=ports.0,chardev=port{number},nr={number}"]
    words += _disks(machine.disks, options)
    for index, network in enumerate(machine.networks):
        words += ["-netdev", f"user,id=net{index},restrict=on,ipv6=off,"
                             f"net={network.address}/24,host={network.address}",
                  "-device", f"virtio-net-pci,netdev=net{index},mac={network.mac},romfile="
                             f"{options}"]
    return words


def _disks(disks: list[Disk], options: str = "") -> list[str]:
    """DISKS as virtio devices with OPTIONS, which begin with a comma."""
    words = []
    for index, disk in enumerate(disks):
        backend = {"driver": disk.kind, "node-name": f"disk{index}", "discard": "unmap",
                   "read-only": disk.read_only, "cache": {"no-flush": True},
                   "file": {"driver": "file", "filename": str(disk.path), "discard": "unmap",
                            "read-only": disk.read_only}}
        words += ["-blockdev", json.dumps(backend), "-device",
                  f"virtio-blk-pci,drive=disk{index},logical_block_size={disk.sector},"
                  f"physical_block_size={disk.sector}{options}"]
    return words


class Control:
    """QMP, the emulator's control protocol, with the running MACHINE; ENDED: whether its emulator has."""

    def __init__(self, machine: Machine, ended: Callable[[], bool], patience: float = 120) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        # No reply comes while a saved state is read.
        self._socket.settimeout(600)
        deadline = time.monotonic() + patience
        while True:
            try:
                self._socket.connect(str(machine.control_socket))
                break
            except (FileNotFoundError, ConnectionRefusedError) as error:
                # The emulator makes its socket a moment after it has started.
                if ended() or time.monotonic() > deadline:
                    raise errors.RigError("the emulator did not open its control socket") \
                        from error
                time.sleep(0.02)
        self._held = machine.held
        self._file = self._socket.makefile("rw", encoding="utf-8")
        self._read()
        self.call("qmp_capabilities")

    def _read(self) -> dict[str, Any]:
        line = self._file.readline()
        if not line:
            raise errors.RigError("the emulator closed its control socket")
        found = json.loads(line)
        assert isinstance(found, dict)
        return found

    def call(self, name: str, **arguments: object) -> Any:
        """Execute command NAME; returns its result."""
        self._file.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
        self._file.flush()
        while True:
            answer = self._read()
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise errors.RigError(f"emulator: {name}: {answer['error']['desc']}")

    def wait_running(self) -> None:
        """Return as soon as the machine runs, such as after an incoming migration.

        Raises emulator.Paused if it does not start by itself: the emulator leaves a machine paused
        if it could not take the locks of its disks' files at the end of the migration. One that a
        debugger holds is started by that, however long it takes.
        """
        while not (status := self._loaded())["running"]:
            if not self._held:
                raise emulator.Paused(f"the emulator did not start the machine: {status['status']}")
            self._socket.settimeout(None)
            while self._read().get("event") != "RESUME":
                pass

    def serve_gdb(self, port: int) -> None:
        """Have gdb find the machine at TCP PORT, once a saved state has been read.

        A debugger that came before would have the machine go on without that state.
        """
        self._loaded()
        said = self.call("human-monitor-command",
                         **{"command-line": f"gdbserver tcp:127.0.0.1:{port}"})
        if not said.startswith("Waiting for gdb"):
            raise errors.RigError(f"emulator: gdbserver: {said.strip()}")

    def _loaded(self) -> dict[str, Any]:
        """The machine's status, once its saved state has been read."""
        while (status := self.call("query-status"))["status"] == "inmigrate":
            time.sleep(0.02)
        assert isinstance(status, dict)
        return status

    def close(self) -> None:
        """Close the socket; the emulator goes on."""
        self._file.close()
        self._socket.close()
