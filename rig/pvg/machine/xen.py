# SPDX-License-Identifier: GPL-2.0-only
"""The hypervisor: its binary, Debian's or the user's own, and the machine that boots it."""
import contextlib
import gzip
from pathlib import Path
from collections.abc import Sequence

from pvg.base import errors, files, packages
from pvg.machine.description import Machine, Module

PACKAGE = "xen-hypervisor-4.17-amd64"
SYMBOLS = PACKAGE + "-dbg"
OVERHEAD_MIB = 160      # what Xen keeps for itself, with the modules' copies
KEPT_COPIES = 4         # of users' own hypervisors that were compressed, each of some MiB
MOST_ARGUMENTS = 1023   # of a guest: MAX_GUEST_CMDLINE, less the byte that ends it

# The transmit buffer holds a whole run's output, as Xen drops what does not fit in it.
#
# By default Xen hands a vCPU its floating-point registers when it first uses them, which it learns by
# CR0.TS. Under QEMU's emulation it does not always learn it, and programs lost their registers when a
# processor served several vCPUs (selftests/guest/check --group shared).
COMMON_ARGUMENTS = ["console=com1", "com1=115200,8n1", "serial_tx_buffer=4M", "bootscrub=0",
                    "loglvl=all", "guest_loglvl=all", "conring_size=1M", "spec-ctrl=eager-fpu"]

_GZIP = b"\x1f\x8b"
_ELF = b"\x7fELF"


def machine(folder: Path, modules: Sequence[Module], memory: int, vcpus: int,
            own: Path | None = None, append: str = "") -> Machine:
    """A machine that boots Xen, Debian's or the file OWN, with MODULES for its initial domain.

    APPEND: more words on the hypervisor's command line

    MEMORY: of the initial domain, in MiB
    """
    # The initial domain boots on the frames that hold its modules: spare some for both.
    spare = OVERHEAD_MIB + sum(m.path.stat().st_size >> 20 for m in modules[1:])
    arguments = [*COMMON_ARGUMENTS, f"dom0_mem={memory}M,max:{memory}M",
                 f"dom0_max_vcpus={vcpus}", "noreboot=1"]
    if append:
        arguments.append(append)
    return Machine(folder, binary(own), " ".join(arguments), memory + spare,
                   modules=list(modules))


def binary(own: Path | None = None) -> Path:
    """Path of an uncompressed hypervisor: the file OWN, or Debian's."""
    if own:
        path = Path(own)
        with open(path, "rb") as file:
            magic = file.read(4)
        if magic[:2] == _GZIP:
            unpacked = _gunzip(path, packages.UNPACKED / "own-xen" / files.digest([path]))
            _remove_old(unpacked)
            return unpacked
        if magic != _ELF:
            raise errors.UsageError(f"{path}: neither an ELF file nor a gzip file; "
                                    "give xen-*.gz or the file inside it")
        return path
    root = packages.unpacked(PACKAGE)
    compressed = sorted((root / "boot").glob("xen-*.gz"))
    if not compressed:
        raise errors.RigError(f"package {PACKAGE} holds no hypervisor; remove {root}")
    return _gunzip(compressed[-1], root.parent / "xen")


def _remove_old(unpacked: Path) -> None:
    """Remove all but the last few copies beside UNPACKED, which is in use now."""
    unpacked.touch()
    # Another run may be removing the same ones.
    with contextlib.suppress(FileNotFoundError):
        for old in sorted(unpacked.parent.iterdir(), key=lambda p: p.stat().st_mtime)[:-KEPT_COPIES]:
            old.unlink()


def version() -> str:
    """Debian version of the hypervisor package in use."""
    return packages.version_unpacked(PACKAGE)


def _gunzip(path: Path, target: Path) -> Path:
    if not target.exists():
        try:
            files.write_atomically(target, gzip.decompress(path.read_bytes()))
        except (OSError, EOFError) as error:
            raise errors.UsageError(f"{path}: {error}") from error
    return target
