# SPDX-License-Identifier: GPL-2.0-only
"""Shards of a long run: units put together so that each shard takes less than an hour."""
import re
from typing import List, Tuple

from pvg.base import errors, plural
from pvg.checks.suites import Unit

LONGEST = 2700      # seconds that a shard should take at most when the machine does nothing else


def split(units: List[Unit], count: int) -> List[List[Unit]]:
    """UNITS in COUNT shards of much the same length; the same ones each time."""
    order = {unit.title: place for place, unit in enumerate(units)}
    shards: List[List[Unit]] = [[] for _ in range(count)]
    for unit in sorted(units, key=lambda unit: (-unit.seconds, order[unit.title])):
        min(shards, key=seconds).append(unit)
    return [sorted(shard, key=lambda unit: order[unit.title]) for shard in shards]


def seconds(shard: List[Unit]) -> int:
    """How long SHARD takes."""
    return sum(unit.seconds for unit in shard)


def fitting(units: List[Unit]) -> int:
    """The least number of shards of which none takes longer than LONGEST, if units permit."""
    for count in range(1, len(units)):
        if max(map(seconds, split(units, count))) <= LONGEST:
            return count
    return max(1, len(units))


def check(word: str) -> Tuple[int, int]:
    """The K and N of WORD, K/N."""
    match = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", word)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise errors.UsageError(f"--shard {word}: K/N with K from 1 to N, or 'list'")
    return int(match[1]), int(match[2])


def choose(units: List[Unit], word: str) -> List[Unit]:
    """Those of UNITS that WORD means, K/N: the Kth of N shards."""
    which, count = check(word)
    if count > len(units):
        raise errors.UsageError(f"--shard {word}: there are only {plural.counted(len(units), 'unit')}"
                                ", so no more shards than that")
    return split(units, count)[which - 1]
