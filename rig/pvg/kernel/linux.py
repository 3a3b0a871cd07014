# SPDX-License-Identifier: GPL-2.0-only
"""A Linux source tree with our folder mounted in it and our patches applied."""
import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

from pvg.base import errors, files, packages, paths, progress, releases

MOUNT = "pvguest"


class LinuxTree:
    """The source of one release: linux/<release> describes it, build/linux-<release> holds it."""

    def __init__(self, release: str | None = None) -> None:
        self.release = release or releases.default()
        self.recipe = paths.REPO / "linux" / self.release
        self.work = paths.BUILD / f"linux-{self.release}"
        self.source = self.work / "source"
        self.pristine = self.work / "pristine"
        self.about = releases.about(self.release)

    def text(self, key: str) -> str:
        """The value of KEY in the release's description."""
        return str(self.about.get(key, ""))

    def objects(self) -> int:
        """How many lines a first build prints, about."""
        value = self.about.get("objects")
        return value if isinstance(value, int) else 1

    def series(self) -> list[Path]:
        """The patches, in the order in which they apply."""
        folder = self.recipe / "patches"
        names = [line.strip() for line in files.read_text(folder / "series").splitlines()]
        return [folder / name for name in names if name and not name.startswith("#")]

    def prepare(self) -> None:
        """Unpack, mount and patch, as far as not done yet."""
        with files.locked(self.work / ".tree.lock", f"Linux {self.release} source"):
            if not (self.source / "Makefile").exists():
                self._unpack()
            mount = self.source / MOUNT
            target = os.path.relpath(paths.REPO, self.source)
            if not mount.is_symlink() or os.readlink(mount) != target:
                mount.unlink(missing_ok=True)
                mount.symlink_to(target)
            self._apply()

    def version(self) -> str:
        """Version that the tree's own Makefile states, three numbers with dots."""
        text = files.read_text(self.source / "Makefile")
        found = [re.search(rf"^{key} = (\S*)$", text, re.M)
                 for key in ("VERSION", "PATCHLEVEL", "SUBLEVEL")]
        numbers = [match.group(1) for match in found if match]
        return ".".join(numbers) if len(numbers) == len(found) else "unknown"

    def _unpack(self) -> None:
        package = self.text("package")
        archive = packages.find_file(package, f"usr/src/{package}.tar.xz")
        have = packages.version_installed(package) or packages.version_unpacked(package)
        if have != self.text("tested"):
            progress.say(f"note: {package} is {have}; last tested with {self.text('tested')}")
        part = self.work / "part"
        if part.exists():
            progress.say(f"removing a {package} that was unpacked in part")
            with progress.reminding(f"removing a {package} that was unpacked in part"):
                shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        line = progress.Line(f"unpacking {package}", 90000)
        with line, tarfile.open(archive, "r|xz") as tar:
            for count, member in enumerate(tar):
                # Debian's tar is trusted as far as its names: they must stay inside.
                if member.name.startswith("/") or ".." in Path(member.name).parts:
                    raise errors.RigError(f"{archive}: unsafe name {member.name}")
                tar.extract(member, part, set_attrs=not member.issym())
                line.update(count, member.name.partition("/")[2])
        line.finish()
        top, = part.iterdir()
        top.rename(self.source)
        part.rmdir()
        if not self.version().startswith(self.text("version")):
            found = self.version()
            shutil.rmtree(self.source)
            raise errors.RigError(f"{package} {have} holds Linux {found}, "
                                  f"not {self.text('version')}*")

    def _apply(self) -> None:
        """Bring the patched files up to date, touching only those whose contents change.

        The series is applied to a stage of pristine copies, and the outcome compared with the
        tree: a patch that is edited then costs no more compilation than its change deserves.
        """
        patches = self.series()
        stamp = self.work / ".patched"
        expected = files.digest(patches, [p.name for p in patches])
        if files.read_text(stamp).strip() == expected:
            return
        before = set(files.read_text(self.work / ".patched-files").split())
        after = set[str]()
        for patch in patches:
            after |= self._named(patch)
        stage = self.work / "stage"
        shutil.rmtree(stage, ignore_errors=True)
        for name in sorted(before | after):
            self._keep_pristine(name, name in before)
            if (self.pristine / name).exists():
                (stage / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self.pristine / name, stage / name)
        stage.mkdir(exist_ok=True)
        for patch in patches:
            with open(patch, "rb") as text:
                result = subprocess.run(
                    ["patch", "-p1", "-F0", "-N", "-s", "--no-backup-if-mismatch", "-r", "-"],
                    cwd=stage, stdin=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                    text=True, check=False)
            if result.returncode:
                raise errors.RigError(f"{paths.shown(patch)} does not apply to Linux "
                                      f"{self.version()}: " + "; ".join(result.stdout.split("\n")))
        for name in sorted(before | after):
            self._publish(stage / name, self.source / name)
        files.write_atomically(self.work / ".patched-files", "\n".join(sorted(after)) + "\n")
        files.write_atomically(stamp, expected + "\n")
        shutil.rmtree(stage)
        if patches:
            progress.say(f"patched Linux {self.version()} ({len(patches)} in the series)")

    @staticmethod
    def _named(patch: Path) -> set[str]:
        """The files, relative to the tree, that PATCH changes."""
        found = set()
        for line in patch.read_text(encoding="utf-8").splitlines():
            match = re.match(r"^(?:---|\+\+\+) [^/\s]+/(\S+)", line)
            if match:
                found.add(match.group(1))
        return found

    def _keep_pristine(self, name: str, patched: bool) -> None:
        """Copy the tree's file NAME aside before it is patched for the first time."""
        copy = self.pristine / name
        if patched or copy.exists() or not (self.source / name).exists():
            return
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.source / name, copy)

    @staticmethod
    def _publish(staged: Path, target: Path) -> None:
        """Make TARGET equal STAGED, leaving its time stamp alone if it already is."""
        if not staged.exists():
            target.unlink(missing_ok=True)
        elif not target.exists() or staged.read_bytes() != target.read_bytes():
            mode = target.stat().st_mode & 0o777 if target.exists() else 0o644
            files.write_atomically(target, staged.read_bytes(), mode)
