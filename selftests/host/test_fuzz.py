# SPDX-License-Identifier: MIT
"""The drivers' protocol halves against back ends that do anything: the fuzz targets, shortly.

PVGUEST_LONG=1: ten million inputs each, and every seeded bug has to be found.
"""
import importlib.machinery
import importlib.util
import os
import subprocess
import unittest
from pathlib import Path

FUZZ = Path(__file__).resolve().parent / "fuzz"
LONG = os.environ.get("PVGUEST_LONG") == "1"
# Inputs in a short run: about five seconds each.
SHORT, SHORT_RING = 40000, 300000


def load(name):
    """The program NAME, as a module."""
    loader = importlib.machinery.SourceFileLoader("fuzz_" + name, str(FUZZ / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


class Fuzz(unittest.TestCase):
    """Each target, the corpus first."""

    def test_targets(self):
        program = load("run")
        self.assertEqual(program.build(program.TARGETS), "")
        for target in program.TARGETS:
            runs = 10000000 if LONG else SHORT_RING if target == "ring" else SHORT
            with self.subTest(target=target):
                count, _seconds, wrong = program.run(target, runs, 1)
                self.assertEqual(wrong, "")
                self.assertGreaterEqual(count, runs)

    def test_corpus_is_small(self):
        size = sum(path.stat().st_size for path in FUZZ.glob("corpus/*"))
        self.assertLess(size, 300 * 1024)

    @unittest.skipUnless(LONG, "every seeded bug: set PVGUEST_LONG=1")
    def test_seeded_bugs_are_found(self):
        ran = subprocess.run([str(FUZZ / "mutants")], stdout=subprocess.PIPE, text=True,
                             check=False)
        self.assertEqual(ran.returncode, 0, ran.stdout)


if __name__ == "__main__":
    unittest.main()
