# SPDX-License-Identifier: GPL-2.0-only
"""The interface of every emulator: a command line, a start, an end."""
import abc
import importlib
import signal
import subprocess
from typing import IO

from pvg.base import errors
from pvg.machine.description import Machine

NAMES = ("qemu", "bochs")
# Seconds for an emulator to write what it holds of disks' files, for which a busy machine takes many.
GRACE = 60


class Running:
    """An emulator that runs: the machine's first serial port, and the process behind it.

    The port is the PROCESS's own input and output, with the emulator's messages among the guest's
    text, or both ends of it are the descriptor PORT.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", port: int | None = None) -> None:
        self.process = process
        self._port = port

    @property
    def console_out(self) -> int:
        """Descriptor from which the serial port is read."""
        return self._stream(self.process.stdout) if self._port is None else self._port

    @property
    def console_in(self) -> int:
        """Descriptor to which the serial port's input is written."""
        return self._stream(self.process.stdin) if self._port is None else self._port

    @property
    def messages(self) -> int | None:
        """Descriptor of the emulator's messages, if they come apart from the serial port."""
        return None if self._port is None else self._stream(self.process.stdout)

    @staticmethod
    def _stream(stream: IO[bytes] | None) -> int:
        assert stream, "the emulator was started with its output in a file"
        return stream.fileno()

    def ended(self) -> bool:
        """Whether the emulator has ended."""
        return self.process.poll() is not None

    def rest(self) -> bytes:
        """The last output of an emulator that has ended."""
        return self.process.stdout.read() if self.process.stdout else b""

    def stop(self, grace: float = GRACE) -> None:
        """End the emulator and wait until it is gone; killed after GRACE seconds, it has lost writes."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(grace)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Paused(errors.RigError):
    """The emulator has loaded its machine and does not start it; its own log has the reason."""


class Emulator(abc.ABC):
    """One emulator; its module has it as EMULATOR.

    boot_limit: seconds (patience.Clock) until a guest must have sent its first frame
    most_cpus: of a machine; None: with more vCPUs than that several share a processor
    """

    boot_limit = 180
    most_cpus: int | None = None

    def check(self, accel: str, icount: bool) -> None:
        """Raise UsageError if no machine of this emulator can be made like that here."""

    def may_run_stale_code(self, machine: Machine) -> bool:
        """Whether it has the fault that stale.py describes, with MACHINE."""
        return False

    @abc.abstractmethod
    def prepare(self) -> None:
        """Have the packages that the emulator needs."""

    @abc.abstractmethod
    def command(self, machine: Machine) -> list[str]:
        """The command line that starts MACHINE; UsageError if this emulator cannot."""

    @abc.abstractmethod
    def version(self) -> str:
        """A text that differs where a saved state cannot be resumed."""

    @abc.abstractmethod
    def start(self, machine: Machine, output: IO[bytes] | None = None) -> Running:
        """Start MACHINE, its first serial port on a pipe, or its output in the file OUTPUT."""

    @abc.abstractmethod
    def failure(self, status: int, said: bytes) -> str:
        """One line about an emulator that ended with exit STATUS, from what it SAID last."""


def spawn(words: list[str], output: IO[bytes] | None = None) -> "subprocess.Popen[bytes]":
    """Start WORDS with a pipe as input; the process does not outlive a rig that was killed."""
    return subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *words], stdin=subprocess.PIPE,
                            stdout=output or subprocess.PIPE, stderr=subprocess.STDOUT,
                            start_new_session=True)


def load(name: str) -> Emulator:
    """The emulator called NAME on the command line."""
    found = importlib.import_module("pvg.machine." + name).EMULATOR
    assert isinstance(found, Emulator)
    return found
