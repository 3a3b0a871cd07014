# SPDX-License-Identifier: MIT
"""Checks of Python and shell, and of the spelling of all files, by the tools that Debian has."""
import concurrent.futures
import os
from typing import Sequence

from checks import rules, tools
from checks.tree import PROCESSES, Tree


def shells(tree: Tree) -> list[str]:
    """Names of the shell scripts, those without an ending too."""
    return [name for name in tree.names
            if name.endswith(".sh") or ("." not in os.path.basename(name) and
                                        tree.first_line(name).startswith(("#!/bin/sh",
                                                                          "#!/bin/bash")))]


def pythons(tree: Tree) -> list[str]:
    """Names of the Python programs and modules, those without an ending too."""
    return [name for name in tree.names
            if name.endswith(".py") or ("." not in os.path.basename(name) and
                                        tree.first_line(name).startswith("#!/usr/bin/python3"))]


def check_shellcheck(tree: Tree) -> list[str]:
    """shellcheck finds nothing in shell scripts and what they source."""
    names = shells(tree)

    def work() -> list[str]:
        output = tools.run(["shellcheck", "-x", "-P", "SCRIPTDIR", "-f", "gcc", *names], tree.root)
        return output.splitlines()

    return tree.whole("shellcheck", names + tree.files(".shellcheckrc"), tools.version("shellcheck"), work)


def check_pyflakes(tree: Tree) -> list[str]:
    """pyflakes finds nothing in Python."""
    def work(names: Sequence[str]) -> dict[str, list[str]]:
        return tools.by_file(tools.run(["pyflakes3", *names], tree.root), names)

    return tree.each("pyflakes", pythons(tree), lambda name: tools.version("pyflakes3"), work)


def check_codespell(tree: Tree) -> list[str]:
    """codespell finds no misspelt word."""
    spelled = ",".join(rules.SPELLED)
    names = [name for name in tree.names if not rules.matches(name, ("*/corpus/*", "LICENSES/*"))]

    def work(names: Sequence[str]) -> dict[str, list[str]]:
        output = tools.run(["codespell", "-L", spelled, *names], tree.root, good=range(0, 255))
        return tools.by_file(output, names)

    return tree.each("codespell", names, lambda name: f"{tools.version('codespell')} {spelled}",
                     work)


def _rooms(names: Sequence[str]) -> dict[str, list[str]]:
    """NAMES by room: 'selftests-NAME' for what stands in selftests/NAME, 'rig' for the rest.

    Every suite has a program 'check', and one run of mypy knows only one module of a name.
    """
    found: dict[str, list[str]] = {}
    for name in names:
        top, _, rest = name.partition("/")
        room = f"{top}-{rest.split('/')[0]}" if top == "selftests" else "rig"
        found.setdefault(room, []).append(name)
    return found


def check_mypy(tree: Tree) -> list[str]:
    """mypy --strict finds nothing in any Python."""
    every = pythons(tree)
    path = ":".join(rules.PYTHON_PATH)

    def work(room: str, names: Sequence[str]) -> list[str]:
        # Modules that these import from other rooms are read here and judged there.
        output = tools.run(["mypy", "--strict", "--no-error-summary", "--no-color-output",
                            "--follow-imports=silent", "--scripts-are-modules",
                            f"--cache-dir={tree.state / 'mypy' / room}", *names], tree.root,
                           env=dict(os.environ, MYPYPATH=path))
        return output.splitlines()

    def judge(room: str, names: Sequence[str]) -> list[str]:
        return tree.whole(f"mypy-{room}", every, f"{tools.version('mypy')} {path} {names}",
                          lambda: work(room, names))

    rooms = _rooms(every)
    tools.version("mypy")       # installed now, not by several at a time
    with concurrent.futures.ThreadPoolExecutor(PROCESSES) as pool:
        return [line for found in pool.map(judge, rooms, rooms.values()) for line in found]
