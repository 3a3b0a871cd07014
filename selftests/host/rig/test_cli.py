# SPDX-License-Identifier: MIT
"""Tests of the command line that need no guest: unknown words, missing files."""
import unittest

import rigtest
from pvg import cli


class Words(rigtest.FolderCase):
    """Each mistake gives exit status 2 and one line with the remedy."""

    def complains(self, *words: rigtest.Word, about: str) -> None:
        """Check that WORDS are refused with one line that holds ABOUT."""
        result = rigtest.call(*words)
        text = result.stderr.decode()
        self.assertEqual(result.returncode, 2, text)
        self.assertEqual(result.stdout, b"")
        self.assertEqual(len(text.splitlines()), 1, text)
        self.assertIn(about, text)

    def test_unknown_command(self) -> None:
        self.complains("fly", about="'fly'")

    def test_unknown_option_of_each_command(self) -> None:
        for name in cli.discover():
            with self.subTest(name):
                self.complains(name, "--no-such-option", about="--help")

    def test_unknown_hypervisor(self) -> None:
        self.complains("run", "--hv", "xen-domx", about="xen-domx")

    def test_unknown_kernel(self) -> None:
        self.complains("build", "--kernel", "hurd", about="hurd")

    def test_command_without_dashes(self) -> None:
        self.complains("run", "uname", about="uname")

    def test_no_memory(self) -> None:
        self.complains("run", "--memory", "0", about="--memory")
        self.complains("run", "--memory", "8", about="at least 48 MiB")

    def test_missing_add_folder(self) -> None:
        self.complains("run", "--add", self.folder / "none", "--", "true", about="no such folder")

    def test_missing_disk(self) -> None:
        self.complains("run", "--disk", self.folder / "none", "--", "true", about="no such file")

    def test_disk_without_a_file(self) -> None:
        for text in ("", ",ro"):
            self.complains("run", "--disk", text, "--", "true", about=f"--disk '{text}': no file is named")

    def test_several_guests_and_what_they_lack(self) -> None:
        self.complains("run", "--guests", "2", about="--guests 2 needs a COMMAND behind '--'")
        self.complains("run", "--guests", "2", "--hv", "none",
                       about="--guests 2 needs --hv xen-domu and a COMMAND")

    def test_number_of_many_digits(self) -> None:
        self.complains("run", "--vcpus", "9" * 99, "--", "true", about="'9999999999...' is too large")

    def test_misspelt_command(self) -> None:
        self.complains("runs", about="is it 'run'")
        self.complains("nonesuch", about="unknown command 'nonesuch'; there are")

    def test_missing_hypervisor(self) -> None:
        self.complains("run", "--hv", "xen-dom0", "--xen", self.folder / "none", "--", "true",
                       about="no such file")

    def test_hypervisor_that_is_none(self) -> None:
        (self.folder / "text").write_text("not a hypervisor")
        self.complains("run", "--hv", "xen-dom0", "--no-build", "--kernel", "mainline",
                       "--image", self.folder / "text", "--xen", self.folder / "text", "--",
                       "true", about="ELF")

    def test_own_hypervisor_with_tool_stack(self) -> None:
        (self.folder / "xen").write_bytes(b"\x7fELF")
        self.complains("run", "--hv", "xen-domu", "--xen", self.folder / "xen", "--", "true",
                       about="xen-dom0")

    def test_kernel_that_cannot_run_there(self) -> None:
        self.complains("run", "--hv", "none", "--kernel", "mainline", "--", "true",
                       about="native")
        self.complains("run", "--hv", "xen-dom0", "--kernel", "native", "--", "true",
                       about="none")

    def test_icount_with_several_cpus(self) -> None:
        self.complains("run", "--icount", "--vcpus", "2", "--", "true", about="--vcpus")

    def test_unknown_suite(self) -> None:
        self.complains("check", "nonesuch", about="nonesuch")


class Help(unittest.TestCase):
    """Help goes to standard output and shows an example."""

    def test_overview_names_every_command(self) -> None:
        result = rigtest.call("--help")
        self.assertEqual(result.returncode, 0)
        for name in cli.discover():
            self.assertIn(f"  {name} ".encode(), result.stdout)

    def test_every_command_has_an_example(self) -> None:
        for name in cli.discover():
            with self.subTest(name):
                result = rigtest.call(name, "--help")
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertRegex(result.stdout.decode(), rf"example: .*\./pvguest {name}\b")

    def test_nothing_asked(self) -> None:
        result = rigtest.call()
        self.assertEqual(result.returncode, 2)


if __name__ == "__main__":
    unittest.main()
