# SPDX-License-Identifier: GPL-2.0-only
"""Builds the three kernels from one source tree and one common configuration."""
import collections
import os
import re
import shutil
import signal
import subprocess

from pvg import errors, files, linux_tree, packages, paths, progress

BASES = ("pvguest", "mainline", "native")
NAMES = BASES + tuple(base + "-full" for base in BASES)

# Folders of this repository that end up in the pvguest kernel.
COMPILED = ("arch", "drivers", "hypercall-abi/include", "Kbuild", "Kconfig")


class Kernel:
    """One kernel: NAME is pvguest, mainline or native, with -full for the full configuration.

    Its build folder, build/linux-<release>/<name>, is a link to a folder right below the source:
    Linux then calls the compiler with relative paths only, so that the compiler cache serves every
    clone. The files that runs use stand in build/kernels/<release>/<name> and are replaced together
    when a build has succeeded.
    """

    def __init__(self, name, release=linux_tree.DEFAULT):
        self.name = name
        self.release = release
        self.tree = linux_tree.LinuxTree(release)
        self.objects = self.tree.work / name
        self.out = paths.BUILD / "kernels" / release / name
        self.elf = self.out / "vmlinux"
        self.bzimage = self.out / "bzImage"
        self.log = paths.LOGS / f"build-{release}-{name}.log"

    def fragments(self):
        """The configuration fragments that apply, later ones overriding."""
        base, _, variant = self.name.partition("-")
        names = ["common", base] + (["full"] if variant else [])
        found = [self.tree.recipe / "configs" / f"{n}.config" for n in names]
        if variant and (self.tree.recipe / "configs" / f"{self.name}.config").exists():
            found.append(self.tree.recipe / "configs" / f"{self.name}.config")
        return found

    def config_inputs(self):
        """Everything that may change the outcome of the configuration."""
        kconfigs = [paths.REPO / "Kconfig", *(paths.REPO / "drivers").glob("**/Kconfig"),
                    *(paths.REPO / "arch").glob("**/Kconfig")]
        return [*self.fragments(), self.tree.recipe / "patches", *kconfigs]

    def fingerprint(self):
        """Hash of all that goes into this kernel, to know whether make has anything to do."""
        inputs = list(self.config_inputs())
        if self.name.startswith("pvguest"):
            inputs += [paths.REPO / name for name in COMPILED]
        return files.digest(inputs, [self.tree.version(), self.name])

    def built(self):
        """Whether the last successful build is of today's sources."""
        return self.elf.exists() and \
            files.read_text(self.out / "fingerprint").strip() == self.fingerprint()

    def build(self):
        """Build unless nothing changed."""
        if self.built():
            return
        packages.require(packages.FOR_KERNEL)
        self.tree.prepare()
        lock_path = self.tree.work / f".{self.name}.lock"
        with files.locked(lock_path, f"the build of {self.name}") as lock:
            if self.built():
                return
            fingerprint = self.fingerprint()
            self.log.parent.mkdir(parents=True, exist_ok=True)
            self._make_folder()
            with open(self.log, "wb") as log:
                self._configure(log)
                self._make(log, lock)
            self._publish(fingerprint)

    def _make_folder(self):
        """Have the build folder below the source, and the link to it."""
        inside = self.tree.source / f"objects-{self.name}"
        inside.mkdir(exist_ok=True)
        if self.objects.is_dir() and not self.objects.is_symlink():
            # Of a time when there was no link: what is in it names other paths.
            shutil.rmtree(self.objects)
        if not self.objects.is_symlink():
            self.objects.symlink_to(inside.relative_to(self.objects.parent))

    def _command(self, *targets):
        # The time stamp is fixed so that equal sources give equal kernels.
        compiler = "ccache gcc" if shutil.which("ccache") else "gcc"
        return ["nice", "make", "-C", str(self.tree.source), f"O={self.objects}", f"CC={compiler}",
                "KBUILD_BUILD_TIMESTAMP=1970-01-01", "KBUILD_BUILD_USER=pvguest",
                "KBUILD_BUILD_HOST=pvguest", *targets]

    def _configure(self, log):
        stamp = self.objects / ".pvg-config"
        wanted = files.digest(self.config_inputs(), [self.tree.version()])
        if (self.objects / ".config").exists() and files.read_text(stamp).strip() == wanted:
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
        files.write_atomically(stamp, wanted + "\n")

    def _refused(self, text):
        """The lines of the fragment TEXT that the resulting .config does not honour."""
        wanted = collections.OrderedDict()
        for line in text.splitlines():
            match = re.match(r"^(?:# )?(CONFIG_\w+)(?:=(\S+)| is not set)$", line)
            if match:
                wanted[match.group(1)] = match.group(2) or "n"
        granted = dict(re.findall(r"^(CONFIG_\w+)=(.*)$",
                                  files.read_text(self.objects / ".config"), re.M))
        return [f"{key}={value}" for key, value in wanted.items()
                if granted.get(key, "n") != value]

    def _make(self, log, lock):
        count_file = self.objects / ".pvg-count"
        previous = files.read_text(count_file).strip()
        total = max(int(previous or 0), self.tree.about["objects"])
        title = f"building {self.name} (Linux {self.tree.version()})"
        line = progress.Line(title, total)
        jobs = os.environ.get("PVGUEST_JOBS") or str(os.cpu_count() or 1)
        # Depend mode spares a preprocessor run for each file that the cache lacks: a fifth.
        # All paths are relative to the build folder, wherever that is.
        environment = dict(os.environ, CCACHE_DEPEND="1", CCACHE_NOHASHDIR="1")
        make = subprocess.Popen(self._command(f"-j{jobs}", "vmlinux", "bzImage", "modules"),
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, start_new_session=True,
                                env=environment, pass_fds=(lock.fileno(),))   # locked even if we are killed
        count = 0
        try:
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

    def _complaint(self):
        """One line that says what stopped the build: the first error of the log."""
        for text in files.read_text(self.log).splitlines():
            if re.search(r"(error:|Error |undefined reference|No rule to make)", text):
                return f"building {self.name} failed: {text.strip()}"
        return f"building {self.name} failed"

    def _publish(self, fingerprint):
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
