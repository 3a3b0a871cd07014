# SPDX-License-Identifier: GPL-2.0-only
"""The emulator: its command line, its end, and its control socket."""
import ctypes
import json
import os
import re
import signal
import socket
import subprocess
import time

from pvg import errors, packages

PROGRAM = "qemu-system-x86_64"

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1   # prctl(2)

# SMAP off: QEMU 7.2's IRET to ring 3 faults on user stacks with it on.
CPU = "max,-smap"


def command(options, memory, cpus=None):
    """The words common to all machines: MEMORY in MiB, CPUS or as many as the guest has.

    Each CPU has a socket of its own, as the firmware's MP table, which a kernel without ACPI
    reads, lists only the first CPU of each.
    """
    packages.require(packages.FOR_RUN)
    if options.accel == "kvm":
        if not os.access("/dev/kvm", os.R_OK | os.W_OK):
            raise errors.UsageError("--accel kvm: /dev/kvm cannot be used here; leave it out")
        if options.icount:
            raise errors.UsageError("--icount counts emulated instructions: it needs --accel tcg")
    cpus = 1 if options.icount else cpus or options.vcpus
    words = [PROGRAM, "-accel", options.accel,
             "-cpu", CPU if options.accel == "tcg" else "host",
             "-m", f"{memory}M", "-smp", f"{cpus},sockets={cpus}",
             "-display", "none", "-nodefaults", "-no-user-config", "-no-reboot"]
    if options.icount:
        words += ["-icount", "shift=0,sleep=off"]
    return words


def _die_with_parent():
    """Asked for between fork and exec: no emulator outlives a rig that was killed."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def start(words, output):
    """Start the emulator with a pipe as its input; OUTPUT is as for subprocess.Popen."""
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=output,
                            stderr=subprocess.STDOUT, start_new_session=True,
                            preexec_fn=_die_with_parent)


def failure(status, said):
    """What to tell of an emulator that ended with exit STATUS, from what it SAID last."""
    text = said.decode("utf-8", "replace")
    if re.search(r'Failed to get (shared )?".*" lock', text):
        return "a disk's file is in use by another guest; end that, or add ',cow' or ',ro' to both"
    return f"the emulator failed (exit {status})"


def stop(process, grace=5):
    """End the emulator PROCESS and wait until it is gone."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(grace)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Control:
    """QMP, the emulator's control protocol, over the unix socket PATH."""

    def __init__(self, path, patience=10):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(120)
        deadline = time.monotonic() + patience
        while True:
            try:
                self._socket.connect(str(path))
                break
            except (FileNotFoundError, ConnectionRefusedError) as error:
                # The emulator makes its socket a moment after it has started.
                if time.monotonic() > deadline:
                    raise errors.RigError("the emulator did not open its control socket") \
                        from error
                time.sleep(0.02)
        self._file = self._socket.makefile("rw", encoding="utf-8")
        self._read()
        self.call("qmp_capabilities")

    def _read(self):
        line = self._file.readline()
        if not line:
            raise errors.RigError("the emulator closed its control socket")
        return json.loads(line)

    def call(self, name, **arguments):
        """Execute command NAME; returns its result."""
        self._file.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
        self._file.flush()
        while True:
            answer = self._read()
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise errors.RigError(f"emulator: {name}: {answer['error']['desc']}")

    def wait_running(self):
        """Return as soon as the machine runs, such as after an incoming migration."""
        if self.call("query-status")["running"]:
            return
        while self._read().get("event") != "RESUME":
            pass

    def close(self):
        """Close the socket; the emulator goes on."""
        self._file.close()
        self._socket.close()
