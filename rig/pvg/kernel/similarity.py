# SPDX-License-Identifier: GPL-2.0-only
"""Measures how much of each of our files stands in a file of Linux's own port as well."""
import dataclasses
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from pvg.base import paths
from pvg.kernel import cost

OURS = ("arch/x86/pvguest", "drivers", "hypercall-abi/include")
THEIRS = ("arch/x86/xen", "drivers/xen", *cost.MAINLINE_FRONT_ENDS)
# Tokens in a row that count as the same text: about one statement.
RUN = 8
_LEFT_OUT = re.compile(r"/\*.*?\*/|//[^\n]*|^#\s*include[^\n]*", re.DOTALL | re.MULTILINE)
_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|\w+|[^\w\s]')


@dataclasses.dataclass(frozen=True)
class Nearest:
    """The file of Linux that has most of file NAME: SHARE of the latter's runs, 0 to 1."""

    name: str
    share: float
    other: str


def runs(text: str) -> set[tuple[str, ...]]:
    """All runs of RUN tokens of the source TEXT but for comments and #include lines."""
    tokens = _TOKEN.findall(_LEFT_OUT.sub(" ", text))
    return {tuple(tokens[start:start + RUN]) for start in range(len(tokens) - RUN + 1)}


def _files(root: Path, names: Iterable[str]) -> Iterator[Path]:
    for name in names:
        path = root / name
        yield from sorted(path.rglob("*")) if path.is_dir() else [path]


def _runs_of(root: Path, names: Iterable[str]) -> dict[str, set[tuple[str, ...]]]:
    return {str(path.relative_to(root)): runs(path.read_text(encoding="utf-8", errors="replace"))
            for path in _files(root, names) if cost.SOURCE.search(path.name)}


def compare(tree: Path, repo: Path = paths.REPO) -> list[Nearest]:
    """For each of our files in REPO the nearest of Linux's source TREE, the most similar first."""
    theirs = _runs_of(tree, THEIRS)
    found = []
    for name, ours in _runs_of(repo, OURS).items():
        best = max(theirs, key=lambda other: len(ours & theirs[other]), default="")
        if ours and best:
            found.append(Nearest(name, len(ours & theirs[best]) / len(ours), best))
    return sorted(found, key=lambda each: -each.share)
