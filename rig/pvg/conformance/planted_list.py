# SPDX-License-Identifier: GPL-2.0-only
"""Lists of faults for a hypervisor's sources: replacements of text, and whether they fit a tree."""
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import yaml

from pvg.abi import clauses
from pvg.base import errors, paths, plural
from pvg.base.strict_yaml import Reader

KEYS = ("id", "file", "old", "new", "notice", "clauses", "survives")
NEEDED = ("id", "file", "old", "new", "notice")
NAME = re.compile(r"[a-z0-9]+(?:[-_.][a-z0-9]+)*", re.IGNORECASE)


@dataclass
class Fault:
    """One entry of a list; survives: why no case can notice it; killer: the case that did.

    place: file and line of the entry
    """

    name: str
    file: str
    old: str
    new: str
    notice: str
    clauses: tuple[str, ...]
    survives: str
    place: str
    killer: str = ""

    @property
    def where(self) -> str:
        """The file that has the fault, and what a guest should see of it."""
        return f"{self.file}; a guest should notice: {self.notice}"


def refuse(problems: Sequence[str]) -> None:
    """Raise UsageError with the first of PROBLEMS, if there is one."""
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise errors.UsageError(problems[0] + more)


def load(path: Path, known: Collection[str] | None = None) -> list[Fault]:
    """The faults of the list PATH, or of all lists (*.yaml) in the folder PATH.

    KNOWN: the ids of all clauses (default: the catalogue's)
    """
    lists = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
    if not lists:
        raise errors.UsageError(f"{paths.shown(path)}: no *.yaml in this folder")
    ids = clauses.load().clauses if known is None else known
    wrong: list[str] = []
    found: dict[str, Fault] = {}
    same: dict[tuple[str, str, str], str] = {}
    for one in lists:
        reader = Reader(one, wrong)
        for node in _entries(reader):
            fault = _read(reader, node, ids)
            if not fault:
                continue
            text = (fault.file, fault.old, fault.new)
            if fault.name in found:
                reader.complain(node, f"id '{fault.name}' is also at {found[fault.name].place}")
            elif text in same:
                reader.complain(node, f"{fault.name}: the same replacement as {same[text]}")
            found.setdefault(fault.name, fault)
            same.setdefault(text, fault.name)
    refuse(wrong)
    return list(found.values())


def _entries(reader: Reader) -> list[yaml.Node]:
    """The entries of the list that READER reads; complains if there is none."""
    top = reader.top()
    if isinstance(top, yaml.SequenceNode):
        if not top.value:
            reader.complain(top, "the list has no fault")
        return list(top.value)
    if top is not None:
        reader.complain(top, "the file is not a list of faults")
    return []


def _read(reader: Reader, node: yaml.Node, known: Collection[str]) -> Fault | None:
    """One entry, or None after a complaint."""
    before = len(reader.problems)
    parts = reader.mapping(node, KEYS, "fault")
    for key in NEEDED:
        if isinstance(node, yaml.MappingNode) and key not in parts:
            reader.complain(node, f"fault has no {key}")
    # The texts of the sources are taken as they stand, with their blanks and ends of lines.
    exact = {key: _exact(reader, parts[key], key) for key in ("old", "new") if key in parts}
    texts = {key: reader.text(parts[key], key)
             for key in ("id", "file", "notice", "survives") if key in parts}
    named = reader.texts(parts["clauses"], "clauses") if "clauses" in parts else ()
    for clause, item in named:
        if clause not in known:
            reader.complain(item, f"no clause '{clause}' in hypercall-abi/clauses")
    if len(reader.problems) == before:
        _check(reader, parts, texts, exact)
    if len(reader.problems) > before:
        return None
    return Fault(texts["id"], texts["file"], exact["old"], exact["new"], texts["notice"],
                 tuple(clause for clause, _ in named), texts.get("survives", ""),
                 f"{reader.name}:{node.start_mark.line + 1}")


def _exact(reader: Reader, node: yaml.Node, key: str) -> str:
    """NODE as the text that it is; only 'new' may be empty."""
    if not isinstance(node, yaml.ScalarNode) or (key == "old" and not node.value.strip()):
        reader.complain(node, f"{key} is not a text")
        return ""
    value: str = node.value
    return value


def _check(reader: Reader, parts: Mapping[str, yaml.Node], texts: Mapping[str, str],
           exact: Mapping[str, str]) -> None:
    """Complain of TEXTS and EXACT texts that are of no use."""
    name, path = texts["id"], PurePosixPath(texts["file"])
    if not NAME.fullmatch(name) or name == "all" or name.isdigit():
        reader.complain(parts["id"], f"id '{name}' is not letters and digits with '-', '_' or '.' between")
    if path.is_absolute() or ".." in path.parts:
        reader.complain(parts["file"], f"{name}: file '{path}' is outside the tree")
    if exact["old"] == exact["new"]:
        reader.complain(parts["new"], f"{name}: old and new are the same text")


def problems(faults: Sequence[Fault], source: Path) -> list[str]:
    """Lines that say which FAULTS do not fit the tree SOURCE, and why."""
    found = []
    texts: dict[str, bytes | str] = {}
    for fault in faults:
        if fault.file not in texts:
            texts[fault.file] = _contents(source, fault.file)
        text = texts[fault.file]
        if isinstance(text, str):
            found.append(f"{fault.place}: {fault.name}: {fault.file}: {text}")
            continue
        count = text.count(fault.old.encode())
        if count != 1:
            times = plural.counted(count, "time") if count else "nowhere"
            found.append(f"{fault.place}: {fault.name}: {fault.file} holds the old text "
                         f"{times}; it has to hold it once")
    return found


def _contents(source: Path, name: str) -> bytes | str:
    """The bytes of file NAME of tree SOURCE, or what is wrong with it."""
    path = source / name
    if not path.resolve().is_relative_to(source.resolve()):
        return "outside the tree"
    try:
        return path.read_bytes()
    except OSError as error:
        return f"cannot be read ({error.strerror})"
