# SPDX-License-Identifier: GPL-2.0-only
"""Which Linux releases linux/ describes, and which of them is meant where none is named."""
import os

import yaml

from pvg.base import errors, paths

# For whole runs of the tests: the release that they all use.
VARIABLE = "PVGUEST_LINUX"
_FOLDER = paths.REPO / "linux"


def names() -> list[str]:
    """The releases that linux/ describes."""
    return sorted(path.parent.name for path in _FOLDER.glob("*/release.yaml"))


def about(release: str) -> dict[str, object]:
    """Contents of linux/RELEASE/release.yaml."""
    path = _FOLDER / release / "release.yaml"
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise errors.RigError(f"{paths.shown(path)}: not a mapping")
    return found


def use(release: str) -> None:
    """Have RELEASE be the default of this process and of all that it starts."""
    os.environ[VARIABLE] = release


def suffix() -> str:
    """End of a name that must differ where another release than usual is in use."""
    return "" if default() == usual() else f"-{default()}"


def default() -> str:
    """The release that the environment names, else the usual one."""
    named = os.environ.get(VARIABLE)
    if named:
        if named not in names():
            raise errors.UsageError(f"{VARIABLE}={named}: no such release; there are: "
                                    + ", ".join(names()))
        return named
    return usual()


def usual() -> str:
    """The release whose description calls it default."""
    marked = [name for name in names() if about(name).get("default") is True]
    if len(marked) != 1:
        raise errors.RigError("exactly one linux/*/release.yaml has to say 'default: true', not "
                              + (", ".join(marked) or "none"))
    return marked[0]
