# SPDX-License-Identifier: GPL-2.0-only
"""Faults of hypervisors that the cases must notice: choosing, running until one is noticed, the verdict.

Injected faults (mutants.py) and planted ones (planted.py) share this.
"""
import sys
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol, TextIO, TypeVar

from pvg.base import errors, plural
from pvg.conformance import run, suite

REQUIRED = 0.95


class Target(Protocol):
    """One fault: its name, where it is, and the case that noticed it ('' if none did)."""

    @property
    def name(self) -> str:
        """Its name on a command line."""

    @property
    def where(self) -> str:
        """The place of the fault, for one who reads that it survived."""

    @property
    def killer(self) -> str:
        """The case that noticed it."""


Some = TypeVar("Some", bound=Target)


def sample(targets: list[Some], count: int) -> list[Some]:
    """COUNT of TARGETS, evenly spread over the list."""
    if count >= len(targets):
        return targets
    return [targets[index * len(targets) // count] for index in range(count)]


def choose(targets: list[Some], word: str, option: str) -> list[Some]:
    """Those of TARGETS that WORD, the value of OPTION, means: all, how many, or names between commas."""
    if word == "all":
        return targets
    if word.isdigit() and int(word):
        return sample(targets, int(word))
    names = set(word.split(","))
    chosen = [target for target in targets if target.name in names]
    if len(chosen) < len(names):
        unknown = sorted(names - {target.name for target in chosen})
        raise errors.UsageError(f"{option} takes a number from 1, 'all' or names; "
                                f"no '{unknown[0]}'")
    return chosen


def results(groups: Sequence[Sequence[suite.Case]],
            campaign: Callable[[], run.Campaign]) -> Iterator[run.Result]:
    """The results of GROUPS of cases, each in a CAMPAIGN of its own, begun when it is asked for."""
    for group in groups:
        if group:
            yield from campaign().run(group)


def verdict(noun: str, tried: Sequence[Target], reasons: Mapping[str, str], listed: str,
            seconds: float, out: TextIO | None = None,
            hints: Mapping[str, str] = types.MappingProxyType({})) -> int:
    """Print which of TRIED survived, and with which of REASONS that stand in LISTED; the exit status.

    HINTS say of a survivor what does not excuse it.
    """
    out = out or sys.stdout
    alive = [target for target in tried if not target.killer]
    for target in tried:
        if target.killer and target.name in reasons:
            print(f"killed after all: {target.name} by {target.killer}; take it off {listed}",
                  file=out)
    unexplained = [target for target in alive if target.name not in reasons]
    for target in alive:
        print(f"survived: {target.name} ({target.where}): "
              f"{reasons.get(target.name) or hints.get(target.name, 'no reason known')}", file=out)
    share = 1 - len(alive) / len(tried) if tried else 1.0
    killed = f"{len(tried) - len(alive)} killed ({share:.1%})" if tried else "none tried"
    print(f"{plural.counted(len(tried), noun)}, {killed} in {seconds:.0f} s", file=out)
    return 1 if unexplained or share < REQUIRED else 0
