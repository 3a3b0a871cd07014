# SPDX-License-Identifier: GPL-2.0-only
"""A copy of a hypervisor's source tree: one fault at a time is put in, built and taken out again.

The tree that the user names is only read. A copy stands below build/planted in a folder named after
the tree's contents, so that objects built there always belong to them.
"""
import contextlib
import fnmatch
import hashlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from pvg.base import errors, files, paths, progress
from pvg.conformance.planted_list import Fault

FOLDER = paths.BUILD / "planted"
KEPT_TREES = 2          # copies with their objects; results of others are kept all the same
# Products of a build and of tools for versions; those of the user's own builds are not ours.
LEFT_OUT = (".git", ".hg", ".pc", "*.o", "*.a", ".*.d", ".*.cmd", "xen-syms*", "xen.efi*", "xen.gz")


def check(source: Path) -> None:
    """Refuse a folder SOURCE that holds no hypervisor's sources."""
    if not (source / "xen" / "Makefile").is_file():
        raise errors.UsageError(f"--xen-source {source}: no xen/Makefile in it; give the folder "
                                "that 'apt-get source xen' or 'git clone' makes")


def _unwanted(_: str, names: Sequence[str]) -> set[str]:
    """Those of NAMES that are not copied."""
    return {name for name in names if any(fnmatch.fnmatchcase(name, one) for one in LEFT_OUT)}


def _digest(source: Path) -> str:
    """Hash of the names and contents of all files of SOURCE that are copied."""
    total = hashlib.sha256()
    for folder, below, names in os.walk(source):
        below[:] = sorted(set(below) - _unwanted(folder, below))
        for name in sorted(set(names) - _unwanted(folder, names)):
            path = Path(folder, name)
            total.update(str(path.relative_to(source)).encode("utf-8", "surrogateescape") + b"\0")
            data = os.readlink(path).encode() if path.is_symlink() else path.read_bytes()
            total.update(hashlib.sha256(data).digest())
    return total.hexdigest()[:16]


class Tree:
    """The copy of the tree SOURCE. Use it only while locked()."""

    def __init__(self, source: Path) -> None:
        self.source = source
        self.folder = FOLDER / _digest(source)
        self.copy = self.folder / "tree"
        self.built = self.folder / "hypervisor"
        self._journal = self.folder / "planted.json"
        self._lock = -1

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs off, and make sure that there is a copy without a fault."""
        with files.locked(FOLDER / ".lock", "another run that plants faults") as lock:
            self._lock = lock.fileno()
            if not self.copy.is_dir():
                self._fill()
            os.utime(self.folder)
            self.restore()
            yield

    def _fill(self) -> None:
        """Make the copy, whole or not at all."""
        with contextlib.suppress(FileNotFoundError):
            for old in sorted(FOLDER.glob("*/tree"), key=lambda p: p.parent.stat().st_mtime,
                              reverse=True)[KEPT_TREES - 1:]:
                shutil.rmtree(old)
        part = self.folder / "part"
        shutil.rmtree(part, ignore_errors=True)
        part.parent.mkdir(parents=True, exist_ok=True)
        with progress.reminding(f"copying {self.source}"):
            try:
                shutil.copytree(self.source, part, symlinks=True, ignore=_unwanted)
            except (OSError, shutil.Error) as error:
                raise errors.RigError(f"{self.source} could not be copied: {error}") from None
        part.rename(self.copy)

    @contextlib.contextmanager
    def planted(self, fault: Fault | None) -> Iterator[None]:
        """The copy has FAULT while the body runs, and none afterwards."""
        try:
            if fault:
                self._plant(fault)
            yield
        finally:
            self.restore()

    def _plant(self, fault: Fault) -> None:
        path = self.copy / fault.file
        text = path.read_bytes()
        old = fault.old.encode()
        if text.count(old) != 1:
            raise errors.RigError(f"{paths.shown(path)} is not as it was copied; remove "
                                  f"{paths.shown(self.folder)}")
        # A run that is killed leaves the fault there: the next one finds the old text here.
        files.write_atomically(self._journal, json.dumps(
            {"file": fault.file, "text": text.decode("latin-1")}))
        path.write_bytes(text.replace(old, fault.new.encode()))

    def restore(self) -> None:
        """Take the fault out that is planted, by this run or by one that was killed."""
        if self._journal.exists():
            entry = json.loads(self._journal.read_text(encoding="utf-8"))
            (self.copy / entry["file"]).write_bytes(entry["text"].encode("latin-1"))
            self._journal.unlink()

    def build(self, name: str, jobs: int) -> Path | None:
        """The hypervisor that the copy makes now, or None if it does not build; its log is NAME's."""
        log = self.log(name)
        log.parent.mkdir(parents=True, exist_ok=True)
        made = self.copy / "xen" / "xen"
        for old in (made, made.with_suffix(".gz")):
            old.unlink(missing_ok=True)
        with progress.reminding(f"building the hypervisor for {name}"), open(log, "wb") as out:
            for words in (["olddefconfig"], [f"-j{jobs}"]):
                if self._make(words, out.fileno()):
                    return None
        for found in (made, made.with_suffix(".gz")):
            if found.is_file():
                files.install(found, self.built)
                return self.built
        with open(log, "a", encoding="ascii") as out_text:
            out_text.write("make has made neither xen/xen nor xen/xen.gz\n")
        return None

    def log(self, name: str) -> Path:
        """Where the output of the build of NAME goes."""
        return paths.LOGS / "planted" / f"build-{name}.log"

    def _make(self, words: Sequence[str], out: int) -> int:
        """Run make with WORDS; an interrupt ends all that it started. Returns its exit status."""
        inherited = [self._lock] if self._lock >= 0 else []
        process: subprocess.Popen[bytes] | None = None
        try:
            process = subprocess.Popen(["make", "-C", str(self.copy / "xen"), *words],
                                       stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                       start_new_session=True, pass_fds=inherited)
            return process.wait()
        except BaseException:
            if process:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)
                process.wait()
            raise
