#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of the layout table: strict reading, and that a wrong entry is found with its line."""
import dataclasses
import shutil
import sys
import tempfile
import unittest
from pathlib import Path

REPO = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(REPO / "rig"))

from pvg.base import errors, paths  # noqa: E402  (the path must be set first)
from pvg.abi import clauses, layout  # noqa: E402

TABLE = """area: time
structs:
- name: struct demo
  size: 8
  fields:
  - {name: first, offset: 0, size: 4}
  - {name: second.third, offset: 4, size: 4, linux: "-"}
constants:
- {name: DEMO, value: 0x10}
"""


def linux_tree() -> Path | None:
    """A Linux source tree that the rig unpacked, or None."""
    for tree in sorted(paths.BUILD.glob("linux-*/source")):
        if (tree / "include/xen/interface/xen.h").is_file():
            return tree
    return None


class Reading(unittest.TestCase):
    """The strict loader of the table."""

    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.path = Path(scratch.name) / "time.yaml"

    def load(self, old: str = "", new: str = "") -> layout.Table:
        """Load the demonstration table with OLD replaced by NEW."""
        self.assertIn(old, TABLE)
        self.path.write_text(TABLE.replace(old, new, 1), encoding="utf-8")
        return layout.load(self.path.parent)

    def refused(self, old: str, new: str, expected: str) -> None:
        """Replacing OLD by NEW gives a message that holds EXPECTED."""
        with self.assertRaises(clauses.CatalogueError) as caught:
            self.load(old, new)
        self.assertIn(expected, caught.exception.problems[0])

    def test_good(self) -> None:
        table = self.load()
        self.assertEqual(table.structs[0].members[1].name, "second.third")
        self.assertEqual(table.structs[0].members[1].linux, "-")
        self.assertEqual(table.constants[0].value, 16)

    def test_unknown_key(self) -> None:
        self.refused("  size: 8", "  size: 8\n  width: 3", "time.yaml:5: unknown key 'width'")

    def test_missing_key(self) -> None:
        self.refused(", size: 4}", "}", "time.yaml:6: row of fields has no size")

    def test_member_twice(self) -> None:
        self.refused("second.third", "first",
                     "time.yaml:7: member first of struct demo appears twice")

    def test_member_too_far(self) -> None:
        self.refused("offset: 4", "offset: 5", "time.yaml:7: member second.third reaches beyond")

    def test_not_a_number(self) -> None:
        self.refused("0x10", "ten", "time.yaml:9: value 'ten' is not a whole number")

    def test_not_a_name(self) -> None:
        self.refused("struct demo", "demo; int x",
                     "time.yaml:3: name 'demo; int x' is not a C name")

    def test_area_and_file_name(self) -> None:
        self.refused("area: time", "area: other", "time.yaml:1: area 'other' does not match")

    def test_empty_table(self) -> None:
        self.path.write_text("area: time\n", encoding="utf-8")
        with self.assertRaises(clauses.CatalogueError) as caught:
            layout.load(self.path.parent)
        self.assertIn("time.yaml:1: the table has neither structs", caught.exception.problems[0])

    def test_no_tables(self) -> None:
        with self.assertRaises(clauses.CatalogueError) as caught:
            layout.load(self.path.parent)
        self.assertIn("no tables", caught.exception.problems[0])

    def test_same_name_in_another_area(self) -> None:
        (self.path.parent / "vcpu.yaml").write_text(TABLE.replace("area: time", "area: vcpu"),
                                                    encoding="utf-8")
        self.refused("0x10", "0x11", "vcpu.yaml:3: struct demo appears twice")

    def test_source_names_linux_only_where_it_has_it(self) -> None:
        text = layout.source(self.load(), linux=True)
        self.assertIn("offsetof(struct demo, first) == 0", text)
        self.assertNotIn("second", text)


class Headers(unittest.TestCase):
    """The committed table against real headers."""

    table: layout.Table

    @classmethod
    def setUpClass(cls) -> None:
        cls.table = layout.load()

    def setUp(self) -> None:
        if not shutil.which("gcc"):
            self.skipTest("gcc is not installed")

    def need_libxen(self) -> None:
        """Skip unless the packaged headers are there."""
        if not Path("/usr/include/xen/xen.h").is_file():
            self.skipTest("libxen-dev is not installed: /usr/include/xen/xen.h is missing")

    def test_packaged_headers(self) -> None:
        self.need_libxen()
        self.assertGreater(layout.check(self.table), 1000)

    def test_linux_headers(self) -> None:
        tree = linux_tree()
        if tree is None:
            self.skipTest("no Linux tree is unpacked under build/; ./pvguest build does that")
        self.assertGreater(layout.check(self.table, tree), 1000)

    def test_not_a_tree(self) -> None:
        with tempfile.TemporaryDirectory() as empty, self.assertRaises(errors.UsageError):
            layout.check(self.table, empty)

    def wrong(self, table: layout.Table) -> list[str]:
        """The messages about TABLE."""
        with self.assertRaises(clauses.CatalogueError) as caught:
            layout.check(table)
        return caught.exception.problems

    def test_wrong_size(self) -> None:
        self.need_libxen()
        first = self.table.structs[0]
        bad = dataclasses.replace(first, size=first.size + 8)
        table = dataclasses.replace(self.table, structs=(bad,) + self.table.structs[1:])
        found = self.wrong(table)
        self.assertEqual(len(found), 1)
        self.assertIn(f"{first.file}:{first.line}: size of {first.name} differs", found[0])

    def test_wrong_offset(self) -> None:
        self.need_libxen()
        struct = next(s for s in self.table.structs if s.name == "struct vcpu_info")
        member = dataclasses.replace(struct.members[1], offset=3)
        bad = dataclasses.replace(struct, members=(struct.members[0], member) + struct.members[2:])
        table = dataclasses.replace(self.table, structs=(bad,))
        self.assertIn(f":{member.line}: offset of {member.name} in struct vcpu_info",
                      self.wrong(table)[0])

    def test_wrong_constant(self) -> None:
        self.need_libxen()
        first = self.table.constants[0]
        bad = dataclasses.replace(first, value=first.value ^ 1)
        table = dataclasses.replace(self.table, constants=(bad,))
        self.assertIn(f":{first.line}: value of {first.name}", self.wrong(table)[0])


if __name__ == "__main__":
    unittest.main()
