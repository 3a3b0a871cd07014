# SPDX-License-Identifier: MIT
"""Tests of the line counts: counted and excluded lines, and a missing series."""
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "rig"))

from pvg.base import errors  # noqa: E402
from pvg.kernel import cost, similarity  # noqa: E402


class PortingCost(unittest.TestCase):
    """Counts of made-up trees."""

    def setUp(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.addCleanup(self._folder.cleanup)
        self.tree = Path(self._folder.name)

    def write(self, name: str, text: str) -> None:
        """A file of the tree."""
        path = self.tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def test_only_sources_count(self) -> None:
        self.write("a.c", "1\n2\n")
        self.write("sub/b.S", "1\n")
        self.write("sub/c.h", "1\n2\n3\n")
        self.write("README.md", "1\n")
        self.write("Makefile", "1\n")
        self.write("left.c", "1\n2\n3\n4\n")
        self.assertEqual(cost.folder(self.tree, {"left.c"}),
                         {"lines": 6, "files": 3, "largest": 3})

    def test_patch_headers_do_not_count(self) -> None:
        self.write("series", "one.patch\n")
        self.write("one.patch", "Why\n---\n--- a/x\n+++ b/x\n@@ -1 +1,2 @@\n-old\n+new\n+more\n"
                                "--- a/y\n+++ b/y\n@@ -1 +0,0 @@\n-gone\n")
        self.assertEqual(cost.patches(self.tree), {"added": 2, "removed": 2, "files": 2})

    def test_back_ends_of_mainline_do_not_count(self) -> None:
        for name in (*cost.MAINLINE_FRONT_ENDS,
                     *(n for n in cost.MAINLINE_BUS if n.endswith(".c")),
                     "drivers/xen/events/events_base.c", "drivers/xen/xenbus/xenbus_xs.c"):
            self.write(name, "1\n")
        self.write("drivers/xen/xenbus/xenbus_probe_backend.c", "1\n2\n")
        self.write("drivers/xen/gntdev.c", "1\n2\n")
        parts = cost.mainline(self.tree)["parts"]
        self.assertEqual(parts["events, grants, store, bus"],
                         {"lines": 9, "files": 9, "largest": 1})
        self.assertEqual(parts["front ends"], {"lines": 3, "files": 3, "largest": 1})

    def test_missing_series_is_an_error(self) -> None:
        with self.assertRaises(errors.UsageError):
            cost.patches(self.tree)



class Similarity(unittest.TestCase):
    """Shares of made-up files."""

    TEXT = "int f(int a)\n{\n\treturn g(a, 1) + h(a);\n}\n"

    def compare(self, ours: str, theirs: str) -> list[similarity.Nearest]:
        """The result for one of our files and one of Linux."""
        with tempfile.TemporaryDirectory() as name:
            repo, tree = Path(name) / "repo", Path(name) / "tree"
            for path, text in ((repo / "arch/x86/pvguest/a.c", ours), (repo / "drivers/pvbus/a.md", ours),
                               (repo / "hypercall-abi/include/e.h", ""),
                               (tree / "arch/x86/xen/b.c", theirs), (tree / "drivers/xen/c.c", "int x;"),
                               *((tree / front, "") for front in cost.MAINLINE_FRONT_ENDS)):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            return similarity.compare(tree, repo)

    def test_same_text_in_other_lines_and_comments(self) -> None:
        found = self.compare(self.TEXT, "/* Another. */\n" + self.TEXT.replace("\n", " \n\n"))
        self.assertEqual(found, [similarity.Nearest("arch/x86/pvguest/a.c", 1.0, "arch/x86/xen/b.c")])

    def test_other_text(self) -> None:
        found = self.compare(self.TEXT, self.TEXT.replace("a", "b"))
        self.assertLess(found[0].share, 0.1)

    def test_half_of_a_file(self) -> None:
        found = self.compare(self.TEXT + self.TEXT.replace("a", "b"), self.TEXT)
        self.assertAlmostEqual(found[0].share, 0.4, delta=0.15)

    def test_a_comment_is_no_text(self) -> None:
        self.assertEqual(self.compare("/* " + self.TEXT + " */ int y;", self.TEXT), [])


if __name__ == "__main__":
    unittest.main()
