# SPDX-License-Identifier: MIT
"""Tests of several guests at once: the marks of their output, and one guest's bad end."""
import unittest

import rigtest
from rigtest import run, run_until
from test_network import HAVE_DRIVER, NO_DRIVER


class Guests(unittest.TestCase):
    """Two guests under one control domain."""

    def both(self, script: str, *options: rigtest.Word) -> rigtest.Result:
        """Run SCRIPT in two guests."""
        return run("xen-domu", "--guests", "2", *options, "--", "sh", "-c", script)

    def test_each_knows_its_number_and_output_is_marked(self) -> None:
        result = self.both("echo $PVGUEST_NUMBER of $PVGUEST_COUNT; hostname; printf end")
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        lines = result.stdout.decode().splitlines()
        for number in (1, 2):
            mark = f"guest{number}: "
            self.assertEqual([line[len(mark):] for line in lines if line.startswith(mark)],
                             [f"{number} of 2", f"guest{number}", "end"])
        self.assertEqual(len(lines), 6)

    def test_first_failure_counts(self) -> None:
        self.assertEqual(self.both("exit $((PVGUEST_NUMBER * 3 - 3))").returncode, 3)
        self.assertEqual(self.both("exit $((PVGUEST_NUMBER * 3))").returncode, 3)

    def test_one_crashes(self) -> None:
        result = self.both("[ $PVGUEST_NUMBER = 1 ] && echo fine || echo c > /proc/sysrq-trigger")
        self.assertEqual(result.returncode, 126, result.stderr.decode())
        self.assertIn("guest2: the guest crashed", result.stderr.decode())
        self.assertEqual(result.stdout, b"guest1: fine\n")

    def test_one_goes_on_for_too_long(self) -> None:
        result, _ = run_until(lambda done: done.returncode == 124, "xen-domu", "--guests", "2", "--",
                              "sh", "-c", "[ $PVGUEST_NUMBER = 1 ] || sleep 1000",
                              limits=(40, 120, 600))
        self.assertEqual(result.returncode, 124, result.stderr.decode())
        self.assertIn("guest2: ", result.stderr.decode())

    @unittest.skipUnless(HAVE_DRIVER, NO_DRIVER)
    def test_they_reach_each_other(self) -> None:
        """The first guest serves TCP, the second connects until it does."""
        result = self.both("if [ $PVGUEST_NUMBER = 1 ]; then echo hello | nc -l -p 7 | cat; "
                           "else until echo question | nc guest1 7; do sleep 0.2; done; fi")
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        self.assertEqual(sorted(result.stdout.splitlines()), [b"guest1: question",
                                                              b"guest2: hello"])


class Words(unittest.TestCase):
    """Options that exclude several guests."""

    def test_refused(self) -> None:
        for hv, words in (("none", "-- true"), ("xen-dom0", "-- true"), ("xen-domu", "")):
            with self.subTest(hv):
                result = rigtest.call("run", "--hv", hv, "--guests", "2", *words.split())
                self.assertEqual(result.returncode, 2, result.stderr.decode())


if __name__ == "__main__":
    unittest.main()
