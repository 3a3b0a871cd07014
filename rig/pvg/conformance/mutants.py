# SPDX-License-Identifier: GPL-2.0-only
"""The mutation check: each injected fault of a hypervisor must be noticed by some case.

Each row of selftests/abi/mutants/mutants.def is switched on in turn in the guests' hypercall layer, and
the cases of the areas that it names are run until one of them fails.
"""
import concurrent.futures
import re
import time
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass

import yaml

from pvg.base import errors, paths, plural, progress
from pvg.conformance import build, hunt, suite
from pvg.conformance.run import Campaign, Setup

TABLE = suite.ABI / "mutants" / "mutants.def"
SURVIVORS = suite.ABI / "mutants" / "survivors.yaml"
ROW = re.compile(r'^M\((?P<name>\w+), "(?P<areas>[\w,]+)", ', re.MULTILINE)

# A guest that stops talking for so long has noticed, too.
SILENCE = 10


@dataclass
class Mutant:
    """One injected fault; number is its place in the table, from 1."""

    number: int
    name: str
    areas: list[str]
    killer: str = ""

    @property
    def where(self) -> str:
        """The areas whose cases are to notice it."""
        return ",".join(self.areas)


def load() -> list[Mutant]:
    """The mutants of the table."""
    text = TABLE.read_text(encoding="utf-8")
    found = [Mutant(number, match["name"], match["areas"].split(","))
             for number, match in enumerate(ROW.finditer(text), 1)]
    if len(found) != text.count("\nM("):
        raise errors.RigError(f"{paths.shown(TABLE)}: a row could not be read")
    known = set(suite.areas())
    for mutant in found:
        for area in mutant.areas:
            if area not in known:
                raise errors.RigError(f"{paths.shown(TABLE)}: mutant {mutant.name}: no area {area}")
    return found


def expected_survivors(mutants: Sequence[Mutant]) -> dict[str, str]:
    """Reasons by name of the mutants that cannot be noticed."""
    names = {mutant.name for mutant in mutants}
    result = {}
    for entry in yaml.safe_load(SURVIVORS.read_text(encoding="utf-8")) or []:
        if set(entry) != {"mutant", "reason"} or entry["mutant"] not in names:
            raise errors.RigError(f"{paths.shown(SURVIVORS)}: an entry is mutant, reason; "
                                  f"unknown: {entry}")
        result[entry["mutant"]] = entry["reason"]
    return result


def choose(mutants: list[Mutant], word: str) -> list[Mutant]:
    """Those of MUTANTS that WORD means: all, how many, or names between commas."""
    return hunt.choose(mutants, word, "--mutants")


class Hunt:
    """Tries to kill each of a list of mutants."""

    def __init__(self, setup: Setup, images: build.Images, cases: Sequence[suite.Case],
                 workers: int) -> None:
        self.setup = setup
        self.images = images
        self.cases = cases
        self.workers = workers

    def run(self, mutants: Sequence[Mutant], line: progress.Line) -> None:
        """Fill in each mutant's killer."""
        with concurrent.futures.ThreadPoolExecutor(self.workers) as pool:
            waiting = {pool.submit(self._try, mutant): mutant for mutant in mutants}
            try:
                for done, future in enumerate(concurrent.futures.as_completed(waiting), 1):
                    future.result()
                    line.update(done, waiting[future].name)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _try(self, mutant: Mutant) -> None:
        mine = [c for c in self.cases if c.area in mutant.areas and c.part == "single"]
        groups = ([c for c in mine if not c.alone], [c for c in mine if c.alone])
        for result in hunt.results(groups, lambda: self._campaign(mutant)):
            if result.result in ("fail", "error"):
                mutant.killer = result.case.name
                return

    def _campaign(self, mutant: Mutant) -> Campaign:
        """A campaign with MUTANT switched on."""
        return Campaign(
            self.setup, self.images, paths.LOGS / "mutants" / mutant.name, workers=1,
            mutant=mutant.number, stop_early=True, silence=SILENCE)


def main(args: Namespace, setup: Setup, cases: Sequence[suite.Case],
         mutants: Sequence[Mutant]) -> int:
    """Entry point of 'conformance --mutants', for MUTANTS of the table."""
    reasons = expected_survivors(load())
    images = build.Images(suite.load())
    line = progress.Line(f"{plural.counted(len(mutants), 'mutant')} on {setup.name}", len(mutants))
    started = time.monotonic()
    with line:
        Hunt(setup, images, cases, args.jobs).run(mutants, line)
    line.finish(f"{sum(bool(mutant.killer) for mutant in mutants)} killed")
    return hunt.verdict("mutant", mutants, reasons, paths.shown(SURVIVORS),
                        time.monotonic() - started)
