# SPDX-License-Identifier: GPL-2.0-only
"""The control domain's boot archive: Debian's kernel modules and Xen tools, and our few scripts."""
import re
import subprocess
from pathlib import Path

from pvg import cpio, errors, files, network, packages, paths, progress

KERNEL_PACKAGE = "linux-image-amd64"
TOOL_PACKAGES = ("xen-utils-4.17", "xen-utils-common", "xenstore-utils", "libxenmisc4.17",
                 "libxencall1", "libxendevicemodel1", "libxenevtchn1", "libxenforeignmemory1",
                 "libxengnttab1", "libxenhypfs1", "libxenstore4", "libxentoolcore1",
                 "libxentoollog1", "libyajl2", "util-linux", "ebtables")

PROGRAMS = ("xl", "xenstored", "xenconsoled", "xen-init-dom0", "xenconsole", "xentrace",
            "xenstore-read", "xenstore-write", "xenstore-ls", "xenstore-exists", "xenstore-list",
            "xenstore-rm", "xenstore-watch", "xenstore", "xenstore-control", "libxl-save-helper",
            "xenctx", "lsevtchn", "losetup", "flock", "bash", "ebtables-legacy",
            "ebtables-legacy-restore")
TOOLS = "usr/lib/xen-4.17/bin"
LIBRARIES = ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu", "usr/lib/ebtables")

# In the order of loading, with their parameters. Back ends offer as many queues as on a host with
# more CPUs than the control domain has here.
MODULES = {"xen-evtchn": "", "xen-privcmd": "", "xen-gntdev": "", "xen-gntalloc": "", "xenfs": "",
           "xen-blkback": f"max_queues={network.QUEUES}",
           "xen-netback": f"max_queues={network.QUEUES}",
           "loop": "", "bridge": "", "tun": "", "ebtable_filter": "", "ebt_ip": "", "ebt_ip6": "",
           "ebt_arp": "", "virtio_console": "", "virtio_blk": "", "virtio_pci_modern_dev": "",
           "virtio_pci_legacy_dev": "", "virtio_pci": ""}


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
        inputs = [Path(__file__), Path(network.__file__), paths.RIG / "control",
                  Path("/bin/busybox"), Path("/bin/bash")]
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
            if path.is_file() and path.name != "xl.conf":
                archive.copy(path, f"etc/xen/{path.relative_to(etc)}")
        archive.copy(paths.RIG / "control" / "vif", "etc/xen/scripts/vif-pvguest")
        archive.file("etc/xen/xl.conf", 'vif.default.script="vif-pvguest"\n')
        archive.file("etc/bridges", network.bridges_script(), 0o755)
        archive.file("etc/ethertypes", "IPv4 0800\nARP 0806\nIPv6 86DD\n")
        archive.file("etc/ebtables", network.filter_rules())
        archive.file("etc/hosts", network.hosts())
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
                path = self._find([f"{folder}/{name}" for folder in LIBRARIES])
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
        for name in MODULES:
            self._depend(name.replace("-", "_"), known, done)
        parameters = {name.replace("-", "_"): words for name, words in MODULES.items()}
        archive.file("modules/list", "".join(f"{n} {parameters.get(n, '')}\n" for n in done))
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
