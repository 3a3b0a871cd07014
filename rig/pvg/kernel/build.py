# SPDX-License-Identifier: GPL-2.0-only
"""Builds the kernels of NAMES from one source tree and one common configuration."""
import argparse
import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TextIO

from pvg.base import arguments, errors, files, packages, paths, progress, releases
from pvg.kernel import linux

BASES = ("pvguest", "mainline", "native")
NAMES = BASES + tuple(base + "-full" for base in BASES) + ("pvguest-debug", "pvguest-checks")

# Folders of this repository that end up in the pvguest kernel.
COMPILED = ("arch", "drivers", "hypercall-abi/include", "Kbuild", "Kconfig")


def _jobs() -> int:
    """How many compilers run at one time."""
    given = os.environ.get("PVGUEST_JOBS")
    if not given:
        return os.cpu_count() or 1
    try:
        return arguments.number(1)(given)
    except argparse.ArgumentTypeError as error:
        raise errors.UsageError(f"PVGUEST_JOBS: {error}") from None


class Kernel:
    """One kernel: NAME is pvguest, mainline or native, with -full for the full configuration.

    pvguest-debug has the port's checks of itself (CONFIG_PVGUEST_DEBUG), pvguest-checks those and
    Linux's: lock order, page tables, memory, undefined behaviour.

    Its build folder, build/linux-<release>/<name>, is a link to a folder right below the source:
    Linux then calls the compiler with relative paths only, so that the compiler cache serves every
    clone. The files that runs use stand in build/kernels/<release>/<name> and are replaced together
    when a build has succeeded.
    """

    def __init__(self, name: str, release: str | None = None) -> None:
        self.name = name
        self.tree = linux.LinuxTree(release)
        self.release = self.tree.release
        self.objects = self.tree.work / name
        self.out = paths.BUILD / "kernels" / self.release / name
        self.elf = self.out / "vmlinux"
        self.bzimage = self.out / "bzImage"
        self.log = paths.LOGS / f"build-{self.release}-{name}.log"

    def fragments(self) -> list[Path]:
        """The configuration fragments that apply, later ones overriding."""
        base, _, variant = self.name.partition("-")
        names = ["common", base] + ([variant] if variant else [])
        found = [self.tree.recipe / "configs" / f"{n}.config" for n in names]
        if variant and (self.tree.recipe / "configs" / f"{self.name}.config").exists():
            found.append(self.tree.recipe / "configs" / f"{self.name}.config")
        return found

    def config_inputs(self) -> list[Path]:
        """Everything that may change the outcome of the configuration."""
        kconfigs = [paths.REPO / "Kconfig", *(paths.REPO / "drivers").glob("**/Kconfig"),
                    *(paths.REPO / "arch").glob("**/Kconfig")]
        return [*self.fragments(), self.tree.recipe / "patches", *kconfigs]

    def fingerprint(self) -> str:
        """Hash of all that goes into this kernel, to know whether make has anything to do."""
        inputs = list(self.config_inputs())
        if self.name.startswith("pvguest"):
            inputs += [paths.REPO / name for name in COMPILED]
        return files.digest(inputs, [self.tree.version(), self.name])

    def built(self) -> bool:
        """Whether the last successful build is of today's sources."""
        return self.elf.exists() and \
            files.read_text(self.out / "fingerprint").strip() == self.fingerprint()

    def cpus(self) -> int:
        """How many processors a kernel of today's configuration can use."""
        text = "".join(path.read_text(encoding="utf-8") for path in self.fragments())
        return int(re.findall(r"^CONFIG_NR_CPUS=(\d+)$", text, re.M)[-1])

    def require_built(self) -> None:
        """Complain if there is no kernel to be taken as it is."""
        if not self.elf.exists():
            other = "" if self.release == releases.usual() else f" --linux {self.release}"
            raise errors.UsageError(f"--no-build: kernel {self.name} was never built; "
                                    f"run: ./pvguest build --kernel {self.name}{other}")

    def build(self) -> None:
        """Build unless nothing changed."""
        _jobs()     # A bad number is reported before anything is unpacked.
        if self.built():
            return
        with self._prepared() as lock:
            if self.built():
                return
            fingerprint = self.fingerprint()
            with open(self.log, "wb") as log:
                self._configure(log)
                self._make(log, lock, "vmlinux", "bzImage", "modules")
            self._publish(fingerprint)

    def make(self, *words: str) -> None:
        """Have make carry out WORDS, targets and settings, in the configured build folder."""
        with self._prepared() as lock, open(self.log, "wb") as log:
            self._configure(log)
            self._make(log, lock, *words)

    @contextlib.contextmanager
    def _prepared(self) -> Iterator[TextIO]:
        """Have the source, the build folder and its lock."""
        packages.require(packages.FOR_KERNEL)
        self.tree.prepare()
        lock_path = self.tree.work / f".{self.name}.lock"
        with files.locked(lock_path, f"the build of {self.name}") as lock:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            self._make_folder()
            yield lock

    def _make_folder(self) -> None:
        """Have the build folder below the source, and the link to it."""
        inside = self.tree.source / f"objects-{self.name}"
        inside.mkdir(exist_ok=True)
        if self.objects.is_dir() and not self.objects.is_symlink():
            # Of a time when there was no link: what is in it names other paths.
            shutil.rmtree(self.objects)
        if not self.objects.is_symlink():
            self.objects.symlink_to(inside.relative_to(self.objects.parent))

    def _command(self, *targets: str) -> list[str]:
        # The time stamp is fixed so that equal sources give equal kernels.
        compiler = "ccache gcc" if shutil.which("ccache") else "gcc"
        return ["make", "-C", str(self.tree.source), f"O={self.objects}", f"CC={compiler}",
                "KBUILD_BUILD_TIMESTAMP=1970-01-01", "KBUILD_BUILD_USER=pvguest",
                "KBUILD_BUILD_HOST=pvguest", *targets]

    def _configure(self, log: IO[bytes]) -> None:
        stamp = self.objects / ".pvg-config"
        expected = files.digest(self.config_inputs(), [self.tree.version()])
        if (self.objects / ".config").exists() and files.read_text(stamp).strip() == expected:
            return
        text = "".join(f.read_text(encoding="utf-8") for f in self.fragments())
        fragment = self.objects / ".pvg-fragment"
        files.write_atomically(fragment, text)
        result = subprocess.run(self._command("allnoconfig"), stdin=subprocess.DEVNULL, stdout=log,
                                stderr=log, check=False,
                                env=dict(os.environ, KCONFIG_ALLCONFIG=str(fragment)))
        if result.returncode:
            raise errors.RigError(f"configuring {self.name} failed", self.log)
        refused = self._refused(text)
        if refused:
            raise errors.RigError(f"configuring {self.name}: Kconfig does not grant "
                                  + ", ".join(refused))
        files.write_atomically(stamp, expected + "\n")

    def _refused(self, text: str) -> list[str]:
        """The lines of the fragment TEXT that the resulting .config does not honour."""
        requested: dict[str, str] = {}
        unread = []
        for line in text.splitlines():
            match = re.match(r"^(?:# )?(CONFIG_\w+)(?:=(\S+)| is not set)$", line)
            if match:
                requested[match.group(1)] = match.group(2) or "n"
            elif line and not line.startswith("# "):
                # Kconfig would pass over it.
                unread.append(line)
        granted = dict(re.findall(r"^(CONFIG_\w+)=(.*)$",
                                  files.read_text(self.objects / ".config"), re.M))
        return unread + [f"{key}={value}" for key, value in requested.items()
                         if granted.get(key, "n") != value]

    def _make(self, log: IO[bytes], lock: TextIO, *words: str) -> None:
        count_file = self.objects / ".pvg-count"
        previous = files.read_text(count_file).strip()
        total = max(int(previous or 0), self.tree.objects())
        title = f"building {self.name} (Linux {self.tree.version()})"
        line = progress.Line(title, total)
        # Depend mode spares a preprocessor run for each file that the cache lacks: a fifth.
        # All paths are relative to the build folder, wherever that is.
        environment = dict(os.environ, CCACHE_DEPEND="1", CCACHE_NOHASHDIR="1")
        make = subprocess.Popen(self._command(f"-j{_jobs()}", *words),
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, start_new_session=True,
                                env=environment, pass_fds=(lock.fileno(),))   # locked even if we are killed
        count = 0
        try:
            assert make.stdout
            with line:
                for raw in make.stdout:
                    log.write(raw)
                    match = re.match(rb"^  [A-Z][A-Z0-9_. ]* +(?:\[M\] )?(\S+)$", raw.rstrip())
                    if match:
                        count += 1
                        line.update(count, match.group(1).decode("utf-8", "replace"))
                status = make.wait()
        except BaseException:
            os.killpg(make.pid, signal.SIGTERM)
            make.wait()
            raise
        log.flush()
        if status:
            line.finish("failed")
            raise errors.RigError(self._complaint(), self.log)
        line.finish()
        if count > int(previous or 0):
            # The longest build of all is the one that shows what a whole one takes.
            files.write_atomically(count_file, f"{count}\n")

    def _complaint(self) -> str:
        """One line that says what stopped the build: the first error of the log."""
        for text in files.read_text(self.log).splitlines():
            if re.search(r"(error:|Error |undefined reference|No rule to make)", text):
                return f"building {self.name} failed: {text.strip()}"
        return f"building {self.name} failed"

    def _publish(self, fingerprint: str) -> None:
        """Put what runs need in place: the stripped ELF file, the bzImage, symbols, modules."""
        part = self.out.with_name(f".{self.name}.{os.getpid()}")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        subprocess.run(["strip", "-s", "-o", str(part / "vmlinux"),
                        str(self.objects / "vmlinux")], check=True)
        for source, name in (("arch/x86/boot/bzImage", "bzImage"), ("System.map", "System.map"),
                             (".config", "config"),
                             ("include/config/kernel.release", "release")):
            shutil.copyfile(self.objects / source, part / name)
        files.write_atomically(part / "fingerprint", fingerprint + "\n")
        self.out.mkdir(parents=True, exist_ok=True)
        (self.out / "fingerprint").unlink(missing_ok=True)
        for file in sorted(part.iterdir(), key=lambda f: f.name == "fingerprint"):
            os.replace(file, self.out / file.name)
        part.rmdir()
