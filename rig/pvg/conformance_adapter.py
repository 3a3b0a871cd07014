# SPDX-License-Identifier: GPL-2.0-only
"""What adapters share: the interface's words, exit statuses, and watching a console."""
import argparse
import os
import selectors
import signal
import subprocess
import sys
import time

from pvg import errors

# How a run ended: the exit statuses of every adapter (docs/adding-a-hypervisor.md).
POWEROFF, REBOOT, SUSPEND, CRASH, WATCHDOG, PANIC, OTHER = 0, 10, 11, 12, 13, 14, 15
TIMEOUT, TROUBLE = 124, 125
ENDED = {POWEROFF: "poweroff", REBOOT: "reboot", SUSPEND: "suspend", CRASH: "crash",
         WATCHDOG: "watchdog", PANIC: "hypervisor panic", OTHER: "unknown shutdown reason",
         TIMEOUT: "time limit", TROUBLE: "adapter trouble"}

# No guest of the suite prints anywhere near as much.
CONSOLE_LIMIT = 8 << 20


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


def supervise(command, endings, limit, attach=None, source=subprocess.PIPE):
    """Run COMMAND, copying what it says to standard output; returns an exit status.

    ENDINGS: pairs of a byte string that the output holds when the guest ended, and the
    status that it means, or a function that makes one from the last of the output.
    LIMIT: seconds. ATTACH: called with the process, returns a further descriptor to listen to.
    SOURCE: what COMMAND reads.
    """
    deadline = time.monotonic() + limit
    with subprocess.Popen(command, stdin=source, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, start_new_session=True) as process:
        try:
            sources = [process.stdout.fileno()]
            if attach:
                sources.append(attach(process))
            return _watch(sources, endings, deadline)
        finally:
            terminate(process)


def _watch(sources, endings, deadline):
    out = sys.stdout.buffer
    tails, total = {fd: b"" for fd in sources}, 0
    selector = selectors.DefaultSelector()
    for fd in sources:
        selector.register(fd, selectors.EVENT_READ)
    while True:
        left = deadline - time.monotonic()
        ready = selector.select(left) if left > 0 else []
        if not ready:
            return TIMEOUT
        for key, _ in ready:
            data = os.read(key.fd, 65536)
            total += len(data)
            if not data or total > CONSOLE_LIMIT:
                # The emulator went without saying how the guest ended, or makes noise.
                return TROUBLE
            out.write(data)
            out.flush()
            tails[key.fd] = (tails[key.fd] + data)[-16384 - len(data):]
            for text, status in endings:
                if text in tails[key.fd]:
                    return status(tails[key.fd]) if callable(status) else status


def parser(accelerators, own_xen):
    """The command line of every adapter."""
    result = argparse.ArgumentParser(
        description="Run one bare guest; its console goes to standard output, the exit status "
                    "says how it ended (docs/adding-a-hypervisor.md).",
        epilog="example: rig/adapters/xen-dom0 --image build/conformance/hello.elf --timeout 20")
    result.add_argument("--describe", action="store_true", help="print what the adapter can do")
    result.add_argument("--image", help="ELF image of the guest")
    result.add_argument("--peer", help="image of a second guest, for two-guest cases")
    result.add_argument("--devices", action="store_true",
                        help="give the guest two disks and a network interface")
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
