# SPDX-License-Identifier: GPL-2.0-only
"""Writes initial RAM file systems: cpio archives of the "newc" kind."""
import builtins
import os
import stat
from pathlib import Path


class Archive:
    """An archive under construction; paths in it have no leading slash."""

    def __init__(self) -> None:
        self._parts: list[builtins.bytes] = []
        self._known: set[str] = set()
        self._inode = 0

    def _entry(self, name: str, mode: int, data: builtins.bytes = b"",
               device: tuple[int, int] = (0, 0)) -> None:
        self._inode += 1
        encoded = os.fsencode(name) + b"\0"
        fields = (self._inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(encoded), 0)
        head = b"070701" + b"".join(b"%08x" % field for field in fields) + encoded
        for part in (head, data):
            self._parts.append(part)
            self._parts.append(b"\0" * (-len(part) % 4))

    def _parents(self, name: str) -> None:
        parent = os.path.dirname(name)
        if parent and parent not in self._known:
            self.folder(parent)

    def folder(self, name: str, mode: int = 0o755) -> None:
        """A folder, with those above it."""
        if name not in self._known:
            self._parents(name)
            self._known.add(name)
            self._entry(name, stat.S_IFDIR | mode)

    def file(self, name: str, data: str | builtins.bytes, mode: int = 0o644) -> None:
        """A file with DATA (bytes or text)."""
        self._parents(name)
        self._known.add(name)
        self._entry(name, stat.S_IFREG | mode, data.encode() if isinstance(data, str) else data)

    def link(self, name: str, target: str) -> None:
        """A symbolic link."""
        self._parents(name)
        self._known.add(name)
        self._entry(name, stat.S_IFLNK | 0o777, os.fsencode(target))

    def node(self, name: str, major: int, minor: int, mode: int = 0o600) -> None:
        """A character device."""
        self._parents(name)
        self._entry(name, stat.S_IFCHR | mode, device=(major, minor))

    def copy(self, path: str | Path, name: str) -> None:
        """The file PATH as NAME, links followed."""
        self.file(name, Path(path).read_bytes(), Path(path).stat().st_mode & 0o7777)

    def tree(self, top: str | Path, under: str = "") -> None:
        """All that stands under the folder TOP, at the same paths below UNDER; owned by root."""
        for folder, folders, names in os.walk(top):
            relative = os.path.relpath(folder, top)
            prefix = under if relative == "." else f"{under}{relative}/"
            folders.sort()
            for name in sorted(folders + names):
                path = os.path.join(folder, name)
                mode = os.lstat(path).st_mode
                if stat.S_ISLNK(mode):
                    self.link(prefix + name, os.readlink(path))
                elif stat.S_ISDIR(mode):
                    self.folder(prefix + name, mode & 0o7777)
                elif stat.S_ISREG(mode):
                    self.copy(path, prefix + name)

    def bytes(self) -> builtins.bytes:
        """The finished archive, padded so that another may follow it."""
        self._entry("TRAILER!!!", 0)
        whole = b"".join(self._parts)
        del self._parts[-4:]
        return whole + b"\0" * (-len(whole) % 512)
