# SPDX-License-Identifier: MIT
"""Checks of each file as such: its licence, its first sentence, its length, the white space in it."""
import os
import re
from pathlib import PurePosixPath

from checks import rules
from checks.scripts import pythons, shells
from checks.tree import Tree

C = (".c", ".h", ".S")
HASHED = (".yaml", ".mk", ".config")     # besides Python and shell: comments begin with '#'


def _sources(tree: Tree) -> list[str]:
    """Names of the files that people write: no text, no data, no patches."""
    scripts = set(shells(tree)) | set(pythons(tree))
    return [name for name in tree.names
            if name in scripts or name.endswith(C + HASHED + (".lds", ".def"))
            or os.path.basename(name) in ("Kbuild", "Kconfig", "Makefile")]


def check_licence(tree: Tree) -> list[str]:
    """Every source file names its licence in one of its first two lines."""
    return [f"{name}:1: no SPDX-License-Identifier in the first two lines"
            for name in _sources(tree) if not name.endswith(".config")
            and not any("SPDX-License-Identifier: " in line
                        for line in tree.text(name).splitlines()[:2])]


def _opening(text: str) -> str:
    """The first line in the source TEXT after the lines of '#!' and licence."""
    lines = [line for line in text.splitlines()
             if line.strip(" #") and not line.startswith("#!") and "SPDX-License-Id" not in line]
    return lines[0] if lines else ""


def check_first_sentence(tree: Tree) -> list[str]:
    """Every source file begins with a comment that says what it is for.

    But those that Kbuild reads: which objects and questions they have is all that they say.
    """
    scripts = set(pythons(tree))
    found = []
    for name in _sources(tree):
        if rules.matches(name, ("drivers/*Makefile", "arch/*Makefile", "*Kconfig", "Kbuild")):
            continue
        text = tree.text(name)
        if name in scripts:
            form = r'[rb]*"""\S'
        elif name.endswith(C + (".lds",)):
            form = r"/\*"
        else:
            form = r"#+ *\S|/\*"
        if not re.match(form, _opening(text)) and not _empty(text):
            found.append(f"{name}:1: does not begin with a sentence that says what it is for")
    return found


def _empty(text: str) -> bool:
    """Whether the source TEXT holds nothing, as a package's __init__.py may, but its licence."""
    return not _opening(text)


def check_length(tree: Tree) -> list[str]:
    """No file has more than 800 lines."""
    found = []
    for name in tree.names:
        if any(rules.matches(name, passed.files) for passed in rules.LONG):
            continue
        count = tree.text(name).count("\n")
        if count > rules.LONGEST:
            found.append(f"{name}:{count}: more than {rules.LONGEST} lines")
    return found


def check_white_space(tree: Tree) -> list[str]:
    """No trailing blanks, no end without a line's end, no carriage return."""
    found = []
    for name in tree.names:
        if rules.matches(name, ("*/corpus/*", "*.patch", "LICENSES/*", "docs/abi/*")):
            continue
        text = (tree.root / name).read_bytes().decode("utf-8", "replace")
        for number, line in enumerate(text.split("\n"), 1):
            if line != line.rstrip():
                found.append(f"{name}:{number}: blanks at the end of the line")
        if text and not text.endswith("\n"):
            found.append(f"{name}:1: the last line does not end")
        elif text.endswith("\n\n"):
            found.append(f"{name}:1: empty lines at the end")
    return found


def check_readme(tree: Tree) -> list[str]:
    """Every folder, or one around it, has a README that says what lives there."""
    described = {PurePosixPath(name).parent for name in tree.files("*/README.md")}
    folders = {PurePosixPath(name).parent for name in tree.files("*/*")}
    return [f"{folder}/README.md:1: missing, in the folders around it too"
            for folder in sorted(folders) if not rules.matches(str(folder), rules.UNDESCRIBED)
            and not described & {folder, *folder.parents}]
