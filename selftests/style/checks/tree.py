# SPDX-License-Identifier: MIT
"""The tree that is checked: its files, and what is known already of files with equal contents."""
import concurrent.futures
import fnmatch
import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Callable, Iterable, Sequence

PROCESSES = os.cpu_count() or 1
SHARE = 16              # files that a tool gets at one time

PerFile = Callable[[Sequence[str]], dict[str, list[str]]]


class Tree:
    """The files below ROOT; STATE is a folder for what is kept from one run to the next."""

    def __init__(self, root: Path, state: Path) -> None:
        self.root = root
        self.state = state
        self.names = self._list()
        self._digests: dict[str, str] = {}

    def _list(self) -> list[str]:
        """Names of the files that git holds or would, as far as they exist, without links."""
        # The clone may be another user's.
        listed = subprocess.run(["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached",
                                 "--others", "--exclude-standard"], cwd=self.root, stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, check=False)
        if listed.returncode == 0:
            names = set(os.fsdecode(listed.stdout).split("\0")) - {""}
        else:
            # No clone but an unpacked archive: all that is not generated.
            names = {str(path.relative_to(self.root)) for path in self.root.rglob("*")}
            names = {name for name in names if not name.startswith(("build/", ".git/"))
                     and "__pycache__" not in name}
        return sorted(name for name in names if (self.root / name).is_file()
                      and not (self.root / name).is_symlink())

    def files(self, *patterns: str) -> list[str]:
        """Names of the files that one of PATTERNS matches ('*' matches '/' as well)."""
        return [name for name in self.names
                if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]

    def text(self, name: str) -> str:
        """Contents of the file NAME."""
        return (self.root / name).read_text(encoding="utf-8", errors="replace")

    def lines(self, name: str) -> list[tuple[int, str]]:
        """Numbers and texts of the lines of the file NAME."""
        return list(enumerate(self.text(name).splitlines(), 1))

    def first_line(self, name: str) -> str:
        """The first line of the file NAME, or an empty string."""
        with open(self.root / name, "rb") as file:
            return file.readline(200).decode("utf-8", "replace").rstrip()

    def exists(self, name: str) -> bool:
        """Whether NAME, relative to the root, is a file or folder there."""
        return (self.root / name).exists()

    def digest(self, name: str) -> str:
        """Hash of the contents of the file NAME."""
        if name not in self._digests:
            self._digests[name] = hashlib.sha256((self.root / name).read_bytes()).hexdigest()
        return self._digests[name]

    def each(self, check: str, names: Iterable[str], version: Callable[[str], str],
             work: PerFile) -> list[str]:
        """The findings of WORK in NAMES, as far as a file's contents or VERSION(name) are new.

        WORK takes some names and returns findings by name; it runs in several threads. Its
        findings are kept below the state folder under the name CHECK, those of each SHARE of
        the files as soon as they are there.
        """
        names = list(names)
        keys = {name: hashlib.sha256(f"{version(name)}\0{name}\0{self.digest(name)}".encode())
                .hexdigest() for name in names}
        kept = self._read(check)
        new = sorted((name for name in names if keys[name] not in kept),
                     key=lambda name: -(self.root / name).stat().st_size)
        shares = [new[at:at + SHARE] for at in range(0, len(new), SHARE)]
        with concurrent.futures.ThreadPoolExecutor(PROCESSES) as pool:
            try:
                for share, found in zip(shares, pool.map(work, shares)):
                    stray = sorted(set(found) - set(share))
                    if stray:
                        raise ValueError(f"{check}: finds something in {stray[0]}, not asked for")
                    kept.update((keys[name], found.get(name, [])) for name in share)
                    # A run of minutes that is ended has not been in vain.
                    self._write(check, kept)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        self._write(check, {keys[name]: kept[keys[name]] for name in names})
        return [finding for name in names for finding in kept[keys[name]]]

    def whole(self, check: str, inputs: Iterable[str], version: str,
              work: Callable[[], list[str]]) -> list[str]:
        """The findings of WORK; it is not asked again before one of INPUTS or VERSION changes."""
        total = hashlib.sha256(version.encode())
        for name in sorted(set(inputs)):
            total.update(f"\0{name}\0{self.digest(name)}".encode())
        key = total.hexdigest()
        kept = self._read(check)
        if key not in kept:
            kept = {key: work()}
            self._write(check, kept)
        return kept[key]

    def _read(self, check: str) -> dict[str, list[str]]:
        try:
            kept = json.loads((self.state / f"{check}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return kept if isinstance(kept, dict) else {}

    def _write(self, check: str, kept: dict[str, list[str]]) -> None:
        self.state.mkdir(parents=True, exist_ok=True)
        part = self.state / f".{check}.{os.getpid()}"
        part.write_text(json.dumps(kept, indent=0), encoding="utf-8")
        part.replace(self.state / f"{check}.json")
