# SPDX-License-Identifier: MIT
"""Tests of --root debian: an unmodified Debian boots, works, and drops all changes at the end."""
import os
import subprocess
import unittest
from unittest import mock

import rigtest
from pvg.base import errors
from pvg.guest import debian
from rigtest import run
from test_disks import HAVE_DRIVER

PLACES = ("xen-domu", "none") if HAVE_DRIVER else ("none",)

LONG = bool(os.environ.get("PVGUEST_LONG"))

# First steps of a user, on one boot, as each takes long under emulation: most of that is unpacking
# packages, and the wait for the disk after each has no use in a test.
INSTALL = "apt-get install --yes -o Dpkg::Options::=--force-unsafe-io {} > /tmp/apt 2>&1 || " \
          "{{ cat /tmp/apt >&2; exit 1; }}"
SESSION = "\n".join([
    "systemctl is-system-running --wait", "hostname", "cat /added",
    # The rig leaves the name to udev (enX0 on Xen), and the interface has its address all the same.
    "ls /sys/class/net | grep ^e | cut -c 1-2", "ip -o -4 address show scope global | awk '{ print $4 }'",
    "ping -4 -c 1 -W 60 control > /dev/null",
    INSTALL.format("gcc libc6-dev"),
    "echo 'int puts(const char *); int main(void) { puts(\"compiled\"); }' > hello.c",
    "gcc -o hello hello.c", "./hello", "apt-get update > /dev/null"])
ANSWERS = ["running", "guest1", "added", "en", "10.77.0.11/24", "compiled"]
SESSION_MORE = "\n".join([
    INSTALL.format("git python3"), "git init --quiet work",
    "git -C work -c user.name=a -c user.email=b commit --quiet --allow-empty -m first",
    "git -C work log --oneline | wc -l", "python3 -c 'print(6 * 7)'"])
ANSWERS_MORE = ["1", "42"]


def setUpModule() -> None:
    """Make the image first: it takes longer than any test may."""
    debian.image()


class Guest(rigtest.FolderCase):
    """A guest with Debian on its first disk."""

    def sh(self, hv: str, script: str, *options: rigtest.Word) -> str:
        """Standard output of SCRIPT in a Debian on HV; it must succeed."""
        result = run(hv, "--root", "debian", *options, "--", "sh", "-e", "-c", script)
        self.assertEqual(result.returncode, 0, (result.stdout + result.stderr).decode())
        return result.stdout.decode()

    def test_a_session(self) -> None:
        (self.folder / "added").write_text("added\n")
        script, answers = (f"{SESSION}\n{SESSION_MORE}", ANSWERS + ANSWERS_MORE) if LONG \
            else (SESSION, ANSWERS)
        for hv in PLACES if LONG else PLACES[:1]:
            with self.subTest(hv):
                before = debian.image().path.stat().st_mtime_ns
                text = self.sh(hv, script, "--add", self.folder, "--timeout", "7200")
                self.assertEqual(text.split(), answers)
                self.assertEqual(debian.image().path.stat().st_mtime_ns, before)

    @unittest.skipUnless(LONG, "boots three more times; make check-long runs it")
    def test_ends(self) -> None:
        """Exit status and a crash come back; two guests share the image."""
        for hv in PLACES:
            with self.subTest(hv):
                result = run(hv, "--root", "debian", "--", "sh", "-c", "exit 7")
                self.assertEqual(result.returncode, 7, result.stderr.decode())
        if HAVE_DRIVER:
            text = self.sh("xen-domu", "echo $PVGUEST_NUMBER > /number; sync; cat /number",
                           "--guests", "2")
            self.assertEqual(sorted(text.splitlines()), ["guest1: 1", "guest2: 2"])

    @unittest.skipUnless(LONG, "boots once more; make check-long runs it")
    def test_shuts_down_cleanly(self) -> None:
        """A file system that the command left mounted is whole again when the run has ended."""
        disk = self.folder / "disk"
        disk.write_bytes(bytes(16 << 20))
        subprocess.run(["mke2fs", "-q", "-t", "ext4", disk], check=True)
        name = "xvdb" if PLACES[0] == "xen-domu" else "vdb"
        self.sh(PLACES[0], f"mount /dev/{name} /mnt; echo kept > /mnt/file", "--disk", disk)
        state = subprocess.run(["dumpe2fs", "-h", disk], check=True, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        self.assertNotIn("needs_recovery", state)

    def test_initial_domain_has_no_disk(self) -> None:
        result = run("xen-dom0", "--root", "debian", "--", "true")
        self.assertEqual(result.returncode, 2)
        self.assertIn(b"no back end", result.stderr)


class Sources(unittest.TestCase):
    """The sources of packages."""

    def sources(self, text: str) -> list[str]:
        """The sources found in apt's output TEXT."""
        answer = mock.Mock(stdout=text)
        with mock.patch("subprocess.run", return_value=answer):
            return debian._sources()

    def test_those_of_debian(self) -> None:
        self.assertEqual(self.sources(
            "Other|bookworm|deb http://other x main\n"
            "Debian|bookworm|deb http://here/debian bookworm main\n"
            "Debian|bookworm-security|deb http://here/security bookworm-security main\n"
            "Debian|trixie|deb http://here/debian trixie main\n"),
            ["deb http://here/debian bookworm main",
             "deb http://here/security bookworm-security main"])

    def test_none(self) -> None:
        with self.assertRaisesRegex(errors.RigError, "apt-get update"):
            self.sources("Other|stable|deb http://other x main\n")


if __name__ == "__main__":
    unittest.main()
