# SPDX-License-Identifier: MIT
"""Tests of the machine's description: QEMU's command line, the tool stack's file, how guests end."""
import dataclasses
import io
import json
import os
import signal
import socket
import subprocess
import threading
import time
import types
import unittest
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import rigtest
from pvg.base import errors
from pvg.conformance import adapter
from pvg.guest import plan
from pvg.guest.methods import xen_domu
from pvg.machine import emulator, endings, network, qemu, stale
from pvg.machine.description import Machine, Module, Network
from pvg.machine.disks import Disk
from pvg.machine.endings import End

XEN = Machine(Path("/run"), Path("/xen"), "console=com1", 512,
              modules=[Module(Path("/vmlinux"), "a=1,2 b"), Module(Path("/init,rd"))])


def pairs(words: Sequence[str]) -> list[tuple[str, str]]:
    """Options of a command line with the word behind each, in order."""
    return [(word, words[at + 1]) for at, word in enumerate(words[:-1]) if word.startswith("-")]


class CommandLine(rigtest.Case):
    """QEMU's words for a machine."""

    def options(self, machine: Machine) -> dict[str, str]:
        """Option -> value, of those that are given once."""
        return dict(pairs(qemu.EMULATOR.command(machine)))

    def test_hypervisor_with_modules(self) -> None:
        found = self.options(XEN)
        self.assertEqual(found["-kernel"], "/xen")
        self.assertEqual(found["-append"], "console=com1")
        self.assertEqual(found["-initrd"], "/vmlinux a=1,,2 b,/init,,rd")
        self.assertEqual(found["-m"], "512M")
        self.assertEqual(found["-accel"], "tcg")
        self.assertNotIn("-incoming", found)
        self.assertNotIn("-qmp", found)
        self.assertNotIn("-machine", found)

    def test_native_file_system_keeps_its_commas(self) -> None:
        machine = dataclasses.replace(XEN, modules=[], ramdisk=Path("/init,rd"))
        self.assertEqual(self.options(machine)["-initrd"], "/init,rd")

    def test_every_cpu_has_a_socket(self) -> None:
        self.assertEqual(self.options(dataclasses.replace(XEN, cpus=3))["-smp"], "3,sockets=3")

    def test_resumed(self) -> None:
        found = self.options(dataclasses.replace(XEN, saved=Path("/saved"), control=True,
                                                 versioned=True))
        self.assertEqual(found["-incoming"], "exec:cat '/saved'")
        self.assertEqual(found["-qmp"], "unix:/run/control,server=on,wait=off")
        self.assertIn("-machine", found)

    def test_devices(self) -> None:
        machine = dataclasses.replace(
            XEN, behind_xen=True, disks=[Disk(Path("/a")), Disk(Path("/b"), "qcow2", True, sector=4096)],
            ports=[Path("/p1"), Path("/p2")], networks=[Network("10.77.0.1", "00:16:3e:77:00:01")])
        words = pairs(qemu.EMULATOR.command(machine))
        backends = [json.loads(value) for option, value in words if option == "-blockdev"]
        self.assertEqual([(one["driver"], one["read-only"], one["file"]["filename"])
                          for one in backends],
                         [("raw", False, "/a"), ("qcow2", True, "/b")])
        devices = [value for option, value in words if option == "-device"]
        self.assertEqual([device.partition(",")[0] for device in devices],
                         ["virtio-serial-pci", "virtserialport", "virtserialport",
                          "virtio-blk-pci", "virtio-blk-pci", "virtio-net-pci"])
        for device in devices:
            if "-pci" in device:
                self.assertIn("iommu_platform=on", device)
        self.assertIn("logical_block_size=4096", devices[4])

    def test_counting_instructions_needs_emulation(self) -> None:
        self.assertEqual(self.options(dataclasses.replace(XEN, icount=True))["-icount"],
                         "shift=0,sleep=off")
        with mock.patch.object(os, "access", return_value=True), \
                self.assertRaisesRegex(errors.UsageError, "--icount"):
            qemu.EMULATOR.command(dataclasses.replace(XEN, icount=True, accel="kvm"))

    def test_kvm_that_cannot_be_used(self) -> None:
        with mock.patch.object(os, "access", return_value=False), \
                self.assertRaisesRegex(errors.UsageError, "/dev/kvm"):
            qemu.EMULATOR.command(dataclasses.replace(XEN, accel="kvm"))


class ControlSocket(rigtest.FolderCase):
    """The emulator's control socket, which the test makes in its place."""

    def setUp(self) -> None:
        super().setUp()
        self.machine = Machine(self.folder, Path("/k"), "", 64)
        self.seconds = 0.0
        self.enterContext(mock.patch.object(qemu, "time", types.SimpleNamespace(
            monotonic=lambda: self.seconds, sleep=lambda _seconds: None)))

    def test_emulator_that_makes_it_late(self) -> None:
        server = socket.socket(socket.AF_UNIX)
        self.addCleanup(server.close)

        def reply() -> None:
            end, _ = server.accept()
            with end:
                end.sendall(b'{"QMP": {}}\n')
                self.assertIn(b"qmp_capabilities", end.recv(1000))
                end.sendall(b'{"return": {}}\n')

        thread = threading.Thread(target=reply)

        def ended() -> bool:
            # A minute in which the emulator is not run.
            self.seconds += 60
            server.bind(str(self.machine.control_socket))
            server.listen()
            thread.start()
            return False

        qemu.Control(self.machine, ended).close()
        thread.join(600)
        self.assertEqual(self.seconds, 60)

    def test_emulator_that_ends_before(self) -> None:
        with self.assertRaisesRegex(errors.RigError, "control socket"):
            qemu.Control(self.machine, lambda: True)

    def test_emulator_that_never_makes_it(self) -> None:
        def ended() -> bool:
            self.seconds += 60
            self.assertLess(self.seconds, 600)
            return False

        with self.assertRaisesRegex(errors.RigError, "control socket"):
            qemu.Control(self.machine, ended)


class Stopping(rigtest.Case):
    """The end of an emulator that holds what it has not written yet."""

    def killed_after(self, needed: float) -> bool:
        """Whether an emulator is killed that goes NEEDED seconds after SIGTERM."""
        def wait(limit: float | None = None) -> int:
            if limit is not None and limit < needed:
                raise subprocess.TimeoutExpired([], limit)
            return 0

        process = mock.Mock()
        process.poll.return_value = None
        process.wait.side_effect = wait
        emulator.Running(process).stop()
        process.send_signal.assert_called_once_with(signal.SIGTERM)
        return bool(process.kill.called)

    def test_one_that_is_late(self) -> None:
        self.assertFalse(self.killed_after(30))

    def test_one_that_hangs(self) -> None:
        self.assertTrue(self.killed_after(600))


class ToolStack(rigtest.Case):
    """The file that xl reads about a guest."""

    def config(self, **changes: Any) -> dict[str, str]:
        """The lines about a guest with CHANGES, as key -> value."""
        domain = plan.Domain(Path("/k"), "console=hvc0", 256, 2)
        planned = plan.Plan(Path("/run"), [dataclasses.replace(domain, **changes)])
        text = xen_domu.config(planned, 1, {"/dev/vdb": disk for disk in planned.domains[0].disks})
        return dict(line.split(" = ", 1) for line in text.splitlines())

    def test_plain(self) -> None:
        found = self.config()
        self.assertEqual(found["name"], "'guest1'")
        self.assertEqual(found["kernel"], "'/guest/kernel1'")
        self.assertEqual((found["memory"], found["vcpus"]), ("256", "2"))
        self.assertEqual(found["extra"], "'console=hvc0'")
        self.assertEqual(found["on_crash"], "'destroy'")
        self.assertNotIn("ramdisk", found)
        self.assertNotIn("maxvcpus", found)

    def test_vcpus_that_are_off_at_first(self) -> None:
        found = self.config(max_vcpus=4)
        self.assertEqual((found["vcpus"], found["maxvcpus"]), ("2", "4"))

    def test_words_that_would_end_the_string(self) -> None:
        found = self.config(arguments="a='b' c=\\ d\ne")
        self.assertEqual(found["extra"], "'a=\\'b\\' c=\\\\ d\\ne'")

    def test_devices(self) -> None:
        found = self.config(ramdisk=b"", vifs=[network.vif(1, 0)],
                            disks=[Disk(Path("/a"), read_only=True, cdrom=True)])
        self.assertEqual(found["ramdisk"], "'/guest/initrd1'")
        self.assertEqual(found["vif"], "['mac=00:16:3e:77:00:01,vifname=guest1,bridge=br0']")
        self.assertEqual(found["disk"], "['vdev=xvda,access=ro,backendtype=phy,devtype=cdrom,"
                                        "target=/dev/vdb']")


class Signs(rigtest.Case):
    """Text on a console, and what it means."""

    TEXTS = (
        (endings.INITIAL_DOMAIN, b"(XEN) Hardware Dom0 halted: halting machine", End.POWEROFF),
        (endings.INITIAL_DOMAIN, b"(XEN) Hardware Dom0 crashed: rebooting", End.CRASH),
        (endings.INITIAL_DOMAIN, b"(XEN) Hardware Dom0 shutdown: rebooting machine", End.REBOOT),
        (endings.INITIAL_DOMAIN, b"Hardware Dom0 shutdown: watchdog rebooting machine",
         End.WATCHDOG),
        (endings.INITIAL_DOMAIN, b"Hardware Dom0 shutdown (unknown reason 7): ", End.OTHER),
        (endings.INITIAL_DOMAIN, b"(XEN) Panic on CPU 1:", End.PANIC),
        (endings.TOOL_STACK, b"Domain 1 has shut down, reason code 0 0x0", End.POWEROFF),
        (endings.TOOL_STACK, b"Domain 12 has shut down, reason code 3 0x3", End.CRASH),
        (endings.TOOL_STACK, b"Domain 1 has shut down, reason code 4 0x4", End.WATCHDOG),
        (endings.TOOL_STACK, b"Domain 1 has shut down, reason code 9", End.OTHER),
        (endings.TOOL_STACK, b"libxl: error: libxl_dom.c:1: no memory", End.TROUBLE),
        (endings.TOOL_STACK, b"(XEN) Hardware Dom0 crashed: rebooting", End.TROUBLE),
        (endings.NATIVE, b"Kernel panic - not syncing: no init", End.CRASH),
        (endings.NATIVE, b"reboot: Power down", End.POWEROFF),
    )

    def test_each_text_has_one_meaning(self) -> None:
        for table, text, end in self.TEXTS:
            with self.subTest(text):
                found = [(sign, match) for sign in table
                         if (match := sign.pattern.search(text))]
                self.assertEqual([sign.ending(match) for sign, match in found], [end])
                self.assertTrue(all(sign.sentence(match) for sign, match in found))

    def test_sentences(self) -> None:
        def sentence(table: Sequence[endings.Sign], text: bytes) -> str:
            return next(sign.sentence(match) for sign in table
                        if (match := sign.pattern.search(text)))

        self.assertEqual(sentence(endings.TOOL_STACK, b"Domain 1 has shut down, reason code 3 0x3"),
                         "the guest crashed")
        self.assertEqual(sentence(endings.TOOL_STACK, b"Domain 1 has shut down, reason code 0 0x0"),
                         endings.EARLY)
        self.assertEqual(sentence(endings.NATIVE, b"Kernel panic - not syncing: no init\r\n"),
                         "the guest's kernel panicked: no init")

    def test_int3_that_is_not_in_memory(self) -> None:
        text = (b"[    1.49] Oops: int3: 0000 [#1] SMP\r\n[    1.49] CPU: 0 PID: 0\r\n"
                b"[    1.49] Code: 00 41 54 55 53 %b <90> e8 45 b6\r\n[    1.49] RSP: e02b:ffff\r\n")
        self.assertTrue(stale.is_shown(b"before\r\n" + text % b"66"))
        self.assertFalse(stale.is_shown(text % b"cc"), "one that is there")
        self.assertFalse(stale.is_shown(text[:text.index(b"<")] % b"66"), "half of the report")
        self.assertFalse(stale.is_shown((text % b"66").replace(b"[#1]", b"[#2]")),
                         "the consequence of another fault")
        self.assertFalse(stale.is_shown((text % b"66").replace(b"int3", b"general protection fault")))
        # Of its own dump of code, not of the one of a program below it.
        self.assertFalse(stale.is_shown((text % b"66").replace(b"Code: 00", b"Code: (XEN) 00")
                                        + b"[    1.49] Code: 0f 05 <48> 3d\r\n"))
        # Of the first oops, not of one after it.
        self.assertFalse(stale.is_shown(text % b"cc" + (text % b"66").replace(b"[#1]", b"[#2]")))

    def test_int3_is_seen_over_pieces_of_the_text(self) -> None:
        text = (b"[    1.49] Oops: int3: 0000 [#1] SMP\r\n[    1.49] CPU: 0 PID: 0\r\n"
                b"[    1.49] Code: 00 41 54 55 53 66 <90> e8 45 b6\r\n[    1.49] RSP: e02b:ffff\r\n")
        watch = stale.Watch()
        for i in range(0, len(text), 16):
            self.assertEqual(watch.seen, i > text.index(b">"))
            watch.feed(text[i:i + 16])
        watch.feed(8192 * b"x")
        self.assertTrue(watch.seen)

    def test_int3_is_seen_at_the_start_of_much_text(self) -> None:
        watch = stale.Watch()
        watch.feed(b"Oops: int3: 0000 [#1] SMP\r\nCode: 66 <90> e8\r\n" + 60000 * b"x")
        self.assertTrue(watch.seen)

    def test_every_end_has_words(self) -> None:
        self.assertEqual(set(endings.WORDS), set(End))


class Watching(rigtest.Case):
    """An adapter's look at the consoles, with pipes instead of an emulator."""

    def watch(self, signs: Sequence[endings.Sign], *texts: bytes,
              seconds: float = 60) -> tuple[Any, bytes]:
        """Exit status and output for what TEXTS, one a console, say; the consoles stay open."""
        readers = []
        for text in texts:
            reader, writer = os.pipe()
            self.addCleanup(os.close, reader)
            self.addCleanup(os.close, writer)
            os.write(writer, text)
            readers.append(reader)
        out = mock.Mock(buffer=io.BytesIO())
        with mock.patch("sys.stdout", out):
            status = adapter.Watcher(readers, signs, time.monotonic() + seconds).watch()
        return status, out.buffer.getvalue()

    def test_initial_domain(self) -> None:
        self.assertEqual(self.watch(endings.INITIAL_DOMAIN, b"hello\nHardware Dom0 crashed: x"),
                         (End.CRASH, b"hello\nHardware Dom0 crashed: x"))

    def test_reason_is_kept_until_the_guest_is_gone(self) -> None:
        text = b"guest1: Domain 1 has shut down, reason code 1 0x1\nguest1: gone\n"
        status, out = self.watch(endings.TOOL_STACK, text, b"last words")
        self.assertEqual(status, End.REBOOT)
        self.assertIn(b"last words", out)

    def test_reason_alone_is_no_end(self) -> None:
        text = b"guest1: Domain 1 has shut down, reason code 1 0x1\n"
        self.assertEqual(self.watch(endings.TOOL_STACK, text, seconds=0.2)[0], End.TIMEOUT)

    def test_second_guest_ends_nothing(self) -> None:
        text = b"guest2: Domain 2 has shut down, reason code 3 0x3\nguest2: gone\n"
        self.assertEqual(self.watch(endings.TOOL_STACK, text, seconds=0.2)[0], End.TIMEOUT)

    def test_gone_without_a_reason(self) -> None:
        self.assertEqual(self.watch(endings.TOOL_STACK, b"guest1: gone\n")[0], End.TROUBLE)

    def test_emulator_that_goes(self) -> None:
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        os.close(writer)
        watcher = adapter.Watcher([reader], endings.INITIAL_DOMAIN, time.monotonic() + 60)
        self.assertEqual(watcher.watch(), End.TROUBLE)

    def test_noise_without_end(self) -> None:
        with mock.patch.object(adapter, "CONSOLE_LIMIT", 1000):
            self.assertEqual(self.watch(endings.INITIAL_DOMAIN, b"x" * 2000)[0], End.TROUBLE)


if __name__ == "__main__":
    unittest.main()
