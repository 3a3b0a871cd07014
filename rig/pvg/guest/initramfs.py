# SPDX-License-Identifier: GPL-2.0-only
"""The guest's initial RAM file system: busybox, our init, the command and its files."""
import contextlib
import dataclasses
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from pvg.base import cpio, errors, files, packages, paths
from pvg.machine import network

BUSYBOX = Path("/bin/busybox")
_ACCOUNTS = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "etc/profile": "export PS1='guest# '\n",
}


def compile_static(folder: Path, name: str) -> Path:
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


def _base() -> bytes:
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


@dataclasses.dataclass
class Contents:
    """Contents of one guest's archive.

    command: a list of words; empty: a shell
    folders: whose files appear at the same paths
    hold: the guest waits for the rig's word before it runs the command
    guest: its number, from 1, among guests
    vifs: how many network interfaces it has
    disks: names of its disks
    switch: whether the first of them has a root file system to go on with
    networkd: whether that one's systemd-networkd is to configure the interfaces for us
    """

    command: Sequence[str]
    folders: Sequence[str] = ()
    hold: bool = False
    guest: int = 1
    guests: int = 1
    vifs: int = 0
    disks: Sequence[str] = ()
    switch: bool = False
    networkd: bool = False


def _terminal() -> os.terminal_size:
    """The size of the terminal that a shell would be used from."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            size = os.get_terminal_size(stream.fileno())
            if size.lines and size.columns:
                return size
    return os.terminal_size((80, 24))


def make(contents: Contents) -> bytes:
    """The archive with CONTENTS."""
    archive = cpio.Archive()
    archive.file("etc/hosts", network.hosts())
    for folder in contents.folders:
        archive.tree(folder, "pvg/add/" if contents.switch else "")
    if contents.switch:
        for name in ("switch", "pvguest.service"):
            archive.copy(paths.RIG / "debian" / name, f"pvg/{name}")
        archive.file("pvg/disk", f"/dev/{contents.disks[0]}\n")
    else:
        archive.file("pvg/network", network.guest_script(contents.guest, contents.vifs), 0o755)
    if contents.networkd:
        for name, text in network.networkd_files(contents.guest, contents.vifs).items():
            archive.file(f"pvg/networkd/{name}", text)
    if contents.command:
        archive.file("pvg/command", b"".join(word.encode("utf-8", "surrogateescape") + b"\0"
                                             for word in contents.command))
    size = _terminal()
    settings = {"rows": size.lines, "columns": size.columns, "hold": int(contents.hold),
                "guest": contents.guest, "guests": contents.guests, "switch": int(contents.switch)}
    archive.file("pvg/settings", "".join(f"{key}={value}\n" for key, value in settings.items()))
    devices = [f"block/{name}" for name in contents.disks]
    devices += [f"net/eth{index}" for index in range(contents.vifs)]
    archive.file("pvg/devices", "".join(f"{device}\n" for device in devices))
    return _base() + archive.bytes()
