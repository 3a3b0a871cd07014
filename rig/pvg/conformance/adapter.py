# SPDX-License-Identifier: GPL-2.0-only
"""Parts that adapters share: the interface's words, exit statuses, and watching a console."""
import argparse
import contextlib
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from collections.abc import Callable, Sequence
from typing import IO, NamedTuple

from pvg.base import arguments, errors, paths
from pvg.guest import methods
from pvg.guest.plan import Domain, Plan
from pvg.machine.disks import Disk
from pvg.machine.endings import End, Sign
from pvg.machine.network import Vif

# No guest of the suite prints anywhere near as much.
CONSOLE_LIMIT = 8 << 20
TIME_LIMIT = 1_000_000  # seconds: waiting for a descriptor cannot take longer than 2**31 ms
DISK_BYTES = 1 << 20
MOST_CPUS = 2           # of the emulated machine: no case needs more
_READ = 65536
_WINDOW = 16384         # bytes of recent text in which an end is looked for
_OF_OTHERS = b"guest2: "    # begins what the tool stack says of a second guest

Run = Callable[[argparse.Namespace], int]


def is_elf(path: str) -> bool:
    """Whether PATH is an ELF file."""
    try:
        with open(path, "rb") as file:
            return file.read(4) == b"\x7fELF"
    except OSError:
        return False


def terminate(process: "subprocess.Popen[bytes]") -> None:
    """End PROCESS and whatever it started; it leads a process group of its own."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        try:
            process.wait(2)
            break
        except subprocess.TimeoutExpired:
            continue


class Watcher:
    """Copies what comes from descriptors to standard output, and looks for SIGNS of an end."""

    def __init__(self, sources: Sequence[int], signs: Sequence[Sign], deadline: float) -> None:
        self.signs = signs
        self.deadline = deadline
        self._tails = {fd: b"" for fd in sources}
        self._total = 0
        self._end: End | None = None     # as a sign said that is not the last one
        self._selector = selectors.DefaultSelector()
        for fd in sources:
            self._selector.register(fd, selectors.EVENT_READ)

    def watch(self) -> int:
        """Returns an exit status."""
        while True:
            left = self.deadline - time.monotonic()
            ready = self._selector.select(left) if left > 0 else []
            if not ready:
                return End.TIMEOUT
            for key, _ in ready:
                if not self._copy(key.fd):
                    # The emulator went without saying how the guest ended, or makes noise.
                    return End.TROUBLE
                end = self._look(key.fd)
                if end is not None:
                    self._drain()
                    return end

    def _copy(self, fd: int) -> bool:
        data = os.read(fd, _READ)
        self._total += len(data)
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        self._tails[fd] = (self._tails[fd] + data)[-_WINDOW - len(data):]
        return bool(data) and self._total <= CONSOLE_LIMIT

    def _look(self, fd: int) -> End | None:
        """How the guest has ended, once the last word about that has come from FD."""
        text = b"\n".join(line for line in self._tails[fd].split(b"\n")
                          if not line.startswith(_OF_OTHERS))
        for sign in self.signs:
            match = sign.pattern.search(text)
            if match and sign.last:
                return sign.ending(match) if self._end is None else self._end
            if match and sign.end is None:
                self._end = sign.ending(match)
        return None

    def _drain(self) -> None:
        """Copy what the guest said before its end and has not been read yet."""
        while True:
            ready = self._selector.select(0)
            if not ready or not all([self._copy(key.fd) for key, _ in ready]):
                return


def supervise(command: Sequence[str], signs: Sequence[Sign], limit: float,
              source: IO[bytes]) -> int:
    """Run COMMAND, which reads SOURCE, for LIMIT seconds; returns an exit status."""
    deadline = time.monotonic() + limit
    with subprocess.Popen(command, stdin=source, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, start_new_session=True) as process:
        assert process.stdout
        try:
            return Watcher([process.stdout.fileno()], signs, deadline).watch()
        finally:
            terminate(process)


def booted(method: methods.Method) -> Run:
    """A function that runs bare guests by a boot METHOD of the rig's own, in the emulator."""
    def run(options: argparse.Namespace) -> int:
        paths.BUILD.mkdir(exist_ok=True)
        deadline = time.monotonic() + options.timeout
        with tempfile.TemporaryDirectory(prefix="pvguest-") as name, \
                contextlib.ExitStack() as stack:
            boot = method.boot(make_plan(options, method, Path(name)))
            running = boot.start()
            stack.callback(running.stop)
            sources = [running.console_out]
            if running.messages is not None:
                sources.append(running.messages)
            if boot.attach:
                consoles = boot.attach(running)
                for fd in consoles.guests:
                    stack.callback(os.close, fd)
                sources += consoles.guests
            status = Watcher(sources, boot.signs, deadline).watch()
        return status
    return run


def make_plan(options: argparse.Namespace, method: methods.Method, folder: Path) -> Plan:
    """The plan that METHOD boots; files go into FOLDER."""
    first = Domain(Path(options.image), options.cmdline, options.memory, options.vcpus)
    domains, files = [first], {}
    if method.tool_stack:
        first.arguments += " domid=1 peer=2 role=a"
    if options.peer:
        domains.append(Domain(Path(options.peer), options.cmdline + " domid=2 peer=1 role=b",
                              options.memory, options.vcpus))
    if options.devices:
        files["vif"] = (paths.RIG / "control" / "bare-vif").read_bytes()
        first.vifs = [Vif("00:16:3e:00:00:01", "", script="/guest/vif")]
        first.disks = [Disk(folder / "disk0"), Disk(folder / "disk1", read_only=True)]
        for disk in first.disks:
            disk.path.write_bytes(bytes(DISK_BYTES))
    return Plan(folder, domains, accel=options.accel, cpus=min(options.vcpus, MOST_CPUS),
                xen=Path(options.xen) if getattr(options, "xen", None) else None, files=files)


class Adapter(NamedTuple):
    """An adapter: the program PROG of this repository, which runs guests by RUN.

    parts: which kinds of cases it can run: single, store, pair.
    probe: returns name and release of the hypervisor, as far as they are known before a guest runs;
    raises PvgError if no guest can run here
    """

    prog: str
    run: Run
    accelerators: Sequence[str] = ("native",)
    own_xen: bool = False
    parts: Sequence[str] = ("single",)
    probe: Callable[[], str] = str

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """The meaning of the command line WORDS."""
        parser = arguments.Parser(
            prog=self.prog, formatter_class=argparse.RawDescriptionHelpFormatter,
            description="Run one bare guest; its console goes to standard output, the exit status\n"
                        "says how it ended (docs/adding-a-hypervisor.md).",
            epilog="example: %(prog)s --image build/conformance/hello.elf --timeout 20")
        parser.add_argument("--describe", action="store_true",
                            help="print what the adapter can do, or why it can run nothing here")
        parser.add_argument("--image", type=arguments.file, metavar="FILE",
                            help="ELF image of the guest")
        parser.add_argument("--peer", type=arguments.file, metavar="FILE",
                            help="image of a second guest, for two-guest cases")
        parser.add_argument("--devices", action="store_true",
                            help="give the guest two disks and a network interface")
        parser.add_argument("--cmdline", default="", help="the guest's command line")
        parser.add_argument("--memory", type=arguments.number(1, unit="MiB"), default=64,
                            metavar="MIB", help="MiB (default 64)")
        parser.add_argument("--vcpus", type=arguments.number(1), default=4, metavar="N",
                            help="vCPUs (default 4)")
        parser.add_argument("--timeout", type=arguments.number(1, TIME_LIMIT, "seconds"), default=60,
                            metavar="SECONDS", help="seconds (default 60)")
        parser.add_argument("--accel", default=self.accelerators[0], choices=self.accelerators,
                            help="how the machine is made")
        if self.own_xen:
            parser.add_argument("--xen", type=arguments.file, metavar="FILE",
                                help="hypervisor binary instead of the packaged one")
        return parser.parse_args(words)

    def main(self, words: Sequence[str]) -> int:
        """Entry point: parse WORDS, run the guest, return its status."""
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
        try:
            options = self.parse(words)
            if options.describe:
                self._describe()
                return 0
            if options.image is None:
                raise errors.UsageError("--image FILE is missing")
            arguments.check(options)
            for option, file in (("--image", options.image), ("--peer", options.peer)):
                if file is not None and not is_elf(file):
                    raise errors.UsageError(f"{option} {file}: no ELF file")
            return self.run(options)
        except (errors.PvgError, OSError) as error:
            print(f"{self.prog}: {error}", file=sys.stderr)
            return errors.EXIT_USAGE if isinstance(error, errors.UsageError) else End.TROUBLE

    def _describe(self) -> None:
        """Print what the adapter can do."""
        hypervisor = self.probe()
        print("parts=" + ",".join(self.parts))
        print("accelerators=" + ",".join(self.accelerators))
        print("own-xen=" + ("yes" if self.own_xen else "no"))
        if hypervisor:
            print(f"hypervisor={hypervisor}")


def of_method(prog: str, name: str) -> Adapter:
    """The adapter PROG around boot method NAME."""
    method = methods.load(name)
    return Adapter(prog, booted(method), method.accelerators, method.own_xen,
                   ("single", "store", "pair") if method.tool_stack else ("single",))
