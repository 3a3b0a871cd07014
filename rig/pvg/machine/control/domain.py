# SPDX-License-Identifier: GPL-2.0-only
"""The control domain: Debian's kernel and Xen tools in one archive, booted once and kept saved.

Booting it takes many times as long as booting a guest, so it is booted once for each set of
inputs, saved by the emulator's migration into a file under build/, and resumed from there.
"""
import dataclasses
import time
from pathlib import Path
from collections.abc import Sequence

from pvg.base import errors, files, paths, patience, progress
from pvg.machine import emulator, qemu, xen
from pvg.machine.control import image
from pvg.machine.description import Machine, Module
from pvg.machine.disks import Disk

DOMAIN_MIB = 320
BOOT_LIMIT = 240        # seconds (patience.Clock) that its first boot may take
KEPT = 12               # saved control domains; older ones are removed
USUAL = 60              # seconds that it takes on an idle one
CPUS = 2                # of the machine
FOLDER = paths.BUILD / "control"


def memory_class(guest_mib: int) -> int:
    """Memory of the whole machine, in MiB: few sizes, as each is saved on its own."""
    size = 1024
    while size < guest_mib + DOMAIN_MIB + xen.OVERHEAD_MIB + 32:
        size *= 2
    return size


class ControlDomain:
    """A machine with a control domain in it and GUEST_MIB of memory for guests."""

    def __init__(self, folder: Path, guest_mib: int, accel: str = "tcg",
                 icount: bool = False) -> None:
        self.image = image.Image()
        modules = [Module(self.image.kernel(), "console=hvc0 quiet panic=-1"),
                   Module(self.image.archive())]
        self.machine = xen.machine(folder, modules, DOMAIN_MIB, 1)
        self.machine.arguments += " dom0_vcpus_pin"
        self.machine.memory = memory_class(guest_mib)
        self.machine.cpus = 1 if icount else CPUS
        self.machine.accel = accel
        self.machine.icount = icount
        self.machine.versioned = True
        self.machine.behind_xen = True
        self.emulator = emulator.load("qemu")

    def resumed(self, ports: Sequence[Path], disks: Sequence[Disk]) -> Machine:
        """The machine that goes on where the saved control domain was.

        PORTS are paths of sockets, for /dev/vport0p1 and so on; DISKS become /dev/vda and so on.
        The control domain looks for such devices only then.
        """
        return dataclasses.replace(self.machine, ports=list(ports), disks=list(disks),
                                   saved=self.saved(), control=True)

    def saved(self) -> Path:
        """Path of the saved control domain, booted and saved first if there is none."""
        self.emulator.prepare()
        key = files.digest([self.machine.kernel, *(m.path for m in self.machine.modules)],
                           [self.emulator.version(), *self.emulator.command(self.machine)])
        target = FOLDER / f"saved-{key}"
        if target.exists():
            return target
        with files.locked(FOLDER / ".lock", "the control domain's first boot"):
            if not target.exists():
                self._boot_and_save(target)
        return target

    def _boot_and_save(self, target: Path) -> None:
        log_path = paths.new_log("control-domain")
        line = progress.Line("booting the control domain once", USUAL)
        machine = dataclasses.replace(self.machine, control=True)
        part = target.with_name("." + target.name)
        with line, open(log_path, "wb") as log:
            running = self.emulator.start(machine, log)
            try:
                _wait_ready(running, log_path, line)
                control = qemu.Control(machine, running.ended)
                control.call("migrate-set-parameters", **{"max-bandwidth": 0})
                control.call("migrate", uri=f"exec:cat > '{part}'")
                _wait_saved(control, log_path)
                control.call("quit")
                control.close()
                running.stop()
            finally:
                running.stop()
        part.rename(target)
        line.finish()
        _remove(sorted(target.parent.glob("saved-*"), key=lambda p: p.stat().st_mtime)[:-KEPT])


def _remove(old: list[Path]) -> None:
    for path in old:
        path.unlink()


def _wait_ready(running: emulator.Running, log_path: Path, line: progress.Line) -> None:
    clock = patience.Clock()
    while "pvguest-control: ready" not in log_path.read_text("utf-8", "replace"):
        waited = clock.now()
        if running.ended() or waited > BOOT_LIMIT:
            line.finish("failed")
            raise errors.RigError("the control domain did not come up", log_path)
        line.update(int(waited))
        time.sleep(0.2)


def _wait_saved(control: qemu.Control, log_path: Path) -> None:
    while True:
        state = control.call("query-migrate")
        if state.get("status") == "completed":
            return
        if state.get("status") in ("failed", "cancelled"):
            raise errors.RigError("saving the control domain failed: "
                                  + state.get("error-desc", "no reason given"), log_path)
        time.sleep(0.05)
