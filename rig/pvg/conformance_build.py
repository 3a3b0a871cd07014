# SPDX-License-Identifier: GPL-2.0-only
"""Building the bare-guest images, one for each area."""
import subprocess

from pvg import conformance_cases, errors, packages, paths

FOLDER = paths.BUILD / "conformance"
NEEDED = ("gcc", "libc6-dev", "libxen-dev", "make", "python3-yaml", "qemu-system-x86")
LARGEST = 200 * 1024


class Images:
    """The images of the areas, built."""

    def __init__(self, cases):
        self._cases = cases
        packages.require(NEEDED)
        make("images")
        for area in {case.area for case in cases}:
            size = self.path(area).stat().st_size
            if size > LARGEST:
                raise errors.RigError(f"image of area {area} has {size} bytes; the limit is "
                                      f"{LARGEST}: split the area")

    def path(self, area):
        """The image of AREA."""
        return FOLDER / f"{area}.elf"

    def common(self, area):
        """Those cases of AREA that share a boot without being named."""
        return [case for case in self._cases
                if case.area == area and case.part == "single" and not case.alone]


def make(target):
    """Run make in selftests/abi for TARGET."""
    log = paths.new_log("conformance-build")
    with open(log, "wb") as out:
        status = subprocess.run(["make", "-j2", "-C", str(conformance_cases.ABI), f"O={FOLDER}",
                                 target], stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                                check=False).returncode
    if status:
        raise errors.RigError("the bare guests did not build", log)
    return FOLDER
