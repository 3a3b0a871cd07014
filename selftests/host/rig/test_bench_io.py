#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of the disk and network benchmark: its reading of a guest's output, and its table."""
import sys
import unittest
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(REPO / "rig"))

from pvg.bench import io  # noqa: E402  (the path must be set first)


def numbers(instructions: int) -> dict[str, Any]:
    """All rows, each with INSTRUCTIONS, half a notification and a quarter of an event."""
    return {name: {"instructions": instructions, "notifications": 0.5, "events": 0.25}
            for name in io.TITLES}


class Parsing(unittest.TestCase):
    """Lines of io.sh."""

    def test_values_are_per_million(self) -> None:
        found = io.parse("noise\nop read_4k_qd1 74218750000 1003906 250000\n")
        self.assertEqual(found, {"read_4k_qd1": {
            "instructions": 74218.75, "notifications": 1.003906, "events": 0.25}})

    def test_line_of_one_of_two_guests(self) -> None:
        found = io.parse("guest2: op tcp_guest_to_guest 5000000 0 0\nguest1: done\n")
        self.assertEqual(list(found), ["tcp_guest_to_guest"])
        self.assertEqual(found["tcp_guest_to_guest"]["instructions"], 5)


class Table(unittest.TestCase):
    """The printed table."""

    def setUp(self) -> None:
        self.lines = list(io.table({"pvguest": numbers(900), "mainline": numbers(1000)}))

    def test_a_row_for_each_operation(self) -> None:
        self.assertEqual(len(self.lines), 1 + len(io.TITLES))

    def test_ratio_is_ours_to_the_peers(self) -> None:
        self.assertEqual(self.lines[1].split()[-7:],
                         ["900", "1000", "0.90", "0.500", "0.500", "0.250", "0.250"])

    def test_unknown_notifications_are_not_printed(self) -> None:
        self.assertEqual(self.lines[-1].split()[-4:-2], ["-", "-"])

    def test_one_kernel_has_no_ratio(self) -> None:
        line, *_ = list(io.table({"pvguest": numbers(900)}))[1:]
        self.assertEqual(line.split()[-3:], ["900", "0.500", "0.250"])


if __name__ == "__main__":
    unittest.main()
