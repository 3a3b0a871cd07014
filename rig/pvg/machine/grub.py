# SPDX-License-Identifier: GPL-2.0-only
"""Disks that boot by GRUB, for an emulator that cannot load a kernel by itself."""
import io
import struct
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from pvg.base import errors

_FILES = Path("/usr/lib/grub/i386-pc")
# GRUB reads its files from a partition that is a tar archive.
_MODULES = ("biosdisk", "boot", "configfile", "linux", "multiboot2", "normal", "part_msdos", "tar")
ROOT = "(hd0,msdos1)"

_SECTOR = 512
_START = 2048           # first sector of the partition; GRUB itself stands before it
_CYLINDER = 16 * 63     # sectors of a cylinder: the disk holds whole ones
_PARTITIONS = 446       # where the partition table begins in the first sector
_KIND = 0xda            # of a partition that is no file system


def command(name: str, file: str, words: Sequence[str] = ()) -> str:
    """The script's line on which command NAME loads FILE and hands WORDS over to it."""
    for word in words:
        if set(word) & set("'\"\\"):
            raise errors.UsageError(f"{word}: GRUB cannot hand over quotes and backslashes")
    # The first word stands for the program's own name.
    return " ".join([name, f"{ROOT}/{file}", file] + [f"'{word}'" for word in words])


def disk(path: Path, files: Mapping[str, Path | bytes], commands: Sequence[str]) -> None:
    """Write to PATH a disk with FILES, name -> path or bytes, on which GRUB carries out COMMANDS.

    COMMANDS find a file under ROOT.
    """
    boot, core = _grub(path.parent, commands)
    with open(path, "wb") as out:
        out.seek(_START * _SECTOR)
        with tarfile.open(fileobj=out, mode="w|", format=tarfile.USTAR_FORMAT) as archive:
            for name, content in files.items():
                _add(archive, name, content)
        cylinders = -(-out.tell() // (_CYLINDER * _SECTOR))
        out.truncate(cylinders * _CYLINDER * _SECTOR)
        entry = struct.pack("<B3sB3sII", 0x80, b"\xfe\xff\xff", _KIND, b"\xfe\xff\xff",
                            _START, cylinders * _CYLINDER - _START)
        out.seek(0)
        out.write(boot[:_PARTITIONS] + entry.ljust(64, b"\0") + b"\x55\xaa" + core)


def _grub(folder: Path, commands: Sequence[str]) -> tuple[bytes, bytes]:
    """GRUB's first sector and what it loads from the sectors behind it."""
    script, core = folder / "grub.cfg", folder / "grub.img"
    script.write_text("\n".join(commands) + "\n", encoding="ascii")
    made = subprocess.run(["grub-mkimage", "-O", "i386-pc", "-d", str(_FILES), "-p", ROOT,
                           "-c", str(script), "-o", str(core), *_MODULES],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    if made.returncode:
        raise errors.RigError(f"grub-mkimage: {made.stdout.strip()}")
    boot, rest = (_FILES / "boot.img").read_bytes(), core.read_bytes()
    if len(boot) != _SECTOR or len(rest) > (_START - 1) * _SECTOR:
        raise errors.RigError("GRUB does not fit in front of the first partition")
    return boot, rest


def _add(archive: tarfile.TarFile, name: str, content: Path | bytes) -> None:
    """Put the file, or the bytes, CONTENT into ARCHIVE as NAME."""
    if isinstance(content, bytes):
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    else:
        archive.add(content, name)
