# SPDX-License-Identifier: MIT
"""Check of the kernel's C by sparse, through Kbuild, which knows the flags of each file.

Only files whose objects are newer than what sparse said of them last are looked at.
"""
import os
import re
from pathlib import Path
from typing import Iterator, NamedTuple

from checks import tools
from checks.c_code import KERNEL
from checks.tree import Tree
from pvg.kernel import build, linux

ONE = Path(__file__).resolve().parents[1] / "sparse-one"


class Unit(NamedTuple):
    """A source that Kbuild has compiled: its name for the compiler, its object, sparse's words."""

    source: str
    object: Path
    words: Path


def units(objects: Path, folder: str, results: Path) -> Iterator[Unit]:
    """The C sources of which there are objects below FOLDER of the build folder OBJECTS."""
    for command in sorted((objects / folder).rglob(".*.o.cmd")):
        match = re.search(r"^source_\S+ := (\S+\.c)$",
                          command.read_text(encoding="utf-8", errors="replace"), re.M)
        if match and (objects / match.group(1)).exists():
            target = command.with_name(command.name[1:].removesuffix(".cmd"))
            yield Unit(match.group(1), target, results / match.group(1).removeprefix("../").replace("/", "+"))


def stale(unit: Unit) -> bool:
    """Whether sparse has not seen UNIT as it is now."""
    return not unit.words.exists() or \
        unit.words.stat().st_mtime_ns <= unit.object.stat().st_mtime_ns


def findings(unit: Unit, folder: str) -> list[str]:
    """The warnings of sparse about UNIT, the names in FOLDER relative to the repository."""
    return [re.sub(rf"^(?:\.\./)*{folder}/", "", line) for line
            in unit.words.read_text(encoding="utf-8", errors="replace").splitlines() if line]


def check_sparse(tree: Tree) -> list[str]:
    """sparse finds nothing in the port and the drivers."""
    kernel = build.Kernel("pvguest")
    version = tools.version("sparse")
    results = tree.state / "sparse"

    def work() -> list[str]:
        results.mkdir(parents=True, exist_ok=True)
        kernel.make(f"{linux.MOUNT}/")
        objects = kernel.objects.resolve()
        new = [str(unit.object.relative_to(objects))
               for unit in units(objects, linux.MOUNT, results) if stale(unit)]
        if new:
            os.environ["PVGUEST_SPARSE"] = str(results)
            kernel.make("C=2", f"CHECK={ONE}", *new)
        known = list(units(objects, linux.MOUNT, results))
        if not known:
            raise RuntimeError(f"no objects below {objects / linux.MOUNT}")
        return sorted({line for unit in known for line in findings(unit, linux.MOUNT)})

    return tree.whole("sparse", tree.files(*KERNEL, "Kbuild", "Kconfig", "linux/*"),
                      f"{version} {kernel.tree.version()}", work)
