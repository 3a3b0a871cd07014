#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of the generated manual: up to date, complete, without dead links."""
import re
import sys
import tempfile
import unittest
from pathlib import Path

REPO = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(REPO / "rig"))

from pvg.abi import clauses, docs, layout  # noqa: E402  (the path must be set first)


class Manual(unittest.TestCase):
    """The pages that the committed catalogue makes."""

    catalogue: clauses.Catalogue
    table: layout.Table
    made: dict[str, str]

    @classmethod
    def setUpClass(cls) -> None:
        cls.catalogue = clauses.load()
        cls.table = layout.load()
        cls.made = docs.pages(cls.catalogue, cls.table)

    def test_committed_pages_are_up_to_date(self) -> None:
        self.assertEqual(docs.stale(self.made), [],
                         "docs/abi is not what the catalogue makes: run ./pvguest abi generate")

    def test_every_clause_has_one_anchor_and_its_text(self) -> None:
        for clause in self.catalogue.clauses.values():
            page = self.made[f"{clause.area}.md"]
            self.assertEqual(page.count(f'<a id="{clause.id.lower()}"></a>'), 1, clause.id)
            self.assertIn(clause.text, page)

    def test_links_lead_somewhere(self) -> None:
        anchors = {name: set(re.findall(r'<a id="([^"]+)"', text))
                   for name, text in self.made.items()}
        links = 0
        for name, text in self.made.items():
            for target, anchor in re.findall(r"\]\(([\w.-]*)(?:#([\w-]+))?\)", text):
                target = target or name
                self.assertIn(target, self.made, f"{name} links to {target}")
                if anchor:
                    self.assertIn(anchor, anchors[target], f"{name} links to {target}#{anchor}")
                links += 1
        self.assertGreater(links, len(self.catalogue.clauses))

    def test_every_number_is_in_the_index(self) -> None:
        for number in self.catalogue.numbers:
            self.assertIn(f"\n| {number.nr} | `{number.name}` |", self.made["by-number.md"])

    def test_every_structure_is_shown(self) -> None:
        everything = "".join(self.made.values())
        for struct in self.table.structs:
            self.assertIn(f"### `{struct.name}`: {struct.size} bytes", everything)

    def test_stale_pages_are_named(self) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            docs.write(self.made, folder)
            self.assertEqual(docs.stale(self.made, folder), [])
            (folder / "time.md").write_text("old\n", encoding="utf-8")
            (folder / "gone.md").write_text("left over\n", encoding="utf-8")
            (folder / "grant.md").unlink()
            self.assertEqual(docs.stale(self.made, folder), ["gone.md", "grant.md", "time.md"])
            self.assertEqual(docs.write(self.made, folder), ["gone.md", "grant.md", "time.md"])
            self.assertEqual(docs.stale(self.made, folder), [])


if __name__ == "__main__":
    unittest.main()
