# SPDX-License-Identifier: GPL-2.0-only
"""Orders of guests to the control domain, for tests: each is a shell command, one at a time.

A guest's order arrives as a frame on its console (rig/guest/orders.c). It goes to the agent in
the control domain (rig/control/agent) as a line of base64; the agent answers with a line that
holds the exit status and, in base64 again, what the command printed.
"""
import base64
import collections
import os
from typing import IO, Protocol

REFUSED = 125           # exit status of an order that is not carried out
_PIECE = 512            # bytes of an answer's frame: consoles have small buffers


class Guest(Protocol):
    """A guest that gives orders."""

    def answer(self, kind: str, payload: bytes) -> None:
        """Send one frame about an order to the guest."""


class Orders:
    """The orders of one run; without an agent each is refused."""

    def __init__(self, log: IO[bytes]) -> None:
        self.log = log
        self._fd: int | None = None
        # Pairs of a guest and its order; the first runs.
        self._waiting: collections.deque[tuple[Guest, bytes]] = collections.deque()
        self._line = b""

    def connect(self, fd: int) -> None:
        """From now on the agent is at the other end of FD."""
        self._fd = fd

    def take(self, guest: Guest, text: bytes) -> None:
        """GUEST orders TEXT."""
        if self._fd is None:
            self._answer(guest, REFUSED, b"control: there is no control domain that takes orders; "
                                         b"use ./pvguest run --hv xen-domu --orders\n")
            return
        self._waiting.append((guest, text))
        if len(self._waiting) == 1:
            self._send()

    def receive(self, data: bytes) -> None:
        """DATA has come from the agent."""
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            status, _, text = line.partition(b" ")
            guest, _ = self._waiting.popleft()
            self._answer(guest, int(status), base64.b64decode(text))
            if self._waiting:
                self._send()

    def _send(self) -> None:
        assert self._fd is not None
        _, text = self._waiting[0]
        self.log.write(b"order: " + text + b"\n")
        os.write(self._fd, base64.b64encode(text) + b"\n")

    @staticmethod
    def _answer(guest: Guest, status: int, text: bytes) -> None:
        for at in range(0, len(text), _PIECE):
            guest.answer("a", text[at:at + _PIECE])
        guest.answer("z", str(status).encode())
