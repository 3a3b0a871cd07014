# SPDX-License-Identifier: GPL-2.0-only
"""How to start guests, as a boot method says it: the machine, the consoles, the end."""
import dataclasses
from collections.abc import Callable, Sequence
from re import Pattern
from typing import Protocol

from pvg.machine.description import Machine
from pvg.machine.emulator import Emulator, Running
from pvg.machine.endings import Sign


class Guest(Protocol):
    """A guest, as a boot method's functions see it; console.py has the one that is called so."""

    def acknowledge(self) -> None:
        """Have the guest's init go on."""

    def send_to_control(self, word: bytes) -> None:
        """Have the control domain do for this guest what WORD says (rig/control/init)."""


@dataclasses.dataclass
class Consoles:
    """Descriptors of the guests' consoles, and of the agent that takes orders, if there is one."""

    guests: list[int]
    agent: int | None = None


@dataclasses.dataclass
class Boot:
    """How to start guests.

    emulator, machine: what is started
    signs: text that says how a guest has ended
    guests: how many there are
    on_start: called when the emulator has been started
    attach: called after that; without it the machine's serial port is the console of
            the only guest
    on_up, on_exit: called with a guest whose init has spoken, and whose command has ended
    replies: pairs of a pattern in the machine's serial port and what is then called with the guest
    linger: pattern there to wait for after the command has ended
    finish: called when all commands have ended
    boot_limit: seconds until a guest's init must have sent its first frame
    shutdown_limit: seconds that a guest gets to shut down by itself after the command
    """

    emulator: Emulator
    machine: Machine
    signs: Sequence[Sign]
    guests: int = 1
    on_start: Callable[[Running], None] | None = None
    attach: Callable[[Running], Consoles] | None = None
    on_up: Callable[[Guest], None] | None = None
    on_exit: Callable[[Guest], None] | None = None
    replies: list[tuple[Pattern[bytes], Callable[[Guest], None]]] = \
        dataclasses.field(default_factory=list)
    linger: Pattern[bytes] | None = None
    finish: Callable[[], None] | None = None
    boot_limit: int = 180
    shutdown_limit: int = 0

    def start(self) -> Running:
        """Start the machine."""
        return self.emulator.start(self.machine)
