# SPDX-License-Identifier: MIT
"""The drivers' protocol halves against arbitrary back ends: short runs of the fuzz targets.

PVGUEST_LONG=1: ten million inputs each, and every seeded bug has to be found.
"""
import os
import subprocess
import unittest
from pathlib import Path

import rigtest

FUZZ = Path(__file__).resolve().parent
LONG = os.environ.get("PVGUEST_LONG") == "1"
# Inputs in a short run: about five seconds each.
SHORT, SHORT_RING = 40000, 300000


class Fuzz(unittest.TestCase):
    """Each target, the corpus first; and whether it finds the bugs that are seeded for it."""

    def inputs(self, target: str) -> None:
        """Give TARGET its inputs."""
        program = rigtest.load(FUZZ / "run")
        self.assertEqual(program.build([target]), "")
        runs = 10000000 if LONG else SHORT_RING if target == "ring" else SHORT
        count, _seconds, wrong = program.run(target, runs, 1)
        self.assertEqual(wrong, "")
        self.assertGreaterEqual(count, runs)

    def seeded_bugs(self, target: str) -> None:
        """Have TARGET look for each seeded bug."""
        ran = subprocess.run([str(FUZZ / "mutants"), "--target", target], stdout=subprocess.PIPE,
                             text=True, check=False)
        self.assertEqual(ran.returncode, 0, ran.stdout)

    def test_corpus_is_small(self) -> None:
        size = sum(path.stat().st_size for path in FUZZ.glob("corpus/*"))
        self.assertLess(size, 300 * 1024)


def add_tests() -> None:
    """Two tests for each target, so that each can be run alone."""
    for target in rigtest.load(FUZZ / "run").TARGETS:
        setattr(Fuzz, f"test_target_{target}", lambda self, target=target: self.inputs(target))
        setattr(Fuzz, f"test_seeded_bugs_{target}",
                unittest.skipUnless(LONG, "seeded bugs: set PVGUEST_LONG=1")(
                    lambda self, target=target: self.seeded_bugs(target)))


add_tests()


if __name__ == "__main__":
    unittest.main()
