# SPDX-License-Identifier: MIT
"""Debian's own programs for tests in the guest, with just the libraries that they use there."""
import os
import re
import subprocess
import sys

from checklib import build, guest

sys.path.insert(0, str(guest.REPO / "rig"))
from pvg import errors, packages  # noqa: E402  (the path must be set first)

# Program -> Debian package and path in it.
PROGRAMS = {
    "fio": ("fio", "usr/bin/fio"),
    "iperf3": ("iperf3", "usr/bin/iperf3"),
    "e2fsck": ("e2fsprogs", "sbin/e2fsck"),
    "mke2fs": ("e2fsprogs", "sbin/mke2fs"),
    "xenstore": ("xenstore-utils", "usr/bin/xenstore"),
}
# Library -> Debian package. Any other that a program names is replaced by a stand-in.
LIBRARIES = {
    "libc.so.6": "libc6", "libm.so.6": "libc6", "libz.so.1": "zlib1g", "libaio.so.1": "libaio1",
    "libnuma.so.1": "libnuma1", "libiperf.so.0": "libiperf0", "libext2fs.so.2": "libext2fs2",
    "libe2p.so.2": "libext2fs2", "libcom_err.so.2": "libcom-err2", "libblkid.so.1": "libblkid1",
    "libuuid.so.1": "libuuid1", "libxenstore.so.4": "libxenstore4",
    "libxentoolcore.so.1": "libxentoolcore1",
}
_PLACES = ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu")
_LOADER = "lib64/ld-linux-x86-64.so.2"


def _find(package, candidates):
    """The first of CANDIDATES that the installed, else the fetched, PACKAGE holds."""
    for relative in candidates:
        path = packages.find_file(package, relative)
        if path.exists():
            return path
    raise build.BuildError(f"Debian package {package} holds no {candidates[0]}")


def needed(path):
    """Names of the libraries that PATH loads."""
    told = subprocess.run(["readelf", "-d", str(path)], capture_output=True, text=True, check=True)
    return set(re.findall(r"\(NEEDED\).*\[(.*)\]", told.stdout)) - {os.path.basename(_LOADER)}


def _undefined(path):
    """Pairs of a symbol that PATH lacks and its version, or None."""
    told = subprocess.run(["nm", "-D", "--undefined-only", str(path)], capture_output=True,
                          text=True, check=True)
    for line in told.stdout.split("\n"):
        words = line.split()
        if words and words[-2] == "U":
            name, _, version = words[-1].partition("@")
            yield name, version.lstrip("@") or None


def _stand_in(program, real, folder):
    """A library with the functions that PROGRAM and the libraries REAL want and REAL lack.

    fio comes with clients of storage clusters, whose libraries are thirty times its own size and
    never called here; but the loader wants every symbol at the start.
    """
    defined = set()
    for library in real:
        told = subprocess.run(["nm", "-D", "--defined-only", str(library)], capture_output=True,
                              text=True, check=True)
        defined |= {line.split()[-1].partition("@")[0] for line in told.stdout.splitlines()}
    wanted = {}
    for path in (program, *real):
        for name, version in _undefined(path):
            if name not in defined and not (version or "").startswith("GLIBC"):
                wanted.setdefault(version, set()).add(name)
    source, script, target = (folder / f"stand-in.{end}" for end in ("c", "map", "so"))
    source.write_text("#include <stdlib.h>\n" + "".join(
        f"void {name}(void) {{ abort(); }}\n" for names in wanted.values() for name in sorted(names)),
        encoding="ascii")
    script.write_text("".join(
        f"{version} {{ {' '.join(n + ';' for n in sorted(names))} }};\n"
        for version, names in wanted.items() if version), encoding="ascii")
    subprocess.run(["gcc", "-shared", "-fPIC", "-fno-builtin", "-w", "-s", "-o", str(target),
                    f"-Wl,--version-script={script}", str(source)], check=True)
    return target


def _install(name, folder, work):
    package, relative = PROGRAMS[name]
    program = _find(package, [relative])
    build.install(program, folder / "usr" / "bin" / name)
    real, missing, left = {}, set(), needed(program)
    while left:
        library = left.pop()
        if library in real or library in missing:
            continue
        if library not in LIBRARIES:
            missing.add(library)
            continue
        real[library] = _find(LIBRARIES[library], [f"{p}/{library}" for p in _PLACES])
        left |= needed(real[library])
    for library, path in real.items():
        build.install(path, folder / "usr" / "lib" / library)
    if missing:
        made = _stand_in(program, real.values(), work)
        for library in missing:
            build.install(made, folder / "usr" / "lib" / library)


def folder(names):
    """The folder to add for the programs NAMES; they stand in /usr/bin there."""
    out = guest.WORK / f"add-{'-'.join(sorted(names))}"
    work = guest.WORK / "stand-in"
    work.mkdir(parents=True, exist_ok=True)
    try:
        packages.require(["binutils", "gcc", "libc6-dev"])
        for name in names:
            _install(name, out, work)
    except (errors.PvgError, subprocess.CalledProcessError) as error:
        raise build.BuildError(f"tools for the guest: {error}") from error
    build.install("/" + _LOADER, out / _LOADER)
    return out
