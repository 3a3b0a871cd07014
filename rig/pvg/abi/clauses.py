# SPDX-License-Identifier: GPL-2.0-only
"""The clause catalogue: a strict loader that names file and line, and coverage by cases."""
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from pvg.base import errors, paths
from pvg.base.strict_yaml import Children, Reader

CLAUSES = paths.REPO / "hypercall-abi" / "clauses"
NUMBERS = "numbers.yaml"

LEVELS = ("must", "may", "removed")
TESTS = {
    "single": "one guest",
    "two-guests": "two guests",
    "backend": "a guest and a back end",
    "32-bit": "a 32-bit guest",
    "none": "not from a guest",
}
PRIVILEGES = {
    "any": "any domain",
    "unprivileged": "unprivileged domains only",
    "initial": "the initial domain only",
}
USES = ("guest", "old", "optional", "refused", "removed", "unused")
ERRNO = frozenset(
    "EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT "
    "EBUSY EEXIST EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOSPC EROFS EMLINK EDOM ERANGE "
    "EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY ENODATA ETIME EBADMSG EOVERFLOW EILSEQ ERESTART "
    "ENOTSOCK EMSGSIZE EOPNOTSUPP EADDRINUSE EADDRNOTAVAIL ENOBUFS EISCONN ENOTCONN ETIMEDOUT "
    "ECONNREFUSED EALREADY".split())

ID = re.compile(r"(?P<prefix>[A-Z][A-Z0-9]*(?:-(?=[0-9]*[A-Z])[A-Z0-9]+)*)-(?P<number>\d{3})")
RELEASE = re.compile(r"[34]\.\d{1,2}")
SUBOP = re.compile(r"[A-Za-z]\w*")
SOURCE = re.compile(
    r"public/[\w./-]+\.h:\d+(?: \([^()]+\))?"          # header, line, the word on it
    r"|(?:xen|tools)/[\w./-]+\.(?:[chS]|awk)(?::\w+)?"  # hypervisor or tool source: function
    r"|docs/[\w./-]+(?:: .+)?"                          # the hypervisor's documents: section
    r"|linux/[\w./-]+(?::\w+)?")                        # a Linux header or document

AREA_KEYS = {"area", "title", "order", "prefixes", "intro", "clauses"}
MORE_KEYS = {"area", "clauses"}     # of a file that continues an area
CLAUSE_KEYS = {
    "id": str, "title": str, "text": str, "level": str, "since": str, "until": str,
    "hypercall": str, "subop": str, "errors": list, "privilege": str, "test": str,
    "note": str, "untested": str, "source": list,
}
REQUIRED = ("id", "title", "text", "level", "test", "source")


class CatalogueError(errors.RigError):
    """The catalogue breaks its own rules; problems has a line FILE:LINE: TEXT for each."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        more = f" (and {len(self.problems) - 1} more)" if len(self.problems) > 1 else ""
        super().__init__(self.problems[0] + more)


@dataclass(frozen=True)
class Clause:
    """One checkable statement about the ABI."""

    id: str
    title: str
    text: str
    level: str
    test: str
    source: tuple[str, ...]
    area: str
    file: str
    line: int
    hypercall: str | None = None
    subop: str | None = None
    errors: tuple[str, ...] = ()
    privilege: str = "any"
    since: str | None = None
    until: str | None = None
    note: str | None = None
    untested: str | None = None


@dataclass(frozen=True)
class Area:
    """One chapter of the reference: the clauses of FILE and of the files that continue it."""

    name: str
    title: str
    order: int
    prefixes: dict[str, str]
    intro: str
    file: str
    clauses: tuple[Clause, ...] = ()


@dataclass(frozen=True)
class Number:
    """One hypercall number."""

    nr: int
    name: str
    use: str
    summary: str
    line: int


@dataclass
class Catalogue:
    """Every area, clause and hypercall number."""

    areas: list[Area] = field(default_factory=list)
    clauses: dict[str, Clause] = field(default_factory=dict)
    numbers: list[Number] = field(default_factory=list)

    def of_hypercall(self, name: str) -> list[Clause]:
        """Clauses about hypercall NAME, in the order of the reference."""
        return [c for c in self.clauses.values() if c.hypercall == name]

    def musts(self) -> list[Clause]:
        """Clauses that a hypervisor has to keep and a guest can check."""
        return [c for c in self.clauses.values() if c.level == "must" and c.test != "none"]


class _ClauseReader:
    """Reads the clauses of one file: READER's, which is about AREA; NAMES are the hypercalls'."""

    def __init__(self, reader: Reader, area: Area, names: set[str]) -> None:
        self.reader = reader
        self.area = area
        self.names = names

    def read(self, node: yaml.Node) -> Clause | None:
        """One clause, or None when it cannot even be named."""
        parts = self.reader.mapping(node, CLAUSE_KEYS, "clause")
        for key in REQUIRED:
            if key not in parts:
                self.reader.complain(node, f"clause has no {key}")
        texts = {key: self.reader.text(parts[key], key)
                 for key, kind in CLAUSE_KEYS.items() if key in parts and kind is str}
        lists = {key: self._texts(parts[key], key)
                 for key, kind in CLAUSE_KEYS.items() if key in parts and kind is list}
        match = ID.fullmatch(texts.get("id", ""))
        if not match:
            if "id" in parts:
                self.reader.complain(parts["id"],
                                     f"id '{texts['id']}' is not of the form PREFIX-000")
            return None
        if match["prefix"] not in self.area.prefixes:
            self.reader.complain(parts["id"], f"id '{texts['id']}' has none of this area's "
                                              "prefixes: " + ", ".join(self.area.prefixes))
        self._check(node, parts, texts)
        text = {key: texts.get(key, "") for key in ("id", "title", "text", "level", "test")}
        return Clause(**text, source=lists.get("source", ()), errors=lists.get("errors", ()),
                      area=self.area.name, file=self.reader.name,
                      line=node.start_mark.line + 1,
                      privilege=texts.get("privilege", "any"),
                      hypercall=texts.get("hypercall"), subop=texts.get("subop"),
                      since=texts.get("since"), until=texts.get("until"),
                      note=texts.get("note"), untested=texts.get("untested"))

    def _texts(self, node: yaml.Node, key: str) -> tuple[str, ...]:
        """The texts of list KEY."""
        pairs = self.reader.texts(node, key)
        for text, item in pairs:
            if key == "source" and not SOURCE.fullmatch(text):
                self.reader.complain(item, f"source '{text}' names no header line, function "
                                           "or document")
            if key == "errors" and text not in ERRNO:
                self.reader.complain(item, f"'{text}' is not an error name of xen/errno.h")
        return tuple(text for text, _ in pairs)

    def _check(self, node: yaml.Node, parts: Mapping[str, yaml.Node],
               texts: Mapping[str, str]) -> None:
        """Complain of TEXTS that have a form or a list of their own, and of lacking ones."""
        complain = self.reader.complain
        for key, allowed in (("level", LEVELS), ("test", tuple(TESTS)),
                             ("privilege", tuple(PRIVILEGES))):
            if key in texts:
                self.reader.word(parts[key], texts[key], allowed, key)
        for key in ("since", "until"):
            if key in texts and not RELEASE.fullmatch(texts[key]):
                complain(parts[key], f"{key} '{texts[key]}' is not a release such as 4.17")
        if texts.get("level") == "removed" and "until" not in texts:
            complain(node, "a removed clause has to say until which release it held")
        if "hypercall" in texts and texts["hypercall"] not in self.names:
            complain(parts["hypercall"],
                     f"hypercall '{texts['hypercall']}' is not in {NUMBERS}")
        if "subop" in texts:
            if "hypercall" not in texts:
                complain(parts["subop"], "subop without a hypercall")
            if not SUBOP.fullmatch(texts["subop"]):
                complain(parts["subop"], f"subop '{texts['subop']}' is not a C name")


def _parts(reader: Reader, keys: set[str]) -> Children | None:
    """The values of KEYS in the file of READER, or None when one is missing."""
    top = reader.compose()
    if top is None:
        return None
    parts = reader.mapping(top, keys, "file")
    missing = [key for key in sorted(keys) if key not in parts]
    if missing:
        reader.complain(top, f"file has no {', '.join(missing)}")
        return None
    return parts


def _read_area(path: Path, names: set[str], seen: dict[str, str],
               problems: list[str]) -> Area | None:
    """The area that starts in the file PATH, or None when it is beyond reading."""
    reader = Reader(path, problems)
    parts = _parts(reader, AREA_KEYS)
    if parts is None:
        return None
    area = Area(reader.text(parts["area"], "area"), reader.text(parts["title"], "title"),
                reader.number(parts["order"], "order"),
                reader.named_texts(parts["prefixes"], "prefixes"),
                reader.text(parts["intro"], "intro"), reader.name)
    if area.name != path.stem:
        reader.complain(parts["area"], f"area '{area.name}' does not match the file's name")
    return _with_clauses(area, reader, parts["clauses"], names, seen)


def _continue_area(path: Path, areas: dict[str, Area], names: set[str], seen: dict[str, str],
                   problems: list[str]) -> None:
    """Add the clauses of the file PATH, AREA-SUBJECT.yaml, to that one of AREAS which it continues."""
    reader = Reader(path, problems)
    parts = _parts(reader, MORE_KEYS)
    if parts is None:
        return
    name = reader.text(parts["area"], "area")
    if name != path.stem.partition("-")[0]:
        reader.complain(parts["area"], f"area '{name}' does not match the file's name")
    elif name not in areas:
        reader.complain(parts["area"], f"no file {name}.yaml starts area '{name}'")
    else:
        areas[name] = _with_clauses(areas[name], reader, parts["clauses"], names, seen)


def _with_clauses(area: Area, reader: Reader, body: yaml.Node, names: set[str],
                  seen: dict[str, str]) -> Area:
    """AREA with the clauses of BODY added, which the file of READER holds."""
    clauses = []
    last: dict[str, int] = {}
    if not isinstance(body, yaml.SequenceNode) or not body.value:
        reader.complain(body, "clauses is not a list with at least one entry")
        return area
    one = _ClauseReader(reader, area, names)
    for node in body.value:
        clause = one.read(node)
        if clause is None:
            continue
        prefix, number = clause.id.rsplit("-", 1)
        if clause.id in seen:
            reader.complain(node, f"duplicate id {clause.id}; first at {seen[clause.id]}")
            continue
        if int(number) < last.get(prefix, -1):
            reader.complain(node, f"id {clause.id} stands after {prefix}-{last[prefix]:03d}")
        last[prefix] = int(number)
        seen[clause.id] = f"{reader.name}:{clause.line}"
        clauses.append(clause)
    sections = list(area.prefixes)

    def place(clause: Clause) -> tuple[int, int]:
        prefix, number = clause.id.rsplit("-", 1)
        return sections.index(prefix) if prefix in sections else len(sections), int(number)

    return replace(area, clauses=tuple(sorted((*area.clauses, *clauses), key=place)))


def _read_numbers(path: Path, problems: list[str]) -> list[Number]:
    """The table of hypercall numbers."""
    reader = Reader(path, problems)
    top = reader.compose()
    numbers: list[Number] = []
    if top is None:
        return numbers
    parts = reader.mapping(top, {"numbers"}, "file")
    body = parts.get("numbers")
    if not isinstance(body, yaml.SequenceNode):
        reader.complain(top, "numbers is not a list")
        return numbers
    for node in body.value:
        row = reader.mapping(node, {"nr", "name", "use", "summary"}, "number")
        if len(row) != 4:
            reader.complain(node, "a number has nr, name, use and summary")
            continue
        number = Number(reader.number(row["nr"], "nr"), reader.text(row["name"], "name"),
                        reader.text(row["use"], "use"), reader.text(row["summary"], "summary"),
                        node.start_mark.line + 1)
        reader.word(row["use"], number.use, USES, "use")
        if number.nr != len(numbers):
            reader.complain(node, f"number {number.nr} stands where {len(numbers)} is due")
        numbers.append(number)
    return numbers


def load(folder: Path = CLAUSES) -> Catalogue:
    """Read every clause file in FOLDER.

    Returns a Catalogue; raises CatalogueError, which names file and line of every problem.
    """
    problems: list[str] = []
    seen: dict[str, str] = {}
    catalogue = Catalogue()
    if not (folder / NUMBERS).is_file():
        raise CatalogueError([f"{paths.shown(folder / NUMBERS)}:1: no such file"])
    catalogue.numbers = _read_numbers(folder / NUMBERS, problems)
    names = {number.name for number in catalogue.numbers}
    found = [path for path in sorted(folder.glob("*.yaml")) if path.name != NUMBERS]
    areas: dict[str, Area] = {}
    for path in found:
        if "-" not in path.stem:
            area = _read_area(path, names, seen, problems)
            if area is not None:
                areas[path.stem] = area
    for path in found:
        if "-" in path.stem:
            _continue_area(path, areas, names, seen, problems)
    catalogue.areas = sorted(areas.values(), key=lambda area: (area.order, area.name))
    for area in catalogue.areas:
        for clause in area.clauses:
            catalogue.clauses[clause.id] = clause
    if not problems:
        described = {clause.hypercall for clause in catalogue.clauses.values()}
        problems = [f"{paths.shown(folder / NUMBERS)}:{number.line}: "
                    f"no clause is about hypercall {number.nr}, {number.name}"
                    for number in catalogue.numbers if number.name not in described]
    if problems:
        raise CatalogueError(problems)
    return catalogue


@dataclass
class Coverage:
    """The clauses that cases cover, and that they do not.

    problems:    FILE:LINE: TEXT of each case that names no clause or one that does not exist,
                 and of each clause that is waived ('untested') although a case covers it
    uncovered:   clauses that a guest can check, that have no case and no reason for having none
    waived:      clauses without a case that give their reason
    covered:     clause id to the names of its cases
    areas:       area to (must-clauses with a case, must-clauses a guest can check)
    """

    problems: list[str] = field(default_factory=list)
    uncovered: list[Clause] = field(default_factory=list)
    waived: list[Clause] = field(default_factory=list)
    covered: dict[str, list[str]] = field(default_factory=dict)
    areas: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def musts(self) -> tuple[int, int]:
        """(Must-clauses with a case, must-clauses a guest can check) over all areas."""
        return (sum(done for done, _ in self.areas.values()),
                sum(count for _, count in self.areas.values()))

    @property
    def complete(self) -> bool:
        """Whether every clause has a case or a reason, and every case a clause."""
        return not self.problems and not self.uncovered


def _get(case: object, key: str, default: Any = None) -> Any:
    """Field KEY of CASE, be it a mapping or an object."""
    return case.get(key, default) if isinstance(case, dict) else getattr(case, key, default)


def coverage(catalogue: Catalogue, cases: Iterable[object]) -> Coverage:
    """Compare CASES with CATALOGUE.

    Each case is a mapping or an object with name, clauses (ids), file and line.
    """
    result = Coverage()
    for case in cases:
        name = _get(case, "name")
        where = f"{_get(case, 'file', '?')}:{_get(case, 'line', 1)}"
        named = _get(case, "clauses") or ()
        if not named:
            result.problems.append(f"{where}: case {name} names no clause")
        for clause in named:
            if clause in catalogue.clauses:
                result.covered.setdefault(clause, []).append(name)
            else:
                result.problems.append(f"{where}: case {name} names clause {clause}, "
                                       "which is not in the catalogue")
    for clause in catalogue.clauses.values():
        covered = clause.id in result.covered
        if clause.untested:
            if covered:
                result.problems.append(f"{clause.file}:{clause.line}: clause {clause.id} is "
                                       f"waived, but case {result.covered[clause.id][0]} covers it")
            else:
                result.waived.append(clause)
        elif not covered and clause.test != "none":
            result.uncovered.append(clause)
        if clause.level == "must" and clause.test != "none":
            done, count = result.areas.get(clause.area, (0, 0))
            result.areas[clause.area] = (done + covered, count + 1)
    return result
