# SPDX-License-Identifier: GPL-2.0-only
"""Files that several runs of the rig may use at once: locks, hashes, atomic writes."""
import contextlib
import fcntl
import hashlib
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

from pvg.base import progress

REMINDER = 10           # seconds between two words to the person who waits


@contextlib.contextmanager
def _waiting(what: str) -> Iterator[None]:
    """Say now and then that another process is waited for because of WHAT.

    A long silence counts as a hang, with the conformance runner for one.
    """
    start = time.monotonic()

    def report() -> None:
        progress.say(f"still waiting, {int(time.monotonic() - start)} s: {what}")

    progress.say(f"waiting for another process: {what}")
    with progress.repeating(report, REMINDER):
        yield


@contextlib.contextmanager
def locked(path: str | Path, what: str) -> Iterator[TextIO]:
    """Hold the lock file PATH; say that WHAT is being waited for while another holds it.

    A child that inherits the descriptor of the file that this yields holds the lock as well.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with _waiting(what):
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock


def write_atomically(path: str | Path, data: str | bytes, mode: int = 0o644) -> None:
    """Replace PATH by DATA (bytes or text) in one step."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(data, str):
        data = data.encode()
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(data)
    temporary.chmod(mode)
    os.replace(temporary, path)


def install(source: str | Path, target: str | Path) -> None:
    """Copy the program SOURCE to TARGET, whole or not at all."""
    write_atomically(target, Path(source).read_bytes(), 0o755)


def read_text(path: str | Path) -> str:
    """Contents of PATH, or an empty string if there is no such file."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def digest(paths: Iterable[str | Path], extra: Iterable[object] = ()) -> str:
    """Hash of names and contents of PATHS (folders with all below) and of EXTRA strings."""
    total = hashlib.sha256()
    for text in extra:
        total.update(str(text).encode() + b"\0")
    for path in sorted(map(Path, paths)):
        if path.is_dir():
            found = sorted(p for p in path.rglob("*")
                           if p.is_file() and "__pycache__" not in p.parts)
        else:
            found = [path] if path.exists() else []
        for file in found:
            total.update(str(file).encode() + b"\0")
            total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()[:24]


# Lines of a log that are shown with an error.
LAST_LINES = 15


def last_lines(path: str | Path, count: int = LAST_LINES) -> list[str]:
    """The last COUNT lines of the text file PATH, control characters made visible."""
    try:
        with open(path, "rb") as log:
            log.seek(0, os.SEEK_END)
            log.seek(max(0, log.tell() - 16384))
            text = log.read().decode("utf-8", "replace")
    except OSError:
        return []
    lines = [line.rstrip() for line in text.replace("\r", "\n").split("\n")]
    lines = ["".join(c if c.isprintable() or c == "\t" else "?" for c in line)
             for line in lines if line]
    return lines[-count:]
