# SPDX-License-Identifier: GPL-2.0-only
"""What adapters share: the interface's words, exit statuses, and watching a console."""
import argparse
import gzip
import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from pvg import errors, packages, paths

# How a run ended: the exit statuses of every adapter (docs/adding-a-hypervisor.md).
POWEROFF, REBOOT, SUSPEND, CRASH, WATCHDOG, PANIC, OTHER = 0, 10, 11, 12, 13, 14, 15
TIMEOUT, TROUBLE = 124, 125
ENDED = {POWEROFF: "poweroff", REBOOT: "reboot", SUSPEND: "suspend", CRASH: "crash",
         WATCHDOG: "watchdog", PANIC: "hypervisor panic", OTHER: "unknown shutdown reason",
         TIMEOUT: "time limit", TROUBLE: "adapter trouble"}

# No guest of the suite prints anywhere near as much.
CONSOLE_LIMIT = 8 << 20

XEN_PACKAGE = "xen-hypervisor-4.17-amd64"
XEN_FILE = "boot/xen-4.17-amd64.gz"


def hypervisor_file(given=None):
    """Path of an uncompressed hypervisor binary: GIVEN, or Debian's."""
    if given:
        path = Path(given)
        if not path.is_file():
            raise errors.UsageError(f"no hypervisor file {given}")
    else:
        path = packages.find_file(XEN_PACKAGE, XEN_FILE)
    with open(path, "rb") as file:
        if file.read(2) != b"\x1f\x8b":
            return path
    out = paths.BUILD / "conformance" / "xen" / f"{path.stem}-{path.stat().st_mtime_ns}"
    if not out.exists():
        out.parent.mkdir(parents=True, exist_ok=True)
        part = out.with_name(f"{out.name}.{os.getpid()}")
        with gzip.open(path) as source, open(part, "wb") as target:
            shutil.copyfileobj(source, target)
        part.rename(out)
    return out


def is_elf(path):
    """Whether PATH is an ELF file."""
    try:
        with open(path, "rb") as file:
            return file.read(4) == b"\x7fELF"
    except OSError:
        return False


def terminate(process):
    """End PROCESS and whatever it started; it leads a process group of its own."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            pass
        try:
            process.wait(2)
            break
        except subprocess.TimeoutExpired:
            continue


def supervise(command, endings, limit, out=None):
    """Run COMMAND, copying its output to OUT; returns an exit status of the interface.

    ENDINGS: pairs of a byte string that the output holds when the guest ended, and the
    status that it means. LIMIT: seconds.
    """
    out = out or sys.stdout.buffer
    deadline = time.monotonic() + limit
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, start_new_session=True) as process:
        try:
            return _watch(process, endings, deadline, out)
        finally:
            terminate(process)


def _watch(process, endings, deadline, out):
    tail, total = b"", 0
    selector = selectors.DefaultSelector()
    selector.register(process.stdout, selectors.EVENT_READ)
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not selector.select(left):
            return TIMEOUT
        data = os.read(process.stdout.fileno(), 65536)
        if not data:
            # The emulator went without saying how the guest ended.
            return TROUBLE
        total += len(data)
        if total > CONSOLE_LIMIT:
            return TROUBLE
        out.write(data)
        out.flush()
        tail = (tail + data)[-4096 - len(data):]
        for text, status in endings:
            if text in tail:
                return status


def parser(accelerators, own_xen):
    """The command line of every adapter."""
    result = argparse.ArgumentParser(
        description="Run one bare guest; its console goes to standard output, the exit status "
                    "says how it ended (docs/adding-a-hypervisor.md).",
        epilog="example: rig/adapters/xen-dom0 --image build/conformance/hello.elf --timeout 20")
    result.add_argument("--describe", action="store_true", help="print what the adapter can do")
    result.add_argument("--image", help="ELF image of the guest")
    result.add_argument("--peer", help="image of a second guest, for two-guest cases")
    result.add_argument("--cmdline", default="", help="the guest's command line")
    result.add_argument("--memory", type=int, default=64, help="MiB (default 64)")
    result.add_argument("--vcpus", type=int, default=4, help="virtual processors (default 4)")
    result.add_argument("--timeout", type=float, default=60, help="seconds (default 60)")
    result.add_argument("--accel", default=accelerators[0], choices=accelerators,
                        help="how the machine is made")
    if own_xen:
        result.add_argument("--xen", help="hypervisor binary instead of the packaged one")
    return result


def main(words, run, accelerators=("native",), own_xen=False, parts=("single",)):
    """Entry point of an adapter: parse WORDS, call RUN(options), return its status.

    PARTS: which kinds of cases it can run: single, store, pair.
    """
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    options = parser(accelerators, own_xen).parse_args(words)
    if options.describe:
        print("parts=" + ",".join(parts))
        print("accelerators=" + ",".join(accelerators))
        print("own-xen=" + ("yes" if own_xen else "no"))
        return 0
    try:
        if not options.image or not is_elf(options.image):
            raise errors.UsageError(f"no ELF image: {options.image}")
        return run(options)
    except errors.PvgError as error:
        print(f"adapter: {error}", file=sys.stderr)
        return TROUBLE
    except OSError as error:
        print(f"adapter: {error}", file=sys.stderr)
        return TROUBLE
