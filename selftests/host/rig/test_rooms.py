# SPDX-License-Identifier: MIT
"""Tests of the rig's rooms: imports go downward only, and rig and selftests keep apart."""
import ast
import graphlib
import sys
import unittest
from collections.abc import Iterator
from pathlib import Path

import rigtest

PACKAGE = rigtest.REPO / "rig" / "pvg"
# Room, or module of the package itself -> what it may import besides itself (rig/pvg/README.md).
BELOW: dict[str, set[str]] = {
    "base": set(),
    "abi": {"base"},
    "kernel": {"base"},
    "machine": {"base"},
    "guest": {"machine", "kernel", "base"},
    "conformance": {"guest", "machine", "abi", "base"},
    "bench": {"guest", "machine", "base"},
    "checks": {"base"},
    "commands": {"bench", "checks", "conformance", "guest", "machine", "kernel", "abi", "base"},
    "cli": {"commands", "base"},
    "__init__": set(),
}
FOREIGN = {"yaml"}      # all that the package may use besides the standard library


def imported(text: str) -> Iterator[tuple[str, int]]:
    """Full names of what the Python source TEXT imports, with the line of each."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def wrong(text: str, room: str) -> list[str]:
    """Imports of the source TEXT of a module in ROOM that the room excludes."""
    found = []
    for name, line in imported(text):
        top, _, inner = name.partition(".")
        if top == "pvg":
            if inner.split(".")[0] not in BELOW[room] | {room}:
                found.append(f"{line}: {name}")
        elif top not in sys.stdlib_module_names | FOREIGN:
            found.append(f"{line}: {name}")
    return found


def modules() -> dict[str, str]:
    """Full names of the package's modules, with their sources."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = path.read_text(encoding="utf-8")
    return found


def circle(sources: dict[str, str]) -> list[str]:
    """Modules of SOURCES, name -> source, that import each other in a circle, if any do."""
    graph = {}
    for module, text in sources.items():
        names = [name for name, _ in imported(text)]
        graph[module] = {next((one for one in (name, name.rpartition(".")[0]) if one in sources), "")
                         for name in names} - {"", module}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []


def programs(top: Path) -> Iterator[Path]:
    """Python files below the folder TOP, those without an ending too."""
    for path in sorted(top.rglob("*")):
        if path.suffix == ".py" and path.is_file():
            yield path
        elif not path.suffix and path.is_file() and \
                path.open("rb").readline().startswith(b"#!/usr/bin/python3"):
            yield path


class Rooms(unittest.TestCase):
    """Each room imports only what stands below it."""

    def test_every_module_stands_in_a_room(self) -> None:
        found = {path.relative_to(PACKAGE).parts[0].removesuffix(".py")
                 for path in PACKAGE.rglob("*.py")}
        self.assertEqual(found, set(BELOW))

    def test_imports_go_downward(self) -> None:
        for path in PACKAGE.rglob("*.py"):
            with self.subTest(str(path.relative_to(PACKAGE))):
                room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
                self.assertEqual(wrong(path.read_text(encoding="utf-8"), room), [])

    def test_wrong_imports_are_noticed(self) -> None:
        for text in ("from pvg.machine import qemu", "import pvg.guest.session",
                     "def late():\n    from pvg.commands import run", "from lib import build",
                     "from pvg import cli", "import numpy"):
            with self.subTest(text):
                self.assertEqual(len(wrong(text, "kernel")), 1)

    def test_no_circles(self) -> None:
        self.assertEqual(circle(modules()), [])

    def test_a_circle_is_noticed(self) -> None:
        late = "if TYPE_CHECKING:\n    from pvg.guest.{} import Thing"
        found = circle({"pvg.guest.one": "from pvg.guest import two", "pvg.guest.other": "",
                        "pvg.guest.two": late.format("one")})
        self.assertEqual(set(found), {"pvg.guest.one", "pvg.guest.two"})

    def test_each_room_says_what_lives_there(self) -> None:
        for path in PACKAGE.rglob("__init__.py"):
            with self.subTest(str(path.relative_to(PACKAGE))):
                self.assertTrue(ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))))


class Apart(unittest.TestCase):
    """Programs under selftests use the base of the rig only, but for what examines the rig."""

    def test_selftests_import_the_base_only(self) -> None:
        seen = 0
        for path in programs(rigtest.REPO / "selftests"):
            if path.name.startswith("test_") or path.name.endswith("_test.py"):
                continue
            rooms: tuple[str, ...] = ("pvg.base.",)
            if path.is_relative_to(rigtest.REPO / "selftests" / "style"):
                # Help texts of the rig itself; Linux's tree, its tools and its build.
                rooms += ("pvg.cli", "pvg.kernel.")
            seen += 1
            with self.subTest(str(path.relative_to(rigtest.REPO))):
                names = [name for name, _ in imported(path.read_text(encoding="utf-8"))
                         if name.split(".")[0] == "pvg"]
                self.assertEqual([n for n in names if not n.startswith(rooms)], [])
        self.assertGreater(seen, 5)


if __name__ == "__main__":
    unittest.main()
