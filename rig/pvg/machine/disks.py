# SPDX-License-Identifier: GPL-2.0-only
"""Disk files of guests: what --disk asks for, copy-on-write files, what a machine has."""
import dataclasses
import functools
import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from pvg.base import errors, packages

SYNTAX = "FILE[,WORD]..."
WORDS = {
    "ro": "read-only",
    "cow": "changes go to a file that is removed afterwards; with several guests each has one, "
           "unless the disk is read-only",
    "cow=NEW": "as cow, but the file is NEW (NEW.1, NEW.2... with several guests) and stays",
    "cdrom": "a read-only CD-ROM",
    "4k": "sectors of 4096 bytes",
    "raw": "a raw file, whatever its first bytes are",
    "qdisk": "served by QEMU in the control domain instead of Linux's block back end",
}
_FORMATS = ("raw", "qcow2")
_MAGIC = b"QFI\xfb"


@dataclasses.dataclass
class Disk:
    """One disk of the emulated machine.

    kind: format of the file PATH, raw or qcow2
    sector: bytes of a sector
    backend: what serves an ordinary guest with it: phy (Linux's block back end) or qdisk
    """

    path: Path
    kind: str = "raw"
    read_only: bool = False
    cdrom: bool = False
    sector: int = 512
    backend: str = "phy"

    def writable_copy(self, target: Path) -> "Disk":
        """A disk that starts as this one; what is written to it goes to the new file TARGET."""
        _check_new(f"--disk {self.path}", target)
        _image_tool("--disk", "create", "-q", "-f", "qcow2", "-b", str(self.path), "-F", self.kind,
                    str(target))
        return dataclasses.replace(self, path=target, kind="qcow2", read_only=False)


class Request:
    """One OPTION with the value TEXT."""

    def __init__(self, text: str, option: str = "--disk") -> None:
        name, words = text, set[str]()
        while "," in name and not os.path.exists(name):
            name, _, word = name.rpartition(",")
            if word.partition("=")[0] + ("=NEW" if "=" in word else "") not in WORDS:
                raise errors.UsageError(f"{option} {text}: there is neither such a file nor a word "
                                        f"'{word}'; words are {', '.join(WORDS)}")
            words.add(word)
        if not name:
            raise errors.UsageError(f"{option} '{text}': no file is named")
        if os.path.isdir(name):
            raise errors.UsageError(f"{option} {name}: is a folder, not a file")
        if not (os.path.isfile(name) or os.path.exists(name) and Path(name).is_block_device()):
            raise errors.UsageError(f"{option} {name}: no such file or block device")
        self.option = option
        self.words = words
        self.kept = next((Path(word[4:]).resolve() for word in words if word.startswith("cow=")),
                         None)
        if self.kept and not self.kept.parent.is_dir():
            raise errors.UsageError(f"{option} {text}: {self.kept.parent}: no such folder")
        self.copied = "cow" in words or self.kept is not None
        self.path = Path(name).resolve()
        self.read_only = bool({"ro", "cdrom"} & words)
        if self.read_only and self.copied:
            raise errors.UsageError(f"{option} {text}: a read-only disk needs no cow")

    @functools.cached_property
    def disk(self) -> Disk:
        """The disk that the file is, which the image tool looks at."""
        kind = _format(self.option, self.path, "raw" in self.words)
        return Disk(self.path, kind, self.read_only, cdrom="cdrom" in self.words,
                    sector=4096 if "4k" in self.words else 512,
                    backend="qdisk" if "qdisk" in self.words else "phy")

    def kept_for(self, guest: int, guests: int) -> Path | None:
        """The new file of GUEST of GUESTS that stays, if there is to be one."""
        if self.kept is None or guests == 1:
            return self.kept
        return self.kept.with_name(f"{self.kept.name}.{guest}")

    def for_guest(self, guest: int, guests: int, folder: Path) -> Disk:
        """The disk that GUEST of GUESTS gets; files that are not kept are made in FOLDER."""
        if self.read_only or (guests == 1 and not self.copied):
            return self.disk
        count = sum(1 for _ in folder.glob("cow*"))
        return self.disk.writable_copy(self.kept_for(guest, guests) or folder / f"cow{count}")


def _check_new(disk: str, target: Path) -> None:
    """Complain if the file TARGET, for what is written to DISK, an option with its file, is there."""
    if target.exists():
        raise errors.UsageError(f"{disk}: {target} exists already; give that as "
                                f"{disk.partition(' ')[0]} to go on with it")


def _root_request(text: str) -> Request:
    """The Request of a disk with a root file system."""
    found = Request(text, "--root")
    if found.read_only:
        raise errors.UsageError(f"--root {text}: a root file system is written to; with ',cow' the "
                                "file stays as it is")
    return found


def requests(texts: Sequence[str], guests: int,
             root: str | None = None) -> list[Request]:
    """The Request of each of TEXTS; complains if two of them would write the same file.

    ROOT: what --root asks for, if that is a disk, whose request comes first.

    Whatever shows without the image tool, which may have to be installed, is refused first.
    """
    found = [_root_request(root)] if root is not None else []
    found += [Request(text) for text in texts]
    written: set[Path] = set()
    for request in found:
        path = request.path
        alone = not (request.read_only or request.copied or guests > 1)
        if path in written or (alone and sum(r.path == path for r in found) > 1):
            words = "',cow'" if root is not None and path == found[0].path else "',ro' or ',cow'"
            raise errors.UsageError(f"{request.option} {path} is given twice; add {words} to each")
        if alone:
            written.add(path)
        for guest in range(1, guests + 1):
            target = request.kept_for(guest, guests)
            if target in written:
                raise errors.UsageError(f"{request.option}: {target} is given twice")
            if target:
                _check_new(f"{request.option} {path}", target)
                written.add(target)
    for request in found:
        # Read here, before a kernel is built for it.
        assert request.disk
    return found


def _format(option: str, path: Path, raw: bool) -> str:
    """Format of OPTION's file PATH, whose backing files must be there; RAW says what it is.

    The tool refuses a file that a running emulator writes; one that an emulator reads and this
    run is to write is refused by the emulator.
    """
    if raw:
        _image_tool(option, "info", "-f", "raw", str(path))
        return "raw"
    with open(path, "rb") as file:
        magic = file.read(4)
    # Only such a file can have backing files; what else has a chain of one has it slowly.
    chain = ["--backing-chain"] if magic == _MAGIC else []
    about = json.loads(_image_tool(option, "info", "--output=json", *chain, str(path)))
    kind = str((about[0] if chain else about)["format"])
    if kind not in _FORMATS:
        raise errors.UsageError(f"{option} {path}: format {kind} is not supported; make it qcow2 "
                                f"with qemu-img convert -O qcow2, or add ',raw'")
    return kind


def _image_tool(option: str, *words: str) -> str:
    """Run qemu-img with WORDS for a disk of OPTION; returns what it printed."""
    packages.require(packages.FOR_DISKS)
    result = subprocess.run(["qemu-img", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, check=False)
    if result.returncode:
        reason = result.stderr.strip().splitlines()
        text = reason[0].removeprefix("qemu-img: ") if reason else "qemu-img failed"
        if " lock" in text:
            text = f"{words[-1]} is in use by another guest; end that first, or add ',cow' or " \
                   "',ro' to both"
        raise errors.RigError(f"{option}: {text}")
    return result.stdout
