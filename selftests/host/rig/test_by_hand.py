# SPDX-License-Identifier: MIT
"""Tests of '--show-command' and '--gdb': a machine that a person starts, or looks into."""
import os
import re
import selectors
import shlex
import shutil
import signal
import socket
import subprocess
import unittest
from pathlib import Path

import rigtest
from pvg.guest import frames
from pvg.machine import qemu
from pvg.machine.description import Machine

HYPERVISORS = ("none", "xen-dom0", "xen-domu")
FOLDER = rigtest.REPO / "build" / "by-hand"
RESET = 0xfff0          # where a processor begins
PATIENCE = 600          # seconds for a guest that a busy machine runs


def setUpModule() -> None:
    """Build the tests' kernels first."""
    rigtest.build()


def words(hv: str, *options: str) -> list[str]:
    """The words of a run on HV whose command prints a line."""
    kernel = [] if hv == "none" else ["--kernel", rigtest.KERNEL]
    return ["run", "--hv", hv, *kernel, *rigtest.WORDS, *options, "--", "echo", "up"]


class Console:
    """The frames that come from a descriptor."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._decoder = frames.Decoder()
        self._selector = selectors.DefaultSelector()
        self._selector.register(fd, selectors.EVENT_READ)

    def until_exit(self) -> tuple[bytes, int | None]:
        """The output of the command, and its exit status."""
        printed = b""
        while self._selector.select(PATIENCE):
            data = os.read(self._fd, 65536)
            if not data:
                break
            for frame in self._decoder.feed(data):
                if isinstance(frame, frames.Frame) and frame.kind == "o":
                    printed += frame.payload
                elif isinstance(frame, frames.Frame) and frame.kind == "x":
                    return printed, int(frame.payload)
        return printed, None


class ShowCommand(unittest.TestCase):
    """The command line that is printed starts the guest, as often as one likes."""

    def shown(self, hv: str) -> tuple[str, Path]:
        """The command line for a guest on HV, as the shell takes it, and its folder."""
        before = self.processes()
        result = rigtest.call(*words(hv, "--show-command"))
        text = result.stderr.decode()
        self.assertEqual(result.returncode, 0, text)
        self.assertEqual(self.processes() - before, set())
        line, = result.stdout.decode().splitlines()
        named = re.search(r"^pvguest: (build/by-hand/\S+) ", text, re.M)
        folder = rigtest.REPO / rigtest.some(named)[1]
        # As the rest of this test knows it.
        self.assertIn(str(FOLDER), line)
        self.addCleanup(shutil.rmtree, folder)
        self.assertTrue(folder.is_dir())
        self.assertEqual(shlex.split(line)[0], qemu.PROGRAM)
        return line, folder

    @staticmethod
    def processes() -> set[str]:
        """Emulators whose files are those of a command line that was shown in this clone."""
        found = set()
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = path.read_bytes()
            except OSError:
                continue
            if qemu.PROGRAM.encode() in line and os.fsencode(FOLDER) in line:
                found.add(path.parent.name)
        return found

    def start(self, line: str) -> "subprocess.Popen[bytes]":
        """The emulator that LINE starts."""
        process = subprocess.Popen(["sh", "-c", "exec " + line], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

        def end() -> None:
            process.kill()
            process.wait()
            rigtest.some(process.stdin).close()
            rigtest.some(process.stdout).close()

        self.addCleanup(end)
        return process

    def test_alone_and_as_initial_domain(self) -> None:
        for hv in ("none", "xen-dom0"):
            line, _ = self.shown(hv)
            for time in ("first", "second"):
                with self.subTest(hv=hv, time=time):
                    process = self.start(line)
                    console = Console(rigtest.some(process.stdout).fileno())
                    self.assertEqual(console.until_exit(), (b"up\n", 0))

    def test_with_the_tool_stack(self) -> None:
        line, folder = self.shown("xen-domu")
        process = self.start(line)
        control = qemu.Control(Machine(folder, Path(), "", 0), lambda: process.poll() is not None,
                               PATIENCE)
        control.wait_running()
        control.close()
        port = socket.socket(socket.AF_UNIX)
        self.addCleanup(port.close)
        port.connect(str(folder / "port0"))
        rigtest.some(process.stdin).write(b"start\r")
        rigtest.some(process.stdin).flush()
        self.assertEqual(Console(port.fileno()).until_exit(), (b"up\n", 0))

    def test_nothing_stays_of_a_refused_one(self) -> None:
        before = set(FOLDER.glob("*"))
        result = rigtest.call("run", "--show-command", "--vcpus", "999")
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertEqual(set(FOLDER.glob("*")), before)


class Debugger:
    """A few words of gdb's protocol."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self._file = self._socket.makefile("rwb")

    def send(self, text: bytes) -> None:
        """Send the packet TEXT."""
        self._file.write(b"$" + text + b"#%02x" % (sum(text) & 255))
        self._file.flush()

    def ask(self, text: bytes) -> bytes:
        """The reply to the packet TEXT."""
        self.send(text)
        while True:
            byte = self._file.read(1)
            if byte == b"$":
                break
            assert byte == b"+", byte
        answer = b""
        while not answer.endswith(b"#"):
            answer += self._file.read(1)
        self._file.read(2)
        self._file.write(b"+")
        self._file.flush()
        return answer[:-1]

    def close(self) -> None:
        """Leave."""
        self._file.close()
        self._socket.close()


def free_port() -> int:
    """A port that is free."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Gdb(rigtest.FolderCase):
    """The machine waits for a debugger, replies to it, and goes on when it says so."""

    def test_stopped_then_on(self) -> None:
        for hv in HYPERVISORS:
            with self.subTest(hv):
                port = free_port()
                log = self.folder / hv
                with subprocess.Popen(
                        [str(rigtest.PVGUEST), *words(hv, "--gdb", str(port), "--log", str(log))],
                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as rig:
                    self.addCleanup(rig.kill)
                    line = next((line for line in rigtest.some(rig.stderr)
                                 if "waits for" in line), "")
                    self.check_line(line, hv, port)
                    debugger = Debugger(port)
                    self.addCleanup(debugger.close)
                    self.assertRegex(debugger.ask(b"?"), rb"^T05thread:")
                    before = debugger.ask(b"g")
                    self.assertGreater(len(before), 100)
                    # It stands still until it may go on: the registers stay, and no line comes.
                    self.assertEqual(debugger.ask(b"g"), before)
                    rip = int.from_bytes(bytes.fromhex(before[256:272].decode()), "little")
                    if hv == "xen-domu":
                        # In the saved state, not at the first instruction after a reset.
                        self.assertNotEqual(rip, RESET)
                    else:
                        self.assertEqual(rip, RESET)
                        self.assertEqual(log.read_bytes(), b"")
                    debugger.send(b"c")
                    out, err = rig.communicate(timeout=PATIENCE)
                    self.assertEqual((out, rig.returncode), ("up\n", 0), err)

    def check_line(self, line: str, hv: str, port: int) -> None:
        """Check that LINE has a command for the shell with the symbols of the kernel."""
        self.assertRegex(line, rf"^pvguest: the machine waits for: gdb \S+ -ex "
                               rf"'target remote :{port}'")
        symbols = Path(line.split()[6])
        self.assertTrue((rigtest.REPO / symbols).is_file(), symbols)
        shown = subprocess.run(["nm", rigtest.REPO / symbols], stdout=subprocess.PIPE, text=True,
                               check=True).stdout
        self.assertIn(" start_kernel\n", shown)
        self.assertEqual("xen-hypervisor" in line, hv != "none")

    def test_end_from_outside(self) -> None:
        port = free_port()
        with subprocess.Popen([str(rigtest.PVGUEST), *words("none", "--gdb", str(port))],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as rig:
            self.assertTrue(any("waits for" in line for line in rigtest.some(rig.stderr)))
            rig.send_signal(signal.SIGTERM)
            self.assertEqual(rig.wait(PATIENCE), 128 + signal.SIGTERM)
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), PATIENCE)

    def test_time_limit_counts_if_given(self) -> None:
        result = rigtest.call(*words("none", "--gdb", str(free_port()), "--timeout", "1"))
        self.assertEqual(result.returncode, 126, result.stderr)

    def test_port_in_use(self) -> None:
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            result = rigtest.call(*words("none", "--gdb", str(port)))
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertIn(f"--gdb {port}".encode(), result.stderr)


if __name__ == "__main__":
    unittest.main()
