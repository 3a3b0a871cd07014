# SPDX-License-Identifier: GPL-2.0-only
"""Building the bare-guest images, one for each area."""
import subprocess
from collections.abc import Sequence
from pathlib import Path

from pvg.base import errors, files, packages, paths, progress
from pvg.conformance import suite

FOLDER = paths.BUILD / "conformance"
LARGEST = 200 * 1024


class Images:
    """The images of the areas, built."""

    def __init__(self, cases: Sequence[suite.Case]) -> None:
        self._cases = cases
        packages.require(packages.FOR_CONFORMANCE)
        make("images")
        for area in {case.area for case in cases}:
            size = self.path(area).stat().st_size
            if size > LARGEST:
                raise errors.RigError(f"image of area {area} has {size} bytes; the limit is "
                                      f"{LARGEST}: split the area")

    def path(self, area: str) -> Path:
        """The image of AREA."""
        return FOLDER / f"{area}.elf"

    def common(self, area: str) -> list[suite.Case]:
        """Those cases of AREA that share a boot without being named."""
        return [case for case in self._cases
                if case.area == area and case.part == "single" and not case.alone]


def make(target: str) -> Path:
    """Run make in selftests/abi for TARGET."""
    log = paths.new_log("conformance-build")
    # Two that make the same file at one time have each other's halves.
    with files.locked(FOLDER / ".lock", "the build of the bare guests"), open(log, "wb") as out, \
            progress.reminding("building the bare guests"):
        status = subprocess.run(["make", "-j2", "-C", str(suite.ABI), f"O={FOLDER}",
                                 target], stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                                check=False).returncode
    if status:
        raise errors.RigError("the bare guests did not build", log)
    return FOLDER
