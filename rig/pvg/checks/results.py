# SPDX-License-Identifier: GPL-2.0-only
"""Results of long runs: kept by commit, added up, and put into a page that says which are there."""
import dataclasses
import datetime
import hashlib
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Dict, List, Optional

from pvg.base import errors, files, paths, plural, progress, releases
from pvg.checks.suites import Outcome, Unit

PAGE = "docs/long-run.md"
_FIELDS = {"title": str, "passed": int, "failed": int, "skipped": int, "seconds": int,
           "failures": list, "date": str, "machine": str}
_HEAD = """# The long run

`./pvguest check --long` of all suites writes this page, from the results that are kept of one commit, as does
`./pvguest check --long --sum` if there is a result. A work tree with other changes has results but no page, and
a run that is not complete does not replace one that is.
[selftests/](../selftests/README.md) describes units and shards.

"""
_COMPLETE = "Complete: "


@dataclasses.dataclass
class Record:
    """An outcome that is kept; date: of the end, in UTC; machine: what it ran on."""

    outcome: Outcome
    date: str
    machine: str


def _git(*words: str) -> bytes:
    # The clone may be another user's: its programs run in any case.
    done = subprocess.run(["git", "-c", "safe.directory=*", "-C", str(paths.REPO), *words],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False)
    if done.returncode:
        raise errors.RigError("long runs are kept by commit, and git says: "
                              + done.stderr.decode("utf-8", "replace").strip())
    return done.stdout


def version() -> str:
    """The commit; where the work tree differs from it, with a hash of the difference behind it.

    Another Linux release than usual is named behind that.
    A difference in the page itself does not count.
    """
    commit = _git("rev-parse", "--short=12", "HEAD").decode().strip()
    change = _git("diff", "--binary", "HEAD", "--", ".", f":!{PAGE}")
    total = hashlib.sha256(change)
    new = [name for name in _git("ls-files", "-z", "--others", "--exclude-standard").split(b"\0")
           if name and name.decode("utf-8", "surrogateescape") != PAGE]
    for name in sorted(new):
        path = paths.REPO / os.fsdecode(name)
        total.update(name + b"\0" + (path.read_bytes() if path.is_file() else b""))
    return (f"{commit}-{total.hexdigest()[:8]}" if change or new else commit) + releases.suffix()


def is_commit(name: str) -> bool:
    """Whether the version NAME is a commit as it stands."""
    return "-" not in name


def machine() -> str:
    """This machine in a few words."""
    model = re.search(r"^model name\s*: (.*)$", files.read_text("/proc/cpuinfo"), re.M)
    memory = re.search(r"^MemTotal:\s*(\d+)", files.read_text("/proc/meminfo"), re.M)
    parts = [plural.counted(os.cpu_count() or 1, "processor")]
    if model:
        parts[0] += f" ({model[1].strip()})"
    if memory:
        parts.append(f"{int(memory[1]) / (1 << 20):.1f} GiB")
    return ", ".join(parts)


class Store:
    """The records of one version, a file for each unit in build/results/<version>."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.folder: Path = paths.BUILD / "results" / name

    def _path(self, title: str) -> Path:
        return self.folder / f"{title}.json"

    def keep(self, outcome: Outcome) -> None:
        """Keep OUTCOME, in place of what may be there."""
        now = datetime.datetime.now(datetime.timezone.utc)
        record = dict(dataclasses.asdict(outcome), machine=machine(),
                      date=now.strftime("%Y-%m-%d %H:%M"))
        files.write_atomically(self._path(outcome.title), json.dumps(record, indent=1) + "\n")

    def find(self, unit: Unit) -> Optional[Record]:
        """The record of UNIT, if there is one that can be read."""
        path = self._path(unit.title)
        text = files.read_text(path)
        if not text:
            return None
        try:
            found = json.loads(text)
            good = isinstance(found, dict) and set(found) == set(_FIELDS) and all(
                isinstance(found[name], kind) for name, kind in _FIELDS.items())
        except ValueError:
            good = False
        if not good or found["title"] != unit.title:
            progress.say(f"{paths.shown(path)}: no result of {unit.title}; it counts as missing")
            return None
        date, where = found.pop("date"), found.pop("machine")
        return Record(Outcome(**found), date, where)

    def has_passed(self, unit: Unit) -> bool:
        """Whether UNIT ran to its end, and nothing failed."""
        record = self.find(unit)
        return record is not None and not record.outcome.failed


def total(outcomes: List[Outcome], title: str) -> Outcome:
    """The sum of OUTCOMES, called TITLE."""
    sums = {name: sum(getattr(outcome, name) for outcome in outcomes)
            for name in ("passed", "failed", "skipped", "seconds")}
    return Outcome(title, failures=[text for outcome in outcomes for text in outcome.failures],
                   **sums)


def _clock(seconds: int) -> str:
    return f"{seconds // 3600} h {seconds // 60 % 60:02} min"


def _state(records: Dict[Unit, Record], units: List[Unit]) -> str:
    """Whether there are RECORDS of all UNITS, in a sentence."""
    missing = [unit.title for unit in units if unit not in records]
    if not missing:
        return f"{_COMPLETE}all {plural.counted(len(units), 'unit')} have a result."
    return f"Not complete: {len(records)} of {plural.counted(len(units), 'unit')} have a result. " \
           f"Without one: {', '.join(missing)}."


def _about_complete_run() -> bool:
    """Whether the page as it stands is about a complete run."""
    return any(line.startswith(_COMPLETE)
               for line in files.read_text(paths.REPO / PAGE).splitlines())


def page(name: str, records: Dict[Unit, Record], units: List[Unit]) -> str:
    """The page about the RECORDS that there are of UNITS, of the version NAME."""
    outcomes = [record.outcome for record in records.values()]
    dates = sorted(record.date for record in records.values())
    machines = sorted({record.machine for record in records.values()})
    whole = total(outcomes, "all")
    lines = [_state(records, units), "", "| commit | date (UTC) | machine | time in all |", "|---|---|---|---:|",
             f"| {name} | {dates[0]} to {dates[-1]} | {'; '.join(machines)} | "
             f"{_clock(whole.seconds)} |", "",
             "| suite | units | passed | failed | skipped | time |", "|---|---:|---:|---:|---:|---:|"]
    suites = list(dict.fromkeys(unit.suite for unit in units))
    rows = [(suite, [unit for unit in units if unit.suite == suite]) for suite in suites]
    for title, some in [*rows, ("all", units)]:
        found = [records[unit].outcome for unit in some if unit in records]
        row = total(found, title)
        count = f"{len(found)}" if len(found) == len(some) else f"{len(found)} of {len(some)}"
        lines.append(f"| {title} | {count} | {row.passed} | {row.failed} | {row.skipped} | "
                     f"{_clock(row.seconds)} |")
    if whole.failures:
        lines += ["", "Failed:", "",
                  *("- " + text.splitlines()[0].replace("|", "\\|") for text in whole.failures)]
    return _HEAD + "\n".join(lines) + "\n"


def add_up(store: Store, units: List[Unit], every: bool) -> int:
    """Print what became of UNITS, and write the page if they are EVERY unit.

    Returns the exit status: 0 if all have passed.
    """
    found = {unit: store.find(unit) for unit in units}
    records = {unit: record for unit, record in found.items() if record}
    for unit in units:
        record = found[unit]
        print(f"{unit.title}: " + (f"{record.outcome} ({record.outcome.seconds} s)" if record
                                   else "not run"))
    whole = total([record.outcome for record in records.values()], "all")
    if whole.failures:
        print("Failed:", *whole.failures, sep="\n")
    print(f"{len(records)} of {plural.counted(len(units), 'unit')} of {store.name}: {whole}", flush=True)
    complete = len(records) == len(units)
    if every and records:
        _write_page(store.name, records, units, complete)
    return 1 if whole.failed or not complete else 0


def _write_page(name: str, records: Dict[Unit, Record], units: List[Unit], complete: bool) -> None:
    """Write the page, unless it would say less than it does."""
    kind = "complete" if complete else "not complete"
    if not is_commit(name):
        progress.say(f"{kind}; {PAGE} is for commits: the work tree has other changes")
    elif not complete and _about_complete_run():
        progress.say(f"{kind}; {PAGE} stays as it is, about a complete run")
    else:
        files.write_atomically(paths.REPO / PAGE, page(name, records, units))
        progress.say(f"{kind}: {PAGE} is written")
