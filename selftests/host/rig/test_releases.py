# SPDX-License-Identifier: MIT
"""Tests that a Linux release is named in its description only, and chosen in one way everywhere."""
import argparse
import os
import re
import subprocess
import unittest
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import rigtest
from pvg import cli
from pvg.base import errors, releases
from pvg.checks import results
from pvg.kernel import build

ROOMS = ("Makefile", "pvguest", "rig", "selftests")
OTHER = "0.99"


def code() -> Iterator[Path]:
    """The files of the repository that hold code: not pages, data, or a fuzzer's inputs."""
    listed = subprocess.run(["git", "-c", "safe.directory=*", "ls-files", "-z", *ROOMS],
                            cwd=rigtest.REPO, text=True, stdout=subprocess.PIPE, check=True).stdout
    for name in filter(None, listed.split("\0")):
        path = rigtest.REPO / name
        if path.is_file() and path.suffix in ("", ".py", ".mk", ".c", ".h", ".sh") \
                and "corpus" not in path.parts:
            yield path


class OnePlace(unittest.TestCase):
    """A second release needs no change of code."""

    def test_no_code_names_a_release(self) -> None:
        names = re.compile(rb"(?<![\w.])(linux-)?(" + b"|".join(
            re.escape(name).encode() for name in releases.names()) + rb")(?![\w])")
        seen = 0
        for path in code():
            seen += 1
            with self.subTest(path.relative_to(rigtest.REPO)):
                self.assertIsNone(names.search(path.read_bytes()))
        self.assertGreater(seen, 100)

    def test_all_commands_that_need_linux_take_it(self) -> None:
        for name in ("abi", "bench", "build", "check", "porting-cost", "run"):
            with self.subTest(name):
                _, args = cli.parse([name, "--linux", releases.usual()])
                self.assertEqual(args.linux, releases.usual())


class Chosen(unittest.TestCase):
    """Another release than the usual one, which a test has described."""

    def setUp(self) -> None:
        about = {"default": False, "version": OTHER, "package": "none"}
        true_about = releases.about
        self.enterContext(mock.patch.dict(os.environ))
        self.enterContext(mock.patch.object(releases, "names",
                                            return_value=[OTHER, releases.usual()]))
        self.enterContext(mock.patch.object(
            releases, "about",
            side_effect=lambda name: about if name == OTHER else true_about(name)))
        os.environ.pop(releases.VARIABLE, None)

    def test_option_counts_for_all_that_the_command_starts(self) -> None:
        seen = []

        def command(args: argparse.Namespace) -> int:
            child = subprocess.run(["printenv", releases.VARIABLE], stdout=subprocess.PIPE,
                                   text=True, check=False).stdout
            seen.append((args.linux, releases.default(), child.strip()))
            return 0

        with mock.patch("pvg.commands.check.main", side_effect=command):
            self.assertEqual(cli.dispatch(["check", "--linux", OTHER]), 0)
        self.assertEqual(seen, [(OTHER, OTHER, OTHER)])

    def test_builds_and_results_are_kept_apart(self) -> None:
        usual = build.Kernel("native"), results.version()
        self.assertEqual(releases.suffix(), "")
        releases.use(OTHER)
        self.assertEqual(releases.suffix(), f"-{OTHER}")
        other = build.Kernel("native")
        self.assertNotEqual(other.out, usual[0].out)
        self.assertNotEqual(other.objects, usual[0].objects)
        self.assertEqual(results.version(), f"{usual[1]}-{OTHER}")
        self.assertFalse(results.is_commit(results.version()))

    def test_environment_that_names_none(self) -> None:
        releases.use("1.2.3")
        with self.assertRaisesRegex(errors.UsageError, OTHER):
            releases.default()
        for program in ("selftests/guest/check", "selftests/guest/mutants/run"):
            result = subprocess.run([rigtest.REPO / program, "--help"], text=True,
                                    capture_output=True, check=False)
            self.assertEqual((result.returncode, len(result.stderr.splitlines())), (2, 1),
                             result.stderr)
            self.assertIn("1.2.3", result.stderr)


if __name__ == "__main__":
    unittest.main()
