# SPDX-License-Identifier: GPL-2.0-only
"""The emulator without the rig: a command line to type, and a machine that waits for gdb."""
import contextlib
import shlex
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from pvg.base import errors, paths, progress
from pvg.guest.boot import Boot
from pvg.machine import qemu, xen
from pvg.machine.description import Machine
from pvg.machine.emulator import Running

FOLDER = paths.BUILD / "by-hand"
GDB_PORT = 1234         # where 'target remote :1234' of many manuals looks
FOR_EVER = 10 ** 9      # seconds
_LONGEST_SOCKET = 107   # bytes of a path that a socket's address has room for


@contextlib.contextmanager
def new_folder() -> Iterator[Path]:
    """A folder for one command line's files, which stay unless there is an error."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="command-", dir=FOLDER))
    if len(str(folder / "control")) > _LONGEST_SOCKET:
        folder.rmdir()
        raise errors.RigError(f"{folder}: too long for the path of a socket; use a clone with a "
                              "shorter path")
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def show(boot: Boot) -> None:
    """Print the command line that starts BOOT's machine, and say what the rig would do."""
    machine = boot.machine
    boot.emulator.prepare()
    words = boot.emulator.command(machine)
    print(shlex.join(words), flush=True)
    shown = paths.shown(machine.folder)
    progress.say(f"{shown} has the files of this command and stays; remove it when you are done")
    if machine.ports:
        progress.say("once it runs type 'start'; the guest's console is the socket "
                     f"{paths.shown(machine.ports[0])}")
    progress.say("COMMAND's output is in frames (rig/guest/frames.c), and the guest ends after it; "
                 "without COMMAND there is a shell")


def check_port(port: int) -> None:
    """Refuse a PORT on which another program listens."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise errors.UsageError(f"--gdb {port}: {error.strerror}; name another port") from None


def hold(boot: Boot, port: int, symbols: Path) -> None:
    """Have BOOT's machine wait at PORT for a debugger, with SYMBOLS of the guest's kernel."""
    machine = boot.machine
    machine.held = machine.control = True
    # The debugger has all the time there is, but for --timeout.
    boot.boot_limit = FOR_EVER
    boot.on_start = _announcing(machine, port, symbols)


def _announcing(machine: Machine, port: int, symbols: Path) -> Callable[[Running], None]:
    def announce(running: Running) -> None:
        protocol = qemu.Control(machine, running.ended)
        protocol.serve_gdb(port)
        protocol.close()
        line = shlex.join(["gdb", paths.shown(symbols), "-ex", f"target remote :{port}"])
        others = f" (the hypervisor's symbols: package {xen.SYMBOLS})" if machine.modules else ""
        progress.say(f"the machine waits for: {line}{others}")

    return announce
