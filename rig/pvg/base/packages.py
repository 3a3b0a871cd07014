# SPDX-License-Identifier: GPL-2.0-only
"""Debian packages: installed when missing, or fetched and unpacked under build/."""
import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from pvg.base import errors, files, paths, progress

# Packages that each kind of work needs on the machine itself.
FOR_KERNEL = ("bc", "binutils", "bison", "ccache", "cpio", "flex", "gcc", "libc6-dev",
              "libelf-dev", "make", "patch", "xz-utils")
FOR_DISKS = ("qemu-utils",)
FOR_DEBIAN = ("e2fsprogs", "mmdebstrap", "qemu-utils")
FOR_RUN = ("busybox-static", "gcc", "libc6-dev", "qemu-system-x86")
FOR_BOCHS = ("bochs", "bochs-term", "bochsbios", "grub-common", "grub-pc-bin", "vgabios")
FOR_CONFORMANCE = ("gcc", "libc6-dev", "libxen-dev", "make", "python3-yaml", "qemu-system-x86")
FOR_XEN = ("binutils", "bison", "flex", "gcc", "libc6-dev", "make", "python3")
FOR_FUZZ = ("clang-14", "libclang-rt-14-dev", "make")
FOR_HOST = ("binutils", "cpio", "gcc", "git", "libc6-dev", "libcmocka-dev", "libxen-dev", "make",
            "procps", "python3-yaml", *FOR_FUZZ)
FOR_GUEST = ("binutils", "gcc", "gcc-multilib", "libc6-dev", "make", "pkg-config", "python3-yaml")
FOR_STYLE = ("codespell", "git", "libxen-dev", "mypy", "perl", "pyflakes3", "python3-typeshed",
             "python3-yaml", "shellcheck", "sparse")
# All that a suite of tests uses, with what it boots.
FOR_SUITE = {
    "abi": FOR_CONFORMANCE,
    "guest": (*FOR_GUEST, *FOR_KERNEL, *FOR_RUN, *FOR_DISKS, *FOR_BOCHS),
    "host": (*FOR_HOST, *FOR_KERNEL, *FOR_RUN, *FOR_DISKS, *FOR_BOCHS, *FOR_DEBIAN),
    "style": (*FOR_STYLE, *FOR_KERNEL),
}

UNPACKED = paths.BUILD / "packages"
# Seconds that apt-get waits for another package manager to end.
PATIENCE = 1800


def _installed(names: Iterable[str]) -> set[str]:
    """Those of NAMES that dpkg holds as installed."""
    result = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *names],
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                            check=False)
    return {line.split()[0] for line in result.stdout.splitlines() if line.endswith(" installed")}


def _apt(arguments: Sequence[str], log: Path, folder: Path | None = None) -> bool:
    """Run apt-get with ARGUMENTS, output to LOG; returns whether it worked."""
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    with open(log, "ab") as out:
        return subprocess.run(["apt-get", "-q", "-o", f"DPkg::Lock::Timeout={PATIENCE}", *arguments],
                              stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment,
                              cwd=folder, check=False).returncode == 0


def _with_update(arguments: Sequence[str], log: Path, folder: Path | None = None) -> bool:
    """Like _apt, but once more after refreshing the package lists if it fails."""
    if _apt(arguments, log, folder):
        return True
    # Of two updates at one time, apt-get ends the second.
    with files.locked(paths.BUILD / ".apt-update.lock", "lists of packages"):
        updated = _apt(["update"], log)
    return updated and _apt(arguments, log, folder)


def require(names: Iterable[str]) -> None:
    """Make sure that NAMES are installed: by apt-get as root, else say the line to type."""
    missing = sorted(set(names) - _installed(names))
    if missing:
        line = "apt-get install --no-install-recommends " + " ".join(missing)
        if os.geteuid() != 0:
            raise errors.RigError(f"missing Debian packages; run: sudo {line}")
        progress.say("installing " + " ".join(missing))
        log = paths.new_log("apt")
        with files.locked(paths.BUILD / ".apt.lock", "package installation"), \
                progress.reminding("installing packages"):
            if not _with_update(["install", "-y", "--no-install-recommends", *missing], log):
                raise errors.RigError(f"could not install packages; try: {line}", log)


def dependency(name: str, prefix: str) -> str:
    """The package whose name begins with PREFIX on which NAME depends."""
    result = subprocess.run(["apt-cache", "depends", name], stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True, check=False)
    for line in result.stdout.splitlines():
        word = line.split()[-1] if line.split() else ""
        if line.strip().startswith("Depends:") and word.startswith(prefix):
            return word
    raise errors.RigError(f"package {name} depends on no {prefix}...; run: apt-get update")


def unpacked(name: str) -> Path:
    """Folder with the contents of package NAME, fetched at most once; nothing is installed."""
    done = UNPACKED / name / "root"
    if done.is_dir():
        return done
    with files.locked(UNPACKED / f".{name}.lock", f"package {name}"):
        if done.is_dir():
            return done
        progress.say(f"fetching package {name}")
        folder = UNPACKED / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        log = paths.new_log("apt")
        # As root apt would drop to a user of its own, who may not write here.
        with progress.reminding(f"fetching package {name}"):
            fetched = _with_update(["-o", "APT::Sandbox::User=root", "download", name], log, folder)
        if not fetched:
            raise errors.RigError(f"could not download Debian package {name}", log)
        archive, = folder.glob("*.deb")
        part = folder / "part"
        with progress.reminding(f"unpacking package {name}"):
            result = subprocess.run(["dpkg-deb", "-x", str(archive), str(part)], text=True,
                                    stderr=subprocess.PIPE, check=False)
        if result.returncode:
            raise errors.RigError(f"{archive.name}: {result.stderr.strip()}")
        (folder / "version").write_text(archive.name.split("_")[1].replace("%3a", ":") + "\n",
                                        encoding="ascii")
        archive.unlink()
        part.rename(done)
    return done


def version_unpacked(name: str) -> str:
    """Version of the package that unpacked(NAME) holds."""
    unpacked(name)
    return files.read_text(UNPACKED / name / "version").strip()


def version_installed(name: str) -> str | None:
    """Version of the installed package NAME, or None."""
    result = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", name], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return result.stdout.strip() or None


def find_file(name: str, relative: str) -> Path:
    """Path of file RELATIVE of package NAME: the installed one, else from the unpacked package."""
    path = Path("/") / relative
    if version_installed(name) and path.exists():
        return path
    return unpacked(name) / relative
