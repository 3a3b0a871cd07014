# SPDX-License-Identifier: GPL-2.0-only
"""The ways in which a sub-command ends other than well, and their exit statuses."""
from pathlib import Path

EXIT_USAGE = 2
EXIT_TIMEOUT = 124
EXIT_RIG = 125
EXIT_GUEST = 126


class PvgError(Exception):
    """Ends the program with one line on standard error.

    log: path of the log that says more; its last lines are printed too.
    """

    status = EXIT_RIG

    def __init__(self, message: str, log: str | Path | None = None) -> None:
        super().__init__(message)
        self.log = log


class RigError(PvgError):
    """The rig or the build failed."""


class EmulatorFault(RigError):
    """The emulator ran what the memory of the guest that WHO names did not hold.

    started: the command may have begun
    """

    MESSAGE = "the emulator ran an int3 that is no more in memory: a fault of QEMU (rig/README.md)"

    WHILE_BOOTING = "a fault of QEMU ended the guest while it booted (rig/README.md)"

    def __init__(self, who: str, log: str | Path | None, started: bool) -> None:
        super().__init__(who + self.MESSAGE, log)
        self.started = started


class UsageError(PvgError):
    """The command line asks for something that cannot be."""

    status = EXIT_USAGE


class GuestTimeout(PvgError):
    """The guest was still running when its time was up."""

    status = EXIT_TIMEOUT


class GuestDied(PvgError):
    """The guest crashed, or never came up."""

    status = EXIT_GUEST
