# SPDX-License-Identifier: GPL-2.0-only
"""Results of conformance runs, read with suspicion and joined with the catalogue for the report."""
import json
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from pvg.base import errors, paths
from pvg.abi import clauses

Run = dict[str, Any]        # one file of results, checked

FORMAT = 1
KINDS = ("error", "fail", "fault", "deviation", "pass", "skip")     # the worst of a clause's cases counts
HYPERVISOR_KEYS = ("name", "version", "adapter", "accelerator")
CASE_KEYS: dict[str, type | tuple[type, ...]] = {
    "name": str, "area": str, "clauses": list, "result": str, "reason": str,
    "seconds": (int, float), "log": str, "file": str}
LOG_LINES = 60
LOG_BYTES = 8192
CODE_LINES = 200


def _wrong(path: Path, text: str) -> errors.UsageError:
    """The error for results file PATH."""
    return errors.UsageError(f"{paths.shown(path)}: {text}; write it anew with "
                           "./pvguest conformance --json")


def read_results(path: Path) -> Run:
    """The contents of one results file, every field checked."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise errors.UsageError(f"{paths.shown(path)}: no such file") from None
    except OSError as error:
        raise errors.UsageError(f"{paths.shown(path)}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise _wrong(path, f"not JSON ({error})") from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise _wrong(path, f"not results of format {FORMAT}")
    about = data.get("hypervisor")
    if not isinstance(about, dict) or not all(isinstance(about.get(key), str)
                                              for key in HYPERVISOR_KEYS):
        raise _wrong(path, f"hypervisor lacks one of {', '.join(HYPERVISOR_KEYS)}")
    cases = data.get("cases")
    if not isinstance(cases, list):
        raise _wrong(path, "no list of cases")
    for number, case in enumerate(cases):
        if not isinstance(case, dict):
            raise _wrong(path, f"case {number} is not an object")
        for key, kind in CASE_KEYS.items():
            if not isinstance(case.get(key), kind):
                raise _wrong(path, f"case {number} has no proper {key}")
        if case["result"] not in KINDS:
            raise _wrong(path, f"case {case['name']} has the unknown result '{case['result']}'")
        if not all(isinstance(clause, str) for clause in case["clauses"]):
            raise _wrong(path, f"case {case['name']} names clauses that are no strings")
    data["written"] = path.stat().st_mtime
    return data


def _inside(name: str | Path) -> Path | None:
    """NAME as a path within the repository, or None if it leads elsewhere."""
    path = (paths.REPO / name).resolve()
    return path if path.is_relative_to(paths.REPO) and path.is_file() else None


def code_of(where: str) -> str:
    """The source of the case that WHERE (FILE:LINE) names, its opening comment included."""
    name, _, line = where.rpartition(":")
    path = _inside(name) if line.isdigit() else None
    if path is None:
        return ""
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    first = last = int(line) - 1
    if not 0 <= first < len(lines):
        return ""
    # Up over the comment that states the rule, down to the brace that ends the function.
    while first > 0 and lines[first - 1].strip():
        first -= 1
        if lines[first].lstrip().startswith("/*") and not lines[first].startswith("\t"):
            break
    while last < len(lines) - 1 and lines[last] != "}":
        last += 1
    return "\n".join(lines[first:last + 1][:CODE_LINES])


def log_of(name: str, case: str, written: float | None = None) -> str:
    """The part of log NAME that belongs to CASE, or its end.

    WRITTEN is when the results that name the log were written: a log that is younger belongs to
    another run, and is not shown.
    """
    path = (_inside(name) or _inside(Path(name).absolute())) if name else None
    if path is None:
        return ""
    if written is not None and path.stat().st_mtime > written:
        return "(a later run has written its own log over this one)"
    text = path.read_bytes().decode("utf-8", errors="replace").replace("\r", "")
    text = "".join(c if c == "\n" or c == "\t" or c.isprintable() else "·" for c in text)
    lines = text.split("\n")
    begin = re.compile(rf"@case {re.escape(case)}$")
    start = next((i for i, line in enumerate(lines) if begin.search(line)), None)
    if start is not None:
        end = next((i for i in range(start + 1, len(lines)) if "@case " in lines[i]), len(lines))
        lines = lines[start:end]
    return "\n".join(lines[-LOG_LINES:])[-LOG_BYTES:].strip("\n")


def _worst(results: Collection[str]) -> str:
    """The result that counts among RESULTS, or none."""
    return next((kind for kind in KINDS if kind in results), "none")


def join(catalogue: clauses.Catalogue, runs: Sequence[Run]) -> dict[str, Any]:
    """Everything the page shows, as plain values.

    RUNS are what read_results() gave; raises RigError when they name a clause that the catalogue
    does not have.
    """
    numbers = {number.name: number.nr for number in catalogue.numbers}
    cases: dict[str, dict[str, Any]] = {}
    codes: dict[str, str] = {}
    for index, run in enumerate(runs):
        for case in run["cases"]:
            entry = cases.setdefault(case["name"], {"area": case["area"], "clauses": [],
                                                    "file": case["file"], "runs": {}})
            for clause in case["clauses"]:
                if clause not in catalogue.clauses:
                    raise errors.RigError(f"{case['file']}: case {case['name']} names clause "
                                          f"{clause}, which is not in the catalogue")
                if clause not in entry["clauses"]:
                    entry["clauses"].append(clause)
            entry["runs"][index] = {"result": case["result"], "reason": case["reason"],
                                    "seconds": case["seconds"],
                                    "log": log_of(case["log"], case["name"],
                                                   run.get("written"))}
            codes.setdefault(case["name"], code_of(case["file"]))
    for name, entry in cases.items():
        entry["code"] = codes[name]
    by_clause: dict[str, list[str]] = {}
    for name, entry in cases.items():
        for clause in entry["clauses"]:
            by_clause.setdefault(clause, []).append(name)
    shown = []
    for clause in catalogue.clauses.values():
        names = by_clause.get(clause.id, [])
        shown.append({
            "id": clause.id, "title": clause.title, "text": clause.text, "level": clause.level,
            "area": clause.area, "call": clause.hypercall, "subop": clause.subop,
            "number": numbers.get(clause.hypercall or ""), "errors": list(clause.errors),
            "privilege": clauses.PRIVILEGES[clause.privilege], "test": clauses.TESTS[clause.test],
            "since": clause.since, "until": clause.until, "note": clause.note,
            "untested": clause.untested, "source": list(clause.source), "cases": names,
            "results": [_worst([cases[name]["runs"][index]["result"] for name in names
                                if index in cases[name]["runs"]]) for index in range(len(runs))],
        })
    return {
        "areas": [{"name": area.name, "title": area.title} for area in catalogue.areas],
        "hypervisors": [{**{key: run["hypervisor"][key] for key in HYPERVISOR_KEYS},
                         "cases": len(run["cases"])} for run in runs],
        "clauses": shown, "cases": cases,
    }
