# SPDX-License-Identifier: GPL-2.0-only
"""Results on paper: KTAP, JUnit XML, JSON and the final table."""
import collections
import json
import xml.etree.ElementTree as xml
from collections.abc import Iterator, Mapping, Sequence

from pvg.base import plural
from pvg.conformance.run import Result

About = Mapping[str, str]       # the hypervisor: name, version, adapter, accelerator

KINDS = ("pass", "fail", "error", "skip", "deviation", "fault")


def _clean(text: str) -> str:
    return "".join(c if c == "\n" or c == "\t" or " " <= c <= "~" else "?" for c in text)


def ktap(run: About, results: Sequence[Result]) -> str:
    """The results as KTAP lines."""
    lines = ["KTAP version 1", f"# {run['name']} {run['version']} adapter {run['adapter']} "
                               f"accelerator {run['accelerator']}", f"1..{len(results)}"]
    for number, entry in enumerate(results, 1):
        word = "not ok" if entry.result in ("fail", "error") else "ok"
        line = f"{word} {number} {entry.case.area}.{entry.case.name}"
        reason = _clean(entry.reason).replace("#", "")
        if entry.result == "skip":
            line += f" # SKIP {reason}"
        elif entry.result in ("deviation", "fault"):
            line += f" # XFAIL {reason}"
        elif entry.reason:
            line += f" # {entry.result}: {reason}"
        lines.append(line)
    return "\n".join(lines) + "\n"


def as_json(run: About, results: Sequence[Result]) -> str:
    """The results as the JSON text that 'pvguest report' reads."""
    return json.dumps({"format": 1, "hypervisor": run, "cases": [
        {"name": r.case.name, "area": r.case.area, "clauses": r.case.clauses, "result": r.result,
         "reason": _clean(r.reason), "seconds": round(r.seconds, 6), "log": r.log,
         "file": f"{r.case.file}:{r.case.line}"} for r in results]}, indent=1) + "\n"


def junit(run: About, results: Sequence[Result]) -> str:
    """The results as JUnit XML."""
    suites = xml.Element("testsuites", name="hypercall ABI")
    for area in dict.fromkeys(r.case.area for r in results):
        mine = [r for r in results if r.case.area == area]
        suite = xml.SubElement(
            suites, "testsuite", name=area, tests=str(len(mine)),
            failures=str(sum(r.result == "fail" for r in mine)),
            errors=str(sum(r.result == "error" for r in mine)),
            skipped=str(sum(r.result in ("skip", "deviation", "fault") for r in mine)),
            time=f"{sum(r.seconds for r in mine):.3f}")
        properties = xml.SubElement(suite, "properties")
        for key, value in run.items():
            xml.SubElement(properties, "property", name=key, value=str(value))
        for entry in mine:
            case = xml.SubElement(suite, "testcase", name=entry.case.name, classname=area,
                                  file=entry.case.file, line=str(entry.case.line),
                                  time=f"{entry.seconds:.3f}")
            word = {"fail": "failure", "error": "error", "skip": "skipped",
                    "deviation": "skipped", "fault": "skipped"}.get(entry.result)
            if word:
                xml.SubElement(case, word, message=_clean(entry.reason))
    xml.indent(suites)
    return xml.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _together(results: Sequence[Result]) -> Iterator[tuple[Result, int]]:
    """RESULTS, the errors of one reason as the first of them and how many more there are."""
    errors = collections.Counter(entry.reason for entry in results if entry.result == "error")
    for entry in results:
        if entry.result != "error":
            yield entry, 0
        elif entry.reason in errors:
            yield entry, errors.pop(entry.reason) - 1


def table(run: About, results: Sequence[Result], seconds: float) -> str:
    """The final table by area; above it the results that are no pass, failures below it.

    The end of a long output is often all that is seen.
    """
    lines, bad = [], []
    for entry, more in _together(results):
        name = f"{entry.case.area}.{entry.case.name}"
        text = (f"{entry.result:9s} {name}{f' and {more} more' if more else ''}: "
                f"{_clean(entry.reason)}")
        if entry.result in ("fail", "error"):
            bad += [text, f"          {entry.case.file}:{entry.case.line}  "
                          f"{' '.join(entry.case.clauses)}  log {entry.log}"]
        elif entry.result != "pass":
            lines.append(text)
    if lines:
        lines.append("")
    lines.append(f"{run['name']} {run['version']}, adapter {run['adapter']}, "
                 f"accelerator {run['accelerator']}")
    lines.append(f"{'area':14s}" + "".join(f"{kind:>10s}" for kind in KINDS))
    for area in [*dict.fromkeys(r.case.area for r in results), "total"]:
        mine = [r for r in results if area in ("total", r.case.area)]
        counts = [sum(r.result == kind for r in mine) for kind in KINDS]
        lines.append(f"{area:14s}" + "".join(f"{count or '.':>10}" for count in counts))
    lines.append(f"{plural.counted(len(results), 'case')} in {seconds:.0f} s")
    if "ended" in run:
        left = int(run["not run"])
        lines.append(f"{plural.counted(left, 'case')} not run: {run['ended']}")
    return "\n".join(lines + bad)
