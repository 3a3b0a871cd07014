# SPDX-License-Identifier: GPL-2.0-only
"""One run of guests: starts the emulator, listens to the consoles, ends it all in time."""
import contextlib
import dataclasses
import os
import re
import selectors
import subprocess
import sys
import termios
import time
import tty
from typing import Callable, List, Optional

from pvg import errors, guest, orders, progress, qemu

END_OF_INPUT = b"\x04"   # Ctrl-D, which the guest's terminal takes for the end
_READ = 65536
_ABOUT = re.compile(rb"guest(\d+): ")


@dataclasses.dataclass
class Boot:
    """What an adapter knows about starting guests.

    command: the emulator's command line
    deaths: pairs of a pattern in a console's text and what it means
    guests: how many there are
    attach: called with the emulator's process when it runs; returns the file descriptors of the
            guests' consoles, and that of the agent which takes orders, or None; without it the
            emulator's own streams are the only guest's console
    on_up, on_exit: called with a guest whose init has spoken, and whose command has ended
    replies: pairs of a pattern in the emulator's own stream and what is then called with the guest
    linger: pattern in that stream to wait for after the command has ended
    boot_limit: seconds until the guest's init must have spoken
    shutdown_limit: seconds that a guest gets to shut down by itself after the command
    """

    command: List[str]
    deaths: list = dataclasses.field(default_factory=list)
    guests: int = 1
    attach: Optional[Callable] = None
    on_up: Optional[Callable] = None
    on_exit: Optional[Callable] = None
    replies: list = dataclasses.field(default_factory=list)
    linger: Optional[object] = None
    boot_limit: int = 180
    shutdown_limit: int = 0


class Session:
    """Runs the guests that BOOT describes; LOG is an open binary file."""

    def __init__(self, boot, log, timeout=None, interactive=False):
        self.boot = boot
        self.log = log
        self.interactive = interactive
        self.start = time.monotonic()
        self.deadline = self.start + (timeout or max(600, boot.boot_limit))
        self.own_timeout = timeout is not None
        self.limit = int(self.deadline - self.start)
        self.boot_deadline = min(self.deadline, self.start + boot.boot_limit)
        self.forwarding = False     # the first guest's console text goes to the terminal
        self.lingering = boot.linger is not None
        self.orders = orders.Orders(log)
        self.guests = [guest.Guest(self, number,
                                   f"guest{number}: ".encode() if boot.guests > 1 else b"")
                       for number in range(1, boot.guests + 1)]
        self._line = b""
        self._said = b""            # of late, on any stream
        self._replied = set()
        self._selector = selectors.DefaultSelector()

    def run(self):
        """Returns the exit status of the command, of the first that failed if there are several.

        Raises PvgError if that one did not end by itself.
        """
        process = qemu.start(self.boot.command, subprocess.PIPE)
        try:
            with contextlib.ExitStack() as stack:
                stack.callback(self._selector.close)
                if self.boot.attach:
                    self.listen(process.stdout.fileno(), self._shared)
                    consoles, agent = self._attach(process)
                    for fd in filter(None, [*consoles, agent]):
                        stack.callback(os.close, fd)
                    for one, fd in zip(self.guests, consoles):
                        one.listen(fd, fd)
                    if agent:
                        self.orders.connect(agent)
                        self.listen(agent, self.orders.hear)
                else:
                    self.guests[0].listen(process.stdout.fileno(), process.stdin.fileno())
                self._loop(process, stack)
        finally:
            qemu.stop(process)
            for one in self.guests:
                one.finish()
            self.log.flush()
        for one in self.guests:
            status = self._verdict(one, process)
            if status:
                return status
        return 0

    def _attach(self, process):
        """Connect to the emulator's ports, or say why it has ended at once."""
        try:
            return self.boot.attach(process)
        except (OSError, errors.RigError):
            qemu.stop(process)
            self._said = process.stdout.read()
            self._shared(self._said)
            if process.returncode > 0:
                raise errors.RigError(qemu.failure(process.returncode, self._said),
                                      self.log.name) from None
            raise

    def listen(self, fd, handler):
        """Have HANDLER called with what comes from FD."""
        self._selector.register(fd, selectors.EVENT_READ, handler)

    def start_forwarding(self):
        """The guest runs a shell: connect it to the terminal."""
        if self.interactive:
            progress.say("a shell in the guest; 'exit' ends it")
            self.forwarding = "start"

    def _loop(self, process, stack):
        streams = True
        while self.lingering or not all(one.finished() for one in self.guests):
            now = time.monotonic()
            up = all(one.up for one in self.guests)
            deadline = self.deadline if up else self.boot_deadline
            if self.interactive and up and not self.own_timeout:
                deadline = now + 3600
            if self.lingering and any(one.death_time for one in self.guests):
                deadline = min(deadline, self.guests[0].death_time + guest.LAST_WORDS)
            if now >= deadline or not streams:
                return
            for key, _ in self._selector.select(min(deadline - now, 1.0)):
                if not self._handle(key, stack):
                    self._selector.unregister(key.fd)
            if process.poll() is not None and not self._selector.select(0):
                streams = False

    def _handle(self, key, stack):
        data = os.read(key.fd, _READ)
        self._said = (self._said + data)[-_READ:]
        if data:
            key.data(data)
        elif key.data == self.guests[0].send:
            self.guests[0].send(END_OF_INPUT)
        if self.forwarding == "start":
            self.forwarding = True
            self._forward_terminal(stack)
        return bool(data)

    def _shared(self, data):
        """Text of the hypervisor and the control domain: a line may name the guest it is about."""
        self.log.write(data)
        self.log.flush()
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
            if self.lingering and self.boot.linger.search(line):
                self.lingering = False

    def _forward_terminal(self, stack):
        """From now on what is typed goes to the guest."""
        fd = sys.stdin.fileno()
        send = self.guests[0].send
        if os.isatty(fd):
            before = termios.tcgetattr(fd)
            stack.callback(termios.tcsetattr, fd, termios.TCSADRAIN, before)
            tty.setraw(fd)
        try:
            self._selector.register(fd, selectors.EVENT_READ, send)
        except PermissionError:
            # A plain file cannot be waited for, but it can be read at once.
            send(sys.stdin.buffer.read() + END_OF_INPUT)

    def _verdict(self, one, process):
        """Exit status of the command in guest ONE, or an error that says why it has none."""
        log = self.log.name
        who = f"guest{one.number}: " if len(self.guests) > 1 else ""
        if one.status is not None:
            if self.lingering:
                raise errors.RigError("the control domain did not finish its work", log)
            if one.decoder.lost:
                raise errors.RigError(f"{who}{one.decoder.lost} pieces of the guest's output "
                                      "were damaged on its console", log)
            return one.status
        if one.death:
            raise errors.GuestDied(who + one.death, log)
        if time.monotonic() >= self.deadline and one.up:
            raise errors.GuestTimeout(f"{who}the guest was still running after {self.limit} s",
                                      log)
        if process.returncode is not None and process.returncode > 0:
            raise errors.RigError(qemu.failure(process.returncode, self._said), log)
        if not one.up:
            waited = int(time.monotonic() - self.start)
            raise errors.GuestDied(f"{who}the guest did not come up (waited {waited} s)", log)
        raise errors.GuestDied(f"{who}the guest ended before the command did", log)
