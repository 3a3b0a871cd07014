# SPDX-License-Identifier: GPL-2.0-only
"""The cases, read from their sources: what each is called, states, covers and needs."""
import fnmatch
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from pvg.base import errors, paths

ABI = paths.REPO / "selftests" / "abi"
CASES = ABI / "cases"
PARTS = ("single", "store", "pair")     # of the suite: an adapter has some of them
FLAGS = ("ALONE", "DIES", "DOMU", "DOM0", "PAIR", "BACKEND", "MANY")

CASE = re.compile(r'^CASE\((?P<name>\w+),\s*(?P<clauses>(?:"[^"]*"\s*)+),\s*(?P<flags>[^)]*)\)',
                  re.MULTILINE)
COMMENT = re.compile(r"/\*(?P<text>(?:[^*]|\*(?!/))*)\*/\s*\Z")
# A comment that begins so cannot be read alone, as --list and the report show it.
OPENING = re.compile(r"(And|But|It|Its|Nor|Or|So|That|The other|The same|These|They|This|Those|"
                     r"What|Who|Whoever)\b")


@dataclass
class Case:
    """One case of the suite."""

    name: str
    area: str
    clauses: list[str]
    flags: set[str]
    file: str
    line: int
    comment: str
    deviation: dict[str, str] = field(default_factory=dict)
    fault: dict[str, str] = field(default_factory=dict)

    @property
    def alone(self) -> bool:
        """Whether it gets a boot of its own."""
        return bool(self.flags & {"ALONE", "DIES", "MANY"})

    @property
    def part(self) -> str:
        """Which part of the suite it belongs to: single, store or pair."""
        if "PAIR" in self.flags:
            return "pair"
        return "store" if "BACKEND" in self.flags else "single"


def _comment(text: str, where: str) -> str:
    match = COMMENT.search(text)
    if not match:
        raise errors.RigError(f"{where}: the case needs a comment before it that states the rule")
    lines = [line.strip().lstrip("*").strip() for line in match["text"].splitlines()]
    comment = "\n".join(lines).strip()
    opening = OPENING.match(comment)
    if opening:
        raise errors.RigError(f"{where}: the case's comment begins with '{opening[0]}'; "
                              "write a sentence that can be read alone")
    return comment


def parse_file(path: Path, area: str) -> list[Case]:
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


def areas() -> list[str]:
    """Names of the areas: folders that hold cases."""
    return sorted({path.parent.name for path in CASES.glob("*/*.c")})


Known = dict[str, dict[str, str]]       # entries of deviations.yaml by case
KEYS = {"deviation": {"case", "reason", "accelerator"},
        "fault": {"case", "reason", "hypervisor", "first", "last"}}


def release(text: str) -> tuple[int, ...]:
    """The numbers that release TEXT begins with: (4, 17, 5) of '4.17.5-pre'."""
    match = re.match(r"\d+(?:\.\d+)*", text)
    return tuple(map(int, match[0].split("."))) if match else ()


def excused(case: Case, name: str, version: str) -> bool:
    """Whether hypervisor NAME of release VERSION is known to have the fault that CASE finds."""
    known, number = case.fault, release(version)
    if not known or name != known["hypervisor"] or not number:
        return False
    last = release(known["last"])
    return release(known["first"]) <= number and number[:len(last)] <= last


def deviations() -> dict[str, Known]:
    """Known failures by kind: an emulator's deviations and faults of released hypervisors."""
    path = CASES / "deviations.yaml"
    result: dict[str, Known] = {kind: {} for kind in KEYS}
    for entry in yaml.safe_load(path.read_text(encoding="utf-8")) or []:
        for kind, keys in KEYS.items():
            if set(entry) == keys and all(isinstance(value, str) for value in entry.values()):
                result[kind][entry["case"]] = entry
                break
        else:
            raise errors.RigError(f"{paths.shown(path)}: an entry is texts called case, reason and "
                                  "either accelerator or hypervisor, first, last")
    return result


def load() -> list[Case]:
    """All cases, in the order in which the images hold them."""
    cases: list[Case] = []
    seen: dict[str, Case] = {}
    known = deviations()
    for area in areas():
        for path in sorted((CASES / area).glob("*.c")):
            for case in parse_file(path, area):
                if case.name in seen:
                    raise errors.RigError(f"{case.file}:{case.line}: case {case.name} is also in "
                                          f"{seen[case.name].file}")
                seen[case.name] = case
                case.deviation = known["deviation"].pop(case.name, {})
                case.fault = known["fault"].pop(case.name, {})
                cases.append(case)
    for left in known.values():
        if left:
            raise errors.RigError("selftests/abi/cases/deviations.yaml: "
                                  f"no case '{sorted(left)[0]}'")
    return cases


def _matches(case: Case, pattern: str) -> bool:
    """Whether the name of CASE, alone or behind the area's, matches PATTERN."""
    return fnmatch.fnmatchcase(case.name, pattern) or \
        fnmatch.fnmatchcase(f"{case.area}.{case.name}", pattern)


def select(cases: Sequence[Case], in_areas: Sequence[str] = (), patterns: Sequence[str] = (),
           left_out: Sequence[str] = ()) -> list[Case]:
    """Those of CASES in one of IN_AREAS that match one of PATTERNS, if given, and none of LEFT_OUT."""
    for area in in_areas:
        if area not in {case.area for case in cases}:
            raise errors.UsageError(f"no area '{area}'; there are: {', '.join(areas())}")
    chosen = [case for case in cases if not in_areas or case.area in in_areas]
    for pattern in [*patterns, *left_out]:
        if not any(_matches(case, pattern) for case in chosen):
            raise errors.UsageError(f"no case matches '{pattern}'; see ./pvguest conformance --list")
    if patterns:
        chosen = [case for case in chosen if any(_matches(case, one) for one in patterns)]
    chosen = [case for case in chosen if not any(_matches(case, one) for one in left_out)]
    if not chosen:
        raise errors.UsageError("every case is left out; see ./pvguest conformance --list")
    return chosen
