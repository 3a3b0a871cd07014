# SPDX-License-Identifier: MIT
"""Tests of the adapters' command lines: values that are refused, and what a tool stack gets of the others."""
import ast
import os
import subprocess
from pathlib import Path

import rigtest

ADAPTERS = rigtest.REPO / "rig" / "adapters"
# A tool stack that prints the guest's file instead of making the guest, which has ended well.
XL = """#!/bin/sh
case "$1" in
info) echo 'xen_version : 4.99.1' ;;
create) cat "$4" && echo 'Domain 1 has shut down, reason code 0 0x0' ;;
esac
"""
# As ssh does, it makes one text of the words behind the host, which a shell there reads.
SSH = """#!/bin/sh
while [ "$1" != box ]; do shift; done
shift
exec sh -c "$*"
"""


class AdapterCase(rigtest.FolderCase):
    """Calls of adapters on a machine with a tool stack and a way to a host that are the test's own."""

    def setUp(self) -> None:
        super().setUp()
        self.image = self.folder / "image"
        self.image.write_bytes(b"\x7fELF")
        for name, script in (("xl", XL), ("ssh", SSH)):
            (self.folder / name).write_text(script, encoding="ascii")
            (self.folder / name).chmod(0o755)

    def call(self, name: str, *words: rigtest.Word, host: str = "box") -> rigtest.Result:
        """Run adapter NAME with WORDS."""
        environment = {**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}",
                       "PVGUEST_SSH": host, "PVGUEST_SSH_COMMAND": str(self.folder / "ssh")}
        return subprocess.run([str(ADAPTERS / name), *map(str, words)], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                              env=environment)


class Guest(AdapterCase):
    """The guest's file that 'xl create' gets, on this machine and at the far end of ssh."""

    TEXTS = ("case=evtchn_send peer=2", "a='b c'", 'a="b"', "it's", "a\\", "a\\nb", "a\nb", "END",
             "a\nEND\nb", "{name} %s", "*", "~", "", "a # b", "caf\N{LATIN SMALL LETTER E WITH ACUTE}")

    def extra(self, name: str, text: str) -> str:
        """The command line that the guest gets of the TEXT given to adapter NAME."""
        done = self.call(name, "--image", self.image, "--memory", 48, "--vcpus", 2, "--cmdline", text)
        self.assertEqual(done.returncode, 0, done)
        lines = dict(line.split(" = ", 1) for line in done.stdout.decode().splitlines()
                     if " = " in line)
        self.assertEqual((lines["memory"], lines["vcpus"]), ("48", "2"))
        self.assertRegex(lines["kernel"], "^'/[^$']+/image'$")
        # Of the tool stack's escapes, the adapter uses those that Python's strings have as well.
        found = ast.literal_eval(lines["extra"])
        assert isinstance(found, str)
        return found

    def test_command_line_is_handed_over_unchanged(self) -> None:
        for name in ("xl", "ssh"):
            for text in self.TEXTS:
                with self.subTest(name=name, text=text):
                    self.assertEqual(self.extra(name, text), text)

    def test_shell_expands_nothing(self) -> None:
        mark = self.folder / "mark"
        for name in ("xl", "ssh"):
            for text in (f"$(touch {mark})", f"`touch {mark}`", f"'; touch {mark}; '",
                         f"\nEND\ntouch {mark}\n", f"\\$(touch {mark})", "$HOME ${HOME} $dir $$"):
                with self.subTest(name=name, text=text):
                    self.assertEqual(self.extra(name, text), text)
                    self.assertFalse(mark.exists())


class Refused(AdapterCase):
    """Values that no guest can have: one line that begins with the program's name, exit status 2."""

    def refused(self, name: str, *words: rigtest.Word, about: str, host: str = "box") -> None:
        """Check that adapter NAME refuses WORDS in a line that has the text ABOUT."""
        with self.subTest(name=name, words=words):
            done = self.call(name, *words, host=host)
            text = done.stderr.decode()
            self.assertEqual((done.returncode, done.stdout), (2, b""), text)
            self.assertEqual(len(text.splitlines()), 1, text)
            self.assertTrue(text.startswith(f"rig/adapters/{name}: "), text)
            self.assertIn(about, text)

    def test_numbers(self) -> None:
        for option, values in (("--timeout", ("nan", "inf", "-1", "0", "1e9", "1000001", "")),
                               ("--memory", ("-4", "0", "64.5", "64M")),
                               ("--vcpus", ("-1", "0", "two"))):
            for value in values:
                self.refused("xl", "--image", self.image, f"{option}={value}",
                             about=f"{option}: '{value}' is not a whole number")
        for name in ("ssh", "xen-dom0", "xen-domu"):
            self.refused(name, "--image", self.image, "--timeout", "nan", about="--timeout")

    def test_largest_time_limit(self) -> None:
        done = self.call("xl", "--image", self.image, "--timeout", 1_000_000)
        self.assertEqual((done.returncode, done.stderr), (0, b""))

    def test_files(self) -> None:
        text = self.folder / "text"
        text.write_text("no image", encoding="ascii")
        self.refused("xl", about="--image FILE is missing")
        self.refused("xl", "--nope", about="--nope")
        for bad, problem in ((Path("none"), "no such file"), (self.folder, "not a file"),
                             (text, "no ELF file")):
            self.refused("xl", "--image", bad, about=f"--image {bad}: {problem}")
            self.refused("xen-domu", "--image", self.image, "--peer", bad,
                         about=f"--peer {bad}: {problem}")
        self.refused("xen-dom0", "--image", self.image, "--xen", "none", about="--xen none: no such file")

    def test_host_that_is_not_named(self) -> None:
        self.refused("ssh", "--image", self.image, about="set PVGUEST_SSH", host="")
        self.refused("ssh", "--describe", about="set PVGUEST_SSH", host="")

    def test_machine_that_fails_is_another_error(self) -> None:
        (self.folder / "xl").write_text("#!/bin/sh\necho 'no hypervisor' >&2\nexit 1\n", encoding="ascii")
        done = self.call("xl", "--image", self.image)
        self.assertEqual(done.returncode, 125)
        self.assertRegex(done.stderr.decode(), "^rig/adapters/xl: xl info: no hypervisor")
