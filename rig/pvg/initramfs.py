# SPDX-License-Identifier: GPL-2.0-only
"""The guest's initial RAM file system: busybox, our init, the command and its files."""
import os
import shutil
import subprocess
from pathlib import Path

from pvg import cpio, errors, files, network, packages, paths

BUSYBOX = Path("/bin/busybox")
_ACCOUNTS = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "etc/profile": "export PS1='guest# '\n",
}


def compile_static(folder, name):
    """Path of the static program made from the C files in FOLDER, compiled at most once."""
    key = files.digest([folder])
    target = paths.BUILD / "rig" / f"{name}-{key}"
    if target.exists():
        return target
    packages.require(packages.FOR_RUN)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}")
    sources = map(str, sorted(folder.glob("*.c")))
    result = subprocess.run(["gcc", "-O2", "-static", "-s", "-Wall", "-o", str(part), *sources],
                            stderr=subprocess.PIPE, text=True, check=False)
    if result.returncode:
        raise errors.RigError(f"compiling {paths.shown(folder)} failed: "
                              + result.stderr.strip().split("\n")[0])
    part.rename(target)
    return target


def _base():
    """The part that is the same for every run."""
    if not BUSYBOX.exists():
        packages.require(["busybox-static"])
    init = compile_static(paths.RIG / "guest", "init")
    cached = paths.BUILD / "rig" / f"base-{files.digest([init, BUSYBOX, Path(__file__)])}.cpio"
    if cached.exists():
        return cached.read_bytes()
    archive = cpio.Archive()
    for name in ("proc", "sys", "dev", "tmp", "run", "mnt", "root", "var/tmp", "pvg"):
        archive.folder(name)
    archive.node("dev/console", 5, 1)
    archive.node("dev/null", 1, 3, 0o666)
    archive.copy(init, "init")
    archive.link("bin/control", "/init")
    archive.copy(BUSYBOX, "bin/busybox")
    applets = subprocess.run([str(BUSYBOX), "--list-full"], stdout=subprocess.PIPE, text=True,
                             check=True).stdout.split()
    for applet in applets:
        if applet not in ("bin/busybox", "linuxrc"):
            archive.link(applet, "/bin/busybox")
    for name, text in _ACCOUNTS.items():
        archive.file(name, text)
    data = archive.bytes()
    files.write_atomically(cached, data)
    return data


def make(command, folders=(), hold=False, guest=1, guests=1, vifs=0,
         disks=()):
    """Archive that runs COMMAND (a list of words; empty: a shell) among the files of FOLDERS.

    hold: the guest waits for the rig's word before it runs the command.
    guest: its number, from 1, among GUESTS
    vifs: how many network interfaces it has
    disks: names of its disks
    """
    archive = cpio.Archive()
    archive.file("etc/hosts", network.hosts())
    archive.file("pvg/network", network.guest_script(guest, vifs), 0o755)
    for folder in folders:
        archive.tree(folder)
    if command:
        archive.file("pvg/command", b"".join(word.encode("utf-8", "surrogateescape") + b"\0"
                                             for word in command))
    size = shutil.get_terminal_size()
    archive.file("pvg/settings", f"rows={size.lines}\ncolumns={size.columns}\n"
                 f"hold={int(hold)}\nguest={guest}\nguests={guests}\n")
    devices = [f"block/{name}" for name in disks] + [f"net/eth{index}" for index in range(vifs)]
    archive.file("pvg/devices", "".join(f"{device}\n" for device in devices))
    return _base() + archive.bytes()
