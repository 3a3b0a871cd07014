# SPDX-License-Identifier: GPL-2.0-only
"""Boot methods: one module for each way in which guests can be booted, whatever runs in them.

Each has METHOD, a Method. 'pvguest run' boots Linux by them and the conformance suite its bare
guests; what a guest prints is the caller's concern.
"""
import dataclasses
import importlib
from collections.abc import Callable

from pvg.guest.boot import Boot
from pvg.guest.plan import Plan

NAMES = ("xen-domu", "xen-dom0", "none")
# Kernels that run on Xen; the first is meant where none is named.
ON_XEN = ("pvguest", "pvguest-full", "pvguest-debug", "pvguest-checks", "mainline", "mainline-full")


@dataclasses.dataclass(frozen=True)
class Method:
    """One way to boot guests.

    kernels: names of kernels (kernel.build.NAMES) that can run there; instead: of what to use
    for the others
    console: words on Linux's command line for its console
    disk_prefix: how its guests' disks are called; empty: they have none
    most_disks: of the machine: those of all guests, and the rig's own
    vifs: whether its guests can have network interfaces
    tool_stack: whether there is a control domain, for several guests, orders and traces
    own_xen: whether it takes a hypervisor of the user's own
    accelerators: how the machine can be made
    least_memory: MiB with which our kernel still gets to a small command; most_arguments: bytes
    of a command line that arrive whole
    firmware_cpus: how many the firmware describes to a kernel without ACPI, if that counts
    prepare: fetch what is needed beforehand, as that takes its time
    boot: how to start the guests of a plan
    """

    name: str
    kernels: tuple[str, ...]
    instead: str
    console: str
    disk_prefix: str
    most_disks: int
    vifs: bool
    tool_stack: bool
    own_xen: bool
    accelerators: tuple[str, ...]
    least_memory: int
    most_arguments: int
    prepare: Callable[[], None]
    boot: Callable[[Plan], Boot]
    firmware_cpus: int | None = None


def load(name: str) -> Method:
    """The boot method called NAME on the command line."""
    found = importlib.import_module("pvg.guest.methods." + name.replace("-", "_")).METHOD
    assert isinstance(found, Method)
    return found
