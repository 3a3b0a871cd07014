# SPDX-License-Identifier: GPL-2.0-only
"""The cases, read from their sources: what each is called, states, covers and needs."""
import fnmatch
import re
from dataclasses import dataclass, field

import yaml

from pvg import errors, paths

ABI = paths.REPO / "selftests" / "abi"
FLAGS = ("ALONE", "DIES", "DOMU", "DOM0", "PAIR", "BACKEND", "MANY")
NOT_AREAS = ("rt",)

CASE = re.compile(r'^CASE\((?P<name>\w+),\s*(?P<clauses>(?:"[^"]*"\s*)+),\s*(?P<flags>[^)]*)\)',
                  re.MULTILINE)
COMMENT = re.compile(r"/\*(?P<text>(?:[^*]|\*(?!/))*)\*/\s*\Z")


@dataclass
class Case:
    """One case of the suite."""

    name: str
    area: str
    clauses: list
    flags: set
    file: str
    line: int
    comment: str
    deviation: dict = field(default_factory=dict)

    @property
    def alone(self):
        """Whether it gets a boot of its own."""
        return bool(self.flags & {"ALONE", "DIES", "MANY"})

    @property
    def part(self):
        """Which part of the suite it belongs to: single, store or pair."""
        if "PAIR" in self.flags:
            return "pair"
        return "store" if "BACKEND" in self.flags else "single"


def _comment(text, where):
    match = COMMENT.search(text)
    if not match:
        raise errors.RigError(f"{where}: the case needs a comment before it that states the rule")
    lines = [line.strip().lstrip("*").strip() for line in match["text"].splitlines()]
    return "\n".join(lines).strip()


def parse_file(path, area):
    """The cases in source file PATH."""
    text = path.read_text(encoding="utf-8")
    found = []
    for match in CASE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        where = f"{paths.shown(path)}:{line}"
        flags = set(match["flags"].replace("|", " ").split()) - {"0"}
        unknown = flags - set(FLAGS)
        if unknown:
            raise errors.RigError(f"{where}: unknown flag {sorted(unknown)[0]}")
        clauses = " ".join(re.findall(r'"([^"]*)"', match["clauses"])).split()
        if not clauses:
            raise errors.RigError(f"{where}: case {match['name']} names no clause")
        found.append(Case(match["name"], area, clauses, flags,
                          str(path.relative_to(paths.REPO)), line,
                          _comment(text[:match.start()], where)))
    if text.count("\nCASE(") != len(found):
        raise errors.RigError(f"{paths.shown(path)}: a CASE() could not be read; write "
                              "CASE(name, \"CLAUSE...\", FLAGS)")
    return found


def areas():
    """Names of the areas: folders that hold cases."""
    return sorted({path.parent.name for path in ABI.glob("*/*.c")} - set(NOT_AREAS))


def deviations():
    """Known deviations by case name: {name: {accelerator, reason}}."""
    path = ABI / "deviations.yaml"
    result = {}
    for entry in yaml.safe_load(path.read_text(encoding="utf-8")) or []:
        unknown = set(entry) - {"case", "accelerator", "reason"}
        if unknown or len(entry) != 3:
            raise errors.RigError(f"{paths.shown(path)}: an entry is case, accelerator, reason")
        result[entry["case"]] = entry
    return result


def load():
    """All cases, in the order in which the images hold them."""
    cases, seen = [], {}
    known = deviations()
    for area in areas():
        for path in sorted((ABI / area).glob("*.c")):
            for case in parse_file(path, area):
                if case.name in seen:
                    raise errors.RigError(f"{case.file}:{case.line}: case {case.name} is also in "
                                          f"{seen[case.name].file}")
                seen[case.name] = case
                case.deviation = known.pop(case.name, {})
                cases.append(case)
    if known:
        raise errors.RigError(f"selftests/abi/deviations.yaml: no case '{sorted(known)[0]}'")
    return cases


def select(cases, area=None, pattern=None):
    """Those of CASES in AREA whose names match PATTERN."""
    if area and area not in {case.area for case in cases}:
        raise errors.UsageError(f"no area '{area}'; there are: {', '.join(areas())}")
    chosen = [case for case in cases if (not area or case.area == area) and
              (not pattern or fnmatch.fnmatchcase(case.name, pattern))]
    if not chosen:
        raise errors.UsageError(f"no case matches '{pattern}'; see pvguest conformance --list")
    return chosen
