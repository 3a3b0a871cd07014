# SPDX-License-Identifier: GPL-2.0-only
"""The check with planted faults: hypervisors built with one fault each, which the cases must notice.

A hypervisor without a fault comes first; cases that do not pass there do not count. The results for
each fault are kept, so that a run that was ended goes on where it was.
"""
import dataclasses
import json
import sys
import time
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pvg.base import errors, files, packages, paths, plural, progress
from pvg.conformance import build, hunt, planted_list, run, suite, xen_tree
from pvg.conformance.planted_list import Fault
from pvg.machine import xen

NONE = "no-fault"       # name of the hypervisor without one
FORMAT = 1


@dataclass
class Noticed:
    """A case that did not pass."""

    case: str
    result: str
    reason: str
    log: str


@dataclass
class Trial:
    """Results of the cases on one hypervisor; trouble: those that the rig spoilt, and why."""

    name: str
    ran: int = 0
    seconds: float = 0.0
    trouble: int = 0
    why: str = ""
    noticed: list[Noticed] = field(default_factory=list)
    unbuilt: str = ""


class Over(Exception):
    """The time of the whole run is over."""


class Hunt:
    """Tries faults, one hypervisor after another; TRIALS has what is known by the fault's name."""

    def __init__(self, tree: xen_tree.Tree, setup: run.Setup, images: run.Images,
                 cases: Sequence[suite.Case], args: Namespace) -> None:
        self.tree = tree
        self.setup = setup
        self.images = images
        self.cases = [case for case in cases if case.part == "single"]
        self.jobs = args.jobs
        self.early = args.stop_at_first_failure
        self.end: float | None = time.monotonic() + args.timeout if args.timeout else None
        self.trials: dict[str, Trial] = {}
        self.spoilt: list[str] = []     # cases that do not pass without a fault

    def run(self, faults: Sequence[Fault]) -> None:
        """Try FAULTS, those that have been tried before from what is kept of them."""
        base = self._trial(None)
        if base.unbuilt:
            raise errors.RigError("the hypervisor does not build without a fault",
                                  self.tree.log(NONE))
        if base.trouble:
            raise errors.RigError(f"without a fault, {plural.counted(base.trouble, 'case')} could "
                                  f"not be run: {base.why}")
        if base.noticed and len(base.noticed) >= base.ran:
            raise errors.RigError("no case passes on the hypervisor built without a fault: "
                                  + base.noticed[0].reason)
        self.spoilt = [one.case for one in base.noticed]
        for number, fault in enumerate(faults, 1):
            trial = self._trial(fault)
            fault.killer = trial.noticed[0].case if trial.noticed else ""
            progress.say(f"{number} of {len(faults)}: {fault.name}: {outcome(trial)}")

    def _trial(self, fault: Fault | None) -> Trial:
        name = fault.name if fault else NONE
        path = self.tree.folder / "results" / f"{name}-{self._key(fault)}.json"
        trial = _kept(path)
        if not trial:
            trial = self._try(name, fault)
            if not trial.unbuilt and (trial.noticed or not trial.trouble):
                files.write_atomically(path, json.dumps(dataclasses.asdict(trial), indent=1))
        self.trials[name] = trial
        return trial

    def _key(self, fault: Fault | None) -> str:
        """Hash of all that a trial of FAULT depends on besides the tree."""
        areas = sorted({case.area for case in self.cases})
        text = (fault.file, fault.old, fault.new, *fault.clauses) if fault else ()
        return files.digest([self.images.path(area) for area in areas], [
            self.setup.name, self.setup.accelerator, bool(fault) and self.early, *text,
            *(case.name for case in self.cases), *self.spoilt])[:12]

    def _try(self, name: str, fault: Fault | None) -> Trial:
        """Build the hypervisor with FAULT and run the cases on it."""
        self._limit()
        with self.tree.planted(fault):
            built = self.tree.build(name, self.jobs)
        if not built:
            return Trial(name, unbuilt=paths.shown(self.tree.log(name)))
        trial = Trial(name)
        setup = dataclasses.replace(
            self.setup, options=[*self.setup.options, "--xen", str(xen.binary(built))])
        stop = bool(fault) and self.early
        campaigns: list[run.Campaign] = []

        def campaign() -> run.Campaign:
            campaigns.append(run.Campaign(setup, self.images, paths.LOGS / "planted" / name,
                                          self.jobs, stop_early=stop, limit=self._limit()))
            return campaigns[-1]

        started = time.monotonic()
        with progress.reminding(f"running cases on the hypervisor for {name}"):
            for result in hunt.results(self._groups(fault), campaign):
                _count(trial, result)
                if stop and trial.noticed:
                    break
        if any(one.late for one in campaigns):
            raise Over
        trial.seconds = round(time.monotonic() - started, 1)
        return trial

    def _groups(self, fault: Fault | None) -> list[list[suite.Case]]:
        """The cases for FAULT: those of its clauses first where one that fails ends the trial."""
        mine = [case for case in self.cases if case.name not in self.spoilt]
        if not fault or not self.early:
            return [mine]
        first = [case for case in mine if set(case.clauses) & set(fault.clauses)]
        near = {case.area for case in first}
        rest = [case for case in mine if case not in first]
        return [first, [case for case in rest if case.area in near],
                [case for case in rest if case.area not in near]]

    def _limit(self) -> float | None:
        """Seconds that are left of the run's time."""
        if self.end is None:
            return None
        if time.monotonic() >= self.end:
            raise Over
        return self.end - time.monotonic()


def _count(trial: Trial, result: run.Result) -> None:
    """Take RESULT into TRIAL."""
    trial.ran += 1
    if result.result == "fail" or result.result == "error" and result.blamed:
        trial.noticed.append(Noticed(result.case.name, result.result, result.reason, result.log))
    elif result.result == "error":
        trial.trouble += 1
        trial.why = trial.why or result.reason


def _kept(path: Path) -> Trial | None:
    """The trial that file PATH keeps, or None."""
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
        entry["noticed"] = [Noticed(**one) for one in entry["noticed"]]
        return Trial(**entry)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def clauses(trial: Trial, cases: Sequence[suite.Case]) -> list[str]:
    """The clauses of those of CASES that noticed the fault of TRIAL."""
    failed = {one.case for one in trial.noticed if one.result == "fail"}
    return sorted({clause for case in cases if case.name in failed for clause in case.clauses})


def outcome(trial: Trial) -> str:
    """The end of TRIAL in a few words."""
    if trial.unbuilt:
        return f"does not build, log {trial.unbuilt}"
    if trial.noticed:
        first, *others = trial.noticed
        more = f" and {len(others)} more" if others else ""
        word = "killed by" if first.result == "fail" else "killed: did not get through"
        return f"{word} {first.case}{more}, {trial.seconds:.0f} s"
    if trial.trouble:
        return f"{plural.counted(trial.trouble, 'case')} could not be run: {trial.why}"
    return f"survived {plural.counted(trial.ran, 'case')}, {trial.seconds:.0f} s"


def as_json(faults: Sequence[Fault], trials: dict[str, Trial], cases: Sequence[suite.Case],
            about: dict[str, object]) -> str:
    """The trials as JSON text."""
    entries = []
    for fault in faults:
        trial = trials.get(fault.name)
        state = "not tried" if not trial else "not built" if trial.unbuilt else \
            "killed" if trial.noticed else "not known" if trial.trouble else "survived"
        entries.append({
            "id": fault.name, "file": fault.file, "notice": fault.notice,
            "expected": list(fault.clauses), "survives": fault.survives, "outcome": state,
            "clauses": clauses(trial, cases) if trial else [],
            "cases": [dataclasses.asdict(one) for one in trial.noticed] if trial else [],
            "ran": trial.ran if trial else 0, "seconds": trial.seconds if trial else 0})
    return json.dumps({"format": FORMAT, "planted": about, "faults": entries}, indent=1) + "\n"


def select(path: Path, source: Path, word: str) -> list[Fault]:
    """The faults of list PATH that WORD chooses; all of the list must fit SOURCE."""
    faults = planted_list.load(path)
    xen_tree.check(source)
    planted_list.refuse(planted_list.problems(faults, source))
    return hunt.choose(faults, word, "--faults")


def check(path: Path, source: Path) -> int:
    """Entry point of 'conformance --planted --check': says of each fault that does not fit why."""
    faults = planted_list.load(path)
    xen_tree.check(source)
    wrong = planted_list.problems(faults, source)
    for line in wrong:
        print(line)
    if wrong:
        raise errors.UsageError(f"{len(wrong)} of {plural.counted(len(faults), 'fault')} of "
                                f"{paths.shown(path)} cannot be planted in {source}")
    print(f"{plural.counted(len(faults), 'fault')} of {paths.shown(path)}: each can be planted in "
          f"{source}")
    return 0


def main(args: Namespace, setup: run.Setup, cases: Sequence[suite.Case],
         faults: Sequence[Fault]) -> int:
    """Entry point of 'conformance --planted', for FAULTS of its list."""
    packages.require(packages.FOR_XEN)
    tree = xen_tree.Tree(Path(args.xen_source))
    images = build.Images(suite.load())
    started = time.monotonic()
    progress.say(f"{plural.counted(len(faults), 'fault')} on {args.hv}; results are kept in "
                 f"{paths.shown(tree.folder)}")
    with tree.locked():
        trying = Hunt(tree, setup, images, cases, args)
        interrupted: BaseException | None = None
        late = False
        try:
            trying.run(faults)
        except (KeyboardInterrupt, SystemExit) as end:
            # Of a signal: what there is by now is reported first.
            interrupted = end
        except Over:
            late = True
    status = _report(args, trying, faults, time.monotonic() - started)
    if interrupted:
        raise interrupted
    return errors.EXIT_TIMEOUT if late and not status else status


def _report(args: Namespace, trying: Hunt, faults: Sequence[Fault], seconds: float) -> int:
    """Write the results that there are; returns the exit status."""
    if args.json:
        text = as_json(faults, trying.trials, trying.cases, {
            "list": Path(args.planted).name, "tree": Path(args.xen_source).resolve().name,
            "adapter": args.hv, "left out": trying.spoilt})
        if args.json == "-":
            print(text, end="")
        else:
            files.write_atomically(args.json, text)
    out = sys.stderr if args.json == "-" else sys.stdout
    tried = [fault for fault in faults if fault.name in trying.trials]
    judged = []
    for fault in tried:
        trial = trying.trials[fault.name]
        if trial.noticed:
            found = " ".join(clauses(trial, trying.cases)) or "the hypervisor runs no case"
            print(f"killed: {fault.name}: {found}", file=out)
        if trial.unbuilt or trial.trouble and not trial.noticed:
            print(f"not known: {fault.name}: {outcome(trial)}", file=out)
        else:
            judged.append(fault)
    for name in trying.spoilt:
        print(f"left out: {name}, which does not pass without a fault", file=out)
    reasons = {fault.name: fault.survives for fault in tried if fault.survives}
    covered = {clause for case in trying.cases for clause in case.clauses}
    hints = {fault.name: f"none of the cases that ran is about {' or '.join(fault.clauses)}"
             for fault in judged if fault.clauses and covered.isdisjoint(fault.clauses)}
    status = hunt.verdict("fault", judged, reasons, paths.shown(args.planted), seconds, out, hints)
    if len(tried) < len(faults):
        print(f"{plural.counted(len(faults) - len(tried), 'fault')} not tried; the same command "
              "goes on", file=out)
    return status or (errors.EXIT_RIG if len(judged) < len(tried) else 0)
