# SPDX-License-Identifier: GPL-2.0-only
"""Time for limits that are about this machine's work: it passes more slowly on a busy one."""
import time
from pathlib import Path

SLOWEST = 10            # times, however busy the machine is
PRESSURE = Path("/proc/pressure/cpu")


def _stalled() -> float:
    """Seconds since the machine's start in which some process waited for a processor."""
    try:
        first = PRESSURE.read_text(encoding="ascii").splitlines()[0]
        return int(first.rpartition("total=")[2]) / 1e6
    except (OSError, ValueError, IndexError):
        # A kernel without these figures: all time counts.
        return 0.0


class Clock:
    """Counts the seconds that pass between its calls, less those in which processes had to wait.

    A limit in such seconds is what it says on an idle machine, and means as much work on a busy
    one. It has to be asked often: every second or so.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._wall = time.monotonic()
        self._stall = _stalled()

    def now(self) -> float:
        """Seconds since the clock was made."""
        wall, stall = time.monotonic(), _stalled()
        passed = wall - self._wall
        self._now += max(passed / SLOWEST, passed - max(0.0, stall - self._stall))
        self._wall, self._stall = wall, stall
        return self._now
