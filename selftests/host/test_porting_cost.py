# SPDX-License-Identifier: MIT
"""Tests of the line counts: what counts, what does not, and a missing series."""
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "rig"))

from pvg import errors, porting_cost  # noqa: E402


class PortingCost(unittest.TestCase):
    """Counts of made-up trees."""

    def setUp(self):
        self._folder = tempfile.TemporaryDirectory()
        self.addCleanup(self._folder.cleanup)
        self.tree = Path(self._folder.name)

    def write(self, name, text):
        """A file of the tree."""
        path = self.tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def test_only_sources_count(self):
        self.write("a.c", "1\n2\n")
        self.write("sub/b.S", "1\n")
        self.write("sub/c.h", "1\n2\n3\n")
        self.write("README.md", "1\n")
        self.write("Makefile", "1\n")
        self.write("left.c", "1\n2\n3\n4\n")
        self.assertEqual(porting_cost.folder(self.tree, {"left.c"}),
                         {"lines": 6, "files": 3, "largest": 3})

    def test_patch_headers_do_not_count(self):
        self.write("series", "one.patch\n")
        self.write("one.patch", "Why\n---\n--- a/x\n+++ b/x\n@@ -1 +1,2 @@\n-old\n+new\n+more\n"
                                "--- a/y\n+++ b/y\n@@ -1 +0,0 @@\n-gone\n")
        self.assertEqual(porting_cost.patches(self.tree), {"added": 2, "removed": 2, "files": 2})

    def test_back_ends_of_mainline_do_not_count(self):
        for name in (*porting_cost.MAINLINE_FRONT_ENDS,
                     *(n for n in porting_cost.MAINLINE_BUS if n.endswith(".c")),
                     "drivers/xen/events/events_base.c", "drivers/xen/xenbus/xenbus_xs.c"):
            self.write(name, "1\n")
        self.write("drivers/xen/xenbus/xenbus_probe_backend.c", "1\n2\n")
        self.write("drivers/xen/balloon.c", "1\n2\n")
        parts = porting_cost.mainline(self.tree)["parts"]
        self.assertEqual(parts["events, grants, store, bus"],
                         {"lines": 7, "files": 7, "largest": 1})
        self.assertEqual(parts["front ends"], {"lines": 3, "files": 3, "largest": 1})

    def test_missing_series_is_an_error(self):
        with self.assertRaises(errors.UsageError):
            porting_cost.patches(self.tree)


if __name__ == "__main__":
    unittest.main()
