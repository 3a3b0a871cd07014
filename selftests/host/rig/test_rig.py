# SPDX-License-Identifier: MIT
"""Tests of the rig's own parts: archives, patches, traces, packages, configurations."""
import os
import struct
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path
from unittest import mock

import rigtest
from pvg import cli
from pvg.base import cpio, errors, files, packages, progress
from pvg.kernel import build, linux
from pvg.machine import xentrace
from pvg.machine.control import domain

PATCH = """Explains itself.
--- a/{name}
+++ b/{name}
@@ -1,3 +1,3 @@
 one
-two
+{word}
 three
"""
NEW_FILE = """--- /dev/null
+++ b/new/file
@@ -0,0 +1 @@
+fresh
"""


class Archive(rigtest.FolderCase):
    """An initial RAM file system, as the cpio program reads it back."""

    def unpack(self, data: bytes) -> Path:
        """Unpack DATA into self.folder / 'out'."""
        out = self.folder / "out"
        out.mkdir()
        subprocess.run(["cpio", "-i", "-d", "--quiet"], input=data, cwd=out, check=True)
        return out

    def test_kinds_of_files(self) -> None:
        archive = cpio.Archive()
        archive.file("deep/down/text", "hello", 0o755)
        archive.file("empty", b"")
        archive.link("deep/link", "down/text")
        out = self.unpack(archive.bytes())
        self.assertEqual((out / "deep/link").read_text(), "hello")
        self.assertEqual((out / "deep/down/text").stat().st_mode & 0o777, 0o755)
        self.assertEqual((out / "empty").read_bytes(), b"")

    def test_tree_keeps_links_and_modes(self) -> None:
        top = self.folder / "top"
        (top / "bin").mkdir(parents=True)
        (top / "bin/run").write_bytes(bytes(range(256)))
        (top / "bin/run").chmod(0o750)
        (top / "sbin").symlink_to("bin")
        archive = cpio.Archive()
        archive.tree(top)
        out = self.unpack(archive.bytes())
        self.assertEqual(os.readlink(out / "sbin"), "bin")
        self.assertEqual((out / "sbin/run").read_bytes(), bytes(range(256)))
        self.assertEqual((out / "bin/run").stat().st_mode & 0o777, 0o750)


class Patches(rigtest.FolderCase):
    """The series is brought into the tree with as few files touched as can be."""

    def setUp(self) -> None:
        super().setUp()
        self.tree = linux.LinuxTree()
        self.tree.recipe = self.folder / "recipe"
        self.tree.work = self.folder / "work"
        self.tree.source = self.tree.work / "source"
        self.tree.pristine = self.tree.work / "pristine"
        (self.tree.recipe / "patches").mkdir(parents=True)
        self.tree.source.mkdir(parents=True)
        for name in "ab":
            (self.tree.source / name).write_text("one\ntwo\nthree\n")
            os.utime(self.tree.source / name, (1000, 1000))
        (self.tree.source / "Makefile").write_text(
            "VERSION = 1\nPATCHLEVEL = 2\nSUBLEVEL = 3\nEXTRAVERSION =\n")

    def series(self, **patches: str) -> None:
        """Make PATCHES, name -> text, the whole series, and bring the tree up to date."""
        for name, text in patches.items():
            (self.tree.recipe / "patches" / name).write_text(text)
        (self.tree.recipe / "patches" / "series").write_text(
            "# comment\n" + "".join(name + "\n" for name in patches))
        self.tree.prepare()

    def text(self, name: str) -> str:
        """Contents of file NAME of the tree."""
        return files.read_text(self.tree.source / name)

    def stamp(self, name: str) -> float:
        """Time stamp of file NAME of the tree."""
        return (self.tree.source / name).stat().st_mtime

    def test_applied_changed_and_withdrawn(self) -> None:
        self.series(p1=PATCH.format(name="a", word="zwei"), p2=PATCH.format(name="b", word="deux"))
        self.assertEqual(self.text("a"), "one\nzwei\nthree\n")
        self.assertEqual(self.text("b"), "one\ndeux\nthree\n")
        os.utime(self.tree.source / "b", (2000, 2000))
        self.series(p1=PATCH.format(name="a", word="dva"), p2=PATCH.format(name="b", word="deux"))
        self.assertEqual(self.text("a"), "one\ndva\nthree\n")
        self.assertEqual(self.stamp("b"), 2000, "a file whose contents stay must not be touched")
        self.series()
        self.assertEqual(self.text("a"), "one\ntwo\nthree\n")
        self.assertEqual(self.text("b"), "one\ntwo\nthree\n")

    def test_new_file_comes_and_goes(self) -> None:
        self.series(p=NEW_FILE)
        self.assertEqual(self.text("new/file"), "fresh\n")
        self.series()
        self.assertFalse((self.tree.source / "new/file").exists())

    def test_patch_that_does_not_apply(self) -> None:
        self.series(p=PATCH.format(name="a", word="zwei"))
        with self.assertRaisesRegex(errors.RigError, "bad.*does not apply"):
            self.series(bad=PATCH.format(name="a", word="x").replace("-two", "-other"))
        self.assertEqual(self.text("a"), "one\nzwei\nthree\n", "the tree must stay as it was")

    def test_mounted_by_one_link(self) -> None:
        self.series()
        self.assertTrue((self.tree.source / "pvguest" / "pvguest").samefile(rigtest.PVGUEST))

    def test_version(self) -> None:
        self.assertEqual(self.tree.version(), "1.2.3")


class BuildFolder(rigtest.FolderCase):
    """Objects stand right below the source, where Linux knows that by a relative path."""

    def setUp(self) -> None:
        super().setUp()
        self.built = build.Kernel("native")
        self.built.tree.source = self.folder / "source"
        self.built.tree.source.mkdir()
        self.built.objects = self.folder / "native"

    def check(self) -> None:
        self.built._make_folder()
        self.assertTrue(self.built.objects.is_symlink())
        self.assertEqual(self.built.objects.resolve().parent, self.built.tree.source.resolve())

    def test_made_once(self) -> None:
        self.check()
        (self.built.objects / "kept").touch()
        self.check()
        self.assertTrue((self.built.objects / "kept").exists())

    def test_folder_of_old_is_left_behind(self) -> None:
        self.built.objects.mkdir()
        (self.built.objects / "other.o").touch()
        self.check()
        self.assertEqual(list(self.built.objects.iterdir()), [])


class Configuration(rigtest.FolderCase):
    """Options that a fragment sets and Kconfig drops are named."""

    def test_refused(self) -> None:
        built = build.Kernel("mainline")
        built.objects = self.folder
        (self.folder / ".config").write_text("CONFIG_A=y\nCONFIG_C=y\nCONFIG_N=64\n")
        asked = "CONFIG_A=y\nCONFIG_B=y\n# CONFIG_C is not set\n# CONFIG_D is not set\nCONFIG_N=8\n"
        self.assertEqual(built._refused(asked), ["CONFIG_B=y", "CONFIG_C=n", "CONFIG_N=8"])

    def test_line_that_sets_nothing(self) -> None:
        built = build.Kernel("mainline")
        built.objects = self.folder
        (self.folder / ".config").write_text("CONFIG_A=y\nCONFIG_B=y\n")
        asked = "# Comment.\n\nCONFIG_A=y\nCONFIG_B =y\nCONFIGC=y\n"
        self.assertEqual(built._refused(asked), ["CONFIG_B =y", "CONFIGC=y"])

    def test_later_fragment_wins(self) -> None:
        built = build.Kernel("mainline")
        built.objects = self.folder
        (self.folder / ".config").write_text("CONFIG_A=y\n")
        self.assertEqual(built._refused("# CONFIG_A is not set\nCONFIG_A=y\n"), [])


class Trace(unittest.TestCase):
    """Trace records are counted by CPU and name."""

    @staticmethod
    def record(event: int, *words: int, cycles: bool = True) -> bytes:
        """One record as Xen writes it."""
        head = event | len(words) << 28 | (1 << 31 if cycles else 0)
        return struct.pack("<I", head) + (bytes(8) if cycles else b"") + \
            struct.pack(f"<{len(words)}I", *words)

    def test_counts_of_one_cpu(self) -> None:
        emulated = self.record(0x20110C, 1, 2, 3, 4, 5, 6)
        data = (self.record(0x1F003, 0, 99, cycles=False) + emulated
                + self.record(0x1F003, 1, 99, cycles=False) + emulated * 2
                + self.record(0x20100D, 5) + self.record(0x1F001, 7, 1, 0, 0))
        found = xentrace.count(data)
        self.assertEqual(found["PV_PTWR_EMULATION"], 2)
        self.assertEqual(found["PV_HYPERCALL"], 1)
        self.assertEqual(found["LOST"], 7)

    def test_no_trace(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            disk = Path(folder) / "disk"
            xentrace.make_disk(disk)
            with self.assertRaises(errors.RigError):
                xentrace.records(disk)


class Packages(rigtest.FolderCase):
    """Missing packages end in one line that can be typed."""

    def test_named_when_not_root(self) -> None:
        with mock.patch("os.geteuid", return_value=1000), \
                self.assertRaisesRegex(errors.RigError, "sudo apt-get install .*no-such-package$"):
            packages.require(["libc6", "no-such-package"])

    def test_nothing_missing(self) -> None:
        packages.require(["libc6"])

    def test_of_each_suite_before_it_starts(self) -> None:
        """One line names all that the suites lack, and no test has run."""
        for suite, gone in (("host", "clang-14"), ("host", "libclang-rt-14-dev"),
                            ("guest", "gcc-multilib"), ("abi", "libxen-dev"), ("style", "perl")):
            with self.subTest(suite=suite, gone=gone), \
                    mock.patch.object(packages, "_installed", lambda names: set(names) - {gone}), \
                    mock.patch("os.geteuid", return_value=1000), \
                    self.assertRaisesRegex(errors.RigError, f"sudo apt-get install .* {gone}$"):
                cli.dispatch(["check", suite])

    def test_each_suite_has_a_list(self) -> None:
        self.assertEqual(set(packages.FOR_SUITE),
                         {path.parent.name for path in rigtest.REPO.glob("selftests/*/check")})

    def test_the_reader_of_yaml_is_missing(self) -> None:
        """The front door itself needs it, before it can read what is asked."""
        for name in ("dpkg-query", "apt-get"):
            path = self.folder / name
            path.write_text("#!/bin/sh\nexit 1\n")
            path.chmod(0o755)
        hide = ("import importlib.util, os, runpy, sys; find = importlib.util.find_spec; "
                "importlib.util.find_spec = lambda name: None if name == 'yaml' else find(name); "
                "os.geteuid = lambda: 1000; sys.argv[:] = ['pvguest', '--version']; "
                f"runpy.run_path({str(rigtest.PVGUEST)!r}, run_name='__main__')")
        done = subprocess.run([sys.executable, "-B", "-c", hide], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, check=False,
                              env=dict(os.environ, PATH=f"{self.folder}:{os.environ['PATH']}"))
        self.assertEqual((done.returncode, done.stdout), (125, ""), done.stderr)
        self.assertEqual(done.stderr, "pvguest: missing Debian packages; run: sudo apt-get install "
                                      "--no-install-recommends python3-yaml\n")


class Locks(rigtest.FolderCase):
    """One of several processes does a long job; the others print that they wait for it."""

    def test_waiting_is_reported_again_and_again(self) -> None:
        said, twice = [], threading.Event()

        def say(text: str) -> None:
            said.append(text)
            if len(said) == 3:
                twice.set()

        def wait() -> None:
            with files.locked(self.folder / "lock", "the job"):
                said.append("got it")

        waiter = threading.Thread(target=wait)
        with mock.patch.object(files, "REMINDER", 0.01), \
             mock.patch.object(progress, "say", say):
            with files.locked(self.folder / "lock", "the job"):
                waiter.start()
                self.assertTrue(twice.wait(600))
            waiter.join(600)
        self.assertEqual(said[0], "waiting for another process: the job")
        self.assertRegex(said[1], r"^still waiting, \d+ s: the job$")
        self.assertEqual(said[-1], "got it")


class Memory(unittest.TestCase):
    """The machine around a guest has room for it, in few sizes."""

    def test_sizes(self) -> None:
        for guest, machine in ((64, 1024), (256, 1024), (512, 1024), (1024, 2048), (3000, 4096)):
            self.assertEqual(domain.memory_class(guest), machine)


if __name__ == "__main__":
    unittest.main()
