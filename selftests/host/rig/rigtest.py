# SPDX-License-Identifier: MIT
"""Shared by the tests of the rig: its path, and calls of it as from a shell."""
import functools
import importlib.machinery
import importlib.util
import os
import select
import shutil
import subprocess
import sys
import tempfile
import unittest
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

REPO = Path(__file__).resolve().parents[3]
PVGUEST = REPO / "pvguest"
sys.path.insert(0, str(REPO / "rig"))

# Where a hook of git runs the tests, these name its repository to any git; tests have others.
for variable in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY",
                 "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR", "GIT_PREFIX",
                 "GIT_QUARANTINE_PATH"):
    os.environ.pop(variable, None)

# The kernel that runs on the hypervisor; the peer may be named to try the tests themselves.
KERNEL = os.environ.get("PVGUEST_TEST_KERNEL", "pvguest")
WORDS = os.environ.get("PVGUEST_TEST_WORDS", "").split()

# Seconds after which a guest counts as hung: a busy machine takes many times as long as an idle one.
LIMIT = 3600

Word = str | int | float | Path         # of a command line
Result = subprocess.CompletedProcess[bytes]
Thing = TypeVar("Thing")


def some(thing: Thing | None) -> Thing:
    """THING, which is there."""
    assert thing is not None
    return thing


def load(path: Path) -> Any:
    """The program PATH, whose name has no ending, as a module."""
    loader = importlib.machinery.SourceFileLoader(f"{path.parent.name}_{path.name}", str(path))
    spec = some(importlib.util.spec_from_loader(loader.name, loader))
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def call(*words: Word, env: Mapping[str, str] | None = None,
         stdin: bytes | None = None) -> Result:
    """Run ./pvguest with WORDS; output is bytes. A guest that hangs ends by --timeout."""
    environment = dict(os.environ, **(env or {}))
    return subprocess.run([str(PVGUEST), *map(str, words)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False, env=environment, input=stdin)


@functools.cache
def build() -> None:
    """Build what the tests boot, once and before any of them: it takes as long as it takes."""
    if "--no-build" not in WORDS:
        made = call("build", "--kernel", KERNEL, "--kernel", "native")
        if made.returncode:
            raise RuntimeError(made.stderr.decode())


def run(hv: str, *words: Word, env: Mapping[str, str] | None = None,
        stdin: bytes | None = None) -> Result:
    """Run 'pvguest run' on HV with our kernel; WORDS may hold more options before '--'."""
    build()
    kernel = [] if hv == "none" else ["--kernel", KERNEL]
    limit = ["--timeout", str(LIMIT)] if "--" in words else []      # none for a shell
    return call("run", "--hv", hv, *kernel, *limit, *WORDS, *words, env=env, stdin=stdin)


def run_until(good: Callable[[Result], object], hv: str, *words: Word,
              limits: Sequence[int] = (20, 60, 180, 600)) -> tuple[Result, int]:
    """Run as run() does, with the first of LIMITS, in seconds, under which the result is GOOD.

    For a guest that is to run into its time limit: what must happen before may take a busy machine
    longer. Returns the last result and its limit.
    """
    for limit in limits:
        result = run(hv, "--timeout", limit, *words)
        if good(result):
            break
    return result, limit


def gone(pid: int, patience: float) -> bool:
    """Whether process PID, no child of this process, ends within PATIENCE seconds."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], patience)[0])
    finally:
        os.close(handle)


class Case(unittest.TestCase):
    """A test case of the package alone, which can be imported as soon as this module is."""


class FolderCase(Case):
    """A test case with an empty folder of its own, self.folder."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pvguest-test-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
