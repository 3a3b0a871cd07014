# SPDX-License-Identifier: GPL-2.0-only
"""The control domain: Debian's kernel and Xen tools in one archive, booted once and kept saved.

Booting it takes many times as long as booting a guest, so it is booted once for each set of
inputs, saved by the emulator's migration into a file under build/, and resumed from there.
"""
import subprocess
import time

from pvg import control_image, errors, files, paths, progress, qemu, xen

DOMAIN_MIB = 320
BOOT_LIMIT = 240
KEPT = 12               # saved control domains; older ones are removed


def memory_class(guest_mib):
    """Memory of the whole machine, in MiB: few sizes, as each is saved on its own."""
    size = 1024
    while size < guest_mib + DOMAIN_MIB + xen.OVERHEAD_MIB + 32:
        size *= 2
    return size


class Machine:
    """The emulated machine with a control domain in it, for what OPTIONS ask."""

    CPUS = 2

    def __init__(self, options):
        self.options = options
        self.image = control_image.Image()
        self.memory = memory_class(options.memory * options.guests)

    def words(self):
        """The emulator's command line, the same when saving and when resuming."""
        arguments = xen.COMMON_ARGUMENTS + [f"dom0_mem={DOMAIN_MIB}M,max:{DOMAIN_MIB}M",
                                            "dom0_max_vcpus=1", "dom0_vcpus_pin", "noreboot=1"]
        modules = ",".join(str(m).replace(",", ",,") for m in (
            f"{self.image.kernel()} console=hvc0 quiet panic=-1", self.image.archive()))
        return qemu.command(self.options, self.memory, self.CPUS) + [
            "-machine", "pc-i440fx-7.2", "-kernel", str(xen.binary()),
            "-append", " ".join(arguments), "-initrd", modules, "-serial", "stdio"]

    def resume(self, ports, disks):
        """The emulator's command line that goes on where the saved control domain was.

        PORTS are paths of sockets, for /dev/vport0p1 and so on; DISKS (disks.Disk) become
        /dev/vda and so on. The control domain looks for such devices only then.
        """
        qmp = self.options.folder / "qmp"
        words = [*self.words(), "-incoming", f"exec:cat '{self.saved()}'",
                 "-qmp", f"unix:{qmp},server=on,wait=off",
                 "-device", "virtio-serial-pci,id=ports,disable-legacy=on,iommu_platform=on"]
        for number, path in enumerate(ports, 1):
            words += ["-chardev", f"socket,id=port{number},path={path},server=on,wait=off",
                      "-device", f"virtserialport,bus=ports.0,chardev=port{number},nr={number}"]
        for index, disk in enumerate(disks):
            words += disk.words(f"disk{index}", "disable-legacy=on,iommu_platform=on")
        return words

    def saved(self):
        """Path of the saved control domain, booted and saved first if there is none."""
        version = subprocess.run([qemu.PROGRAM, "--version"], stdout=subprocess.PIPE, text=True,
                                 check=True).stdout
        key = files.digest([xen.binary(), self.image.kernel(), self.image.archive()],
                           [version, *self.words()])
        target = paths.BUILD / "control" / f"saved-{key}"
        if target.exists():
            return target
        with files.locked(paths.BUILD / "control" / ".lock", "the control domain's first boot"):
            if not target.exists():
                self._boot_and_save(target)
        return target

    def _boot_and_save(self, target):
        folder = self.options.folder
        log_path = paths.new_log("control-domain")
        line = progress.Line("booting the control domain once", BOOT_LIMIT // 4)
        words = [*self.words(), "-qmp", f"unix:{folder / 'qmp'},server=on,wait=off"]
        part = target.with_name("." + target.name)
        with open(log_path, "wb") as log:
            process = qemu.start(words, log)
            try:
                self._wait_ready(process, log_path, line)
                control = qemu.Control(folder / "qmp")
                control.call("migrate-set-parameters", **{"max-bandwidth": 0})
                control.call("migrate", uri=f"exec:cat > '{part}'")
                self._wait_saved(control, log_path)
                control.call("quit")
                control.close()
                process.wait(10)
            finally:
                qemu.stop(process)
        part.rename(target)
        line.finish()
        saved = sorted(target.parent.glob("saved-*"), key=lambda p: p.stat().st_mtime)
        for old in saved[:-KEPT]:
            old.unlink()

    @staticmethod
    def _wait_ready(process, log_path, line):
        start = time.monotonic()
        while "pvguest-control: ready" not in log_path.read_text("utf-8", "replace"):
            waited = time.monotonic() - start
            if process.poll() is not None or waited > BOOT_LIMIT:
                line.finish("failed")
                raise errors.RigError("the control domain did not come up", log_path)
            line.update(int(waited))
            time.sleep(0.2)

    @staticmethod
    def _wait_saved(control, log_path):
        while True:
            state = control.call("query-migrate")
            if state.get("status") == "completed":
                return
            if state.get("status") in ("failed", "cancelled"):
                raise errors.RigError("saving the control domain failed: "
                                      + state.get("error-desc", "no reason given"), log_path)
            time.sleep(0.05)
