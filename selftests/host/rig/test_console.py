# SPDX-License-Identifier: MIT
"""Tests of a guest as the rig sees it: whole lines in the log, and how long its last ones are awaited."""
import io
import types
import unittest
from collections.abc import Sequence
from typing import Any
from unittest import mock

import rigtest
from pvg.guest import console
from pvg.machine import endings

SHUT_DOWN = b"Domain 1 has shut down, reason code 3 0x3\n"
GONE = b"guest1: gone\n"


class Log(rigtest.Case):
    """Two streams in one log, in pieces."""

    def test_lines_stay_whole(self) -> None:
        log = io.BytesIO()
        one, other = (console.Lines(log, whole=True) for _ in range(2))
        one.write(b"1 1\n2 ")
        other.write(b"3 ")
        one.write(b"2\n")
        other.write(b"3\n4")
        other.finish()
        self.assertEqual(log.getvalue(), b"1 1\n2 2\n3 3\n4\n")

    def test_text_without_lines_is_not_kept(self) -> None:
        log = io.BytesIO()
        lines = console.Lines(log, whole=True)
        for _piece in range(100):
            lines.write(4096 * b"x")
        self.assertGreater(len(log.getvalue()), 80 * 4096)
        lines.write(b"y\n")
        self.assertEqual(log.getvalue(), 100 * 4096 * b"x" + b"y\n")


class Death(rigtest.Case):
    """Seconds pass as the test says."""

    def setUp(self) -> None:
        super().setUp()
        self.clock = mock.Mock()
        self.clock.now.return_value = 5.0

    def guest(self, signs: Sequence[endings.Sign]) -> console.Guest:
        """A guest that ends by SIGNS."""
        session: Any = types.SimpleNamespace(
            boot=types.SimpleNamespace(signs=signs, shutdown_limit=0), log=io.BytesIO(),
            clock=self.clock)
        return console.Guest(session, 1)

    def finished_after(self, guest: console.Guest, seconds: float) -> bool:
        """Whether nothing more is awaited of GUEST when SECONDS more have passed."""
        self.clock.now.return_value += seconds
        return guest.finished()

    def test_output_is_awaited_until_the_tool_stack_is_done(self) -> None:
        guest = self.guest(endings.TOOL_STACK)
        guest.look_for_death(SHUT_DOWN)
        self.assertFalse(self.finished_after(guest, 2 * console.LAST_WORDS))
        guest.look_for_death(GONE)
        self.assertFalse(self.finished_after(guest, console.LAST_WORDS / 2))
        guest.look_for_death(b"more\n")
        self.assertTrue(self.finished_after(guest, console.LAST_WORDS / 2))
        self.assertEqual(guest.death, "the guest crashed")

    def test_a_tool_stack_that_hangs_is_not_awaited_for_ever(self) -> None:
        guest = self.guest(endings.TOOL_STACK)
        guest.look_for_death(SHUT_DOWN)
        self.assertTrue(self.finished_after(guest, console.LAST_SIGN))

    def test_the_hypervisor_says_one_thing_only(self) -> None:
        guest = self.guest(endings.INITIAL_DOMAIN)
        guest.look_for_death(b"Hardware Dom0 crashed: rebooting machine in 5 seconds.\n")
        self.assertTrue(self.finished_after(guest, console.LAST_WORDS))

    def test_a_sign_at_the_start_of_much_text(self) -> None:
        guest = self.guest(endings.NATIVE)
        guest.look_for_death(b"Kernel panic - not syncing: no init\r\n" + 60000 * b"x")
        self.assertEqual(guest.death, "the guest's kernel panicked: no init")

    def test_a_command_that_has_ended_after_all(self) -> None:
        guest = self.guest(endings.TOOL_STACK)
        guest.look_for_death(SHUT_DOWN + GONE)
        guest.status = 0
        self.assertTrue(guest.finished())


if __name__ == "__main__":
    unittest.main()
