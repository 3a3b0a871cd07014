# SPDX-License-Identifier: MIT
"""Tests of each guest's network: names, reach, and dropped packets with forged senders."""
import unittest

import rigtest
from rigtest import run

NO_DRIVER = "our kernel has no network front end yet (drivers/pvnet)"
HAVE_DRIVER = rigtest.KERNEL == "mainline" or any((rigtest.REPO / "drivers/pvnet").glob("*.c"))


class Network(rigtest.FolderCase):
    """The network of a run without options."""

    def sh(self, hv: str, script: str, *options: rigtest.Word) -> str:
        """Standard output of SCRIPT in a guest on HV; it must succeed."""
        result = run(hv, *options, "--", "sh", "-e", "-c", script)
        self.assertEqual(result.returncode, 0, (result.stdout + result.stderr).decode())
        return result.stdout.decode()

    def test_native(self) -> None:
        text = self.sh("none", "hostname; ping -c 1 control; ip -4 -o addr show dev eth0")
        self.assertTrue(text.startswith("guest1\n"), text)
        self.assertIn("10.77.0.11/24", text)

    def test_initial_domain_has_none(self) -> None:
        self.sh("xen-dom0", "! [ -e /sys/class/net/eth0 ]")

    def test_guest_without_one(self) -> None:
        for hv in ("xen-domu", "none"):
            with self.subTest(hv):
                self.sh(hv, "! [ -e /sys/class/net/eth0 ]", "--no-network")

    @unittest.skipUnless(HAVE_DRIVER, NO_DRIVER)
    def test_control_domain_answers(self) -> None:
        text = self.sh("xen-domu", "ping -c 1 -s 1400 control; ping -c 1 fd77::1; ping -c 1 guest1")
        self.assertEqual(text.count("1 packets received"), 3, text)

    @unittest.skipUnless(HAVE_DRIVER, NO_DRIVER)
    def test_second_interface(self) -> None:
        text = self.sh("xen-domu", "ip -4 -o addr; ping -c 1 10.78.0.1", "--vifs", "2")
        self.assertRegex(text, r"eth0 +inet 10\.77\.0\.11/24")
        self.assertRegex(text, r"eth1 +inet 10\.78\.0\.11/24")

    @unittest.skipUnless(HAVE_DRIVER, NO_DRIVER)
    def test_forged_sender_does_not_get_out(self) -> None:
        """Each forged packet would get a reply, as one on the second bridge shows."""
        # A busy machine has time for a reply that must come.
        forged = "ping -c 2 -W {2} -I {0} {1} > /dev/null && echo {0} got out"
        text = self.sh("xen-domu", "\n".join([
            "for k in 7 8; do",
            "ip addr add 10.7$k.0.99/24 dev eth$((k - 7))",
            "ip addr add fd7$k::99/64 dev eth$((k - 7))",
            "done",
            "ping -c 1 10.77.0.1",
            forged.format("10.77.0.99", "10.77.0.1", 2) + " || :",
            forged.format("fd77::99", "fd77::1", 2) + " || :",
            forged.format("10.78.0.99", "10.78.0.1", 60),
            forged.format("fd78::99", "fd78::1", 60),
            # The addresses are right again, but another guest's hardware address is not.
            "ip link set eth0 down",
            "ip link set eth0 address 00:16:3e:77:00:02",
            "ip link set eth0 up",
            "ping -c 2 -W 2 10.77.0.1 > /dev/null && echo hardware got out || :"]), "--vifs", "2")
        self.assertIn("1 packets received", text)
        self.assertEqual([line for line in text.splitlines() if "got out" in line],
                         ["10.78.0.99 got out", "fd78::99 got out"])


class Words(unittest.TestCase):
    """Numbers of interfaces that are refused."""

    def test_too_many(self) -> None:
        self.assertEqual(rigtest.call("run", "--vifs", "9", "--", "true").returncode, 2)


if __name__ == "__main__":
    unittest.main()
