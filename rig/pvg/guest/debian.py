# SPDX-License-Identifier: GPL-2.0-only
"""The Debian root file system: made once with mmdebstrap from this machine's package sources."""
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from pvg.base import errors, files, packages, paths, progress
from pvg.machine import disks, network

SUITE = "bookworm"
# Placed in the image uninstalled, with all that they need, for apt-get in the guest.
PLACED = ("gcc", "libc6-dev", "make", "git", "python3", "fio", "iperf3", "xenstore-utils")
RECIPE = paths.RIG / "debian"
MEMORY_MIB = 512        # what a guest with Debian has unless asked otherwise
BOOT_LIMIT = 900        # seconds that it may take until the command starts, on a busy machine
SHUTDOWN_LIMIT = 300    # seconds that it gets to shut down, on a busy machine
APPEND = "systemd.show_status=0"     # the console is for the rig
_SIZE = "4G"
_SECONDS = 90           # that making it may take


def check() -> None:
    """Complain if there is no root file system and none can be made here."""
    if os.geteuid() != 0 and not _target(_sources()).exists():
        raise errors.RigError("making the Debian root file system needs root, once; run: "
                              "sudo ./pvguest run --root debian -- true")


def _target(sources: Sequence[str]) -> Path:
    """The file that has a root file system made of SOURCES."""
    key = files.digest([RECIPE / "customize"], [*sources, *PLACED, _SIZE, network.hosts()])
    return paths.BUILD / "debian" / f"{SUITE}-{key}.img"


def image() -> disks.Disk:
    """The disk with the root file system, to be copied on write; made first if there is none."""
    check()
    packages.require(packages.FOR_DEBIAN)
    sources = _sources()
    target = _target(sources)
    if not target.exists():
        with files.locked(paths.BUILD / "debian" / ".lock", "the Debian root file system"):
            if not target.exists():
                _make(target, sources)
    return disks.Disk(target)


def _sources() -> list[str]:
    """This machine's sources of Debian packages, as lines for sources.list."""
    text = subprocess.run(
        ["apt-get", "indextargets", "--format",
         "$(ORIGIN)|$(CODENAME)|deb $(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False).stdout
    found = re.findall(rf"(?m)^Debian\|{SUITE}[^|]*\|(deb .*)$", text)
    if not found:
        raise errors.RigError(f"apt knows no source of Debian packages for {SUITE}; check "
                              "/etc/apt/sources.list and run: apt-get update")
    return sorted(set(found))


def _proxies() -> list[str]:
    """Options that hand this machine's proxies for packages on."""
    text = subprocess.run(["apt-config", "dump"], stdout=subprocess.PIPE, text=True,
                          check=True).stdout
    return [f"--aptopt={line}" for line in re.findall(r"(?m)^(Acquire::\w+::Proxy.*;)$", text)]


def _make(target: Path, sources: Sequence[str]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    log_path = paths.new_log("debian")
    line = progress.Line("making the Debian root file system", _SECONDS)
    part = target.with_name("." + target.name)
    part.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="debian-", dir=target.parent) as folder, \
            open(log_path, "wb") as log, line:
        root = Path(folder) / "root"
        source_list = Path(folder) / "sources.list"
        source_list.write_text("\n".join(sources) + "\n", encoding="ascii")
        try:
            _run(["mmdebstrap", "--variant=important", "--mode=root", "--format=directory",
                  "--skip=cleanup/apt/lists", *_proxies(),
                  f"--customize-hook={RECIPE / 'customize'}", SUITE, root, source_list],
                 log, line, PACKAGES=" ".join(PLACED), HOSTS=network.hosts())
            _run(["mke2fs", "-q", "-t", "ext4", "-L", "debian", "-d", root, part, _SIZE], log, line)
        except errors.RigError:
            line.finish("failed")
            part.unlink(missing_ok=True)
            raise
        shutil.rmtree(root)
    part.rename(target)
    line.finish()
    for old in target.parent.glob(f"{SUITE}-*.img"):
        if old != target:
            old.unlink()


def _run(command: Sequence[str | Path], log: IO[bytes], line: progress.Line,
         **environment: str) -> None:
    """Run COMMAND with its output in LOG, moving LINE on as time passes."""
    with subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=log,
                          stderr=log, env=dict(os.environ, **environment)) as process:
        while True:
            try:
                status = process.wait(1)
                break
            except subprocess.TimeoutExpired:
                line.update(line.seconds(), str(command[0]))
    if status:
        raise errors.RigError(f"making the Debian root file system failed in {command[0]}",
                              log.name)
