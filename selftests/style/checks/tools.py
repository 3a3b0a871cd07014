# SPDX-License-Identifier: MIT
"""Calls the tools of others, from Debian's packages, and sorts what they print by file."""
import functools
import re
import subprocess
from pathlib import Path
from typing import Optional, Sequence

from pvg.base import packages


@functools.cache
def version(package: str) -> str:
    """Version of the Debian package PACKAGE, which is installed first if it is missing."""
    packages.require(packages.FOR_STYLE)
    return f"{package} {packages.version_installed(package)}"


def run(command: Sequence[str], folder: Path, good: Sequence[int] = (0, 1),
        env: Optional[dict[str, str]] = None) -> str:
    """The output of COMMAND in FOLDER; an exit status that is not among GOOD is an error."""
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env=env, check=False)
    output = done.stdout.decode("utf-8", "replace")
    if done.returncode not in good:
        raise RuntimeError(f"{command[0]} ended with status {done.returncode}: {output[-2000:]}")
    return output


def by_file(output: str, names: Sequence[str], prefix: str = "") -> dict[str, list[str]]:
    """The lines 'PREFIX name:line: ...' of OUTPUT, without PREFIX, by name as far as in NAMES."""
    found: dict[str, list[str]] = {name: [] for name in names}
    for line in output.splitlines():
        line = line.removeprefix(prefix)
        match = re.match(r"([^:]+):\d+:", line)
        if match and match.group(1) in found:
            found[match.group(1)].append(line)
    return found
