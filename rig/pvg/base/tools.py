# SPDX-License-Identifier: MIT
"""Debian's own programs for guests, with just the libraries that they use there."""
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from pvg.base import errors, files, packages, paths, programs

WORK = paths.BUILD / "tools"
# Program -> Debian package and path in it.
PROGRAMS = {
    "fio": ("fio", "usr/bin/fio"),
    "iperf3": ("iperf3", "usr/bin/iperf3"),
    "e2fsck": ("e2fsprogs", "sbin/e2fsck"),
    "mke2fs": ("e2fsprogs", "sbin/mke2fs"),
    "xenstore": ("xenstore-utils", "usr/bin/xenstore"),
    **{f"xenstore-{name}": ("xenstore-utils", f"usr/bin/xenstore-{name}")
       for name in ("read", "write", "list", "ls", "rm", "exists", "watch", "chmod")},
}
# Library -> Debian package. Any other that a program names is replaced by a stand-in.
LIBRARIES = {
    "libc.so.6": "libc6", "libm.so.6": "libc6", "libz.so.1": "zlib1g", "libaio.so.1": "libaio1",
    "libnuma.so.1": "libnuma1", "libiperf.so.0": "libiperf0", "libext2fs.so.2": "libext2fs2",
    "libe2p.so.2": "libext2fs2", "libcom_err.so.2": "libcom-err2", "libblkid.so.1": "libblkid1",
    "libuuid.so.1": "libuuid1", "libxenstore.so.4": "libxenstore4",
    "libxentoolcore.so.1": "libxentoolcore1", "libgcc_s.so.1": "libgcc-s1",
}
_PLACES = ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu")
_LOADER = "lib64/ld-linux-x86-64.so.2"


def _find(package: str, candidates: Sequence[str]) -> Path:
    """The first of CANDIDATES that the installed, else the fetched, PACKAGE holds."""
    for relative in candidates:
        path = packages.find_file(package, relative)
        if path.exists():
            return path
    raise errors.RigError(f"Debian package {package} holds no {candidates[0]}")


def _symbols(path: Path, *options: str) -> list[list[str]]:
    """Kind and name of each dynamic symbol of PATH that nm lists."""
    listed = subprocess.run(["nm", "-D", *options, str(path)], stdout=subprocess.PIPE, text=True,
                            check=True)
    return [line.split()[-2:] for line in listed.stdout.splitlines() if line.split()]


def _undefined(path: Path) -> Iterator[tuple[str, str | None]]:
    """Pairs of a symbol that PATH lacks and its version, or None."""
    for kind, symbol in _symbols(path, "--undefined-only"):
        if kind == "U":
            name, _, version = symbol.partition("@")
            yield name, version.lstrip("@") or None


def _stand_in(program: Path, real: Iterable[Path], folder: Path) -> Path:
    """A library with the functions that PROGRAM and the libraries REAL import and REAL lack.

    fio is linked with clients of storage clusters, whose libraries are thirty times its own size
    and never called here; but the loader needs every symbol at the start.
    """
    defined: set[str] = set()
    for library in real:
        defined |= {symbol.partition("@")[0] for _, symbol in _symbols(library, "--defined-only")}
    required: dict[str | None, set[str]] = {}
    for path in (program, *real):
        for name, version in _undefined(path):
            if name not in defined and not (version or "").startswith("GLIBC"):
                required.setdefault(version, set()).add(name)
    source, script, target = (folder / f"stand-in.{end}" for end in ("c", "map", "so"))
    source.write_text("#include <stdlib.h>\n" + "".join(
        f"void {name}(void) {{ abort(); }}\n" for names in required.values()
        for name in sorted(names)), encoding="ascii")
    script.write_text("".join(
        f"{version} {{ {' '.join(n + ';' for n in sorted(names))} }};\n"
        for version, names in required.items() if version), encoding="ascii")
    subprocess.run(["gcc", "-shared", "-fPIC", "-fno-builtin", "-w", "-s", "-o", str(target),
                    f"-Wl,--version-script={script}", str(source)], check=True)
    return target


def _install(name: str, folder: Path) -> None:
    package, relative = PROGRAMS[name]
    program = _find(package, [relative])
    files.install(program, folder / "usr" / "bin" / name)
    real: dict[str, Path] = {}
    missing, left = set[str](), programs.needed(program)
    while left:
        library = left.pop()
        if library in real or library in missing:
            continue
        if library not in LIBRARIES:
            missing.add(library)
            continue
        real[library] = _find(LIBRARIES[library], [f"{p}/{library}" for p in _PLACES])
        left |= programs.needed(real[library])
    for library, path in real.items():
        files.install(path, folder / "usr" / "lib" / library)
    if missing:
        made = _stand_in(program, real.values(), WORK)
        for library in missing:
            files.install(made, folder / "usr" / "lib" / library)


def install(names: Iterable[str], folder: Path) -> None:
    """Put the programs NAMES into FOLDER, which is to be added to a guest: into /usr/bin there."""
    WORK.mkdir(parents=True, exist_ok=True)
    packages.require(["binutils", "gcc", "libc6-dev"])
    try:
        for name in names:
            _install(name, folder)
        files.install(_find("libc6", [_LOADER]), folder / _LOADER)
    except subprocess.CalledProcessError as error:
        raise errors.RigError(f"tools for the guest: {error}") from error


def folder_with(names: Sequence[str]) -> Path:
    """A folder to add to a guest that holds the programs NAMES."""
    folder = WORK / f"add-{'-'.join(sorted(names))}"
    install(names, folder)
    return folder
