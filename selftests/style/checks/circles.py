# SPDX-License-Identifier: MIT
"""Check that files of the port use each other in one direction only, by the symbols of their objects."""
import graphlib
from pathlib import Path
from typing import Sequence

from checks import tools
from checks.c_code import KERNEL
from checks.tree import Tree
from pvg.kernel import build, linux

PORT = "arch/x86/pvguest"
# Of all kernels, this one has every file of the port.
KERNEL_NAME = "pvguest-debug"


def circle(listing: str) -> list[str]:
    """Names of objects that use each other's symbols in a circle, if any do.

    LISTING is what 'nm -A' prints of all objects: FILE:VALUE TYPE SYMBOL; U: used, not defined; w, v:
    the same, and may stay undefined; W, V: defined, unless another object has a definition that is
    not weak.
    """
    home: dict[str, str] = {}
    weak: dict[str, str] = {}
    used: list[tuple[str, str]] = []
    for line in listing.splitlines():
        file, _, rest = line.partition(":")
        *_, kind, symbol = rest.split()
        name = Path(file).stem
        if kind in "Uwv":
            used.append((name, symbol))
        elif kind in "WV":
            weak[symbol] = name
        elif kind.isupper():
            home[symbol] = name
    home = weak | home
    graph: dict[str, set[str]] = {}
    for name, symbol in used:
        if home.get(symbol, name) != name:
            graph.setdefault(name, set()).add(home[symbol])
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        # Each is used by the one behind it; reversed, the arrows point at what is used.
        found: list[str] = error.args[1]
        return found[::-1]
    return []


def missing(sources: Sequence[str], folder: Path) -> list[str]:
    """A problem for each of SOURCES that has no object in FOLDER, and so cannot be looked at."""
    return [f"{name}: no object {Path(name).stem}.o in the kernel {KERNEL_NAME}" for name in sources
            if not (folder / f"{Path(name).stem}.o").exists()]


def check_circles(tree: Tree) -> list[str]:
    """Files of the port use each other in one direction only."""
    kernel = build.Kernel(KERNEL_NAME)
    sources = tree.files(f"{PORT}/*.c", f"{PORT}/*.S")

    def work() -> list[str]:
        kernel.make(f"{linux.MOUNT}/")
        folder = kernel.objects.resolve() / linux.MOUNT / PORT
        if problems := missing(sources, folder):
            return problems
        objects = [str(folder / f"{Path(name).stem}.o") for name in sources]
        found = circle(tools.run(["nm", "-A", *objects], tree.root))
        return [f"{PORT}: files use each other in a circle: {' -> '.join(found)}"] if found else []

    return tree.whole("circles", tree.files(*KERNEL, "Kbuild", "Kconfig", "linux/*"),
                      f"{tools.version('binutils')} {kernel.tree.version()}", work)
