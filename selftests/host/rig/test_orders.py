# SPDX-License-Identifier: MIT
"""Tests of orders: commands that a guest runs in the control domain."""
import base64
import os
import unittest
from unittest import mock

import rigtest
from pvg.guest import orders
from rigtest import run


class Queue(rigtest.Case):
    """Messages between guests and the agent."""

    def setUp(self) -> None:
        self.log = mock.Mock()
        self.orders = orders.Orders(self.log)
        self.agent, end = os.pipe()
        self.orders.connect(end)
        self.addCleanup(os.close, self.agent)
        self.addCleanup(os.close, end)

    def asked(self) -> list[bytes]:
        """The lines that the agent has got."""
        return [base64.b64decode(line) for line in os.read(self.agent, 65536).splitlines()]

    def test_one_at_a_time_each_answered_to_its_guest(self) -> None:
        first, second = mock.Mock(), mock.Mock()
        self.orders.take(first, b"one")
        self.orders.take(second, b"two")
        self.assertEqual(self.asked(), [b"one"])
        answer = b"3 " + base64.b64encode(b"x" * 1500) + b"\n"
        self.orders.receive(answer[:100])
        first.answer.assert_not_called()
        self.orders.receive(answer[100:])
        pieces = [call.args for call in first.answer.call_args_list]
        self.assertEqual(b"".join(text for kind, text in pieces if kind == "a"), b"x" * 1500)
        self.assertEqual(pieces[-1], ("z", b"3"))
        self.assertEqual(self.asked(), [b"two"])
        self.orders.receive(b"0 \n")
        second.answer.assert_called_once_with("z", b"0")

    def test_no_control_domain_to_carry_them_out(self) -> None:
        guest = mock.Mock()
        orders.Orders(self.log).take(guest, b"one")
        self.assertEqual(guest.answer.call_args.args, ("z", b"125"))


class Guest(rigtest.Case):
    """The program 'control' in a guest."""

    def test_output_and_status(self) -> None:
        result = run("xen-domu", "--orders", "--no-network", "--", "sh", "-c",
                     "control xl list guest1; control 'echo out; echo err >&2; exit 7'; echo $?; "
                     "control head -c 100000 /dev/zero | wc -c")
        text = result.stdout.decode()
        self.assertRegex(text, r"(?m)^guest1 +\d+ +256 ", result.stderr.decode())
        self.assertTrue(text.endswith("out\nerr\n7\n100000\n"), text)

    def test_several_at_once(self) -> None:
        result = run("xen-domu", "--orders", "--no-network", "--", "sh", "-c",
                     "for i in 1 2 3 4; do control echo $i & done; wait")
        self.assertEqual(sorted(result.stdout.split()), [b"1", b"2", b"3", b"4"],
                         result.stderr.decode())

    def test_not_asked_for(self) -> None:
        for hv in ("xen-domu", "none"):
            with self.subTest(hv):
                result = run(hv, "--no-network", "--", "control", "true")
                self.assertEqual(result.returncode, 125)
                self.assertIn(b"--orders", result.stdout + result.stderr)

    def test_too_long(self) -> None:
        result = run("none", "--", "sh", "-c", "control echo $(seq 1000)")
        self.assertEqual(result.returncode, 125)
        self.assertIn(b"at most", result.stderr)

    def test_needs_a_control_domain(self) -> None:
        result = run("none", "--orders", "--", "true")
        self.assertEqual(result.returncode, 2)
        self.assertIn(b"xen-domu", result.stderr)


if __name__ == "__main__":
    unittest.main()
