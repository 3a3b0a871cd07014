# SPDX-License-Identifier: GPL-2.0-only
"""The control domain's boot archive: Debian's kernel modules and Xen tools, and our few scripts."""
import hashlib
import subprocess
from pathlib import Path

from pvg.base import cpio, files, packages, paths, programs, progress
from pvg.machine import network

KERNEL_PACKAGE = "linux-image-amd64"
TOOL_PACKAGES = ("xen-utils-4.17", "xenstore-utils", "libxenmisc4.17",
                 "libxencall1", "libxendevicemodel1", "libxenevtchn1", "libxenforeignmemory1",
                 "libxengnttab1", "libxenhypfs1", "libxenstore4", "libxentoolcore1",
                 "libxentoollog1", "libyajl2", "util-linux", "ebtables")

PROGRAMS = ("xl", "xenstored", "xenconsoled", "xen-init-dom0", "xenconsole", "xentrace",
            "xenstore-read", "xenstore-write", "xenstore-ls", "xenstore-exists", "xenstore-list",
            "xenstore-rm", "xenstore-watch", "xenstore", "xenstore-control", "libxl-save-helper",
            "xenctx", "lsevtchn", "losetup", "ebtables-legacy",
            "ebtables-legacy-restore")
TOOLS = "usr/lib/xen-4.17/bin"

# In the order of loading, with their parameters. Back ends offer as many queues as on a host with
# more CPUs than the control domain has here.
MODULES = {"xen-evtchn": "", "xen-privcmd": "", "xen-gntdev": "", "xen-gntalloc": "", "xenfs": "",
           "xen-blkback": f"max_queues={network.QUEUES}",
           "xen-netback": f"max_queues={network.QUEUES}",
           "loop": "", "bridge": "", "tun": "", "ebtable_filter": "", "ebt_ip": "", "ebt_ip6": "",
           "ebt_arp": "", "virtio_console": "", "virtio_blk": "", "virtio_pci_modern_dev": "",
           "virtio_pci_legacy_dev": "", "virtio_pci": ""}


def _kernel_package() -> str:
    """Debian's current kernel package: the one unpacked here, as asking apt takes a second."""
    have = sorted(packages.UNPACKED.glob("linux-image-*/root"))
    return have[-1].parent.name if have else packages.dependency(KERNEL_PACKAGE, "linux-image-")


class Image:
    """Boot archive of the control domain, made from Debian packages."""

    def __init__(self) -> None:
        packages.require(["kmod", "busybox-static", "libuuid1", "liblzma5", "libzstd1",
                          "zlib1g", "libnl-3-200", "libnl-route-3-200"])
        self.kernel_package = _kernel_package()
        self.tools = programs.Programs(TOOL_PACKAGES)
        self.kernel_root = packages.unpacked(self.kernel_package)

    def kernel(self) -> Path:
        """Debian's kernel."""
        found, = (self.kernel_root / "boot").glob("vmlinuz-*")
        return found

    def archive(self) -> Path:
        """Path of the archive, named by its contents: equal ones need no other first boot."""
        inputs = [Path(__file__), Path(network.__file__),
                  Path(programs.__file__), paths.RIG / "control", Path("/bin/busybox")]
        versions = [*self.tools.versions(), packages.version_unpacked(self.kernel_package)]
        folder = paths.BUILD / "control"
        index = folder / f"made-{files.digest(inputs, versions)}"
        target = folder / (files.read_text(index).strip() or "none")
        if not target.exists():
            progress.say("making the control domain's image")
            data = self._make()
            target = folder / f"control-{hashlib.sha256(data).hexdigest()[:24]}.cpio"
            files.write_atomically(target, data)
            files.write_atomically(index, target.name + "\n")
        return target

    def _make(self) -> bytes:
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
        archive.copy(paths.RIG / "control" / "block", "etc/xen/scripts/block")
        archive.copy(paths.RIG / "control" / "vif", "etc/xen/scripts/vif-pvguest")
        archive.copy(paths.RIG / "control" / "agent", "etc/agent")
        archive.file("etc/xen/xl.conf", 'vif.default.script="vif-pvguest"\n')
        archive.file("etc/bridges", network.bridges_script(), 0o755)
        archive.file("etc/ethertypes", "IPv4 0800\nARP 0806\nIPv6 86DD\n")
        archive.file("etc/ebtables", network.filter_rules())
        archive.file("etc/hosts", network.hosts())
        archive.file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"
                                   "tcpdump:x:100:100:tcpdump:/:/bin/false\n")
        archive.file("etc/group", "root:x:0:\ntcpdump:x:100:\n")
        return archive.bytes()

    def _programs(self, archive: cpio.Archive) -> None:
        found = []
        for name in PROGRAMS:
            path = self.tools.find(name)
            if name == "xenconsole":
                # xl's console client would not read what is typed when that is no terminal.
                archive.copy(path, f"{TOOLS}/{name}.bin")
                archive.file(f"{TOOLS}/{name}",
                             f'#!/bin/sh\nexec /{TOOLS}/{name}.bin --interactive "$@"\n', 0o755)
            else:
                archive.copy(path, f"{TOOLS}/{name}")
            archive.link(f"usr/sbin/{name}", f"/{TOOLS}/{name}")
            found.append(path)
        self.tools.add_libraries(archive, found)
        for name in ("lib64/ld-linux-x86-64.so.2", "lib/x86_64-linux-gnu/libgcc_s.so.1"):
            archive.copy(Path("/") / name, name)

    def _modules(self, archive: cpio.Archive) -> None:
        folder = next((self.kernel_root / "lib" / "modules").iterdir())
        known = {p.stem.replace("-", "_"): p for p in folder.rglob("*.ko")}
        done: list[str] = []
        for name in MODULES:
            self._depend(name.replace("-", "_"), known, done)
        parameters = {name.replace("-", "_"): words for name, words in MODULES.items()}
        archive.file("modules/list", "".join(f"{n} {parameters.get(n, '')}\n" for n in done))
        for name in done:
            archive.copy(known[name], f"modules/{name}.ko")

    def _depend(self, name: str, known: dict[str, Path], done: list[str]) -> None:
        if name in done or name not in known:
            return
        depends = subprocess.run(["/sbin/modinfo", "-F", "depends", str(known[name])], text=True,
                                 stdout=subprocess.PIPE, check=True).stdout.strip()
        for other in filter(None, depends.split(",")):
            self._depend(other.replace("-", "_"), known, done)
        done.append(name)
