# SPDX-License-Identifier: GPL-2.0-only
"""The guest's initial RAM file system: busybox, our init, the command and its files."""
import shutil
import subprocess
from pathlib import Path

from pvg import cpio, errors, files, packages, paths

BUSYBOX = Path("/bin/busybox")
_ACCOUNTS = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "etc/hosts": "127.0.0.1 localhost guest\n::1 localhost\n",
    "etc/profile": "export PS1='guest# '\n",
}


def compile_static(source, name):
    """Path of the static program made from the C file SOURCE, compiled at most once."""
    key = files.digest([source])
    target = paths.BUILD / "rig" / f"{name}-{key}"
    if target.exists():
        return target
    packages.require(packages.FOR_RUN)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{id(target)}")
    result = subprocess.run(["gcc", "-O2", "-static", "-s", "-Wall", "-o", str(part), str(source)],
                            stderr=subprocess.PIPE, text=True, check=False)
    if result.returncode:
        raise errors.RigError(f"compiling {paths.shown(source)} failed: "
                              + result.stderr.strip().split("\n")[0])
    part.rename(target)
    return target


def _base():
    """The part that is the same for every run."""
    if not BUSYBOX.exists():
        packages.require(["busybox-static"])
    init = compile_static(paths.RIG / "guest" / "init.c", "init")
    cached = paths.BUILD / "rig" / f"base-{files.digest([init, BUSYBOX, Path(__file__)])}.cpio"
    if cached.exists():
        return cached.read_bytes()
    archive = cpio.Archive()
    for name in ("proc", "sys", "dev", "tmp", "run", "mnt", "root", "var/tmp", "pvg"):
        archive.folder(name)
    archive.node("dev/console", 5, 1)
    archive.node("dev/null", 1, 3, 0o666)
    archive.copy(init, "init")
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


def make(command, folders=(), hold=False):
    """Archive that runs COMMAND (a list of words; empty: a shell) among the files of FOLDERS.

    hold: the guest waits for the rig's word before it runs the command.
    """
    archive = cpio.Archive()
    for folder in folders:
        archive.tree(folder)
    if command:
        archive.file("pvg/command", b"".join(word.encode("utf-8", "surrogateescape") + b"\0"
                                             for word in command))
    size = shutil.get_terminal_size()
    archive.file("pvg/settings", f"rows={size.lines}\ncolumns={size.columns}\n"
                 f"hold={int(hold)}\n")
    return _base() + archive.bytes()
