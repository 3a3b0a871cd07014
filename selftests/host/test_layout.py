#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of the layout table: strict reading, and that a wrong entry is found with its line."""
import dataclasses
import shutil
import sys
import tempfile
import unittest
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "rig"))

from pvg import clauses, errors, layout, paths  # noqa: E402  (the path must be set first)

TABLE = """structs:
- name: struct demo
  area: time
  size: 8
  fields:
  - {name: first, offset: 0, size: 4}
  - {name: second.third, offset: 4, size: 4, linux: "-"}
constants:
- {name: DEMO, area: time, value: 0x10}
"""


def linux_tree():
    """A Linux source tree that the rig unpacked, or None."""
    for tree in sorted(paths.BUILD.glob("linux-*/source")):
        if (tree / "include/xen/interface/xen.h").is_file():
            return tree
    return None


class Reading(unittest.TestCase):
    """The strict loader of the table."""

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.path = Path(scratch.name) / "layout.yaml"

    def load(self, old="", new=""):
        """Load the demonstration table with OLD replaced by NEW."""
        self.assertIn(old, TABLE)
        self.path.write_text(TABLE.replace(old, new, 1), encoding="utf-8")
        return layout.load(self.path)

    def refused(self, old, new, expected):
        """Replacing OLD by NEW is complained of in a line that holds EXPECTED."""
        with self.assertRaises(clauses.CatalogueError) as caught:
            self.load(old, new)
        self.assertIn(expected, caught.exception.problems[0])

    def test_good(self):
        table = self.load()
        self.assertEqual(table.structs[0].members[1].name, "second.third")
        self.assertEqual(table.structs[0].members[1].linux, "-")
        self.assertEqual(table.constants[0].value, 16)

    def test_unknown_key(self):
        self.refused("  size: 8", "  size: 8\n  width: 3", "layout.yaml:5: unknown key 'width'")

    def test_missing_key(self):
        self.refused(", size: 4}", "}", "layout.yaml:6: row of fields has no size")

    def test_member_twice(self):
        self.refused("second.third", "first",
                     "layout.yaml:7: member first of struct demo appears twice")

    def test_member_too_far(self):
        self.refused("offset: 4", "offset: 5", "layout.yaml:7: member second.third reaches beyond")

    def test_not_a_number(self):
        self.refused("0x10", "ten", "layout.yaml:9: value 'ten' is not a whole number")

    def test_not_a_name(self):
        self.refused("struct demo", "demo; int x",
                     "layout.yaml:2: name 'demo; int x' is not a C name")

    def test_source_names_linux_only_where_it_has_it(self):
        text = layout.source(self.load(), linux=True)
        self.assertIn("offsetof(struct demo, first) == 0", text)
        self.assertNotIn("second", text)


class Headers(unittest.TestCase):
    """The committed table against real headers."""

    @classmethod
    def setUpClass(cls):
        cls.table = layout.load()

    def setUp(self):
        if not shutil.which("gcc"):
            self.skipTest("gcc is not installed")

    def need_libxen(self):
        """Skip unless the packaged headers are there."""
        if not Path("/usr/include/xen/xen.h").is_file():
            self.skipTest("libxen-dev is not installed: /usr/include/xen/xen.h is missing")

    def test_packaged_headers(self):
        self.need_libxen()
        self.assertGreater(layout.check(self.table), 1000)

    def test_linux_headers(self):
        tree = linux_tree()
        if tree is None:
            self.skipTest("no Linux tree is unpacked under build/; pvguest build does that")
        self.assertGreater(layout.check(self.table, tree), 1000)

    def test_not_a_tree(self):
        with tempfile.TemporaryDirectory() as empty, self.assertRaises(errors.UsageError):
            layout.check(self.table, empty)

    def wrong(self, table):
        """The complaints about TABLE."""
        with self.assertRaises(clauses.CatalogueError) as caught:
            layout.check(table)
        return caught.exception.problems

    def test_wrong_size(self):
        self.need_libxen()
        first = self.table.structs[0]
        bad = dataclasses.replace(first, size=first.size + 8)
        table = dataclasses.replace(self.table, structs=(bad,) + self.table.structs[1:])
        found = self.wrong(table)
        self.assertEqual(len(found), 1)
        self.assertIn(f"layout.yaml:{first.line}: size of {first.name} differs", found[0])

    def test_wrong_offset(self):
        self.need_libxen()
        struct = next(s for s in self.table.structs if s.name == "struct vcpu_info")
        member = dataclasses.replace(struct.members[1], offset=3)
        bad = dataclasses.replace(struct, members=(struct.members[0], member) + struct.members[2:])
        table = dataclasses.replace(self.table, structs=(bad,))
        self.assertIn(f":{member.line}: offset of {member.name} in struct vcpu_info",
                      self.wrong(table)[0])

    def test_wrong_constant(self):
        self.need_libxen()
        first = self.table.constants[0]
        bad = dataclasses.replace(first, value=first.value ^ 1)
        table = dataclasses.replace(self.table, constants=(bad,))
        self.assertIn(f":{first.line}: value of {first.name}", self.wrong(table)[0])


if __name__ == "__main__":
    unittest.main()
