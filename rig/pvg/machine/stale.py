# SPDX-License-Identifier: GPL-2.0-only
"""A fault of the emulator: it runs code that the machine's memory does not hold any more.

QEMU 7.2 reads code and translates it, and only then enters the translation in the lists from which
a write to the code drops it. It misses what another processor writes in between, and runs the former
code from then on. Linux puts an int3 where it changes code, and replaces it when every processor
has confirmed that it has seen it; the translation of the int3 can stay. Then there is an oops
for an int3 whose dump of the code has none.
"""
import re

# The first oops: after it nothing is as it was.
_OOPS = re.compile(rb"Oops: int3: \d+ \[#1\](?:(?!\bCode:).)*\bCode: (?:[0-9a-f]{2} )*?([0-9a-f]{2}) "
                   rb"<[0-9a-f]{2}>", re.DOTALL)
_INT3 = b"cc"

_WINDOW = 4096          # bytes that may hold the whole of it, kept for the text that follows


def is_shown(text: bytes) -> bool:
    """Whether the TEXT of a kernel's console reports such a fault."""
    oops = _OOPS.search(text)
    return oops is not None and oops[1] != _INT3


class Watch:
    """Looks for the fault in a console's text as it comes; seen: it was there."""

    def __init__(self) -> None:
        self.seen = False
        self._text = b""            # of late

    def feed(self, text: bytes) -> None:
        """Look at TEXT and what came just before it."""
        self._text = (self._text + text)[-_WINDOW - len(text):]
        self.seen = self.seen or is_shown(self._text)
