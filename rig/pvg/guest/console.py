# SPDX-License-Identifier: GPL-2.0-only
"""One guest as the rig sees it: what arrives on its console, and how it fares."""
import os
import sys
import time
from collections.abc import Callable
from typing import IO, Protocol

from pvg.base import patience
from pvg.guest import frames, orders
from pvg.guest.boot import Boot
from pvg.machine import stale

# Seconds (patience.Clock) from the last sign of a death until nothing more is awaited, and from the
# first sign to the last one: what the guest printed and what the tool stack says come by two ways.
LAST_WORDS = 1.0
LAST_SIGN = 60.0
_LONGEST = 65536        # bytes of a line that is kept whole: one with more is no text
_WINDOW = 4096          # bytes before a new text in which a death is looked for


class Lines:
    """Passes text on to a binary file; with a prefix, or WHOLE, line by line, else as it comes."""

    def __init__(self, sink: IO[bytes], prefix: bytes = b"", whole: bool = False) -> None:
        self.sink = sink
        self.prefix = prefix
        self._whole = whole or bool(prefix)
        self._rest = b""

    def write(self, data: bytes) -> None:
        """Pass DATA on."""
        if self._whole:
            *whole, self._rest = (self._rest + data).split(b"\n")
            data = b"".join(self.prefix + line + b"\n" for line in whole)
            if len(self._rest) > _LONGEST and not self.prefix:
                data, self._rest = data + self._rest, b""
        self.sink.write(data)
        self.sink.flush()

    def finish(self) -> None:
        """Nothing more comes: a line that has no end yet gets one."""
        if self._rest:
            self.write(b"\n")


class Run(Protocol):
    """The part of a run that its guests use; session.py has the run."""

    boot: Boot
    log: IO[bytes]
    orders: orders.Orders
    clock: patience.Clock
    forwarding: bool        # the console's text goes to the terminal

    def listen(self, fd: int, handler: Callable[[bytes], None]) -> None:
        """Have HANDLER called with what comes from FD."""

    def send_to_control(self, word: bytes) -> None:
        """Send the line WORD to the control domain's init."""

    def start_forwarding(self) -> None:
        """The guest runs a shell: connect it to the terminal."""


class Guest:
    """Guest NUMBER of SESSION; its output carries PREFIX."""

    def __init__(self, session: Run, number: int, prefix: bytes = b"") -> None:
        self.session = session
        self.number = number
        self.prefix = prefix
        self.decoder = frames.Decoder()
        self.up = False
        self.status: int | None = None       # the command's exit status
        self.gone = False                       # it has shut down after the command
        self.death: str | None = None        # why the guest died
        self._death_time: float | None = None   # when that was said, first or for the last time
        self._over = False                      # the last sign of it has been seen
        self.stale = stale.Watch()              # on what its kernel prints
        # The control domain's text goes there, too, and the two arrive in any pieces.
        self._log = Lines(session.log, prefix, whole=True)
        self._out = Lines(sys.stdout.buffer, prefix)
        self._err = Lines(sys.stderr.buffer, prefix)
        self._recent = b""
        self._death_rank = len(session.boot.signs)      # of the sign that death is about
        self._write_fd: int | None = None
        self._answers = 0
        self._exit_time = 0.0

    def listen(self, read_fd: int, write_fd: int) -> None:
        """From now on the console is read from READ_FD and written to WRITE_FD."""
        self._write_fd = write_fd
        self.session.listen(read_fd, self._console)

    def finished(self) -> bool:
        """Whether nothing more is awaited of the guest."""
        if self.status is not None:
            return self.gone or \
                time.monotonic() >= self._exit_time + self.session.boot.shutdown_limit
        return self.is_dead()

    def is_dead(self) -> bool:
        """Whether the guest died before its command ended, and has had the time to print why."""
        return self._death_time is not None and self.session.clock.now() >= \
            self._death_time + (LAST_WORDS if self._over else LAST_SIGN)

    def finish(self) -> None:
        """End the lines that the guest has begun."""
        for lines in (self._out, self._err, self._log):
            lines.finish()

    def look_for_death(self, text: bytes) -> None:
        """Find in TEXT, and what came just before it, that the guest is no more."""
        self._recent = (self._recent + text)[-_WINDOW - len(text):]
        found = [(rank, sign, match) for rank, sign in enumerate(self.session.boot.signs)
                 if (match := sign.pattern.search(self._recent))]
        if found and self.status is not None:
            self.gone = True
        elif found:
            # Signs that come first in their table say more, and may be said later.
            rank, sign, match = found[0]
            if rank < self._death_rank:
                self.death, self._death_rank = sign.sentence(match), rank
            over = any(sign.last for _, sign, _ in found)
            if self._death_time is None or over > self._over:
                self._death_time, self._over = self.session.clock.now(), over

    def _kernel_prints(self, text: bytes) -> None:
        self._log.write(text)
        self.stale.feed(text)

    def acknowledge(self) -> None:
        """Have the guest's init go on."""
        self.send(bytes([frames.ACK]))

    def answer(self, kind: str, payload: bytes) -> None:
        """Send one frame about an order to the guest."""
        self.send(frames.encode(kind, self._answers, payload))
        self._answers += 1

    def send(self, data: bytes) -> None:
        """Write DATA to the console."""
        if self._write_fd is None:
            return
        try:
            while data:
                data = data[os.write(self._write_fd, data):]
        except OSError:
            # A guest that is gone reads nothing; the reading side finds that out.
            pass

    def send_to_control(self, word: bytes) -> None:
        """Have the control domain do for this guest what WORD says (rig/control/init)."""
        self.session.send_to_control(word)

    def _console(self, data: bytes) -> None:
        for item in self.decoder.feed(data):
            if isinstance(item, frames.Frame):
                self._frame(item)
            else:
                self._kernel_prints(item)
                if self.session.forwarding:
                    self._out.write(item)
                self.look_for_death(item)

    def _frame(self, frame: frames.Frame) -> None:
        if frame.kind == "h":
            self.up = True
            if self.session.boot.on_up:
                self.session.boot.on_up(self)
        elif frame.kind == "o":
            self._out.write(frame.payload)
        elif frame.kind == "e":
            self._log.write(frame.payload)
            self._err.write(frame.payload)
        elif frame.kind == "k":
            # "priority,sequence,microseconds,flags;text", as /dev/kmsg gives it
            head, _, text = frame.payload.partition(b";")
            stamp = int(head.split(b",")[2]) / 1e6 if head.count(b",") >= 2 else 0.0
            self._kernel_prints(f"[{stamp:12.6f}] ".encode() + text.split(b"\n")[0] + b"\n")
        elif frame.kind == "c":
            self.session.orders.take(self, frame.payload)
        elif frame.kind == "i":
            self.session.start_forwarding()
        elif frame.kind == "x":
            self.status = int(frame.payload)
            self._exit_time = time.monotonic()
            self._recent = b""
            self.acknowledge()
            if self.session.boot.on_exit:
                self.session.boot.on_exit(self)
