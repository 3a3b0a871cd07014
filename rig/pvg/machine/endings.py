# SPDX-License-Identifier: GPL-2.0-only
"""How guests end, and what hypervisor, tool stack and kernel say then."""
import dataclasses
import enum
import re
from collections.abc import Sequence
from re import Pattern


class End(enum.IntEnum):
    """How a guest ended; the values are the exit statuses of adapters.

    docs/adding-a-hypervisor.md is the contract.
    """

    POWEROFF = 0
    REBOOT = 10
    SUSPEND = 11
    CRASH = 12
    WATCHDOG = 13
    PANIC = 14          # of the hypervisor
    OTHER = 15          # for a reason that is none of these
    TIMEOUT = 124
    TROUBLE = 125       # unknown: emulator, tool stack or adapter failed


# In words, as the cases of the suite announce an end and the reports print it.
WORDS = {End.POWEROFF: "poweroff", End.REBOOT: "reboot", End.SUSPEND: "suspend",
         End.CRASH: "crash", End.WATCHDOG: "watchdog", End.PANIC: "hypervisor panic",
         End.OTHER: "unknown shutdown reason", End.TIMEOUT: "time limit",
         End.TROUBLE: "adapter trouble"}

# Reasons for a domain's shutdown by number (xen/include/public/sched.h, SHUTDOWN_*).
REASONS = {0: End.POWEROFF, 1: End.REBOOT, 2: End.SUSPEND, 3: End.CRASH, 4: End.WATCHDOG}

EARLY = "the guest shut down before the command ended"


@dataclasses.dataclass(frozen=True)
class Sign:
    """Text on a console that says that a guest has ended.

    A group of the pattern, if it has one, is a detail: a number of REASONS where `end` is None.
    meaning: in a sentence, for a guest that was to run a command
    last: nothing more comes of the guest after that
    """

    pattern: Pattern[bytes]
    end: End | None
    meaning: str
    last: bool = True

    def ending(self, match: "re.Match[bytes]") -> End:
        """How the guest ended that MATCH of the pattern is about."""
        return REASONS.get(int(match.group(1)), End.OTHER) if self.end is None else self.end

    def sentence(self, match: "re.Match[bytes]") -> str:
        """A sentence for the user about MATCH of the pattern."""
        if self.end is None:
            return "the guest crashed" if self.ending(match) == End.CRASH else self.meaning
        detail = match.group(1).decode("utf-8", "replace") if match.groups() else ""
        return f"{self.meaning}: {detail}" if detail else self.meaning


def _sign(text: bytes, end: End | None, meaning: str, last: bool = True) -> Sign:
    return Sign(re.compile(text), end, meaning, last)


_PANIC = _sign(rb"Panic on CPU \d+", End.PANIC, "the hypervisor panicked")

# In each table the signs that say most come first.

# Messages of Xen's console about its initial domain (xen/common/shutdown.c, xen/arch/x86/setup.c).
INITIAL_DOMAIN: Sequence[Sign] = (
    _sign(rb"Could not (?:construct|set up) d(?:om)?0", End.PANIC,
          "the hypervisor refused the kernel"),
    _sign(rb"Hardware Dom0 crashed", End.CRASH, "the guest crashed"),
    _PANIC,
    _sign(rb"Hardware Dom0 halted", End.POWEROFF, EARLY),
    _sign(rb"Hardware Dom0 shutdown: watchdog", End.WATCHDOG, EARLY),
    _sign(rb"Hardware Dom0 shutdown: rebooting", End.REBOOT, EARLY),
    _sign(rb"Hardware Dom0 shutdown \(unknown reason", End.OTHER, EARLY),
)

# Messages of xl about an ordinary guest; and the console, with the control domain as initial domain.
TOOL_STACK: Sequence[Sign] = (
    _sign(rb"Domain \d+ has shut down, reason code (\d+)", None, EARLY, last=False),
    _sign(rb"libxl: error: ([^\r\n]*)", End.TROUBLE, "the tool stack could not make the guest",
          last=False),
    _sign(rb"guest\d+: gone", End.TROUBLE, "the guest ended before the command did"),
    _PANIC,
    _sign(rb"Hardware Dom0 crashed", End.TROUBLE, "the control domain crashed"),
)

# Messages of a native Linux. Without ACPI the machine stays on after it has been shut down: the
# kernel's word must do.
NATIVE: Sequence[Sign] = (
    _sign(rb"Kernel panic - not syncing: ([^\r\n]*)", End.CRASH, "the guest's kernel panicked"),
    _sign(rb"reboot: (?:Power |System halted)", End.POWEROFF, EARLY),
    _sign(rb"reboot: Restarting system", End.REBOOT, EARLY),
)
