# SPDX-License-Identifier: GPL-2.0-only
"""Programs of Debian packages that are not installed, with the shared libraries they need."""
import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from pvg.base import errors, packages
from pvg.base.cpio import Archive

_FOLDERS = ("usr/lib/xen-4.17/bin", "usr/bin", "usr/sbin", "usr/libexec", "bin",
            "sbin")
_LIBRARIES = ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu", "usr/lib/ebtables")
_TARGET = "lib/x86_64-linux-gnu"


class Programs:
    """Finds files in PACKAGES, which are fetched if need be, and else on this machine."""

    def __init__(self, names: Sequence[str]) -> None:
        packages.require(["binutils"])
        self.names = tuple(names)
        self._roots = [packages.unpacked(name) for name in names]

    def versions(self) -> list[str]:
        """Names and versions of the packages: what is made of others is out of date."""
        return [f"{name} {packages.version_unpacked(name)}" for name in self.names]

    def root(self, name: str) -> Path:
        """Folder with the contents of package NAME."""
        return self._roots[self.names.index(name)]

    def find(self, name: str) -> Path:
        """Path of the program NAME."""
        path = self._first(f"{folder}/{name}" for folder in _FOLDERS)
        if path is None:
            raise errors.RigError(f"no Debian package unpacked here holds {name}")
        return path

    def add_libraries(self, archive: Archive, programs: Iterable[Path]) -> None:
        """Put into ARCHIVE all that the files PROGRAMS need to run."""
        pending, known = list(programs), set[str]()
        while pending:
            for name in sorted(needed(pending.pop()) - known):
                known.add(name)
                path = self._first(f"{folder}/{name}" for folder in _LIBRARIES)
                if path is None:
                    raise errors.RigError(f"library {name} is on this machine in no package that "
                                          "was unpacked; run: apt-get install xen-utils-4.17")
                archive.copy(path, f"{_TARGET}/{name}")
                pending.append(path)

    def _first(self, candidates: Iterable[str]) -> Path | None:
        for relative in candidates:
            for root in [*self._roots, Path("/")]:
                if (root / relative).exists():
                    return root / relative
        return None


def needed(path: str | Path) -> set[str]:
    """The shared libraries that the ELF file PATH names."""
    output = subprocess.run(["readelf", "-d", str(path)], stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True, check=False).stdout
    return set(re.findall(r"\(NEEDED\).*\[(.*)\]", output)) - {"ld-linux-x86-64.so.2"}
