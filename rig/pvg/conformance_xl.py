# SPDX-License-Identifier: GPL-2.0-only
"""One bare guest under xl, on this host or at the far end of a command such as ssh."""
import re
import shlex
import subprocess
import uuid

from pvg import conformance_adapter as adapter
from pvg import errors

# What xl says when the guest has gone, by reason code.
CODES = {b"0": adapter.POWEROFF, b"1": adapter.REBOOT, b"2": adapter.SUSPEND, b"3": adapter.CRASH,
         b"4": adapter.WATCHDOG}
SHUT_DOWN = re.compile(rb"has shut down, reason code (\d+)")

# The image arrives on standard input. The console client ends with its input, so it gets a pipe
# that stays open; the guest is destroyed whatever ends this script.
SCRIPT = """
set -e
dir=$(mktemp -d)
trap 'xl destroy {name} >/dev/null 2>&1; rm -rf "$dir"' EXIT INT TERM HUP
cat > "$dir/image"
cat > "$dir/cfg" <<END
name = '{name}'
type = 'pv'
kernel = '$dir/image'
memory = {memory}
vcpus = {vcpus}
extra = '{cmdline}'
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


def script(options, name):
    """The shell script that runs the guest where xl is."""
    if "'" in options.cmdline or "\n" in options.cmdline:
        raise errors.UsageError("a guest's command line has neither quotes nor line ends")
    return SCRIPT.format(name=name, memory=options.memory, vcpus=options.vcpus,
                         cmdline=options.cmdline, timeout=int(options.timeout) + 1)


def verdict(text):
    """Exit status from what was said."""
    found = SHUT_DOWN.findall(text)
    return CODES.get(found[-1], adapter.OTHER) if found else adapter.TROUBLE


def run(options, prefix):
    """Run the guest through PREFIX (nothing, or ssh and a host)."""
    text = script(options, f"pvguest-{uuid.uuid4().hex[:12]}")
    command = ["sh", "-c", text] if not prefix else [*prefix, "sh -c " + shlex.quote(text)]
    if not prefix:
        try:
            subprocess.run(["xl", "info"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                           check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise errors.RigError("xl does not work here: this adapter wants a Xen host and root; "
                                  "use xen-dom0 for an emulated one") from error
    with open(options.image, "rb") as image:
        return adapter.supervise(command, ((b"run: over", verdict),), options.timeout, None, image)
