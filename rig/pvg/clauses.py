# SPDX-License-Identifier: GPL-2.0-only
"""The clause catalogue: a strict loader that names file and line, and coverage by cases."""
import re
from dataclasses import dataclass, field

import yaml

from pvg import errors, paths
from pvg.strict_yaml import Reader

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
CLAUSE_KEYS = {
    "id": str, "title": str, "text": str, "level": str, "since": str, "until": str,
    "hypercall": str, "subop": str, "errors": list, "privilege": str, "test": str,
    "note": str, "untested": str, "source": list,
}
REQUIRED = ("id", "title", "text", "level", "test", "source")


class CatalogueError(errors.RigError):
    """The catalogue breaks its own rules; problems lists every one as FILE:LINE: TEXT."""

    def __init__(self, problems):
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
    source: tuple
    area: str
    file: str
    line: int
    hypercall: str = None
    subop: str = None
    errors: tuple = ()
    privilege: str = "any"
    since: str = None
    until: str = None
    note: str = None
    untested: str = None


@dataclass(frozen=True)
class Area:
    """One file of clauses: one chapter of the reference."""

    name: str
    title: str
    order: int
    prefixes: dict
    intro: str
    file: str
    clauses: tuple = ()


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

    areas: list = field(default_factory=list)
    clauses: dict = field(default_factory=dict)
    numbers: list = field(default_factory=list)

    def of_hypercall(self, name):
        """Clauses about hypercall NAME, in the order of the reference."""
        return [c for c in self.clauses.values() if c.hypercall == name]

    def musts(self):
        """Clauses that a hypervisor has to keep and a guest can check."""
        return [c for c in self.clauses.values() if c.level == "must" and c.test != "none"]


def _read_clause(reader, node, area, names):
    """One clause, or None when it cannot even be named."""
    parts = reader.mapping(node, CLAUSE_KEYS, "clause")
    for key in REQUIRED:
        if key not in parts:
            reader.complain(node, f"clause has no {key}")
    values = {}
    for key, kind in CLAUSE_KEYS.items():
        if key not in parts:
            continue
        if kind is list:
            pairs = reader.texts(parts[key], key)
            values[key] = tuple(text for text, _ in pairs)
            pattern = SOURCE if key == "source" else None
            for text, item in pairs:
                if pattern and not pattern.fullmatch(text):
                    reader.complain(item, f"source '{text}' names no header line, function "
                                          "or document")
                if key == "errors" and text not in ERRNO:
                    reader.complain(item, f"'{text}' is not an error name of xen/errno.h")
        else:
            values[key] = reader.text(parts[key], key)
    match = ID.fullmatch(values.get("id", ""))
    if not match:
        if "id" in parts:
            reader.complain(parts["id"], f"id '{values['id']}' is not of the form PREFIX-000")
        return None
    if match["prefix"] not in area["prefixes"]:
        reader.complain(parts["id"], f"id '{values['id']}' has none of this file's prefixes: "
                                     + ", ".join(area["prefixes"]))
    for key, allowed in (("level", LEVELS), ("test", TESTS), ("privilege", PRIVILEGES)):
        if key in values:
            reader.word(parts[key], values[key], allowed, key)
    for key in ("since", "until"):
        if key in values and not RELEASE.fullmatch(values[key]):
            reader.complain(parts[key], f"{key} '{values[key]}' is not a release such as 4.17")
    if values.get("level") == "removed" and "until" not in values:
        reader.complain(node, "a removed clause has to say until which release it held")
    if "hypercall" in values and values["hypercall"] not in names:
        reader.complain(parts["hypercall"],
                        f"hypercall '{values['hypercall']}' is not in {NUMBERS}")
    if "subop" in values:
        if "hypercall" not in values:
            reader.complain(parts["subop"], "subop without a hypercall")
        if not SUBOP.fullmatch(values["subop"]):
            reader.complain(parts["subop"], f"subop '{values['subop']}' is not a C name")
    for key in REQUIRED:
        values.setdefault(key, "")
    return Clause(area=area["name"], file=reader.name, line=node.start_mark.line + 1, **values)


def _read_area(path, names, seen, problems):
    """One file of clauses, or None when it is beyond reading."""
    reader = Reader(path, problems)
    top = reader.compose()
    if top is None:
        return None
    parts = reader.mapping(top, AREA_KEYS, "file")
    missing = [key for key in sorted(AREA_KEYS) if key not in parts]
    if missing:
        reader.complain(top, f"file has no {', '.join(missing)}")
        return None
    area = {
        "name": reader.text(parts["area"], "area"),
        "title": reader.text(parts["title"], "title"),
        "order": reader.number(parts["order"], "order"),
        "prefixes": reader.named_texts(parts["prefixes"], "prefixes"),
        "intro": reader.text(parts["intro"], "intro"),
        "file": reader.name,
    }
    if area["name"] != path.stem:
        reader.complain(parts["area"], f"area '{area['name']}' does not match the file's name")
    clauses = []
    last = {}
    body = parts["clauses"]
    if not isinstance(body, yaml.SequenceNode) or not body.value:
        reader.complain(body, "clauses is not a list with at least one entry")
        return None
    for node in body.value:
        clause = _read_clause(reader, node, area, names)
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
    return Area(clauses=tuple(clauses), **area)


def _read_numbers(path, problems):
    """The table of hypercall numbers."""
    reader = Reader(path, problems)
    top = reader.compose()
    numbers = []
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


def load(folder=CLAUSES):
    """Read every clause file in FOLDER.

    Returns a Catalogue; raises CatalogueError, which names file and line of every problem.
    """
    problems = []
    seen = {}
    catalogue = Catalogue()
    if not (folder / NUMBERS).is_file():
        raise CatalogueError([f"{paths.shown(folder / NUMBERS)}:1: no such file"])
    catalogue.numbers = _read_numbers(folder / NUMBERS, problems)
    names = {number.name for number in catalogue.numbers}
    for path in sorted(folder.glob("*.yaml")):
        if path.name == NUMBERS:
            continue
        area = _read_area(path, names, seen, problems)
        if area is not None:
            catalogue.areas.append(area)
    catalogue.areas.sort(key=lambda area: (area.order, area.name))
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
    """What the cases say about the catalogue.

    problems:    FILE:LINE: TEXT of each case that names no clause or one that does not exist,
                 and of each clause that is waived ('untested') although a case covers it
    uncovered:   clauses that a guest can check, that have no case and no reason for having none
    waived:      clauses without a case that give their reason
    covered:     clause id to the names of its cases
    areas:       area to (must-clauses with a case, must-clauses a guest can check)
    """

    problems: list = field(default_factory=list)
    uncovered: list = field(default_factory=list)
    waived: list = field(default_factory=list)
    covered: dict = field(default_factory=dict)
    areas: dict = field(default_factory=dict)

    @property
    def musts(self):
        """(Must-clauses with a case, must-clauses a guest can check) over all areas."""
        return (sum(done for done, _ in self.areas.values()),
                sum(count for _, count in self.areas.values()))

    @property
    def complete(self):
        """Whether every clause has a case or a reason, and every case a clause."""
        return not self.problems and not self.uncovered


def _get(case, key, default=None):
    """Field KEY of CASE, be it a mapping or an object."""
    return case.get(key, default) if isinstance(case, dict) else getattr(case, key, default)


def coverage(catalogue, cases):
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
