# SPDX-License-Identifier: MIT
"""Common to the tests of the rig: where it stands, and how to call it as a person would."""
import os
import select
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
PVGUEST = REPO / "pvguest"
sys.path.insert(0, str(REPO / "rig"))

# The kernel that runs on the hypervisor; the peer may be named to try the tests themselves.
KERNEL = os.environ.get("PVGUEST_TEST_KERNEL", "pvguest")
WORDS = os.environ.get("PVGUEST_TEST_WORDS", "").split()


def call(*words, timeout=900, env=None, stdin=None):
    """Run ./pvguest with WORDS; output is bytes."""
    environment = dict(os.environ, **(env or {}))
    return subprocess.run([str(PVGUEST), *map(str, words)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=timeout, check=False, env=environment,
                          input=stdin)


def run(hv, *words, **options):
    """Run 'pvguest run' on HV with our kernel; WORDS may hold more options before '--'."""
    kernel = [] if hv == "none" else ["--kernel", KERNEL]
    return call("run", "--hv", hv, *kernel, *WORDS, *words, **options)


def gone(pid, patience):
    """Whether process PID, not a child of ours, ends within PATIENCE seconds."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], patience)[0])
    finally:
        os.close(handle)


class FolderCase(unittest.TestCase):
    """A test case with an empty folder of its own, self.folder."""

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="pvguest-test-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
