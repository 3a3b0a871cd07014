# SPDX-License-Identifier: MIT
"""The lists of faults, and how one of them is written into a source text."""
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from pvg.base import errors

HERE = Path(__file__).resolve().parent
REPO = HERE.parents[2]
LISTS = ("port.yaml", "drivers.yaml")
PLACES = ("host",)
FORMS = ("statement", "expression")
_KEYS = {"id", "file", "function", "form", "old", "new", "also", "breaks", "caught_by", "survives"}
_EDIT = ("function", "form", "old", "new")


class ListError(errors.RigError):
    """A list does not fit the sources, or itself."""


class Edit:
    """One replacement in one function of a file."""

    def __init__(self, name: str, file: str, words: Mapping[str, Any]) -> None:
        self.name, self.file = name, file
        self.function, self.old = str(words["function"]), str(words["old"]).strip()
        self.new = str(words.get("new") or "").strip()
        self.form = words.get("form", "statement")
        if self.form not in FORMS:
            raise ListError(f"{name}: form '{self.form}' is not one of: {', '.join(FORMS)}")

    def _function(self, text: str) -> tuple[int, int]:
        """Where the function begins and ends in TEXT."""
        name = re.escape(self.function)
        found = list(re.finditer(rf"(?ms)^(?![ \t#*/])[^\n;]*\b{name}\([^;{{]*\)[^;{{]*\n\{{\n.*?^\}}$",
                                 text))
        if len(found) != 1:
            raise ListError(f"{self.name}: {self.file} has {len(found)} functions {self.function}()")
        return found[0].span()

    def plain(self, text: str) -> str:
        """TEXT with the fault in it."""
        start, end = self._function(text)
        body = text[start:end]
        # Spaces and line ends in the list stand for any white space.
        pattern = r"\s+".join(re.escape(word) for word in self.old.split())
        found = list(re.finditer(rf"(?<!\w){pattern}", body))
        if len(found) != 1:
            raise ListError(f"{self.name}: {self.function}() in {self.file} has "
                            f"{len(found)} times: {self.old}")
        at = found[0]
        new = f"{{ {self.new or ';'} }}" if self.form == "statement" else self.new
        return text[:start + at.start()] + new + text[start + at.end():]


class Fault:
    """One entry of a list."""

    def __init__(self, entry: Mapping[str, Any]) -> None:
        self.id = str(entry.get("id", "an entry"))
        unknown = set(entry) - _KEYS
        missing = {"id", "file", "function", "old", "breaks", "caught_by"} - set(entry)
        if unknown or missing:
            raise ListError(f"{self.id}: " + "; ".join(
                [f"unknown key '{key}'" for key in sorted(unknown)]
                + [f"no key '{key}'" for key in sorted(missing)]))
        self.file, self.breaks = str(entry["file"]), str(entry["breaks"])
        # Why no test can notice it, of a fault that is kept all the same.
        self.survives = str(entry.get("survives") or "")
        self.caught_by = {str(place): [str(name) for name in names]
                          for place, names in entry["caught_by"].items()}
        wrong = set(self.caught_by) - set(PLACES)
        if wrong or not self.caught_by:
            raise ListError(f"{self.id}: caught_by names {sorted(wrong)}, not of {PLACES}")
        self.edits = [Edit(self.id, self.file, entry)]
        for more in entry.get("also", ()):
            self.edits.append(Edit(self.id, self.file, {key: more.get(key, entry.get(key))
                                                        for key in _EDIT
                                                        if key in more or key in entry}))

    def seed(self, text: str) -> str:
        """TEXT of the file with the fault in it."""
        for edit in self.edits:
            text = edit.plain(text)
        return text


def load() -> list[Fault]:
    """All faults of the lists."""
    faults: list[Fault] = []
    for name in LISTS:
        entries = yaml.safe_load((HERE / name).read_text(encoding="utf-8"))
        faults += [Fault(entry) for entry in entries]
    names = [fault.id for fault in faults]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ListError("twice in the lists: " + ", ".join(sorted(twice)))
    return faults


def problems(faults: Iterable[Fault]) -> list[str]:
    """A line for each entry whose text the sources do not have exactly once."""
    found = []
    for fault in faults:
        path = REPO / fault.file
        try:
            fault.seed(path.read_text(encoding="utf-8"))
        except (OSError, ListError) as error:
            found.append(str(error))
    return found
