# SPDX-License-Identifier: MIT
"""Tests of the reader of test results: counted results, and problems that must be reported."""
import unittest

import rigtest  # noqa: F401  (sets the path of the rig)
from pvg.base import ktap


def read(text: str, status: int = 0) -> tuple[tuple[int, int, int], list[str], str | None]:
    """Read TEXT; returns (passed, failed, skipped), the failures' texts and the problem."""
    reader = ktap.Reader()
    failures = [found for found in map(reader.feed, text.splitlines()) if found]
    problem = reader.finish(status)
    return (reader.passed, reader.failed, reader.skipped), failures, problem


class Reader(rigtest.Case):
    """Every result counts once."""

    def test_flat(self) -> None:
        counts, failures, problem = read(
            "KTAP version 1\n1..3\nok 1 - a\n# why\nnot ok 2 - b\nok 3 - c # SKIP no such CPU\n", 1)
        self.assertEqual(counts, (1, 1, 1))
        self.assertEqual(failures, ["b\n  # why"])
        self.assertIsNone(problem)

    def test_nested_results_count_instead_of_their_sum(self) -> None:
        counts, _, problem = read(
            "1..2\n  ok 1 a\n    ok 1 deep\n  ok 2 b\nok 1 first\n  not ok 1 c\nnot ok 2 second\n",
            1)
        self.assertEqual(counts, (2, 1, 0))
        self.assertIsNone(problem)

    def test_sum_that_fails_alone(self) -> None:
        counts, failures, _ = read("  ok 1 a\nnot ok 1 crashed at the end\n", 1)
        self.assertEqual(counts, (1, 1, 0))
        self.assertEqual(failures, ["crashed at the end"])

    def test_stopped_early(self) -> None:
        counts, _, problem = read("1..3\nok 1 a\n")
        self.assertEqual(counts[1], 1)
        self.assertIn("planned 3", problem or "")

    def test_nothing_ran(self) -> None:
        counts, _, problem = read("1..0\n")
        self.assertEqual(counts, (0, 1, 0))
        self.assertIn("no results", problem or "")

    def test_bad_status_without_failure(self) -> None:
        counts, _, problem = read("ok 1 a\n", 3)
        self.assertEqual(counts, (1, 1, 0))
        self.assertIn("3", problem or "")

    def test_words_that_look_alike(self) -> None:
        counts, _, _ = read("okay\nnot okay\nok 1 real\n")
        self.assertEqual(counts, (1, 0, 0))


if __name__ == "__main__":
    unittest.main()
