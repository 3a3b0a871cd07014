# SPDX-License-Identifier: MIT
"""Tests of our kernel's messages when it cannot boot, and of the ways in which it can."""
import unittest

import rigtest
from rigtest import KERNEL, FolderCase, run
from pvg.kernel import build


@unittest.skipUnless(KERNEL == "pvguest", "only our port has these words and options")
class Boot(FolderCase):
    """One boot each."""

    def failed(self, *words: rigtest.Word) -> str:
        """Boot a guest that must not come up; returns its log."""
        log = self.folder / "log"
        done = run("xen-domu", *words, "--log", log, "--timeout", 1200, "--", "true")
        self.assertEqual(done.returncode, 126, done.stderr.decode(errors="replace"))
        self.assertEqual(done.stdout, b"")
        return log.read_text(errors="replace")

    def test_too_little_memory_is_said(self) -> None:
        # The rig refuses that for its own kernels; with less, the tool stack refuses.
        rigtest.build()
        log = self.failed("--memory", 43, "--image", build.Kernel(KERNEL).elf)
        self.assertIn("pvguest: memory: less than 48 MiB (-12)", log)
        self.assertIn("); cannot go on", log)
        # The domain crashes; it is not left hanging, nor does it look like a power-off.
        self.assertRegex(log, r"shutdown reason code 3\b")

    def test_both_event_channel_abis(self) -> None:
        for words, name in (((), b"FIFO"),
                            (("--append", "pvguest.fifo_events=0"), b"2-level"),
                            (("--append", "events.fifo_events=0"), b"2-level")):
            with self.subTest(words=words):
                done = run("xen-dom0", "--vcpus", 2, *words, "--", "sh", "-c",
                           "cat /sys/kernel/debug/pvguest/events; sleep 1 & wait; echo done")
                self.assertEqual(done.returncode, 0, done.stderr.decode(errors="replace"))
                lines = done.stdout.splitlines()
                self.assertEqual(lines[0], b"abi " + name)
                self.assertEqual(lines[-1], b"done")

    def test_early_console(self) -> None:
        log = self.folder / "log"
        done = run("xen-dom0", "--append", "pvguest.early_console", "--log", log, "--", "true")
        self.assertEqual(done.returncode, 0, done.stderr.decode(errors="replace"))
        self.assertIn("bootconsole [pvearly0] enabled", log.read_text(errors="replace"))

    def test_early_console_of_a_guest_leaves_the_ring_to_its_driver(self) -> None:
        for words in ("pvguest.early_console", "pvguest.early_console keep_bootcon"):
            with self.subTest(words):
                done = run("xen-domu", "--append", words, "--", "uname", "-s")
                self.assertEqual((done.returncode, done.stdout), (0, b"Linux\n"), done.stderr)

    def test_parameters_with_values_that_they_do_not_take(self) -> None:
        lines = {"pvguest.grant_version=3": "pvguest.grant_version: '3' is not within 0 to 2 (-22)",
                 "pvguest.fifo_events=2": "pvguest.fifo_events: '2' is neither 0 nor 1 (-22)",
                 "events.fifo_events=no": "events.fifo_events: 'no' is neither 0 nor 1 (-22)",
                 "pvguest.early_console=0": "pvguest.early_console: '0' given, but it takes no "
                                            "value (-22)",
                 "pvbus.kept_pages=-1": "pvbus.kept_pages: '-1' is not within 0 to 4294967295 (-22)",
                 "pvnet.max_queues=65": "pvnet.max_queues: '65' is not within 0 to 64 (-22)",
                 "pvblk.ring_order": "pvblk.ring_order: no value, where one within 0 to 4 belongs "
                                     "(-22)",
                 "pvnet.quues=2": "pvnet.quues: there is no such parameter (-2)",
                 "pvbus.x": "pvbus.x: there is no such parameter (-2)"}
        written = {"pvblk.timeout": "is not within 1 to 3600 (-22)",
                   "pvnet.lend": "is neither 0 nor 1 (-22)"}
        files = [f"/sys/module/{name.replace('.', '/parameters/')}" for name in written]
        done = run("xen-dom0", "--append", " ".join(lines), "--", "sh", "-c",
                   f"for file in {' '.join(files)}; do echo 9999 > $file; cat $file; done "
                   "2> /dev/null; dmesg")
        self.assertEqual(done.returncode, 0, done.stderr.decode(errors="replace"))
        log = done.stdout.decode(errors="replace")
        self.assertEqual(log.split()[:len(files)], ["30", "Y"])
        # One line each, its end in the same line.
        for text in (*lines.values(), *(f"{name}: '9999' {text}" for name, text in written.items())):
            with self.subTest(text):
                self.assertEqual(log.count(f"{text}; ignored\n"), 1, log)
        self.assertEqual(log.count("there is no such parameter"), 2, log)

    def test_processors_stop_and_come_back(self) -> None:
        done = run("xen-dom0", "--vcpus", 3, "--", "sh", "-c",
                   "cd /sys/devices/system/cpu; for i in 1 2 3; do echo 0 > cpu2/online; "
                   "cat online; echo 1 > cpu2/online; cat online; done")
        self.assertEqual(done.returncode, 0, done.stderr.decode(errors="replace"))
        self.assertEqual(done.stdout.split(), [b"0-1", b"0-2"] * 3)


if __name__ == "__main__":
    unittest.main()
