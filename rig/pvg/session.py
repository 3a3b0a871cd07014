# SPDX-License-Identifier: GPL-2.0-only
"""One run of a guest: starts the emulator, listens to the console, ends it all in time."""
import contextlib
import dataclasses
import os
import selectors
import subprocess
import sys
import termios
import time
import tty
from typing import Callable, List, Optional

from pvg import errors, frames, progress, qemu

BOOT_LIMIT = 180        # seconds until the guest's init must have spoken
LAST_WORDS = 1.0        # seconds that a dying guest has to print why
END_OF_INPUT = b"\x04"   # Ctrl-D, which the guest's terminal takes for the end
_READ = 65536


@dataclasses.dataclass
class Boot:
    """What an adapter knows about starting a guest.

    command: the emulator's command line
    deaths: pairs of a pattern in the console's text and what it means
    attach: called when the emulator runs; returns two file descriptors, to read the guest's
            console and to write it; without it the emulator's own streams are the console
    on_up, on_exit: called with the session when the guest's init has spoken, and when the command
            has ended
    replies: pairs of a pattern in the emulator's own stream and what is then called
    linger: pattern in that stream to wait for after the command has ended
    """

    command: List[str]
    deaths: list = dataclasses.field(default_factory=list)
    attach: Optional[Callable] = None
    on_up: Optional[Callable] = None
    on_exit: Optional[Callable] = None
    replies: list = dataclasses.field(default_factory=list)
    linger: Optional[object] = None


class Session:
    """Runs the guest that BOOT describes; LOG is an open binary file."""

    def __init__(self, boot, log, timeout=None, interactive=False):
        self.boot = boot
        self.log = log
        self.interactive = interactive
        self.start = time.monotonic()
        self.deadline = self.start + (timeout or (BOOT_LIMIT if interactive else 600))
        self.own_timeout = timeout is not None
        self.limit = int(self.deadline - self.start)
        self.boot_deadline = min(self.deadline, self.start + BOOT_LIMIT)
        self.decoder = frames.Decoder()
        self.up = False
        self.forwarding = False     # console text goes to the terminal
        self.status = None
        self.death = None           # why the guest died
        self.death_time = None
        self.lingering = boot.linger is not None
        self._recent = b""
        self._replied = set()
        self._selector = selectors.DefaultSelector()
        self._write_fd = None

    def run(self):
        """Returns the command's exit status, or raises PvgError."""
        process = qemu.start(self.boot.command, subprocess.PIPE)
        try:
            with contextlib.ExitStack() as stack:
                stack.callback(self._selector.close)
                if self.boot.attach:
                    self._listen(process.stdout.fileno(), self._log_only)
                    read_fd, self._write_fd = self.boot.attach(self, process)
                    stack.callback(os.close, read_fd)
                else:
                    read_fd, self._write_fd = process.stdout.fileno(), process.stdin.fileno()
                self._listen(read_fd, self._console)
                self._loop(process, stack)
        finally:
            qemu.stop(process)
        return self._verdict(process)

    def _listen(self, fd, handler):
        self._selector.register(fd, selectors.EVENT_READ, handler)

    def _loop(self, process, stack):
        streams = True
        while self.status is None or self.lingering:
            now = time.monotonic()
            deadline = self.deadline if self.up else self.boot_deadline
            if self.interactive and self.up and not self.own_timeout:
                deadline = now + 3600
            if self.death_time is not None:
                deadline = min(deadline, self.death_time + LAST_WORDS)
            if now >= deadline or not streams:
                return
            for key, _ in self._selector.select(min(deadline - now, 1.0)):
                if not self._handle(key, stack):
                    self._selector.unregister(key.fd)
            if process.poll() is not None and not self._selector.select(0):
                streams = False

    def _handle(self, key, stack):
        data = os.read(key.fd, _READ)
        if data:
            key.data(data)
        elif key.data == self._send:
            self._send(END_OF_INPUT)
        if self.forwarding == "start":
            self.forwarding = True
            self._forward_terminal(stack)
        return bool(data)

    def _log_only(self, data):
        self.log.write(data)
        self.log.flush()
        self._look_for_death(data)
        for number, (pattern, action) in enumerate(self.boot.replies):
            if number not in self._replied and pattern.search(self._recent):
                self._replied.add(number)
                action(self)
        if self.lingering and self.boot.linger.search(self._recent):
            self.lingering = False

    def _console(self, data):
        for item in self.decoder.feed(data):
            if isinstance(item, frames.Frame):
                self._frame(item)
            else:
                self.log.write(item)
                if self.forwarding:
                    sys.stdout.buffer.write(item)
                    sys.stdout.buffer.flush()
                self._look_for_death(item)
        self.log.flush()

    def _look_for_death(self, text):
        self._recent = (self._recent + text)[-4096:]
        if self.death is not None or self.status is not None:
            return
        for pattern, meaning in self.boot.deaths:
            match = pattern.search(self._recent)
            if match:
                detail = match.group(1).decode("utf-8", "replace") if match.groups() else ""
                self.death = f"{meaning}: {detail}" if detail else meaning
                self.death_time = time.monotonic()

    def _frame(self, frame):
        if frame.kind == "h":
            self.up = True
            if self.boot.on_up:
                self.boot.on_up(self)
        elif frame.kind == "o":
            sys.stdout.buffer.write(frame.payload)
            sys.stdout.buffer.flush()
        elif frame.kind == "e":
            self.log.write(frame.payload)
            sys.stderr.buffer.write(frame.payload)
            sys.stderr.buffer.flush()
        elif frame.kind == "k":
            # "priority,sequence,microseconds,flags;text", as /dev/kmsg gives it
            head, _, text = frame.payload.partition(b";")
            stamp = int(head.split(b",")[2]) / 1e6 if head.count(b",") >= 2 else 0.0
            self.log.write(f"[{stamp:12.6f}] ".encode() + text.split(b"\n")[0] + b"\n")
        elif frame.kind == "i" and self.interactive:
            progress.say("a shell in the guest; 'exit' ends it")
            self.forwarding = "start"
        elif frame.kind == "x":
            self.status = int(frame.payload)
            self.acknowledge()
            if self.boot.on_exit:
                self.boot.on_exit(self)

    def acknowledge(self):
        """Tell the guest's init to go on."""
        self._send(bytes([frames.ACK]))

    def _send(self, data):
        try:
            os.write(self._write_fd, data)
        except OSError:
            # A guest that is gone hears nothing; the reading side finds that out.
            pass

    def _forward_terminal(self, stack):
        """From now on what is typed goes to the guest."""
        fd = sys.stdin.fileno()
        if os.isatty(fd):
            before = termios.tcgetattr(fd)
            stack.callback(termios.tcsetattr, fd, termios.TCSADRAIN, before)
            tty.setraw(fd)
        try:
            self._selector.register(fd, selectors.EVENT_READ, self._send)
        except PermissionError:
            # A plain file cannot be waited for, but it can be read at once.
            self._send(sys.stdin.buffer.read() + END_OF_INPUT)

    def _verdict(self, process):
        log = self.log.name
        if self.status is not None:
            if self.lingering:
                raise errors.RigError("the control domain did not finish its work", log)
            if self.decoder.lost:
                raise errors.RigError(f"{self.decoder.lost} pieces of the guest's output "
                                      "were damaged on its console", log)
            return self.status
        if self.death:
            raise errors.GuestDied(self.death, log)
        if time.monotonic() >= self.deadline and self.up:
            raise errors.GuestTimeout(f"the guest was still running after {self.limit} s", log)
        if process.returncode is not None and process.returncode > 0:
            raise errors.RigError(f"the emulator failed (exit {process.returncode})", log)
        if not self.up:
            waited = int(time.monotonic() - self.start)
            raise errors.GuestDied(f"the guest did not come up (waited {waited} s)", log)
        raise errors.GuestDied("the guest ended before the command did", log)

