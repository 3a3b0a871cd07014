# SPDX-License-Identifier: MIT
"""Tests of 'pvguest run --emulator bochs', and of the disk from which that emulator boots."""
import os
import signal
import struct
import subprocess
import tarfile
import unittest
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import rigtest
from pvg.base import errors
from pvg.machine import bochs, elf, grub


def run(*words: rigtest.Word) -> rigtest.Result:
    """Run 'pvguest run' on the second emulator; WORDS may hold more options before '--'."""
    return rigtest.call("run", "--emulator", "bochs", "--kernel", rigtest.KERNEL,
                        "--timeout", rigtest.LIMIT, *rigtest.WORDS, *words)


class Usage(unittest.TestCase):
    """Words that do not go together are refused in one line."""

    def refused(self, words: Sequence[rigtest.Word], about: str) -> None:
        """Check that 'pvguest run' with WORDS ends with status 2 and says ABOUT."""
        result = rigtest.call("run", *words, "--", "true")
        text = result.stderr.decode()
        self.assertEqual(result.returncode, 2, text)
        self.assertEqual(len(text.splitlines()), 1, text)
        self.assertIn(about, text)

    def test_options_that_do_not_go_with_it(self) -> None:
        for words in (["--hv", "none"], ["--hv", "xen-domu"], ["--accel", "kvm"], ["--icount"]):
            with self.subTest(words):
                self.refused(["--emulator", "bochs", *words], "--emulator bochs needs")

    def test_model_is_for_this_emulator(self) -> None:
        self.refused(["--cpu", "ryzen"], "--cpu needs --emulator bochs")

    def test_model_that_is_unknown_or_too_old(self) -> None:
        for model in ("z80", "pentium", "ryzen, ips=1"):
            with self.subTest(model):
                self.refused(["--emulator", "bochs", "--cpu", model], f"--cpu {model}: there are: ")


class Files(rigtest.FolderCase):
    """The disk and what stands on it."""

    def test_models_are_those_that_run_xen(self) -> None:
        found = bochs.models()
        self.assertIn(bochs.CPU, found)
        self.assertIn("corei7_skylake_x", found)
        self.assertNotIn("pentium", found)

    def test_words_for_processors_with_address_space_tags(self) -> None:
        self.assertEqual(bochs.xen_arguments("ryzen"), [])
        self.assertIn("xpti=no", bochs.xen_arguments("corei7_skylake_x"))

    def test_disk_holds_files_and_boots(self) -> None:
        content = os.urandom(100000)
        (self.folder / "file").write_bytes(b"from a file")
        grub.disk(self.folder / "disk", {"one": content, "two": self.folder / "file"}, ["boot"])
        disk = (self.folder / "disk").read_bytes()
        self.assertEqual(disk[510:512], b"\x55\xaa")
        self.assertEqual(len(disk) % (16 * 63 * 512), 0)
        kind, start, size = struct.unpack_from("<4xB3xII", disk, 446)
        self.assertEqual(kind, 0xda)
        self.assertEqual((start + size) * 512, len(disk))
        self.assertEqual(disk[462:510], bytes(48))
        (self.folder / "partition").write_bytes(disk[start * 512:])
        with tarfile.open(self.folder / "partition") as archive:
            self.assertEqual(rigtest.some(archive.extractfile("one")).read(), content)
            self.assertEqual(rigtest.some(archive.extractfile("two")).read(), b"from a file")

    def test_words_that_the_loader_would_change(self) -> None:
        self.assertEqual(grub.command("multiboot2", "xen", ["a=1", "$b", "c;d"]),
                         "multiboot2 (hd0,msdos1)/xen xen 'a=1' '$b' 'c;d'")
        for word in ("'", '"', "a\\b"):
            with self.subTest(word), self.assertRaises(errors.UsageError):
                grub.command("multiboot2", "xen", [word])

    def test_compacted_kernel_has_the_same_segments(self) -> None:
        def segments(data: bytes) -> Iterator[Any]:
            at, count = struct.unpack_from("<32xQ16xH", data)
            for i in range(count):
                kind, flags, offset, virtual, physical, size, memory, align = \
                    struct.unpack_from("<IIQQQQQQ", data, at + 56 * i)
                yield (kind, flags, virtual, physical, memory, align,
                       data[offset:offset + size])

        source = self.folder / "test.c"
        source.write_text("int data[100000] = { 1 }, zero[5000]; int main(void) { return *data; }")
        subprocess.run(["gcc", "-static", "-Wl,-z,max-page-size=0x200000", "-o",
                        str(self.folder / "test"), str(source)], check=True)
        before = (self.folder / "test").read_bytes()
        after = elf.compact(before)
        self.assertLess(len(after), len(before) * 9 // 10)
        self.assertEqual(list(segments(after)), list(segments(before)))
        self.assertEqual(struct.unpack_from("<40xQ12xHH", after), (0, 0, 0))

    def test_file_of_another_kind_stays(self) -> None:
        for data in (b"", b"\x7fELF", b"\x1f\x8b" + bytes(100)):
            self.assertIs(elf.compact(data), data)


class Guest(rigtest.FolderCase):
    """The contract of 'pvguest run' holds here as well; each boot takes half a minute."""

    def test_output_errors_and_status(self) -> None:
        (self.folder / "data").mkdir()
        data = bytes(range(256)) * 40
        (self.folder / "data" / "bytes").write_bytes(data)
        log = self.folder / "log"
        result = run("--vcpus", "2", "--add", self.folder, "--log", log, "--append", "one=a;$b",
                     "--", "sh", "-c", "cat /data/bytes; (nproc; cat /proc/cmdline; "
                     "grep -m1 model.name /proc/cpuinfo) >&2; exit 77")
        errors_seen = result.stderr.decode()
        self.assertEqual(result.returncode, 77, errors_seen)
        self.assertEqual(result.stdout, data)
        # Before it stands what the rig had to fetch or to wait for.
        self.assertRegex(errors_seen, r"(?m)\A(?:pvguest: .*\n)*2$")
        self.assertIn(" one=a;$b\n", errors_seen)
        self.assertIn("Ryzen", errors_seen)
        self.assertIn(b"Xen version", log.read_bytes())

    @unittest.skipUnless(os.environ.get("PVGUEST_LONG"), "check-long only: three more boots")
    def test_bad_ends(self) -> None:
        late, _ = rigtest.run_until(lambda done: done.returncode == 124, "xen-dom0", "--emulator",
                                    "bochs", "--", "sleep", "100000", limits=(400, 1600))
        self.assertEqual(late.returncode, 124, late.stderr.decode())
        self.assertRegex(late.stderr.decode(), r"(?m)^  \| \S")
        for words, status in ((["--", "sh", "-c", "echo c > /proc/sysrq-trigger"], 126),
                              (["--append", "rdinit=/none init=/none", "--", "true"], 126)):
            with self.subTest(words):
                result = run(*words)
                self.assertEqual(result.returncode, status, result.stderr.decode())
                self.assertRegex(result.stderr.decode(), r"(?m)^  \| \S")

    def test_never_comes_up(self) -> None:
        result = run("--timeout", "2", "--", "true")
        self.assertEqual(result.returncode, 126)
        self.assertIn("did not come up", result.stderr.decode())


class Killed(rigtest.FolderCase):
    """A run that is ended from outside leaves nothing behind; the network cannot reach it."""

    @staticmethod
    def emulator(of: int) -> int:
        """Process number of the child of process OF that is the emulator."""
        children = Path(f"/proc/{of}/task/{of}/children").read_text(encoding="ascii").split()
        child, = [int(pid) for pid in children
                  if Path(f"/proc/{pid}/comm").read_text(encoding="ascii") == "bochs-bin\n"]
        return child

    def test_emulator_goes_with_the_rig(self) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with self.subTest(number):
                folder = self.folder / str(number)
                folder.mkdir()
                log = folder / "log"
                os.mkfifo(log)
                words = ["run", "--emulator", "bochs", "--kernel", rigtest.KERNEL,
                         *rigtest.WORDS, "--log", str(log), "--", "true"]
                with subprocess.Popen([str(rigtest.PVGUEST), *words], stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL,
                                      env=dict(os.environ, TMPDIR=str(folder))) as rig:
                    with open(log, "rb") as text:
                        # The emulator's first words.
                        said = b""
                        while b"Next at t=" not in said:
                            more = text.read1(1000)
                            self.assertTrue(more, said)
                            said += more
                        child = self.emulator(rig.pid)
                        self.assertNotEqual(os.readlink(f"/proc/{child}/ns/net"),
                                            os.readlink("/proc/self/ns/net"))
                        rig.send_signal(number)
                        rig.wait(600)
                self.assertTrue(rigtest.gone(child, 600), "the emulator lives on")
                if number == signal.SIGTERM:
                    self.assertEqual([p.name for p in folder.iterdir()], ["log"])


if __name__ == "__main__":
    unittest.main()
