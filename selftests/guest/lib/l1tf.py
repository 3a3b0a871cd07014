# SPDX-License-Identifier: MIT
"""A hypervisor that looks at entries which are not present: none may name an address that L1TF reads."""
from collections.abc import Sequence

from pvg.base import ktap

from lib import build, guest

# They make entries that are not present but hold something, and are short enough for Bochs.
PROGRAMS = ("swap", "tlb_protect")
# A processor whose kind the hypervisor lists as vulnerable. QEMU's has no address that it would call safe:
# the last of what it can address is reserved. The hypervisor fails in x2APIC mode (corei7_skylake_x).
OPTIONS = ("--emulator", "bochs", "--cpu", "corei7_sandy_bridge_2600k",
           "--xen-append", "pv-l1tf=dom0 x2apic=no")
LIMIT, BOOT = 3600, 7200
# The hypervisor's lines: that it looks, and that it found something; it ends the domain then, or
# replaces its page tables.
LOOKS = "PV L1TF shadowing: Dom0 enabled"
FOUND = "L1TF-vulnerable"


def check(group: ktap.Group, kernel: str, names: Sequence[str]) -> None:
    """One boot of KERNEL as the initial domain, with 2 vCPUs; NAMES: only these programs."""
    log = guest.BUILD / "log" / f"check-l1tf-{kernel}.log"
    chosen = tuple(names or PROGRAMS)
    run = guest.Run("xen-dom0", kernel,
                    ["env", "PVGUEST_ROUNDS=2", *guest.command(LIMIT, chosen)],
                    [build.some_programs(kernel, "l1tf", PROGRAMS)], 2, timeout=BOOT,
                    options=[*OPTIONS, "--log", str(log)])
    guest.report_all(group, run, chosen)
    lines = log.read_text("utf-8", "replace").splitlines() if log.exists() else []
    found = [line.strip() for line in lines if FOUND in line]
    if not any(LOOKS in line for line in lines):
        found.append(f"the hypervisor has not printed: {LOOKS}")
    group.result(not found, "the hypervisor finds no entry that names an address", found[:10])
