# SPDX-License-Identifier: GPL-2.0-only
"""Limits of a guest: processors, memory, words on its command line."""
import os
import re
import zlib
from collections.abc import Iterable
from pathlib import Path

from pvg.base import errors
from pvg.guest.methods import Method
from pvg.machine.emulator import Emulator

_CONFIG = b"IKCFG_ST"       # begins the configuration that a Linux kernel carries (kernel/configs.c)
_GZIP = 31                  # as zlib's wbits


def kernel_cpus(image: Path) -> int | None:
    """How many processors the uncompressed Linux kernel IMAGE can use; None if it does not say."""
    data = image.read_bytes()
    at = data.find(_CONFIG)
    if at < 0:
        return None
    try:
        config = zlib.decompressobj(_GZIP).decompress(data[at + len(_CONFIG):])
    except zlib.error:
        return None
    found = re.search(rb"^CONFIG_NR_CPUS=(\d{1,6})$", config, re.M)
    return int(found.group(1)) if found else None


def check_vcpus(vcpus: int, method: Method, emulator: Emulator, cpus: int | None,
                most_on: int | None = None) -> None:
    """Refuse more VCPUS than the machine or the kernel, which can use CPUS, has room for.

    MOST_ON: how many may be on later
    """
    limits = []
    if not method.tool_stack and emulator.most_cpus is not None:
        limits.append((emulator.most_cpus, "the emulated machine has"))
    if method.firmware_cpus is not None:
        limits.append((method.firmware_cpus, "the firmware's table has room for"))
    if cpus is not None:
        limits.append((cpus, "the kernel was built for (CONFIG_NR_CPUS)"))
    for option, number in (("--vcpus", vcpus), ("--max-vcpus", most_on or vcpus)):
        most, why = min(limits, default=(number, ""))
        if number > most:
            raise errors.UsageError(f"{option} {number}: at most {most} are possible, as many as "
                                    f"{why}")
    if most_on is not None and most_on < vcpus:
        raise errors.UsageError(f"--max-vcpus {most_on}: fewer than the {vcpus} of --vcpus")


def machine_mib() -> int:
    """Memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20


def _mib(folders: Iterable[str]) -> int:
    """Size of all files in FOLDERS."""
    return sum(path.stat().st_size for folder in folders for path in Path(folder).rglob("*")
               if path.is_file() and not path.is_symlink()) >> 20


def check_memory(memory: int, guests: int, method: Method, added: Iterable[str] = (),
                 own: bool = False) -> None:
    """Refuse MEMORY (MiB) with which no kernel comes up, or which this machine does not have.

    ADDED: folders whose files are in memory as well
    OWN: the kernel is the user's, and may need less than ours
    """
    least = method.least_memory + _mib(added)
    if memory < least and not own:
        why = " with what --add names" if least > method.least_memory else ""
        raise errors.UsageError(f"--memory {memory}: a guest with --hv {method.name} needs at "
                                f"least {least} MiB{why}")
    most = machine_mib() // guests
    if memory > most:
        each = f" for each of {guests} guests" if guests > 1 else ""
        raise errors.UsageError(f"--memory {memory}: this machine has {most} MiB{each}")


def check_disks(count: int, own: int, method: Method) -> None:
    """Refuse COUNT disks of guests where the rig has OWN disks in the same machine."""
    if count and count + own > method.most_disks:
        more = f" and {own} of the rig's own" if own else ""
        raise errors.UsageError(f"--disk: {count} disks of guests{more}: at most {method.most_disks} "
                                "in all are possible")


def check_arguments(words: str, option: str) -> None:
    """Refuse the value WORDS of OPTION if it cannot stand on a kernel's command line."""
    if not words.isprintable():
        # Also bytes that are no text, which arrive as surrogates.
        raise errors.UsageError(f"{option} {ascii(words)}: a command line is one line of printable "
                                "characters")


def check_command_line(text: str, method: Method) -> None:
    """Refuse a guest's whole command line TEXT if its end would be cut off."""
    length = len(text.encode())
    if length > method.most_arguments:
        raise errors.UsageError(f"--append: the guest's command line has {length} bytes, of which "
                                f"{method.most_arguments} would arrive; leave out "
                                f"{length - method.most_arguments}")
