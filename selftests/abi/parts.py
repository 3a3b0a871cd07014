# SPDX-License-Identifier: MIT
"""The parts of the suite: what each is called, how long it takes, and how it is run."""
from typing import NamedTuple


class Part(NamedTuple):
    """One part: WORDS of 'pvguest conformance', and roughly the seconds where nothing else runs."""

    name: str
    seconds: int
    words: tuple[str, ...]


PARTS = (
    Part("coverage", 10, ("--coverage",)),
    Part("initial_domain", 120, ("--hv", "xen-dom0")),
    Part("adapter_contract", 90, ("--hv", "xen-dom0", "--contract")),
    Part("two_guests", 150, ("--hv", "xen-domu", "--area", "pair")),
    Part("store", 240, ("--hv", "xen-domu", "--area", "store")),
    Part("mutant_sample", 300, ("--hv", "xen-dom0", "--mutants", "34")),
)
