# SPDX-License-Identifier: GPL-2.0-only
"""Disk files of guests: what --disk asks for, copy-on-write files, the emulator's words for them."""
import dataclasses
import fcntl
import json
import os
import struct
import subprocess
from pathlib import Path

from pvg import errors, packages

SYNTAX = "FILE[,WORD]..."
WORDS = {
    "ro": "read-only",
    "cow": "what is written goes to a file that is removed afterwards; with several guests this "
           "is so for each, unless the disk is read-only",
    "cow=NEW": "as cow, but the file is NEW (NEW.1, NEW.2... with several guests) and stays",
    "cdrom": "a read-only CD-ROM",
    "4k": "sectors of 4096 bytes",
    "raw": "take the bytes as they are, whatever they look like",
    "qdisk": "served by QEMU in the control domain instead of Linux's block back end",
}
_FORMATS = ("raw", "qcow2")
_F_OFD_GETLK = 36       # fcntl(2)
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

    def words(self, node, device):
        """Words for the emulator: the disk is called NODE, and DEVICE are options of its device."""
        backend = {"driver": self.kind, "node-name": node, "discard": "unmap",
                   "read-only": self.read_only, "cache": {"no-flush": True},
                   "file": {"driver": "file", "filename": str(self.path), "discard": "unmap",
                            "read-only": self.read_only}}
        return ["-blockdev", json.dumps(backend), "-device",
                f"virtio-blk-pci,drive={node},logical_block_size={self.sector},"
                f"physical_block_size={self.sector},{device}".rstrip(",")]

    def writable_copy(self, target):
        """A disk that starts as this one; what is written to it goes to the new file TARGET."""
        if target.exists():
            raise errors.UsageError(f"--disk {self.path}: {target} exists already; give that as "
                                    "--disk to go on with it")
        _image_tool("create", "-q", "-f", "qcow2", "-b", str(self.path), "-F", self.kind,
                    str(target))
        return dataclasses.replace(self, path=target, kind="qcow2", read_only=False)


class Request:
    """One --disk option, with TEXT as its value."""

    def __init__(self, text):
        name, words = text, set()
        while "," in name and not os.path.exists(name):
            name, _, word = name.rpartition(",")
            if word.partition("=")[0] + ("=NEW" if "=" in word else "") not in WORDS:
                raise errors.UsageError(f"--disk {text}: there is neither such a file nor a word "
                                        f"'{word}'; words are {', '.join(WORDS)}")
            words.add(word)
        if not (os.path.isfile(name) or os.path.exists(name) and Path(name).is_block_device()):
            raise errors.UsageError(f"--disk {name}: no such file")
        self.words = words
        self.kept = next((Path(word[4:]).resolve() for word in words if word.startswith("cow=")),
                         None)
        self.copied = "cow" in words or self.kept is not None
        path = Path(name).resolve()
        self.disk = Disk(path, "raw" if "raw" in words else _format(path),
                         read_only=bool({"ro", "cdrom"} & words), cdrom="cdrom" in words,
                         sector=4096 if "4k" in words else 512,
                         backend="qdisk" if "qdisk" in words else "phy")
        if _in_use(path, self.disk.read_only or self.copied):
            raise errors.RigError(f"--disk {path} is in use by another guest; end that first, or "
                                  "add ',cow' or ',ro' to both")
        if self.disk.read_only and self.copied:
            raise errors.UsageError(f"--disk {text}: what is read-only needs no cow")

    def for_guest(self, guest, guests, folder):
        """The disk that GUEST of GUESTS gets; files that are not kept are made in FOLDER."""
        if self.disk.read_only or (guests == 1 and not self.copied):
            return self.disk
        if self.kept:
            target = self.kept if guests == 1 else self.kept.with_name(f"{self.kept.name}.{guest}")
        else:
            count = sum(1 for _ in folder.glob("cow*"))
            target = folder / f"cow{count}"
        return self.disk.writable_copy(target)


def requests(texts, guests):
    """The Request of each of TEXTS; complains if two of them would write the same file."""
    found = [Request(text) for text in texts]
    written = set()
    for request in found:
        path = request.disk.path
        alone = not (request.disk.read_only or request.copied or guests > 1)
        if path in written or (alone and sum(r.disk.path == path for r in found) > 1):
            raise errors.UsageError(f"--disk {path} is given twice; add ',ro' or ',cow' to each")
        if alone:
            written.add(path)
    return found


def _format(path):
    """Format of the disk file PATH, whose backing files must be there."""
    with open(path, "rb") as file:
        magic = file.read(4)
    # Only such a file can have backing files; what else has a chain of one has it slowly.
    chain = ["--backing-chain"] if magic == _MAGIC else []
    about = json.loads(_image_tool("info", "--output=json", *chain, str(path)))
    kind = (about[0] if chain else about)["format"]
    if kind not in _FORMATS:
        raise errors.UsageError(f"--disk {path}: format {kind} is not known here; make it qcow2 "
                                f"with qemu-img convert -O qcow2, or add ',raw'")
    return kind


def _in_use(path, reading):
    """Whether an emulator has PATH open in a way that forbids writing it, or READING it."""
    # The bytes that emulators lock while they may write a file, and while nobody else may.
    writing, alone = 101, 201
    with open(path, "rb") as file:
        for byte in [writing] if reading else [writing, alone]:
            asked = struct.pack("@hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0)
            found = struct.unpack("@hhqqi4x", fcntl.fcntl(file, _F_OFD_GETLK, asked))
            if found[0] != fcntl.F_UNLCK:
                return True
    return False


def _image_tool(*words):
    """Run qemu-img; returns what it printed."""
    packages.require(packages.FOR_DISKS)
    result = subprocess.run(["qemu-img", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, check=False)
    if result.returncode:
        reason = result.stderr.strip().splitlines()
        text = reason[0].removeprefix("qemu-img: ") if reason else "qemu-img failed"
        if " lock" in text:
            text = f"{words[-1]} is in use by another guest; end that first"
        raise errors.RigError(f"--disk: {text}")
    return result.stdout
