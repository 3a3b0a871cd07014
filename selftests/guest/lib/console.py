# SPDX-License-Identifier: MIT
"""Kernel messages that come faster than the console's daemon takes them."""
import collections
import re

from pvg.base import ktap

from lib import guest

LINES = 3000
# Each line has its number so often.
TIMES = 8
_NUMBERS = " ".join(["<$i>"] * TIMES)
# The rig's first process has the kernel print little, and sends the log in frames as well.
_BURST = ("echo 8 > /proc/sys/kernel/printk; echo on > /proc/sys/kernel/printk_devkmsg; i=0; "
          f"while [ $i -lt {LINES} ]; do echo \"<1>burst {_NUMBERS}\"; i=$((i + 1)); done > /dev/kmsg")
# The last lines of a panic, in this order.
_PANIC = (r"Kernel panic - not syncing: sysrq triggered crash", r"Call Trace:", r"<TASK>",
          r"</TASK>", r"Kernel Offset: ")


def check(group: ktap.Group) -> None:
    """One result for the burst, one for the panic after it."""
    log = guest.WORK / "console-burst.log"
    run = guest.Run("xen-domu", "pvguest", ["sh", "-c", _BURST + "; echo c > /proc/sysrq-trigger"],
                    timeout=3600, options=["--log", str(log), "--no-network"])
    run.lines()
    text = log.read_bytes().decode("utf-8", "replace") if log.exists() else ""
    # Only what the kernel itself printed ends in a carriage return. A frame may be printed amid a
    # line, and cut a number of it.
    printed = "\n".join(line for line in text.split("\n") if line.endswith("\r"))
    counts = collections.Counter(map(int, re.findall(r"<(\d+)>", printed)))
    missing = [number for number in range(LINES) if counts[number] < TIMES - 2]
    group.result(not missing, f"a burst of {LINES} lines arrives whole",
                 [f"exit status {run.status}", f"{len(missing)} are missing, first {missing[:5]}"])
    at = 0
    for pattern in _PANIC:
        found = re.compile(pattern).search(text, at)
        if not found:
            group.result(False, "a panic after it arrives whole",
                         [f"no {pattern} behind the lines before it", *text.splitlines()[-4:]])
            return
        at = found.end()
    group.result(True, "a panic after it arrives whole")
