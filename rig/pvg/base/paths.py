# SPDX-License-Identifier: GPL-2.0-only
"""Where things stand in the work tree."""
import contextlib
import os
from pathlib import Path

REPO = Path(__file__).resolve().parents[3]
RIG = REPO / "rig"
BUILD = REPO / "build"
LOGS = BUILD / "log"
KEPT_LOGS = 100         # of each name; older ones are removed


def shown(path: str | Path) -> str:
    """Path as a person in the current folder would type it."""
    path = Path(path)
    try:
        relative = os.path.relpath(path)
    except ValueError:
        return str(path)
    return str(path) if relative.startswith("../..") else relative


def new_log(name: str) -> Path:
    """Path of a fresh log file called NAME under build/log."""
    LOGS.mkdir(parents=True, exist_ok=True)
    old = [entry for entry in os.scandir(LOGS)
           if entry.name.startswith(name + "-") and entry.name.endswith(".log")]
    if len(old) > KEPT_LOGS:
        # Others may be removing the same ones.
        with contextlib.suppress(FileNotFoundError):
            for entry in sorted(old, key=lambda e: e.stat().st_mtime)[:-KEPT_LOGS]:
                os.unlink(entry.path)
    return LOGS / f"{name}-{os.getpid()}.log"
