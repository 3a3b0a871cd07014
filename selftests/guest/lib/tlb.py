# SPDX-License-Identifier: MIT
"""Tests of translations: under an emulator that keeps them as silicon does, and under QEMU."""
import os
import re
from collections.abc import Sequence

from pvg.base import ktap

from lib import build, guest

PROGRAMS = ("tlb_protect", "tlb_share", "tlb_migrate", "tlb_kernel")
# In Bochs, which takes minutes for each, where the run is not the long one.
SHORT = ("tlb_protect", "tlb_kernel", "tlb_code")
# Only in Bochs: QEMU may run code that is not there any more, rig/pvg/machine/stale.py.
CODE = "tlb_code"
ALL = (*PROGRAMS, CODE)
# Proves that the emulator shows a missing flush. QEMU's does not: it keeps nothing over a CR3 load.
CONTROL = "tlb_control"
# In Bochs: the processor, the variant of the kernel, and whether only the long run takes it.  The
# full kernel has KSM and userfaultfd.
MODELS = (("ryzen", "", False), ("ryzen", "-full", True), ("corei7_skylake_x", "-full", True))
ROUNDS = 2
# In QEMU: how many vCPUs, and whether only the long run has so many; what it can show at all, it
# shows in few rounds.
VCPUS = ((2, False), (4, True))
QEMU_ROUNDS = 2
LONG_ROUNDS = 20
LIMIT = 3600            # seconds of the guest for one program
# Of this machine for one boot, which is Bochs on one of its processors, or a part of one.
TIMEOUT = 4 * 3600
_COMPLAINT = re.compile(r"WARNING: |BUG: |kernel BUG|Oops|Call Trace:")


def _run(group: ktap.Group, kernel: str, vcpus: int, names: Sequence[str], rounds: int,
         options: Sequence[str]) -> None:
    """One boot that runs NAMES, and whose log must hold no complaint of the kernel."""
    log = guest.BUILD / "log" / f"check-tlb-{'-'.join(options).lstrip('-')}-{vcpus}.log"
    words = ["env", f"PVGUEST_ROUNDS={rounds}", *guest.command(LIMIT, names)]
    folder = build.some_programs(kernel, "tlb", (*ALL, CONTROL, *build.MODULES))
    run = guest.Run("xen-dom0", kernel, words, [folder], vcpus, timeout=TIMEOUT,
                    options=[*options, "--log", str(log)])
    guest.report_all(group, run, names)
    text = log.read_text("utf-8", "replace") if log.exists() else ""
    found = [line.strip() for line in text.splitlines() if _COMPLAINT.search(line)]
    group.result("Linux version" in text and not found, "the kernel's log holds no complaint",
                 found[:10])


def check(group: ktap.Group, kernel: str, names: Sequence[str] | None) -> None:
    """One group for each emulator, model and number of vCPUs; NAMES: only these programs.

    The control comes first in each boot of Bochs, and alone if only it is named.
    """
    everything = bool(os.environ.get("PVGUEST_LONG"))
    chosen = tuple(name for name in names or () if name != CONTROL)
    alone = bool(names) and not chosen
    short = () if alone else chosen or (ALL if everything else SHORT)
    in_qemu = tuple(name for name in chosen or PROGRAMS if name != CODE)
    for model, variant, only_long in MODELS:
        if only_long and not everything:
            continue
        build.kernel(kernel + variant)
        inner = group.group(f"{kernel}{variant} in Bochs, {model}")
        _run(inner, kernel + variant, 2, (CONTROL, *short),
             LONG_ROUNDS if everything else ROUNDS, ["--emulator", "bochs", "--cpu", model])
        inner.close()
    for vcpus, only_long in VCPUS:
        if alone or not in_qemu or (only_long and not everything):
            continue
        inner = group.group(f"{kernel} in QEMU, {vcpus} vCPUs")
        _run(inner, kernel, vcpus, in_qemu,
             LONG_ROUNDS if everything else QEMU_ROUNDS, [])
        inner.close()
