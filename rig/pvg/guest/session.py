# SPDX-License-Identifier: GPL-2.0-only
"""One run of guests: starts the emulator, listens to the consoles, ends it all in time."""
import contextlib
import functools
import os
import re
import selectors
import sys
import termios
import time
import tty
from collections.abc import Callable
from typing import IO, TypeVar

from pvg.base import errors, patience, plural, progress
from pvg.guest import console, orders
from pvg.guest.boot import Boot
from pvg.machine import emulator, stale
from pvg.machine.emulator import Running

END_OF_INPUT = b"\x04"   # Ctrl-D, which the guest's terminal takes for the end
_END_AGAIN = 1.0         # seconds after which it is typed again: a shell that starts may drop it
_READ = 65536
_ABOUT = re.compile(rb"guest(\d+): ")

Handler = Callable[[bytes], None]
Answer = TypeVar("Answer")


class Session:
    """Runs the guests that BOOT describes; LOG is an open binary file."""

    def __init__(self, boot: Boot, log: IO[bytes], timeout: int | None = None,
                 interactive: bool = False) -> None:
        self.boot = boot
        self.log = log
        self.interactive = interactive
        self.start = time.monotonic()
        self.deadline = self.start + (timeout or max(600, boot.boot_limit))
        self.own_timeout = timeout is not None
        self.limit = int(self.deadline - self.start)
        self.clock = patience.Clock()
        self.forwarding = False     # the first guest's console text goes to the terminal
        self.lingering = boot.linger is not None
        self.orders = orders.Orders(log)
        self.guests = [console.Guest(self, number,
                                     f"guest{number}: ".encode() if boot.guests > 1 else b"")
                       for number in range(1, boot.guests + 1)]
        self._control_in: int | None = None
        self._shell_runs = False
        self._input_over: float | None = None       # when its end was typed last
        self._line = b""
        self._said = b""            # of late, on any stream
        self._shared_log = console.Lines(log, whole=True)   # of hypervisor and control domain
        self._stale = stale.Watch()     # on what these print
        self._replied: set[int] = set()
        self._selector = selectors.DefaultSelector()

    def run(self) -> int:
        """Returns the exit status of the command, of the first that failed if there are several.

        Raises PvgError if that one did not end by itself.
        """
        running = self.boot.start()
        try:
            with contextlib.ExitStack() as stack:
                stack.callback(self._selector.close)
                self._connect(running, stack)
                self._loop(running, stack)
        finally:
            running.stop()
            for one in self.guests:
                one.finish()
            self._shared_log.finish()
            self.log.flush()
        # The first that is not 0 counts; a problem of a guest behind it is not reported.
        status = next(filter(None, (self._verdict(one, running) for one in self.guests)), 0)
        if self.boot.finish:
            self.boot.finish()
        return status

    def _connect(self, running: Running, stack: contextlib.ExitStack) -> None:
        """Find the guests' consoles."""
        if running.messages is not None:
            self.listen(running.messages, self._shared)
        if self.boot.on_start:
            self._ask(running, functools.partial(self.boot.on_start, running))
        attach = self.boot.attach
        if not attach:
            self.guests[0].listen(running.console_out, running.console_in)
            return
        self._control_in = running.console_in
        self.listen(running.console_out, self._shared)
        found = self._ask(running, functools.partial(attach, running))
        for fd in found.guests + ([] if found.agent is None else [found.agent]):
            stack.callback(os.close, fd)
        for one, fd in zip(self.guests, found.guests):
            one.listen(fd, fd)
        if found.agent is not None:
            self.orders.connect(found.agent)
            self.listen(found.agent, self.orders.receive)

    def _ask(self, running: Running, question: Callable[[], Answer]) -> Answer:
        """The answer to a QUESTION to the emulator, or the reason why it has ended at once."""
        try:
            return question()
        except (OSError, errors.RigError) as error:
            running.stop()
            self._said = running.rest()
            self._shared(self._said)
            if running.process.returncode > 0 or isinstance(error, emulator.Paused):
                raise self._failure(running) from None
            raise

    def _failure(self, running: Running) -> errors.RigError:
        """The exception for an emulator that ended with an error."""
        return errors.RigError(self.boot.emulator.failure(running.process.returncode, self._said),
                               self.log.name)

    def listen(self, fd: int, handler: Handler) -> None:
        """Have HANDLER called with what comes from FD."""
        self._selector.register(fd, selectors.EVENT_READ, handler)

    def send_to_control(self, word: bytes) -> None:
        """Send the line WORD to the control domain's init."""
        assert self._control_in is not None
        os.write(self._control_in, word + b"\r")

    def start_forwarding(self) -> None:
        """The guest runs a shell: connect it to the terminal."""
        if self.interactive:
            progress.say("a shell in the guest; 'exit' ends it")
            self._shell_runs = True

    def _loop(self, running: Running, stack: contextlib.ExitStack) -> None:
        streams = True
        while self.lingering or not all(one.finished() for one in self.guests):
            now = time.monotonic()
            deadline = self._next_deadline(now)
            if now >= deadline or not streams:
                return
            for key, _ in self._selector.select(min(deadline - now, 1.0)):
                if not self._handle(key):
                    self._selector.unregister(key.fd)
                if self._shell_runs and not self.forwarding:
                    self.forwarding = True
                    self._forward_terminal(stack)
            self._type_end_again()
            if running.ended() and not self._selector.select(0):
                streams = False

    def _next_deadline(self, now: float) -> float:
        """When to give up, as things are NOW."""
        up = all(one.up for one in self.guests)
        boot_left = self.boot.boot_limit - self.clock.now()
        deadline = self.deadline if up else min(self.deadline, now + boot_left)
        if self.interactive and up and not self.own_timeout:
            deadline = now + 3600
        if self.lingering and any(one.is_dead() for one in self.guests):
            return now
        return deadline

    def _handle(self, key: selectors.SelectorKey) -> bool:
        data = os.read(key.fd, _READ)
        self._said = (self._said + data)[-_READ:]
        if data:
            key.data(data)
        elif key.data == self.guests[0].send:
            self._type_end()
        return bool(data)

    def _type_end(self) -> None:
        self.guests[0].send(END_OF_INPUT)
        self._input_over = time.monotonic()

    def _type_end_again(self) -> None:
        if self._input_over is not None and time.monotonic() >= self._input_over + _END_AGAIN:
            self._type_end()

    def _shared(self, data: bytes) -> None:
        """Text of the hypervisor and the control domain: a line may name the guest it is about."""
        self._shared_log.write(data)
        self._stale.feed(data)
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            about = _ABOUT.match(line)
            for one in self.guests:
                if not about or int(about.group(1)) == one.number:
                    one.look_for_death(line + b"\n")
            for number, (pattern, action) in enumerate(self.boot.replies):
                if number not in self._replied and pattern.search(line):
                    self._replied.add(number)
                    action(self.guests[0])
            if self.boot.linger and self.boot.linger.search(line):
                self.lingering = False

    def _forward_terminal(self, stack: contextlib.ExitStack) -> None:
        """From now on what is typed goes to the guest."""
        fd = sys.stdin.fileno()
        send = self.guests[0].send
        if os.isatty(fd):
            before = termios.tcgetattr(fd)
            stack.callback(termios.tcsetattr, fd, termios.TCSADRAIN, before)
            # Without a flush: what has been typed already is for the guest.
            tty.setraw(fd, termios.TCSANOW)
        try:
            self.listen(fd, send)
        except PermissionError:
            # A plain file cannot be waited for, but it can be read at once.
            send(sys.stdin.buffer.read())
            self._type_end()

    def _verdict(self, one: console.Guest, running: Running) -> int:
        """Exit status of the command in guest ONE, or an error that says why it has none."""
        log = self.log.name
        who = f"guest{one.number}: " if len(self.guests) > 1 else ""
        if one.status is not None:
            if self.lingering:
                raise errors.RigError("the control domain did not finish its work", log)
            if one.decoder.lost:
                raise errors.RigError(f"{who}{plural.counted(one.decoder.lost, 'piece')} of the "
                                      "guest's output came damaged over its console", log)
            return one.status
        if (one.stale.seen or self._stale.seen) and \
                self.boot.emulator.may_run_stale_code(self.boot.machine):
            raise errors.EmulatorFault(who, log, any(guest.up for guest in self.guests))
        if one.death:
            raise errors.GuestDied(who + one.death, log)
        if time.monotonic() >= self.deadline and one.up:
            raise errors.GuestTimeout(f"{who}the guest was still running after {self.limit} s",
                                      log)
        if running.process.returncode is not None and running.process.returncode > 0:
            raise self._failure(running)
        if not one.up:
            waited = int(time.monotonic() - self.start)
            raise errors.GuestDied(f"{who}the guest did not come up (waited {waited} s)", log)
        raise errors.GuestDied(f"{who}the guest ended before the command did", log)
