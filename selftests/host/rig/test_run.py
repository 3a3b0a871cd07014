# SPDX-License-Identifier: MIT
"""Tests of 'pvguest run': a guest's output and status, and the report of each bad end."""
import os
import pty
import re
import signal
import subprocess
import termios
import unittest
from collections.abc import Callable

import rigtest
from rigtest import run, run_until
from pvg.base import releases

HYPERVISORS = ("xen-domu", "xen-dom0", "none")


def setUpModule() -> None:
    """Build the tests' kernels first."""
    rigtest.build()


class Contract(rigtest.FolderCase):
    """The contract with scripts, in every kind of guest."""

    def everywhere(self, check: Callable[[str], None]) -> None:
        """Call CHECK with each kind of guest."""
        for hv in HYPERVISORS:
            with self.subTest(hv):
                check(hv)

    def test_release(self) -> None:
        def check(hv: str) -> None:
            result = run(hv, "--", "uname", "-r")
            kernel = "native" if hv == "none" else rigtest.KERNEL
            self.assertEqual(result.returncode, 0, result.stderr.decode())
            release = re.escape(releases.default())
            self.assertRegex(result.stdout, rf"^{release}\.\d+-{kernel}\n$".encode())
        self.everywhere(check)

    def test_failure_comes_back(self) -> None:
        self.everywhere(lambda hv: self.assertEqual(run(hv, "--", "false").returncode, 1))

    def test_exit_statuses(self) -> None:
        for words, status in ((["sh", "-c", "exit 77"], 77), (["sh", "-c", "kill -9 $$"], 137),
                              (["/no/such/program"], 127), (["/etc/passwd"], 126)):
            with self.subTest(words):
                self.assertEqual(run("none", "--", *words).returncode, status)

    def test_every_byte_value_passes(self) -> None:
        (self.folder / "data").mkdir()
        data = bytes(range(256)) * 300 + b"\x02o00000000\x03 (XEN) \r\n\x06"
        (self.folder / "data" / "bytes").write_bytes(data)

        def check(hv: str) -> None:
            result = run(hv, "--add", self.folder, "--", "cat", "/data/bytes")
            self.assertEqual(result.returncode, 0, result.stderr.decode())
            self.assertEqual(result.stdout, data)
        self.everywhere(check)

    def test_kernel_messages_stay_out_of_the_output(self) -> None:
        script = "for i in 1 2 3; do echo noise $i > /dev/kmsg; echo line $i; done"

        def check(hv: str) -> None:
            log = self.folder / "log"
            result = run(hv, "--log", log, "--", "sh", "-c", script)
            self.assertEqual(result.stdout, b"line 1\nline 2\nline 3\n", result.stderr.decode())
            self.assertIn(b"noise 3", log.read_bytes())
        self.everywhere(check)

    def test_standard_error_stays_apart(self) -> None:
        result = run("none", "--", "sh", "-c", "echo out; echo err >&2")
        self.assertEqual(result.stdout, b"out\n")
        self.assertEqual(result.stderr, b"err\n")

    def test_words_pass_unchanged(self) -> None:
        words = ["", "a b", "$HOME", "'", '"', "--", "\\", "*", "\N{SNOWMAN}"]
        result = run("none", "--", "printf", "<%s>", *words)
        self.assertEqual(result.stdout.decode(), "".join(f"<{word}>" for word in words))

    def test_command_is_root_and_its_input_is_empty(self) -> None:
        result = run("none", "--", "sh", "-c", "id -u; wc -c")
        self.assertEqual(result.stdout.split(), [b"0", b"0"])

    def test_dynamic_program_with_its_libraries(self) -> None:
        shown = subprocess.run(["ldd", "/usr/bin/gcc"], stdout=subprocess.PIPE, text=True,
                               check=True).stdout
        libraries = re.findall(r"(/\S+) \(0x", shown)
        self.assertTrue(libraries)
        for path in ["/usr/bin/gcc", *libraries]:
            target = self.folder / path[1:]
            target.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(["cp", "-L", path, str(target)], check=True)
        here = subprocess.run(["gcc", "-dumpmachine"], stdout=subprocess.PIPE, check=True).stdout

        def check(hv: str) -> None:
            result = run(hv, "--add", self.folder, "--", "/usr/bin/gcc", "-dumpmachine")
            self.assertEqual(result.stdout, here, result.stderr.decode())
        self.everywhere(check)

    def test_several_virtual_cpus_and_memory(self) -> None:
        def check(hv: str) -> None:
            result = run(hv, "--vcpus", "3", "--memory", "384", "--",
                         "sh", "-c", "nproc; grep MemTotal /proc/meminfo")
            self.assertEqual(result.returncode, 0, result.stderr.decode())
            cpus, _, memory, _ = result.stdout.split()
            self.assertEqual(cpus, b"3")
            self.assertTrue(256 << 10 < int(memory) < 384 << 10, memory)
        self.everywhere(check)

    def test_compressed_kernel(self) -> None:
        for hv in ("xen-domu", "xen-dom0"):
            with self.subTest(hv):
                result = run(hv, "--bzimage", "--", "echo", "up")
                self.assertEqual(result.stdout, b"up\n", result.stderr.decode())

    def test_own_hypervisor(self) -> None:
        archives = sorted((rigtest.REPO / "build" / "packages").glob("xen-hyp*/root/boot/xen*.gz"))
        self.assertTrue(archives, "no hypervisor package was unpacked")
        result = run("xen-dom0", "--xen", archives[0], "--", "echo", "up")
        self.assertEqual(result.stdout, b"up\n", result.stderr.decode())

    def test_words_for_the_hypervisor(self) -> None:
        log = self.folder / "log"
        result = run("xen-dom0", "--xen-append", "edd=skip iommu=no", "--log", log, "--", "echo", "up")
        self.assertEqual(result.stdout, b"up\n", result.stderr.decode())
        self.assertRegex(log.read_text(errors="replace"), r"Command line: .* edd=skip iommu=no\s")


class Shell(unittest.TestCase):
    """Without a command there is a shell."""

    def test_typed_lines_run(self) -> None:
        for hv in HYPERVISORS:
            with self.subTest(hv):
                result = run(hv, stdin=b"echo $((6 * 7))\nexit 9\n")
                self.assertEqual(result.returncode, 9, result.stderr.decode())
                self.assertRegex(result.stdout, rb"\n42\r")

    def test_input_that_is_over_ends_the_shell(self) -> None:
        for hv in HYPERVISORS:
            for stdin in (b"", b"echo $((6 * 7))\n"):
                with self.subTest(hv, stdin=stdin):
                    result = run(hv, stdin=stdin)
                    self.assertEqual(result.returncode, 0, result.stderr.decode())

    def test_size_of_the_terminal(self) -> None:
        for hv in HYPERVISORS:
            with self.subTest(hv):
                ours, theirs = pty.openpty()
                self.addCleanup(os.close, ours)
                termios.tcsetwinsize(theirs, (43, 117))
                kernel = [] if hv == "none" else ["--kernel", rigtest.KERNEL]
                # The terminal is where a person types; the output may well go elsewhere.
                with subprocess.Popen([str(rigtest.PVGUEST), "run", "--hv", hv, *kernel,
                                       *rigtest.WORDS], stdin=theirs,
                                      stdout=subprocess.PIPE) as rig:
                    os.close(theirs)
                    # Before the shell runs: typed words wait for it.
                    os.write(ours, b"stty size\nexit\n")
                    out, _ = rig.communicate()
                self.assertEqual(rig.returncode, 0)
                self.assertRegex(out, rb"\n43 117\r")


class BadEnds(rigtest.FolderCase):
    """Each way to end badly has its exit status, the log's path and its last lines."""

    def ends(self, result: rigtest.Result, status: int, *about: str) -> None:
        """Check exit STATUS and that standard error shows ABOUT and the log."""
        text = result.stderr.decode()
        self.assertEqual(result.returncode, status, text)
        for words in about:
            self.assertIn(words, text)
        self.assertRegex(text, r"(?m)^pvguest: log: \S+$")
        log = text.partition("\npvguest: log: ")[2].split("\n")[0]
        self.assertTrue((rigtest.REPO / log).is_file(), log)
        self.assertRegex(text, r"(?m)^  \| \S")

    def test_timeout(self) -> None:
        for hv in HYPERVISORS:
            with self.subTest(hv):
                result, limit = run_until(lambda done: done.returncode == 124, hv, "--",
                                          "sleep", "1000")
                self.ends(result, 124, f"{limit} s")

    def test_crash(self) -> None:
        for hv in HYPERVISORS:
            with self.subTest(hv):
                self.ends(run(hv, "--", "sh", "-c", "echo c > /proc/sysrq-trigger"), 126)

    def test_end_before_the_command(self) -> None:
        for hv in HYPERVISORS:
            with self.subTest(hv):
                self.ends(run(hv, "--", "sh", "-c", "poweroff -f; sleep 100"), 126, "before")

    def test_never_comes_up(self) -> None:
        for hv in HYPERVISORS:
            with self.subTest(hv):
                # The log has a line as soon as the machine has started.
                result, _ = run_until(lambda done: b"\n  | " in done.stderr, hv, "--append",
                                      "rdinit=/bin/sleep -- 1000", "--", "true", limits=(15, 60, 600))
                self.ends(result, 126, "did not come up")

    def test_kernel_panics_at_boot(self) -> None:
        for hv in HYPERVISORS:
            with self.subTest(hv):
                self.ends(run(hv, "--append", "rdinit=/none init=/none", "--", "true"), 126)

    def test_file_that_is_no_kernel(self) -> None:
        (self.folder / "image").write_bytes(b"no kernel" * 1000)
        for hv in ("xen-domu", "xen-dom0"):
            with self.subTest(hv):
                result = run(hv, "--image", self.folder / "image", "--", "true")
                self.assertEqual(result.returncode, 2)
                self.assertRegex(result.stderr.decode(), r"\Apvguest: --image .*: no kernel: .*\n\Z")

    def test_program_that_is_no_guest(self) -> None:
        """An ELF file, so it is the hypervisor or its tool stack that refuses it."""
        for hv in ("xen-domu", "xen-dom0"):
            with self.subTest(hv):
                result = run(hv, "--timeout", "60", "--image", "/bin/busybox", "--", "true")
                self.ends(result, 126)

    def test_emulator_fails(self) -> None:
        fake = self.folder / "qemu-system-x86_64"
        fake.write_text("#!/bin/sh\necho broken emulator\nexit 3\n")
        fake.chmod(0o755)
        result = run("none", "--", "true", env={"PATH": f"{self.folder}:/usr/bin:/bin"})
        self.ends(result, 125, "broken emulator", "exit 3")

    def test_fault_of_the_emulator_during_the_boot(self) -> None:
        """The guest boots again, but not for ever."""
        fake = self.folder / "qemu-system-x86_64"
        fake.write_text("#!/bin/sh\necho >> $0.runs\n"
                        "echo '[ 1.0] Oops: int3: 0000 [#1] SMP'\n"
                        "echo '[ 1.0] Code: 55 53 66 <90> e8 45'\n"
                        "echo '[ 1.0] Kernel panic - not syncing: Fatal exception in interrupt'\n"
                        "sleep 5\n")
        fake.chmod(0o755)
        result = run("none", "--vcpus", 2, "--", "true",
                     env={"PATH": f"{self.folder}:/usr/bin:/bin"})
        self.ends(result, 125, "no more in memory: a fault of QEMU")
        self.assertEqual(result.stderr.decode().count("it boots again"), 2)
        self.assertEqual((self.folder / "qemu-system-x86_64.runs").read_text(), 3 * "\n")

    def test_log_that_cannot_be_written(self) -> None:
        result = run("none", "--log", self.folder / "none" / "log", "--", "true")
        self.assertEqual(result.returncode, 2)
        self.assertEqual(len(result.stderr.decode().splitlines()), 1, result.stderr.decode())


class Killed(rigtest.FolderCase):
    """Nothing is left behind by a run that is ended from outside."""

    def emulators(self, of: int) -> list[int]:
        """Process numbers of the children of process OF that are emulators."""
        shown = subprocess.run(["ps", "-o", "pid=,comm=", "--ppid", str(of)], text=True,
                               stdout=subprocess.PIPE, check=False).stdout
        return [int(line.split()[0]) for line in shown.splitlines() if "qemu" in line]

    def test_emulator_goes_with_the_rig(self) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with self.subTest(number):
                log = self.folder / f"log{number}"
                words = ["run", "--hv", "none", *rigtest.WORDS, "--log", str(log), "--",
                         "sh", "-c", "echo up; sleep 1000"]
                with subprocess.Popen([str(rigtest.PVGUEST), *words], stdout=subprocess.PIPE,
                                      stderr=subprocess.DEVNULL) as rig:
                    self.assertEqual(rigtest.some(rig.stdout).readline(), b"up\n")
                    child, = self.emulators(rig.pid)
                    rig.send_signal(number)
                    rig.wait(600)
                self.assertTrue(rigtest.gone(child, 600), "the emulator lives on")


class Trace(rigtest.FolderCase):
    """The hypervisor's own count of the guest's requests."""

    def test_hypercalls_are_seen(self) -> None:
        counts = self.folder / "counts.json"
        result = run("xen-domu", "--xentrace", counts, "--", "true")
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        found = re.search(r'"PV_HYPERCALL": (\d+)', counts.read_text())
        self.assertGreater(int(rigtest.some(found).group(1)), 10)


if __name__ == "__main__":
    unittest.main()
