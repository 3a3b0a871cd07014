# SPDX-License-Identifier: MIT
"""Boot parameters: the effect of each on our kernel is the one that it has natively."""
import fnmatch
import os
import re
import subprocess
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from pvg.base import ktap

from lib import build, guest

# A row of the table, as YAML has it.
Entry = dict[str, Any]
# A report of the program: name -> value; and changes in it: name -> (before, after).
Report = dict[str, str]
Effect = dict[str, tuple[str | None, str | None]]

TABLE = build.SOURCES / "parameters" / "table.yaml"
BOOT = 900
# Words of one boot, of those where nothing is known to differ.
_TOGETHER = 20
_KEYS = {"append", "short", "alone", "differs", "refused"}
# Natively and under a hypervisor the machine's firmware keeps some of the memory.
_ROUGHLY = {"ram": 4, "zone.*": 4}


def table() -> list[Entry]:
    """The parameters to try: dicts with append, and perhaps others of _KEYS."""
    entries: list[Entry] = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    for entry in entries:
        unknown = set(entry) - _KEYS
        if unknown or not isinstance(entry.get("append"), str):
            raise build.BuildError(f"{TABLE}: {entry}: unknown {sorted(unknown)}, or no append")
    return entries


def _program() -> Path:
    """The folder to add: the program that reports what the machine looks like."""
    folder = guest.WORK / "add-parameters"
    inside = folder / guest.FOLDER.lstrip("/")
    inside.mkdir(parents=True, exist_ok=True)
    subprocess.run(["gcc", "-O2", "-Wall", "-static", "-o", str(inside / "report"),
                    str(TABLE.parent / "report.c")], check=True)
    return folder


def boot(hv: str, kernel: str, folder: Path, append: str) -> tuple[Report | None, guest.Run]:
    """The program's report with APPEND, name -> value, or None where it failed; and the run."""
    options = ("--append", append) if append else ()
    run = guest.Run(hv, kernel, [f"{guest.FOLDER}/report"], [folder], 2, timeout=BOOT,
                    options=options)
    found = {}
    for line in run.lines():
        name, _, value = line.partition(" ")
        found[name] = value
    return (None if run.status else found), run


def _same(name: str, one: str | None, other: str | None) -> bool:
    for glob, most in _ROUGHLY.items():
        if fnmatch.fnmatch(name, glob) and one and other:
            return abs(int(one) - int(other)) <= most
    return one == other


def effect(before: Report, after: Report) -> Effect:
    """Changes by a parameter: name -> (value before, value after), None where it is absent."""
    return {name: (before.get(name), after.get(name)) for name in {*before, *after}
            if not _same(name, before.get(name), after.get(name))}


def differences(native: Effect, ours: Effect, after: Report) -> dict[str, str]:
    """Where the effects NATIVE and OURS differ; AFTER is all that our kernel reports.

    A thing that is natively changed has to be here as it then is there, whether or not that is a
    change; a thing that is natively left alone has to be left alone here.
    """
    found = {}
    for name, (_, value) in native.items():
        if not _same(name, value, after.get(name)):
            found[name] = f"natively {native[name][0]} -> {value}, here {after.get(name)}"
    for name in ours.keys() - native.keys():
        found[name] = f"natively unchanged, here {ours[name][0]} -> {ours[name][1]}"
    return found


def _says(run: guest.Run, text: str) -> bool:
    """Whether the log that the rig names after a failure has TEXT."""
    found = re.search(r"^pvguest: log: (.+)$", run.errors, re.M)
    if not found:
        return False
    return text in Path(found.group(1)).read_text(encoding="utf-8", errors="replace")


def _as_listed(entry: Entry, ours: Report | None, native: Report | None, run: guest.Run) -> bool:
    """Whether the table has it that not both kernels boot, and ours says why."""
    if ours is None:
        return _says(run, str(entry["refused"])) if "refused" in entry else native is None
    return "boots" in entry.get("differs", {})


def _compare(entries: Sequence[Entry], plain: Mapping[str, Report], native: Report,
             ours: Report) -> tuple[list[str], str, str]:
    """Notes on what the words ENTRIES do otherwise than natively, and the effects in words."""
    there, here = effect(plain["native"], native), effect(plain["ours"], ours)
    globs = {glob for entry in entries for glob in entry.get("differs", {})}
    unused = set(globs)
    notes = []
    for name, text in sorted(differences(there, here, ours).items()):
        known = [glob for glob in globs if fnmatch.fnmatch(name, glob)]
        unused -= set(known)
        if not known:
            notes.append(f"{name}: {text}")
    notes += [f"{glob}: listed as different, and is not" for glob in sorted(unused)]
    return notes, _words(there), _words(here)


def _try(group: ktap.Group, entry: Entry, folder: Path, plain: Mapping[str, Report], kernel: str,
         hv: str) -> tuple[str, str, str]:
    """One result: ENTRY has natively and here the same effect. Returns the row of the table."""
    append = entry["append"]
    native, native_run = boot("none", "native", folder, append)
    ours, run = boot(hv, kernel, folder, append)
    if ours is None or native is None:
        good = _as_listed(entry, ours, native, run)
        failed = run if ours is None else native_run
        group.result(good, append, [] if good else
                     [f"{'here' if ours is None else 'natively'} it did not boot"] + failed.tail())
        return append, "boots" if native else "does not boot", "boots" if ours else "does not boot"
    notes, there, here = _compare([entry], plain, native, ours)
    group.result(not notes, append, notes)
    return append, there, here


def _try_together(group: ktap.Group, entries: Sequence[Entry], folder: Path,
                  plain: Mapping[str, Report], kernel: str,
                  hv: str) -> list[tuple[str, str, str]]:
    """One result for each of ENTRIES, from one boot natively and one here if they agree."""
    append = " ".join(entry["append"] for entry in entries)
    if len(entries) > 1:
        native, _ = boot("none", "native", folder, append)
        ours, _ = boot(hv, kernel, folder, append)
        if native and ours:
            notes, there, here = _compare(entries, plain, native, ours)
            if not notes:
                for entry in entries:
                    group.result(True, entry["append"])
                return [(append, there, here)]
    return [_try(group, entry, folder, plain, kernel, hv) for entry in entries]


def _slices(entries: Sequence[Entry]) -> list[list[Entry]]:
    """ENTRIES in lists that are tried in one boot each; two words of one name never meet."""
    slices: list[list[Entry]] = []
    for entry in entries:
        words = [entry]
        if set(entry) == {"append"}:
            words = next((found for found in slices if _has_room(found, entry)), words)
        if words[0] is entry:
            slices.append(words)
        else:
            words.append(entry)
    return slices


def _has_room(words: Sequence[Entry], entry: Entry) -> bool:
    """Whether ENTRY can be tried in the same boot as WORDS."""
    return len(words) < _TOGETHER and set(words[0]) == {"append"} and \
        _name(entry) not in map(_name, words)


def _name(entry: Entry) -> str:
    return str(entry["append"]).partition("=")[0]


def _words(changes: Effect) -> str:
    return "; ".join(f"{name} {before or 'absent'} -> {after or 'absent'}"
                     for name, (before, after) in sorted(changes.items())) or "nothing reported"


def check(group: ktap.Group, hv: str, kernel: str, chosen: Collection[str] | None = None) -> None:
    """One result for each parameter of the table: the short ones, or all with PVGUEST_LONG."""
    for name in ("native", kernel):
        build.kernel(name)
    folder = _program()
    plain = {}
    for name, place in (("native", ("none", "native")), ("ours", (hv, kernel))):
        found, run = boot(*place, folder, "")
        if found is None:
            group.result(False, f"{name} boots without parameters", run.tail())
            return
        plain[name] = found
    long = os.environ.get("PVGUEST_LONG")
    if chosen:
        slices = [[entry] for entry in table() if entry["append"] in chosen]
    else:
        slices = _slices([entry for entry in table() if long or entry.get("short")])
    rows = []
    for entries in slices:
        rows += _try_together(group, entries, folder, plain, kernel, hv)
    report = guest.WORK / "parameters.tsv"
    report.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
