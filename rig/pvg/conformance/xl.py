# SPDX-License-Identifier: GPL-2.0-only
"""One bare guest under xl, on this host or at the far end of a command such as ssh."""
import argparse
import re
import shlex
import subprocess
import uuid
from collections.abc import Sequence

from pvg.machine import endings
from pvg.conformance import adapter
from pvg.base import errors
from pvg.guest.methods import xen_domu

# The script's own word ends the run; how the guest ended is in the output of xl before it.
SIGNS = (endings.TOOL_STACK[0],
         endings.Sign(re.compile(rb"run: over"), endings.End.TROUBLE, "the script ended"))

_NEEDS = "this adapter needs a Xen host and root there; use xen-dom0 for an emulated one"

# The image arrives on standard input. The console client ends with its input, so it gets a pipe
# that stays open; the guest is destroyed whatever ends this script. Of the guest's file, the shell
# expands only its own folder's name: the word behind << is quoted.
SCRIPT = """
set -e
dir=$(mktemp -d)
trap 'xl destroy {name} >/dev/null 2>&1; rm -rf "$dir"' EXIT INT TERM HUP
cat > "$dir/image"
echo "kernel = '$dir/image'" > "$dir/cfg"
cat >> "$dir/cfg" <<'END'
name = '{name}'
type = 'pv'
memory = {memory}
vcpus = {vcpus}
extra = {cmdline}
on_poweroff = 'destroy'
on_reboot = 'destroy'
on_crash = 'destroy'
on_watchdog = 'destroy'
END
mkfifo "$dir/silence"
exec 6<> "$dir/silence"
timeout {timeout} xl create -F -c "$dir/cfg" <&6 2>&1 || true
echo 'run: over'
"""


def script(options: argparse.Namespace, name: str) -> str:
    """The shell script that runs the guest where xl is."""
    return SCRIPT.format(name=name, memory=options.memory, vcpus=options.vcpus,
                         cmdline=xen_domu.quoted(options.cmdline), timeout=options.timeout + 1)


def probe(prefix: Sequence[str]) -> str:
    """Name and release of the hypervisor that xl, run through PREFIX, manages.

    Raises RigError if xl does not work there.
    """
    try:
        done = subprocess.run([*prefix, "xl", "info"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              errors="replace", check=False)
    except OSError as error:
        raise errors.RigError(f"{error.filename}: {error.strerror}; {_NEEDS}") from None
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise errors.RigError(f"{' '.join([*prefix, 'xl', 'info'])}: {said[0]}; {_NEEDS}")
    release = re.search(r"^xen_version\s*:\s*(\S+)", done.stdout, re.M)
    return f"Xen {release[1]}" if release else ""


def run(options: argparse.Namespace, prefix: Sequence[str]) -> int:
    """Run the guest through PREFIX (nothing, or ssh and a host)."""
    text = script(options, f"pvguest-{uuid.uuid4().hex[:12]}")
    command = ["sh", "-c", text] if not prefix else [*prefix, "sh -c " + shlex.quote(text)]
    if not prefix:
        probe(prefix)
    with open(options.image, "rb") as image:
        return adapter.supervise(command, SIGNS, options.timeout, image)
