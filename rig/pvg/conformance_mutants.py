# SPDX-License-Identifier: GPL-2.0-only
"""The mutation check: a hypervisor that lies in one way must be noticed by some case.

Each row of selftests/abi/mutants.def is switched on in turn in the guests' hypercall layer, and
the cases of the areas that it names are run until one of them fails.
"""
import re
import threading
import time
from dataclasses import dataclass

import yaml

from pvg import conformance_build, conformance_cases, conformance_run, errors, paths, progress

TABLE = conformance_cases.ABI / "mutants.def"
SURVIVORS = conformance_cases.ABI / "survivors.yaml"
ROW = re.compile(r'^M\((?P<name>\w+), "(?P<areas>[\w,]+)", ', re.MULTILINE)

# A guest that stops talking for so long has noticed, too.
SILENCE = 10
REQUIRED = 0.95


@dataclass
class Mutant:
    """One way to lie; number is its place in the table, from 1."""

    number: int
    name: str
    areas: list
    killer: str = ""


def load():
    """The mutants of the table."""
    text = TABLE.read_text(encoding="utf-8")
    found = [Mutant(number, match["name"], match["areas"].split(","))
             for number, match in enumerate(ROW.finditer(text), 1)]
    if len(found) != text.count("\nM("):
        raise errors.RigError(f"{paths.shown(TABLE)}: a row could not be read")
    known = set(conformance_cases.areas())
    for mutant in found:
        for area in mutant.areas:
            if area not in known:
                raise errors.RigError(f"{paths.shown(TABLE)}: mutant {mutant.name}: no area {area}")
    return found


def expected_survivors(mutants):
    """Reasons by name of the mutants that cannot be noticed."""
    names = {mutant.name for mutant in mutants}
    result = {}
    for entry in yaml.safe_load(SURVIVORS.read_text(encoding="utf-8")) or []:
        if set(entry) != {"mutant", "reason"} or entry["mutant"] not in names:
            raise errors.RigError(f"{paths.shown(SURVIVORS)}: an entry is mutant, reason; "
                                  f"unknown: {entry}")
        result[entry["mutant"]] = entry["reason"]
    return result


def sample(mutants, count):
    """COUNT of MUTANTS, evenly spread over the table."""
    if count >= len(mutants):
        return mutants
    return [mutants[index * len(mutants) // count] for index in range(count)]


def choose(mutants, word):
    """Those of MUTANTS that WORD means: all, how many, or names between commas."""
    if word == "all":
        return mutants
    if word.isdigit() and int(word):
        return sample(mutants, int(word))
    names = set(word.split(","))
    chosen = [mutant for mutant in mutants if mutant.name in names]
    if len(chosen) < len(names):
        unknown = sorted(names - {mutant.name for mutant in chosen})
        raise errors.UsageError(f"--mutants takes a number, 'all' or names; no '{unknown[0]}'")
    return chosen


class Hunt:
    """Tries to kill each of a list of mutants."""

    def __init__(self, setup, images, cases, workers):
        self.setup = setup
        self.images = images
        self.cases = cases
        self.workers = workers
        self._lock = threading.Lock()
        self._done = 0
        self._error = None

    def run(self, mutants, line):
        """Fill in each mutant's killer."""
        waiting = list(reversed(mutants))

        def work():
            while self._error is None:
                with self._lock:
                    if not waiting:
                        return
                    mutant = waiting.pop()
                try:
                    self._try(mutant)
                except (errors.PvgError, OSError) as error:
                    self._error = error
                with self._lock:
                    self._done += 1
                    line.update(self._done, mutant.name)

        threads = [threading.Thread(target=work, daemon=True) for _ in range(self.workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._error:
            raise self._error

    def _try(self, mutant):
        mine = [c for c in self.cases if c.area in mutant.areas and c.part == "single"]
        for group in ([c for c in mine if not c.alone], [c for c in mine if c.alone]):
            if not group:
                continue
            campaign = conformance_run.Campaign(
                self.setup, self.images, paths.LOGS / "mutants" / mutant.name, workers=1,
                mutant=mutant.number, stop_early=True, silence=SILENCE)
            for result in campaign.run(group):
                if result.result in ("fail", "error"):
                    mutant.killer = result.case.name
                    return


def main(args, setup, cases):
    """Entry point of 'conformance --mutants'."""
    mutants = load()
    reasons = expected_survivors(mutants)
    mutants = choose(mutants, args.mutants)
    images = conformance_build.Images(conformance_cases.load())
    line = progress.Line(f"{len(mutants)} mutants on {setup.name}", len(mutants))
    started = time.monotonic()
    Hunt(setup, images, cases, args.jobs).run(mutants, line)
    alive = [mutant for mutant in mutants if not mutant.killer]
    line.finish(f"{len(mutants) - len(alive)} killed")
    for mutant in mutants:
        if mutant.killer and mutant.name in reasons:
            print(f"killed after all: {mutant.name} by {mutant.killer}; take it off "
                  f"{paths.shown(SURVIVORS)}")
    unexplained = [mutant for mutant in alive if mutant.name not in reasons]
    for mutant in alive:
        print(f"survived: {mutant.name} ({','.join(mutant.areas)}): "
              f"{reasons.get(mutant.name, 'no reason known')}")
    share = 1 - len(alive) / len(mutants)
    print(f"{len(mutants)} mutants, {len(mutants) - len(alive)} killed ({share:.1%}) "
          f"in {time.monotonic() - started:.0f} s")
    return 1 if unexplained or share < REQUIRED else 0
