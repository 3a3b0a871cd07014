# SPDX-License-Identifier: MIT
"""Tests of --disk: requests, the contents of the files, and refusals."""
import subprocess
import unittest
from collections.abc import Sequence

import rigtest
from pvg.base import errors
from pvg.machine import disks
from rigtest import run

HAVE_DRIVER = rigtest.KERNEL == "mainline" or any((rigtest.REPO / "drivers/pvblk").glob("*.c"))
NO_DRIVER = "our kernel has no block front end yet (drivers/pvblk)"
PLACES = (("xen-domu", "xvd"), ("none", "vd"))
MIB = 1 << 20


def image(*words: rigtest.Word) -> bytes:
    """Run qemu-img with WORDS."""
    return subprocess.run(["qemu-img", *map(str, words)], check=True,
                          stdout=subprocess.PIPE).stdout


class Asked(rigtest.FolderCase):
    """Words after the file's name, before any guest is started."""

    def setUp(self) -> None:
        super().setUp()
        self.raw = self.folder / "a,ro"
        self.raw.write_bytes(bytes(MIB))
        self.qcow2 = self.folder / "disk.qcow2"
        image("create", "-q", "-f", "qcow2", self.qcow2, "8M")

    def test_words(self) -> None:
        disk = disks.Request(f"{self.raw},cdrom,4k").disk
        self.assertEqual((disk.path, disk.kind, disk.read_only, disk.cdrom, disk.sector),
                         (self.raw, "raw", True, True, 4096))
        self.assertFalse(disks.Request(str(self.raw)).disk.read_only)
        self.assertEqual(disks.Request(str(self.qcow2)).disk.kind, "qcow2")
        self.assertEqual(disks.Request(f"{self.qcow2},raw").disk.kind, "raw")

    def test_refused(self) -> None:
        image("create", "-q", "-f", "vmdk", self.folder / "other", "1M")
        missing = self.folder / "top.qcow2"
        lost = self.folder / "lost.qcow2"
        image("create", "-q", "-f", "qcow2", lost, "8M")
        image("create", "-q", "-f", "qcow2", "-b", lost, "-F", "qcow2", missing)
        lost.unlink()
        for text, about in ((f"{self.folder}/none", "no such file"), (self.folder, "is a folder"),
                            (f"{self.raw},fast", "'fast'"), (f"{self.raw},ro,cow", "cow"),
                            (self.folder / "other", "vmdk"), (missing, "lost.qcow2")):
            with self.subTest(about), self.assertRaisesRegex(errors.PvgError, about):
                disks.requests([str(text)], 1)

    def test_twice(self) -> None:
        name = str(self.raw)
        for texts in ([name, name], [name, name + ",ro"], [name + ",cow", name]):
            with self.subTest(texts), self.assertRaisesRegex(errors.PvgError, "twice"):
                disks.requests(texts, 1)
        disks.requests([name + ",ro", name + ",cow"], 1)
        disks.requests([name, name], 2)

    def test_copies(self) -> None:
        one, two = (disks.Request(f"{self.raw}").for_guest(g, 2, self.folder) for g in (1, 2))
        self.assertNotEqual(one.path, two.path)
        self.assertEqual(one.kind, "qcow2")
        self.assertEqual(disks.Request(f"{self.raw}").for_guest(1, 1, self.folder).path, self.raw)
        kept = self.folder / "kept"
        request = disks.Request(f"{self.raw},cow={kept}")
        self.assertEqual(request.for_guest(1, 1, self.folder).path, kept)
        self.assertEqual(request.for_guest(2, 2, self.folder).path, self.folder / "kept.2")
        with self.assertRaisesRegex(errors.PvgError, "exists already"):
            request.for_guest(1, 1, self.folder)


class Guest(rigtest.FolderCase):
    """A guest's disks, and the files behind them afterwards."""

    def places(self) -> Sequence[tuple[str, str]]:
        """Kinds of guests with their names for disks, those that can be tried."""
        return PLACES if HAVE_DRIVER else PLACES[1:]

    def sh(self, hv: str, script: str, *options: rigtest.Word) -> str:
        """Standard output of SCRIPT in a guest on HV; it must succeed."""
        result = run(hv, "--no-network", *options, "--", "sh", "-e", "-c", script)
        self.assertEqual(result.returncode, 0, (result.stdout + result.stderr).decode())
        return result.stdout.decode()

    def test_raw_and_qcow2_are_written(self) -> None:
        for hv, prefix in self.places():
            with self.subTest(hv):
                raw, qcow2 = self.folder / f"{hv}.raw", self.folder / f"{hv}.qcow2"
                raw.write_bytes(bytes(MIB))
                image("create", "-q", "-f", "qcow2", qcow2, "8M")
                self.sh(hv, f"for d in a b; do test -b /dev/{prefix}$d; "
                            f"echo written > /dev/{prefix}$d; done", "--disk", raw, "--disk", qcow2)
                self.assertEqual(raw.read_bytes()[:8], b"written\n")
                image("convert", "-O", "raw", qcow2, self.folder / "flat")
                self.assertEqual((self.folder / "flat").read_bytes()[:8], b"written\n")

    def test_kinds(self) -> None:
        """Read-only, with large sectors, and with all writes dropped at the end."""
        raw = self.folder / "raw"
        raw.write_bytes(b"before\n" + bytes(MIB - 7))
        for hv, prefix in self.places():
            with self.subTest(hv):
                text = self.sh(
                    hv, f"cd /sys/block; cat {prefix}a/ro {prefix}b/queue/logical_block_size; "
                        f"echo after > /dev/{prefix}b; head -n 1 /dev/{prefix}b; "
                        f"! echo after 2> /dev/null > /dev/{prefix}a",
                    "--disk", f"{raw},ro", "--disk", f"{raw},cow,4k")
                self.assertEqual(text, "1\n4096\nafter\n")
                self.assertEqual(raw.read_bytes()[:7], b"before\n")

    def test_discard_reaches_the_file(self) -> None:
        for hv, prefix in self.places():
            with self.subTest(hv):
                raw = self.folder / f"{hv}.raw"
                raw.write_bytes(b"x" * 4 * MIB)
                self.sh(hv, f"blkdiscard -o {MIB} -l {2 * MIB} /dev/{prefix}a", "--disk", raw)
                self.assertLessEqual(raw.stat().st_blocks * 512, 2 * MIB + 65536)
                self.assertEqual(raw.read_bytes(),
                                 b"x" * MIB + bytes(2 * MIB) + b"x" * MIB)

    @unittest.skipUnless(HAVE_DRIVER, NO_DRIVER)
    def test_two_guests_on_one_base(self) -> None:
        base = self.folder / "base.qcow2"
        image("create", "-q", "-f", "qcow2", base, "8M")
        before = base.read_bytes()
        result = run("xen-domu", "--no-network", "--guests", "2",
                     "--disk", f"{base},cow={self.folder}/own", "--",
                     "sh", "-c", "echo $PVGUEST_NUMBER > /dev/xvda; head -n 1 /dev/xvda")
        self.assertEqual(sorted(result.stdout.splitlines()), [b"guest1: 1", b"guest2: 2"],
                         result.stderr.decode())
        self.assertEqual(base.read_bytes(), before)
        for number in (1, 2):
            flat = self.folder / f"flat{number}"
            image("convert", "-O", "raw", self.folder / f"own.{number}", flat)
            self.assertEqual(flat.read_bytes()[:2], f"{number}\n".encode())

    @unittest.skipUnless(HAVE_DRIVER, NO_DRIVER)
    def test_served_by_qemu(self) -> None:
        raw = self.folder / "raw"
        raw.write_bytes(bytes(MIB))
        self.sh("xen-domu", "echo written | dd of=/dev/xvda conv=fsync 2> /dev/null; "
                            "control xenstore-list /local/domain/0/backend/qdisk/1",
                "--orders", "--disk", f"{raw},qdisk")
        self.assertEqual(raw.read_bytes()[:8], b"written\n")

    def test_in_use(self) -> None:
        """A second guest must not write the file of one that runs."""
        raw = self.folder / "raw"
        raw.write_bytes(bytes(MIB))
        words = ["run", "--hv", "none", *rigtest.WORDS, "--disk", str(raw), "--", "sh", "-c",
                 "echo up; sleep 1000"]
        with subprocess.Popen([str(rigtest.PVGUEST), *words], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL) as first:
            self.assertEqual(rigtest.some(first.stdout).readline(), b"up\n")
            results = [run(hv, "--disk", f"{raw}{words}", "--", "true")
                       for hv in ("none", "xen-domu") for words in ("", ",ro", ",cow")]
            first.terminate()
        for result in results:
            self.assertEqual(result.returncode, 125, result.stderr.decode())
            self.assertIn(b"in use", result.stderr)

    def test_initial_domain_has_no_back_end(self) -> None:
        raw = self.folder / "raw"
        raw.write_bytes(bytes(MIB))
        result = run("xen-dom0", "--disk", raw, "--", "true")
        self.assertEqual(result.returncode, 2)
        self.assertIn(b"no back end", result.stderr)


if __name__ == "__main__":
    unittest.main()
