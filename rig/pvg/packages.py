# SPDX-License-Identifier: GPL-2.0-only
"""Debian packages: installed when missing, or fetched and unpacked under build/."""
import os
import shutil
import subprocess
from pathlib import Path

from pvg import errors, files, paths, progress

# What each kind of work needs on the machine itself.
FOR_KERNEL = ("bc", "binutils", "bison", "ccache", "cpio", "flex", "gcc", "libc6-dev",
              "libelf-dev", "make", "patch", "xz-utils")
FOR_DISKS = ("qemu-utils",)
FOR_DEBIAN = ("e2fsprogs", "mmdebstrap", "qemu-utils")
FOR_RUN = ("busybox-static", "gcc", "libc6-dev", "qemu-system-x86")
FOR_CHECK = ("gcc", "gcc-multilib", "libc6-dev", "libcmocka-dev", "libxen-dev", "make",
             "pkg-config", "python3-yaml")

UNPACKED = paths.BUILD / "packages"


def _installed(names):
    """Those of NAMES that dpkg holds as installed."""
    result = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *names],
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                            check=False)
    return {line.split()[0] for line in result.stdout.splitlines() if line.endswith(" installed")}


def _apt(arguments, log, **options):
    """Run apt-get with ARGUMENTS, output to LOG; returns whether it worked."""
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    with open(log, "ab") as out:
        return subprocess.run(["apt-get", "-q", *arguments], stdin=subprocess.DEVNULL, stdout=out,
                              stderr=out, env=environment, check=False, **options).returncode == 0


def _with_update(arguments, log, **options):
    """Like _apt, but once more after refreshing the package lists if it fails."""
    return _apt(arguments, log, **options) or (_apt(["update"], log) and
                                               _apt(arguments, log, **options))


def require(names):
    """Make sure that NAMES are installed: by apt-get as root, else say the line to type."""
    missing = sorted(set(names) - _installed(names))
    if missing:
        line = "apt-get install --no-install-recommends " + " ".join(missing)
        if os.geteuid() != 0:
            raise errors.RigError(f"missing Debian packages; run: sudo {line}")
        progress.say("installing " + " ".join(missing))
        log = paths.new_log("apt")
        with files.locked(paths.BUILD / ".apt.lock", "package installation"):
            if not _with_update(["install", "-y", "--no-install-recommends", *missing], log):
                raise errors.RigError(f"could not install packages; try: {line}", log)


def candidate(name):
    """The version of package NAME that apt would fetch, or None."""
    result = subprocess.run(["apt-cache", "policy", name], stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True, check=False)
    for line in result.stdout.splitlines():
        if line.strip().startswith("Candidate:"):
            version = line.split()[1]
            return None if version == "(none)" else version
    return None


def dependency(name, prefix):
    """The package whose name begins with PREFIX on which NAME depends."""
    result = subprocess.run(["apt-cache", "depends", name], stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True, check=False)
    for line in result.stdout.splitlines():
        word = line.split()[-1] if line.split() else ""
        if line.strip().startswith("Depends:") and word.startswith(prefix):
            return word
    raise errors.RigError(f"package {name} depends on no {prefix}...; run: apt-get update")


def unpacked(name):
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
        if not _with_update(["-o", "APT::Sandbox::User=root", "download", name], log, cwd=folder):
            raise errors.RigError(f"could not download Debian package {name}", log)
        archive, = folder.glob("*.deb")
        part = folder / "part"
        result = subprocess.run(["dpkg-deb", "-x", str(archive), str(part)], text=True,
                                stderr=subprocess.PIPE, check=False)
        if result.returncode:
            raise errors.RigError(f"{archive.name}: {result.stderr.strip()}")
        (folder / "version").write_text(archive.name.split("_")[1].replace("%3a", ":") + "\n",
                                        encoding="ascii")
        archive.unlink()
        part.rename(done)
    return done


def version_unpacked(name):
    """Version of the package that unpacked(NAME) holds."""
    unpacked(name)
    return files.read_text(UNPACKED / name / "version").strip()


def version_installed(name):
    """Version of the installed package NAME, or None."""
    result = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", name], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return result.stdout.strip() or None


def find_file(name, relative):
    """Path of file RELATIVE of package NAME: the installed one, else from the unpacked package."""
    path = Path("/") / relative
    if version_installed(name) and path.exists():
        return path
    return unpacked(name) / relative
