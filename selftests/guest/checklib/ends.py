# SPDX-License-Identifier: MIT
"""How a guest ends: the reason that the hypervisor or the tool stack is told."""
import re

from checklib import guest

DIED = 126

# What each way of ending a guest must make the hypervisor's console, or xl, say.
WAYS = {
    "power off": (["sh", "-c", "exec poweroff -f"], {
        "xen-dom0": r"Hardware Dom0 halted",
        "xen-domu": r"reason code 0\b"}),
    "reboot": (["sh", "-c", "exec reboot -f"], {
        "xen-dom0": r"Hardware Dom0 shutdown: rebooting",
        "xen-domu": r"reason code 1\b"}),
    "panic": (["sh", "-c", "echo c > /proc/sysrq-trigger"], {
        "xen-dom0": r"Hardware Dom0 crashed",
        "xen-domu": r"reason code 3\b"}),
}


def check(group, hv, kernel):
    """One result for each way."""
    for way, (command, reasons) in WAYS.items():
        log = guest.WORK / f"end-{hv}-{way.replace(' ', '-')}.log"
        run = guest.Run(hv, kernel, command, timeout=90, options=["--log", str(log)])
        for _ in run:
            pass
        text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
        good = run.status == DIED and re.search(reasons[hv], text)
        group.result(good, f"{way} reaches the hypervisor as such", [] if good else [
            f"exit status {run.status}, wanted {DIED}", f"wanted: {reasons[hv]}",
            *text.splitlines()[-4:]])
