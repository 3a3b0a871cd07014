# SPDX-License-Identifier: MIT
"""Tests of the clock for limits: a busy machine gets more time, an idle one what the limit says."""
import unittest
from unittest import mock

import rigtest
from pvg.base import patience


class Clock(rigtest.FolderCase):
    """Time and pressure as the test gives them."""

    def setUp(self) -> None:
        super().setUp()
        self.pressure = self.folder / "cpu"
        self.wall = 100.0
        self.enterContext(mock.patch.object(patience, "PRESSURE", self.pressure))
        self.enterContext(mock.patch("time.monotonic", lambda: self.wall))
        self.stall(5.0)
        self.clock = patience.Clock()

    def stall(self, seconds: float) -> None:
        """SECONDS in all have processes waited."""
        self.pressure.write_text(f"some avg10=1.00 avg60=1.00 avg300=1.00 total={seconds * 1e6:.0f}\n"
                                 "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n")

    def test_idle(self) -> None:
        self.wall += 30
        self.assertEqual(self.clock.now(), 30)

    def test_half_busy(self) -> None:
        self.wall += 30
        self.stall(20.0)
        self.assertEqual(self.clock.now(), 15)

    def test_never_slower_than_the_bound(self) -> None:
        self.wall += 30
        self.stall(35.0)
        self.assertEqual(self.clock.now(), 30 / patience.SLOWEST)

    def test_it_never_goes_back(self) -> None:
        self.stall(1.0)
        self.wall += 1
        self.assertEqual(self.clock.now(), 1)

    def test_kernel_without_that_file(self) -> None:
        for text in ("", "nonsense\n", None):
            with self.subTest(text):
                if text is None:
                    self.pressure.unlink()
                else:
                    self.pressure.write_text(text)
                clock = patience.Clock()
                self.wall += 7
                self.assertEqual(clock.now(), 7)


if __name__ == "__main__":
    unittest.main()
