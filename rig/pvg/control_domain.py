# SPDX-License-Identifier: GPL-2.0-only
"""The control domain: Debian's kernel and Xen tools in one archive, booted once and kept saved.

Booting it takes many times as long as booting a guest, so it is booted once for each set of
inputs, saved by the emulator's migration into a file under build/, and resumed from there.
"""
import re
import subprocess
import time
from pathlib import Path

from pvg import cpio, errors, files, packages, paths, progress, qemu, xen

KERNEL_PACKAGE = "linux-image-amd64"
TOOL_PACKAGES = ("xen-utils-4.17", "xen-utils-common", "xenstore-utils", "libxenmisc4.17",
                 "libxencall1", "libxendevicemodel1", "libxenevtchn1", "libxenforeignmemory1",
                 "libxengnttab1", "libxenhypfs1", "libxenstore4", "libxentoolcore1",
                 "libxentoollog1", "libyajl2", "util-linux")

PROGRAMS = ("xl", "xenstored", "xenconsoled", "xen-init-dom0", "xenconsole", "xentrace",
            "xenstore-read", "xenstore-write", "xenstore-ls", "xenstore-exists", "xenstore-list",
            "xenstore-rm", "xenstore-watch", "xenstore", "xenstore-control", "libxl-save-helper",
            "xenctx", "lsevtchn", "losetup", "flock", "bash")
TOOLS = "usr/lib/xen-4.17/bin"

# Loaded at boot, and loaded after each resume because what is behind them changes.
MODULES_BEFORE = ("xen-evtchn", "xen-privcmd", "xen-gntdev", "xen-gntalloc", "xenfs",
                  "xen-blkback", "xen-netback", "loop", "bridge", "tun", "virtio_console",
                  "virtio_blk", "virtio_pci_modern_dev", "virtio_pci_legacy_dev")
MODULES_AFTER = ("virtio_pci",)

DISKS = 5               # the guest's files, up to three disks to pass on, and a trace
DOMAIN_MIB = 320
BOOT_LIMIT = 240
KEPT = 12               # saved control domains; older ones are removed


def _kernel_package():
    """Debian's current kernel package: the one unpacked here, as asking apt takes a second."""
    have = sorted(packages.UNPACKED.glob("linux-image-*/root"))
    return have[-1].parent.name if have else packages.dependency(KERNEL_PACKAGE, "linux-image-")


class Image:
    """Boot archive of the control domain, made from Debian packages."""

    def __init__(self):
        packages.require(["kmod", "busybox-static", "binutils", "bash", "libuuid1", "liblzma5",
                          "libzstd1", "zlib1g", "libnl-3-200", "libnl-route-3-200"])
        self.kernel_package = _kernel_package()
        self.roots = [packages.unpacked(name) for name in TOOL_PACKAGES]
        self.kernel_root = packages.unpacked(self.kernel_package)

    def kernel(self):
        """Debian's kernel."""
        found, = (self.kernel_root / "boot").glob("vmlinuz-*")
        return found

    def archive(self):
        """Path of the archive."""
        inputs = [Path(__file__), paths.RIG / "control" / "init", Path("/bin/busybox"),
                  Path("/bin/bash")]
        versions = [packages.version_unpacked(n) for n in (*TOOL_PACKAGES, self.kernel_package)]
        target = paths.BUILD / "control" / f"control-{files.digest(inputs, versions)}.cpio"
        if not target.exists():
            progress.say("making the control domain's image")
            files.write_atomically(target, self._make())
        return target

    def _make(self):
        archive = cpio.Archive()
        for name in ("proc", "sys", "dev", "etc", "root", "var/lib/xenstored"):
            archive.folder(name)
        archive.folder("tmp", 0o1777)
        archive.node("dev/console", 5, 1)
        archive.node("dev/null", 1, 3, 0o666)
        archive.copy(paths.RIG / "control" / "init", "init")
        archive.copy("/bin/busybox", "bin/busybox")
        applets = subprocess.run(["/bin/busybox", "--list-full"], stdout=subprocess.PIPE,
                                 text=True, check=True).stdout.split()
        ours = set(PROGRAMS)
        for applet in applets:
            if applet not in ("bin/busybox", "linuxrc") and applet.split("/")[-1] not in ours:
                archive.link(applet, "/bin/busybox")
        self._programs(archive)
        self._modules(archive)
        etc = self._root("xen-utils-common") / "etc" / "xen"
        for path in sorted(etc.rglob("*")):
            if path.is_file():
                archive.copy(path, f"etc/xen/{path.relative_to(etc)}")
        archive.file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
        archive.file("etc/group", "root:x:0:\n")
        return archive.bytes()

    def _root(self, name):
        return self.roots[TOOL_PACKAGES.index(name)]

    def _find(self, patterns):
        """First file that one of PATTERNS names, in the unpacked packages or on this machine."""
        for root in [*self.roots, Path("/")]:
            for pattern in patterns:
                path = root / pattern
                if path.exists():
                    return path
        return None

    def _programs(self, archive):
        wanted = []
        for name in PROGRAMS:
            path = self._find([f"{TOOLS}/{name}", f"usr/bin/{name}", f"usr/sbin/{name}",
                               f"sbin/{name}", f"bin/{name}"])
            if path is None:
                raise errors.RigError(f"no Debian package unpacked here holds {name}")
            if name == "xenconsole":
                # xl's console client would not read what is typed when that is no terminal.
                archive.copy(path, f"{TOOLS}/{name}.bin")
                archive.file(f"{TOOLS}/{name}",
                             f'#!/bin/sh\nexec /{TOOLS}/{name}.bin --interactive "$@"\n', 0o755)
            else:
                archive.copy(path, f"{TOOLS}/{name}")
            archive.link(f"usr/sbin/{name}", f"/{TOOLS}/{name}")
            wanted.append(path)
        archive.link("bin/bash", f"/{TOOLS}/bash")
        known = set()
        while wanted:
            for name in _needed(wanted.pop()) - known:
                known.add(name)
                path = self._find([f"usr/lib/x86_64-linux-gnu/{name}",
                                   f"lib/x86_64-linux-gnu/{name}"])
                if path is None:
                    raise errors.RigError(f"library {name} of the Xen tools is not on this "
                                          f"machine; run: apt-get install xen-utils-4.17")
                archive.copy(path, f"lib/x86_64-linux-gnu/{name}")
                wanted.append(path)
        archive.copy("/lib64/ld-linux-x86-64.so.2", "lib64/ld-linux-x86-64.so.2")
        archive.copy(self._find(["lib/x86_64-linux-gnu/libgcc_s.so.1"]),
                     "lib/x86_64-linux-gnu/libgcc_s.so.1")

    def _modules(self, archive):
        folder = next((self.kernel_root / "lib" / "modules").iterdir())
        known = {p.stem.replace("-", "_"): p for p in folder.rglob("*.ko")}
        done = []
        for list_name, names in (("before", MODULES_BEFORE), ("after", MODULES_AFTER)):
            start = len(done)
            for name in names:
                self._depend(name.replace("-", "_"), known, done)
            archive.file(f"modules/{list_name}", "".join(n + "\n" for n in done[start:]))
        for name in done:
            archive.copy(known[name], f"modules/{name}.ko")

    def _depend(self, name, known, done):
        if name in done or name not in known:
            return
        depends = subprocess.run(["/sbin/modinfo", "-F", "depends", str(known[name])], text=True,
                                 stdout=subprocess.PIPE, check=True).stdout.strip()
        for other in filter(None, depends.split(",")):
            self._depend(other.replace("-", "_"), known, done)
        done.append(name)


def _needed(path):
    """The shared libraries that the ELF file PATH names."""
    output = subprocess.run(["readelf", "-d", str(path)], stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True, check=False).stdout
    return set(re.findall(r"\(NEEDED\).*\[(.*)\]", output)) - {"ld-linux-x86-64.so.2"}


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
        self.image = Image()
        self.memory = memory_class(options.memory)
        # Each disk costs time when it is probed: have those that are rarely used only on demand.
        self.disks = DISKS if options.disks or options.xentrace else 1

    def words(self, console_socket, disks):
        """The emulator's command line, the same when saving and when resuming but for DISKS.

        disks: pairs of a path and its format; None and missing ones are empty.
        """
        arguments = xen.COMMON_ARGUMENTS + [f"dom0_mem={DOMAIN_MIB}M,max:{DOMAIN_MIB}M",
                                            "dom0_max_vcpus=1", "dom0_vcpus_pin", "noreboot=1"]
        modules = ",".join(str(m).replace(",", ",,") for m in (
            f"{self.image.kernel()} console=hvc0 quiet panic=-1", self.image.archive()))
        words = qemu.command(self.options, self.memory, self.CPUS) + [
            "-machine", "pc-i440fx-7.2", "-kernel", str(xen.binary()),
            "-append", " ".join(arguments), "-initrd", modules, "-serial", "stdio",
            "-device", "virtio-serial-pci,id=ports,disable-legacy=on,iommu_platform=on",
            "-chardev", f"socket,id=console,path={console_socket},server=on,wait=off",
            "-device", "virtserialport,bus=ports.0,chardev=console,nr=1"]
        for index in range(self.disks):
            if index < len(disks) and disks[index]:
                path, kind = disks[index]
                words += ["-blockdev", f"driver=file,filename={path},node-name=file{index},"
                          "cache.direct=off,cache.no-flush=on",
                          "-blockdev", f"driver={kind},file=file{index},node-name=disk{index}"]
            else:
                words += ["-blockdev", f"driver=null-co,size=0,node-name=disk{index}"]
            words += ["-device", f"virtio-blk-pci,drive=disk{index},disable-legacy=on,"
                                 "iommu_platform=on"]
        return words

    def saved(self):
        """Path of the saved control domain, booted and saved first if there is none."""
        version = subprocess.run([qemu.PROGRAM, "--version"], stdout=subprocess.PIPE, text=True,
                                 check=True).stdout
        key = files.digest([xen.binary(), self.image.kernel(), self.image.archive()],
                           [version, *self.words("socket", [])])
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
        words = self.words(folder / "first.socket", []) + [
            "-qmp", f"unix:{folder / 'qmp'},server=on,wait=off"]
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
