# SPDX-License-Identifier: MIT
"""Tests of what our kernel says when it cannot boot, and of the ways in which it can."""
import unittest

from rigtest import KERNEL, FolderCase, run


@unittest.skipUnless(KERNEL == "pvguest", "only our port has these words and options")
class Boot(FolderCase):
    """One boot each."""

    def failed(self, *words):
        """Boot a guest that must not come up; returns its log."""
        log = self.folder / "log"
        done = run("xen-domu", *words, "--log", log, "--timeout", 120, "--", "true")
        self.assertEqual(done.returncode, 126, done.stderr.decode(errors="replace"))
        self.assertEqual(done.stdout, b"")
        return log.read_text(errors="replace")

    def test_too_little_memory_is_said(self):
        log = self.failed("--memory", 43)    # less, and the tool stack refuses
        self.assertIn("pvguest: cannot go on: too little memory", log)
        # The domain crashes; it is not left hanging, nor does it look like a power-off.
        self.assertRegex(log, r"shutdown reason code 3\b")

    def test_both_event_channel_abis(self):
        for words, name in (((), b"FIFO"), (("--append", "events.fifo_events=0"), b"2-level")):
            with self.subTest(abi=name):
                done = run("xen-dom0", "--vcpus", 2, *words, "--", "sh", "-c",
                           "cat /sys/kernel/debug/pvguest/events; sleep 1 & wait; echo done")
                self.assertEqual(done.returncode, 0, done.stderr.decode(errors="replace"))
                lines = done.stdout.splitlines()
                self.assertEqual(lines[0], b"abi " + name)
                self.assertEqual(lines[-1], b"done")

    def test_processors_stop_and_come_back(self):
        done = run("xen-dom0", "--vcpus", 3, "--", "sh", "-c",
                   "cd /sys/devices/system/cpu; for i in 1 2 3; do echo 0 > cpu2/online; "
                   "cat online; echo 1 > cpu2/online; cat online; done")
        self.assertEqual(done.returncode, 0, done.stderr.decode(errors="replace"))
        self.assertEqual(done.stdout.split(), [b"0-1", b"0-2"] * 3)


if __name__ == "__main__":
    unittest.main()
