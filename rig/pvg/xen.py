# SPDX-License-Identifier: GPL-2.0-only
"""The hypervisor binary: Debian's, unpacked under build/, or the user's own."""
import gzip
from pathlib import Path

from pvg import errors, files, packages

PACKAGE = "xen-hypervisor-4.17-amd64"
OVERHEAD_MIB = 160      # what Xen keeps for itself, with the modules' copies

# The transmit buffer holds a whole run's output, as Xen drops what does not fit in it.
#
# By default Xen hands a vCPU its floating-point registers when it first uses them, which it learns by
# CR0.TS. Under QEMU's emulation it does not always learn it, and programs lost their registers when a
# processor served several vCPUs (selftests/guest/check --group shared).
COMMON_ARGUMENTS = ["console=com1", "com1=115200,8n1", "serial_tx_buffer=4M", "bootscrub=0",
                    "loglvl=all", "guest_loglvl=all", "conring_size=1M", "spec-ctrl=eager-fpu"]

_GZIP = b"\x1f\x8b"
_ELF = b"\x7fELF"


def binary(own=None):
    """Path of an uncompressed hypervisor: the file OWN, or Debian's."""
    if own:
        path = Path(own)
        with open(path, "rb") as file:
            magic = file.read(4)
        if magic[:2] == _GZIP:
            return _gunzip(path, packages.UNPACKED / "own-xen" / files.digest([path]))
        if magic != _ELF:
            raise errors.UsageError(f"{path}: neither an ELF file nor a gzip file; "
                                    "give xen-*.gz or the file inside it")
        return path
    root = packages.unpacked(PACKAGE)
    compressed = sorted((root / "boot").glob("xen-*.gz"))
    if not compressed:
        raise errors.RigError(f"package {PACKAGE} holds no hypervisor; remove {root}")
    return _gunzip(compressed[-1], root.parent / "xen")


def version():
    """Debian version of the hypervisor package in use."""
    return packages.version_unpacked(PACKAGE)


def _gunzip(path, target):
    if not target.exists():
        try:
            files.write_atomically(target, gzip.decompress(path.read_bytes()))
        except (OSError, EOFError) as error:
            raise errors.UsageError(f"{path}: {error}") from error
    return target
