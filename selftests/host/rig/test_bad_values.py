# SPDX-License-Identifier: MIT
"""Tests of values that no option takes: each is refused in one line before anything is started."""
import gzip
import json
import os
import unittest
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

import rigtest
from pvg import cli
from pvg.base import errors, packages, paths, releases
from pvg.commands import bench, run
from pvg.guest import debian, limits, methods
from pvg.kernel import build
from pvg.machine import disks

# A file as long as the kernel's search for its configuration takes for one.
KERNEL = b"\x7fELF" + b"IKCFG_ST" + gzip.compress(b"CONFIG_SMP=y\nCONFIG_NR_CPUS=5\n") + b"IKCFG_ED"
STARTED = "#!/bin/sh\ntouch {mark}\nexit 1\n"
PROGRAMS = ("qemu-system-x86_64", "bochs-bin", "make", "gcc", "apt-get")


class Refused(rigtest.FolderCase):
    """Exit status 2, one line that says what is possible, and no program has been started."""

    def setUp(self) -> None:
        super().setUp()
        self.programs = self.folder / "programs"
        self.programs.mkdir()
        for name in PROGRAMS:
            (self.programs / name).write_text(STARTED.format(mark=self.folder / "started"))
            (self.programs / name).chmod(0o755)
        self.kernel = self.folder / "kernel"
        self.kernel.write_bytes(KERNEL)
        self.file = self.folder / "file"
        self.file.write_text("text\n")
        self.before = self.contents()

    def contents(self) -> list[str]:
        """Names of all files in the test's folder."""
        return sorted(str(path) for path in self.folder.rglob("*"))

    def refuses(self, *words: rigtest.Word, about: Sequence[str], **environment: str) -> None:
        """Check that WORDS are refused in a line with each of the texts ABOUT."""
        path = f"{self.programs}:{os.environ['PATH']}"
        with self.subTest(words):
            result = rigtest.call(*words, env={"PATH": path, **environment})
            text = result.stderr.decode()
            self.assertEqual(result.returncode, 2, text)
            self.assertEqual(result.stdout, b"")
            self.assertEqual(len(text.splitlines()), 1, text)
            for part in about:
                self.assertIn(part, text)
            self.assertEqual(self.contents(), self.before)

    def run_refuses(self, *words: rigtest.Word, about: Sequence[str]) -> None:
        """The same for words of 'pvguest run' with a kernel and a command."""
        self.refuses("run", "--image", self.kernel, *words, "--", "true", about=about)


class Run(Refused):
    """Values of 'pvguest run'."""

    def test_numbers(self) -> None:
        for option, least in (("--vcpus", "at least 1"), ("--max-vcpus", "at least 1"),
                              ("--memory", "at least 1"),
                              ("--timeout", "at least 1"), ("--guests", "from 1 to 8"),
                              ("--vifs", "from 1 to 2")):
            for value in ("0", "-1", "1.5", "many", "", "\N{ARABIC-INDIC DIGIT FIVE}"):
                self.run_refuses(f"{option}={value}", about=[option, f"'{value}'", least])
        self.run_refuses("--guests", "99", about=["--guests", "'99'", "from 1 to 8"])
        self.run_refuses("--vifs", "99", about=["--vifs", "'99'", "from 1 to 2"])

    def test_command_without_its_dashes(self) -> None:
        self.refuses("run", "uname", "-r", about=["COMMAND", "./pvguest run -- uname -r"])

    def test_networks_that_there_cannot_be(self) -> None:
        self.run_refuses("--vifs", "2", "--no-network", about=["--vifs", "--no-network"])
        self.run_refuses("--hv", "xen-dom0", "--vifs", "1", about=["--vifs", "xen-dom0"])

    def test_options_that_there_are_not(self) -> None:
        self.refuses("--hepl", about=["unknown option '--hepl'", "--help"])
        self.refuses("build", "--nope", about=["--nope", "--help"])

    def test_more_processors_than_the_kernel_was_built_for(self) -> None:
        for hv in ("xen-domu", "xen-dom0"):
            self.run_refuses("--hv", hv, "--vcpus", "999", about=["--vcpus 999", "at most 5",
                                                                  "CONFIG_NR_CPUS"])
            self.run_refuses("--hv", hv, "--vcpus", "6", about=["--vcpus 6", "at most 5"])

    def test_vcpus_that_there_cannot_be_later(self) -> None:
        self.run_refuses("--max-vcpus", "6", about=["--max-vcpus 6", "at most 5", "CONFIG_NR_CPUS"])
        self.run_refuses("--vcpus", "3", "--max-vcpus", "2", about=["--max-vcpus 2", "the 3 of --vcpus"])
        self.run_refuses("--icount", "--max-vcpus", "2", about=["--icount", "--max-vcpus"])
        self.run_refuses("--xentrace", self.folder / "counts", "--max-vcpus", "2",
                         about=["--xentrace", "one vCPU"])
        for hv in ("xen-dom0", "none"):
            self.run_refuses("--hv", hv, "--max-vcpus", "2", about=["--max-vcpus", "--hv xen-domu"])

    def test_more_processors_than_the_machine_has(self) -> None:
        self.run_refuses("--hv", "none", "--vcpus", "999", about=["--vcpus 999", "at most 5"])
        self.kernel.write_bytes(b"\x7fELF, no configuration")
        self.run_refuses("--hv", "none", "--vcpus", "999", about=["--vcpus 999", "firmware"])
        self.run_refuses("--hv", "xen-dom0", "--vcpus", "999", about=["--vcpus 999",
                                                                      "at most 255"])

    def test_too_little_memory(self) -> None:
        for hv in methods.NAMES:
            least = methods.load(hv).least_memory
            for memory in (8, least - 1):
                self.refuses("run", "--hv", hv, "--memory", memory, "--", "true",
                             about=[f"--memory {memory}", f"at least {least} MiB"])

    def test_files_for_which_the_memory_is_too_small(self) -> None:
        data = self.folder / "data"
        data.mkdir()
        with open(data / "blob", "wb") as file:
            file.truncate(80 << 20)
        self.before = self.contents()
        self.refuses("run", "--memory", "100", "--add", data, "--", "true",
                     about=["--memory 100", "--add"])

    def test_more_memory_than_there_is(self) -> None:
        there = limits.machine_mib()
        self.run_refuses("--memory", there + 1, about=[f"--memory {there + 1}", f"{there} MiB"])
        self.run_refuses("--guests", "2", "--memory", there // 2 + 1, about=[f"{there // 2} MiB"])

    def test_command_line(self) -> None:
        for words in ("a\nb", "a\tb", "\x1b[2J", os.fsdecode(b"\xff")):
            self.run_refuses("--append", words, about=["--append", "printable"])
        self.run_refuses("--hv", "xen-dom0", "--xen-append", "a\nb",
                         about=["--xen-append", "printable"])
        for hv in ("xen-domu", "none"):
            self.run_refuses("--hv", hv, "--xen-append", "a", about=["--xen-append", "xen-dom0"])
        for hv in methods.NAMES:
            self.run_refuses("--hv", hv, "--append", "x" * 2048,
                             about=["--append", str(methods.load(hv).most_arguments)])

    def test_folders_and_files_to_be_read(self) -> None:
        self.run_refuses("--add", self.file, about=["--add", "not a folder"])
        self.run_refuses("--add", self.folder / "none", about=["--add", "no such folder"])
        self.run_refuses("--add", "", about=["--add '': the name is empty"])
        self.run_refuses("--disk", self.folder, about=["--disk", "is a folder, not a file"])
        self.run_refuses("--disk", "/dev/null", about=["--disk", "no such file or block device"])
        self.run_refuses("--disk", f"{self.file},cow={self.folder}/none/new",
                         about=["--disk", "no such folder"])
        self.run_refuses("--image", self.folder, about=["--image", "not a file"])
        self.run_refuses("--hv", "xen-dom0", "--xen", self.folder, about=["--xen", "not a file"])

    def test_files_to_be_written(self) -> None:
        self.run_refuses("--log", self.folder / "none" / "log", about=["--log", "no such folder"])
        self.run_refuses("--log", self.file / "log", about=["--log", "not a folder"])
        self.run_refuses("--log", self.folder, about=["--log", "is a folder, not a file"])
        self.run_refuses("--log", "/proc/log", about=["--log", "/proc"])
        self.run_refuses("--xentrace", self.folder, about=["--xentrace", "is a folder, not a file"])
        self.run_refuses("--xentrace", self.file / "counts", about=["--xentrace", "not a folder"])
        self.run_refuses("--xentrace", self.folder / "none" / "counts",
                         about=["--xentrace", "no such folder"])

    def test_accelerator_that_cannot_count(self) -> None:
        if not os.access("/dev/kvm", os.R_OK | os.W_OK):
            about = ["/dev/kvm"]
        else:
            about = ["--icount", "tcg"]
        self.run_refuses("--icount", "--accel", "kvm", about=about)

    def test_debugger(self) -> None:
        for value in ("0", "65536", "-1", "gdb"):
            self.run_refuses(f"--gdb={value}", about=["--gdb", f"'{value}'", "from 1 to 65535"])
        self.run_refuses("--emulator", "bochs", "--gdb", about=["--gdb", "qemu"])

    def test_command_to_show_with_what_needs_the_rig(self) -> None:
        for option in ("--orders", "--gdb"):
            self.run_refuses("--show-command", option, about=["--show-command", option])

    def test_processor_that_the_emulator_does_not_know(self) -> None:
        if packages.version_installed("bochs"):
            result = rigtest.call("run", "--emulator", "bochs", "--cpu", "hal9000", "--", "true")
            self.assertEqual(result.returncode, 2, result.stderr.decode())
            self.assertIn(b"ryzen", result.stderr)
        self.run_refuses("--cpu", "ryzen", about=["--cpu", "bochs"])


class Building(Exception):
    """A kernel is to be built."""


class Early(rigtest.FolderCase):
    """Values of 'pvguest run' that are refused before a kernel is fetched or built."""

    def setUp(self) -> None:
        super().setUp()
        self.disk = self.folder / "disk"
        self.disk.write_bytes(bytes(1 << 20))
        unbuilt = mock.patch.object(paths, "BUILD", self.folder / "build")
        unbuilt.start()
        self.addCleanup(unbuilt.stop)
        building = mock.patch.object(build.Kernel, "build", side_effect=Building)
        building.start()
        self.addCleanup(building.stop)

    def refuses(self, *words: rigtest.Word, about: str, hv: str = "xen-domu") -> None:
        """Check that 'pvguest run' with WORDS is refused with a text that ABOUT matches."""
        _, args = cli.parse(["run", "--hv", hv, *map(str, words), "--", "true"])
        with self.subTest(words), self.assertRaisesRegex(errors.PvgError, about):
            run.make_plan(args, methods.load(hv), self.folder)

    def takes(self, *words: rigtest.Word, hv: str = "xen-domu") -> None:
        """Check that 'pvguest run' with WORDS gets as far as the kernel."""
        _, args = cli.parse(["run", "--hv", hv, *map(str, words), "--", "true"])
        with self.subTest(words), self.assertRaises(Building):
            run.make_plan(args, methods.load(hv), self.folder)

    def test_good(self) -> None:
        for hv in methods.NAMES:
            self.takes(hv=hv)

    def test_more_processors_than_the_kernel_will_have(self) -> None:
        text = (rigtest.REPO / "linux" / releases.default() / "configs" / "common.config").read_text()
        most = int(text.partition("CONFIG_NR_CPUS=")[2].split()[0])
        for hv in ("xen-domu", "xen-dom0"):
            self.refuses("--vcpus", most + 1, about=f"at most {most} are .*NR_CPUS", hv=hv)
            self.takes("--vcpus", most, hv=hv)
        self.takes("--vcpus", 2, "--max-vcpus", most)
        self.takes("--vcpus", 2, "--max-vcpus", 2)

    def test_kernel_that_was_never_built(self) -> None:
        self.refuses("--no-build", about=r"run: \./pvguest build --kernel pvguest$")
        self.refuses("--no-build", "--kernel", "mainline", about="--kernel mainline$")

    def test_hypervisor_that_is_none(self) -> None:
        self.refuses("--xen", self.disk, about="neither an ELF file", hv="xen-dom0")

    def test_more_disks_than_the_machine_has_room_for(self) -> None:
        for hv in ("xen-domu", "none"):
            most = methods.load(hv).most_disks
            one = ["--disk", f"{self.disk},ro"]
            self.refuses(*one * most, *one, about=f"at most {most} in all", hv=hv)
            own = 1 if hv == "xen-domu" else 0
            self.refuses(*one * (most - own + 1), about=f"at most {most} in all", hv=hv)
            self.takes(*one * (most - own), hv=hv)
        self.refuses("--guests", 8, *one * 3, about="24 disks of guests and 1 of the rig's own")
        self.refuses("--orders", *one * 22, f"--disk={self.disk},ro,qdisk", about=" 3 of the rig's own")

    def test_file_for_changes_that_is_there(self) -> None:
        kept = self.folder / "kept"
        kept.write_bytes(b"")
        self.refuses("--disk", f"{self.disk},cow={kept}", about="kept exists already")
        kept.rename(self.folder / "kept.2")
        self.refuses("--guests", 2, "--disk", f"{self.disk},cow={kept}", about="kept.2 exists already")
        other = self.folder / "other"
        other.write_bytes(bytes(1 << 20))
        self.refuses("--disk", f"{self.disk},cow={kept}", "--disk", f"{other},cow={kept}",
                     about="kept is given twice")

    def test_disk_that_is_refused_without_the_image_tool(self) -> None:
        with mock.patch.object(disks, "_image_tool", side_effect=AssertionError("it is asked")):
            for first, about in ((f"{self.disk},ro,cow", "needs no cow"),
                                 (f"{self.disk}", "given twice")):
                self.refuses("--disk", first, "--disk", self.disk, about=about)

    def test_debian_that_cannot_be_made(self) -> None:
        with mock.patch("os.geteuid", return_value=1000), \
                mock.patch.object(debian, "_sources", return_value=["deb x y z"]):
            self.refuses("--root", "debian", about="needs root, once")

    def test_root_that_is_no_disk(self) -> None:
        for root, about in (("ubuntu", "--root ubuntu: no such file"), ("", "--root '': no file is named"),
                            (f"{self.disk},ro", "is written to"), (f"{self.disk},fast", "'fast'")):
            self.refuses("--root", root, about=about)
        self.takes("--root", self.disk)
        self.refuses("--root", self.disk, about="no back end", hv="xen-dom0")

    def test_refusal_of_a_root_names_that_option(self) -> None:
        other, broken = self.folder / "other", self.folder / "broken"
        other.write_bytes(bytes(1 << 20))
        broken.write_bytes(b"QFI\xfb" + 1024 * b"\xff")
        self.refuses("--root", f"{self.disk},cow={other}", about="^--root .* exists already; give that as --root")
        self.refuses("--root", self.disk, "--disk", self.disk, about="^--root .* given twice; add ',cow' to each")
        self.refuses("--root", broken, about="^--root: ")
        with mock.patch.object(disks, "_image_tool", return_value=json.dumps({"format": "vmdk"})):
            self.refuses("--root", other, about="^--root .*: format vmdk")


class Unbuilt(rigtest.FolderCase):
    """A benchmark that is to take kernels as they are, of which one is not there."""

    def test_bench(self) -> None:
        for group, kernel in (("cpu", "native"), ("io", "mainline"), ("cpu io", "native")):
            _, args = cli.parse(["bench", "--no-build", *group.split(), "--kernels", "native,mainline"])
            with self.subTest(group), mock.patch.object(paths, "BUILD", self.folder), \
                    mock.patch("subprocess.Popen", side_effect=AssertionError("it is started")), \
                    self.assertRaisesRegex(errors.UsageError,
                                           rf"^--no-build: .*\./pvguest build --kernel {kernel}$"):
                bench.main(args)


class Others(Refused):
    """Values of the other commands."""

    def test_numbers(self) -> None:
        for command in ("conformance", "check"):
            for value in ("0", "-1", "all"):
                self.refuses(command, f"--jobs={value}", about=["--jobs", "at least 1"])
        for value in ("0", "-1", "none"):
            self.refuses("conformance", f"--mutants={value}", about=["--mutants", f"'{value}'"])
        for value in ("5/3", "0/3", "3", "a/b", "1/", "\N{SUPERSCRIPT TWO}/3"):
            self.refuses("check", "--long", "--shard", value, about=[f"--shard {value}", "K/N"])
        self.refuses("check", "--shard", "1/3", about=["--long"])
        self.refuses("check", "--long", "--sum", "--again", about=["--again", "--sum"])
        self.refuses("build", about=["PVGUEST_JOBS", "at least 1"], PVGUEST_JOBS="0")

    def test_names(self) -> None:
        self.refuses("conformance", "--area", "kitchen", about=["'kitchen'", "evtchn"])
        self.refuses("conformance", "--case", "kitchen", about=["'kitchen'", "--list"])
        self.refuses("conformance", "--hv", "kitchen", about=["'kitchen'", "xen-dom0"])
        self.refuses("conformance", "--accel", "kitchen", about=["'kitchen'", "tcg"])
        self.refuses("conformance", "--xen", self.folder / "none", about=["--xen", "no such file"])
        self.refuses("conformance", "--xen", self.file, about=["neither an ELF file"])
        self.refuses("check", "kitchen", about=["'kitchen'", "host"])
        self.refuses("bench", "kitchen", about=["'kitchen'", "there are: cpu, io"])
        self.refuses("bench", "--kernels", "kitchen", about=["'kitchen'", "there are: pvguest, "])
        self.refuses("bench", "io", "--kernels", "native", about=["native", "mainline"])
        self.refuses("build", "--kernel", "kitchen", about=["'kitchen'", "pvguest"])
        self.refuses("abi", "--linux-tree", self.folder, about=["--linux-tree", "no Linux source"])
        self.refuses("report", self.folder / "none", about=["no such file"])
        self.refuses("report", self.folder, about=["directory"])
        self.refuses("report", self.file, about=[str(self.file), "not JSON"])
        for command in ("run", "build", "bench", "abi", "porting-cost"):
            self.refuses(command, "--linux", "0.1", about=["'0.1'"])

    def test_files_to_be_written_in_the_end(self) -> None:
        for command, option in (("conformance", "--ktap"), ("conformance", "--junit"),
                                ("conformance", "--json"), ("bench", "--json"),
                                ("porting-cost", "--json"), ("report", "--output")):
            for value, about in ((str(self.folder), "is a folder, not a file"),
                                 (str(self.folder / "none" / "b"), "no such folder"),
                                 (str(self.file / "b"), "not a folder"),
                                 ("/dev/null", "not a regular file"), ("/proc/a/b", "/proc"),
                                 ("", "empty")):
                self.refuses(command, option, value, about=[option, about])

    def test_one_output_alone_can_be_standard_output(self) -> None:
        self.refuses("conformance", "--ktap", "-", "--json", "-", about=["'-'"])

    def test_conformance_does_one_thing_at_a_time(self) -> None:
        for one, other in (("--coverage", "--mutants"), ("--list", "--contract"),
                           ("--list", "--coverage")):
            self.refuses("conformance", one, other, about=["does not go with"])
        self.refuses("conformance", "--list", "--json", "-", about=["--list", "--json"])
        self.refuses("conformance", "--list", "--hv", "kitchen", about=["'kitchen'", "xen-dom0"])

    def test_image_that_is_no_kernel(self) -> None:
        self.refuses("run", "--no-build", "--image", str(self.file), "--", "true",
                     about=["--image", "kernel"])


class Good(rigtest.FolderCase):
    """Values at the bounds, which are taken."""

    def test_bounds(self) -> None:
        xen, none = methods.load("xen-domu"), methods.load("none")
        limits.check_memory(xen.least_memory, 1, xen)
        limits.check_memory(limits.machine_mib() // 2, 2, xen)
        limits.check_arguments("a=\"b c\" d='e' \N{SNOWMAN}", "--append")
        limits.check_command_line("x" * none.most_arguments, none)

    def test_files_that_are_made_and_replaced(self) -> None:
        target = self.folder / "page.html"
        for _ in range(2):
            result = rigtest.call("report", "--output", target, self.results())
            self.assertEqual(result.returncode, 0, result.stderr.decode())
            self.assertTrue(target.is_file())

    def results(self) -> Path:
        """A results file without cases."""
        path = self.folder / "results.json"
        path.write_text('{"format": 1, "hypervisor": {"name": "x", "version": "1", "adapter": "x",'
                        '"accelerator": "tcg"}, "cases": []}', encoding="utf-8")
        return path

    def test_kernel_names_its_processors(self) -> None:
        path = Path(self.folder / "kernel")
        path.write_bytes(KERNEL)
        self.assertEqual(limits.kernel_cpus(path), 5)
        for text in (b"IKCFG_ST\x1f\x8bnonsense", b"IKCFG_ST", b"nothing"):
            path.write_bytes(text)
            self.assertIsNone(limits.kernel_cpus(path))


if __name__ == "__main__":
    unittest.main()
