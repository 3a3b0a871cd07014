#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of the clause catalogue: the committed files, the strict loader and the coverage count."""
import re
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(REPO / "rig"))

from pvg.abi import clauses  # noqa: E402  (the path must be set first)

HEADERS = Path("/usr/include/xen")

NUMBERS = """numbers:
- {nr: 0, name: first, use: guest, summary: "The first."}
- {nr: 1, name: second, use: unused, summary: "The second."}
"""

AREA = """area: demo
title: Demonstration
order: 1
prefixes: {DEM: All of them}
intro: Words.
clauses:
- id: DEM-001
  title: One
  text: The first answers 0.
  level: must
  hypercall: first
  subop: FIRST_sub
  errors: [EINVAL]
  test: single
  source:
  - "public/xen.h:10 (word)"
- id: DEM-002
  title: Two
  text: The second answers.
  level: may
  hypercall: second
  test: none
  source: ["xen/common/x.c:func"]
"""


class Folder(unittest.TestCase):
    """A catalogue of two clauses in a folder of its own."""

    def setUp(self) -> None:
        self.scratch = tempfile.TemporaryDirectory()
        self.addCleanup(self.scratch.cleanup)
        self.folder = Path(self.scratch.name)
        self.write("numbers.yaml", NUMBERS)
        self.write("demo.yaml", AREA)

    def write(self, name: str, text: str) -> None:
        """Write TEXT to file NAME of the folder."""
        (self.folder / name).write_text(text, encoding="utf-8")

    def problems(self) -> list[str]:
        """The loader's messages, with the folder's name cut off."""
        with self.assertRaises(clauses.CatalogueError) as caught:
            clauses.load(self.folder)
        return [re.sub(r"^\S*/(?=[a-z-]+\.yaml:)", "", problem)
                for problem in caught.exception.problems]

    def refused(self, old: str, new: str, expected: str) -> None:
        """Replacing OLD by NEW in the area gives one message, which starts with EXPECTED."""
        self.assertIn(old, AREA)
        self.write("demo.yaml", AREA.replace(old, new, 1))
        found = self.problems()
        self.assertEqual(len(found), 1, found)
        self.assertTrue(found[0].startswith(expected), found[0])


class Loading(Folder):
    """The strict loader."""

    def test_good_catalogue(self) -> None:
        catalogue = clauses.load(self.folder)
        one = catalogue.clauses["DEM-001"]
        self.assertEqual(list(catalogue.clauses), ["DEM-001", "DEM-002"])
        self.assertEqual((one.level, one.hypercall, one.subop, one.errors, one.line),
                         ("must", "first", "FIRST_sub", ("EINVAL",), 7))
        self.assertEqual(one.source, ("public/xen.h:10 (word)",))
        self.assertEqual([c.id for c in catalogue.musts()], ["DEM-001"])
        self.assertEqual([c.id for c in catalogue.of_hypercall("second")], ["DEM-002"])

    def test_unknown_key(self) -> None:
        self.refused("  level: must\n", "  level: must\n  colour: red\n",
                     "demo.yaml:11: unknown key 'colour' in clause")

    def test_unknown_key_of_file(self) -> None:
        self.refused("order: 1\n", "order: 1\nauthor: me\n",
                     "demo.yaml:4: unknown key 'author' in file")

    def test_key_twice(self) -> None:
        self.refused("  level: must\n", "  level: must\n  level: may\n",
                     "demo.yaml:11: key 'level' appears twice")

    def test_duplicate_id(self) -> None:
        self.refused("- id: DEM-002", "- id: DEM-001",
                     "demo.yaml:17: duplicate id DEM-001; first at")

    def test_duplicate_id_in_another_file(self) -> None:
        self.write("other.yaml", AREA.replace("area: demo", "area: other"))
        found = self.problems()
        self.assertEqual(len(found), 2, found)
        self.assertTrue(found[0].startswith("other.yaml:7: duplicate id DEM-001"), found[0])

    def test_bad_level(self) -> None:
        self.refused("level: must", "level: should", "demo.yaml:10: level 'should' is not one of")

    def test_missing_source(self) -> None:
        self.refused('  source: ["xen/common/x.c:func"]\n', "",
                     "demo.yaml:17: clause has no source")

    def test_empty_source(self) -> None:
        self.refused('["xen/common/x.c:func"]', "[]", "demo.yaml:23: source is not a list")

    def test_vague_source(self) -> None:
        self.refused("xen/common/x.c:func", "from memory", "demo.yaml:23: source 'from memory'")

    def test_unknown_error_name(self) -> None:
        self.refused("[EINVAL]", "[EWRONG]", "demo.yaml:13: 'EWRONG' is not an error name")

    def test_unknown_hypercall(self) -> None:
        self.refused("hypercall: first", "hypercall: third", "demo.yaml:11: hypercall 'third'")

    def test_bad_id(self) -> None:
        self.refused("DEM-002", "DEM-2", "demo.yaml:17: id 'DEM-2' is not of the form")

    def test_foreign_prefix(self) -> None:
        self.refused("DEM-002", "DOM-002",
                     "demo.yaml:17: id 'DOM-002' has none of this area's prefixes")

    def test_order(self) -> None:
        self.refused("DEM-001", "DEM-003", "demo.yaml:17: id DEM-002 stands after DEM-003")

    def test_removed_without_release(self) -> None:
        self.refused("level: may", "level: removed",
                     "demo.yaml:17: a removed clause has to say until")

    def test_release(self) -> None:
        self.refused("level: may", "level: may\n  since: now",
                     "demo.yaml:21: since 'now' is not a release")

    def test_not_yaml(self) -> None:
        self.write("demo.yaml", AREA + "  text: [\n")
        self.assertTrue(self.problems()[0].startswith("demo.yaml:2"), self.problems())

    def test_area_and_file_name(self) -> None:
        self.refused("area: demo", "area: other", "demo.yaml:1: area 'other' does not match")

    def test_continued_area(self) -> None:
        head, two = AREA.split("- id: DEM-002")
        self.write("demo.yaml", head.replace("DEM-001", "DEM-003"))
        self.write("demo-more.yaml", "area: demo\nclauses:\n- id: DEM-002" + two)
        catalogue = clauses.load(self.folder)
        self.assertEqual(list(catalogue.clauses), ["DEM-002", "DEM-003"])
        self.assertEqual([c.id for c in catalogue.areas[0].clauses], ["DEM-002", "DEM-003"])
        found = catalogue.clauses["DEM-002"]
        self.assertEqual((found.area, Path(found.file).name, found.line), ("demo", "demo-more.yaml", 3))

    def test_order_of_sections(self) -> None:
        self.write("demo.yaml", AREA.replace("{DEM: All", "{OMD: Late, DEM: All")
                   .replace("DEM-002", "OMD-002"))
        self.assertEqual(list(clauses.load(self.folder).clauses), ["OMD-002", "DEM-001"])

    def test_continued_with_keys_of_a_first_file(self) -> None:
        self.write("demo-more.yaml", AREA)
        self.assertTrue(self.problems()[0].startswith("demo-more.yaml:2: unknown key 'title'"),
                        self.problems())

    def test_continued_area_of_another_name(self) -> None:
        self.write("demo-more.yaml", "area: other\nclauses: []\n")
        self.assertEqual(self.problems(),
                         ["demo-more.yaml:1: area 'other' does not match the file's name"])

    def test_continued_without_a_first_file(self) -> None:
        self.write("other-more.yaml", "area: other\nclauses: []\n")
        self.assertEqual(self.problems(),
                         ["other-more.yaml:1: no file other.yaml starts area 'other'"])

    def test_undescribed_number(self) -> None:
        self.refused("  hypercall: second\n", "",
                     "numbers.yaml:3: no clause is about hypercall 1, second")

    def test_gap_in_numbers(self) -> None:
        self.write("numbers.yaml", NUMBERS.replace("nr: 1", "nr: 2"))
        self.assertTrue(self.problems()[0].startswith("numbers.yaml:3: number 2 stands where 1"))


class Coverage(Folder):
    """The count of clauses that cases cover."""

    def count(self, *cases: tuple[str, list[str], int]) -> Any:
        """Coverage of the demonstration by CASES, each (name, clauses, line)."""
        return clauses.coverage(clauses.load(self.folder),
                                [{"name": name, "clauses": ids, "file": "case.c", "line": line}
                                 for name, ids, line in cases])

    def waive(self) -> None:
        """Give the first clause a reason for having no case."""
        self.write("demo.yaml", AREA.replace("  level: must\n",
                                             "  level: must\n  untested: no way\n"))

    def test_covered(self) -> None:
        result = self.count(("one", ["DEM-001"], 3))
        self.assertTrue(result.complete)
        self.assertEqual(result.areas, {"demo": (1, 1)})
        self.assertEqual(result.musts, (1, 1))
        self.assertEqual(result.covered, {"DEM-001": ["one"]})

    def test_clause_without_case(self) -> None:
        result = self.count()
        self.assertFalse(result.complete)
        self.assertEqual([c.id for c in result.uncovered], ["DEM-001"])
        self.assertEqual(result.areas, {"demo": (0, 1)})

    def test_case_without_clause(self) -> None:
        result = self.count(("one", ["DEM-001"], 3), ("two", [], 9))
        self.assertEqual(result.problems, ["case.c:9: case two names no clause"])
        self.assertFalse(result.complete)

    def test_case_with_unknown_clause(self) -> None:
        result = self.count(("one", ["DEM-001", "DEM-009"], 3))
        self.assertEqual(result.problems, ["case.c:3: case one names clause DEM-009, "
                                           "which is not in the catalogue"])

    def test_waived_clause(self) -> None:
        self.waive()
        result = self.count()
        self.assertTrue(result.complete)
        self.assertEqual([c.id for c in result.waived], ["DEM-001"])

    def test_stale_waiver(self) -> None:
        self.waive()
        result = self.count(("one", ["DEM-001"], 3))
        self.assertEqual(len(result.problems), 1)
        self.assertIn("is waived, but case one covers it", result.problems[0])


class Committed(unittest.TestCase):
    """The catalogue as it stands in the repository."""

    catalogue: clauses.Catalogue

    @classmethod
    def setUpClass(cls) -> None:
        cls.catalogue = clauses.load()

    def test_size(self) -> None:
        self.assertGreaterEqual(len(self.catalogue.clauses), 500)

    def test_numbers(self) -> None:
        self.assertEqual([n.nr for n in self.catalogue.numbers], list(range(56)))

    def test_every_number_has_its_own_clause(self) -> None:
        for number in self.catalogue.numbers:
            clause = self.catalogue.clauses[f"HCN-{number.nr:03d}"]
            self.assertEqual(clause.hypercall, number.name, clause.id)

    def test_refused_numbers_say_how(self) -> None:
        for number in self.catalogue.numbers:
            if number.use in ("refused", "unused", "removed"):
                self.assertTrue(self.catalogue.clauses[f"HCN-{number.nr:03d}"].errors, number.name)

    def test_texts_are_sentences(self) -> None:
        for clause in self.catalogue.clauses.values():
            self.assertTrue(clause.text.endswith("."), clause.id)
            self.assertFalse(clause.title.endswith("."), clause.id)

    def test_may_clauses_say_may(self) -> None:
        for clause in self.catalogue.clauses.values():
            if clause.level == "may":
                self.assertRegex(clause.text, r"\bmay\b", clause.id)

    def test_texts_stand_alone(self) -> None:
        opening = r"\A(And|But|It|Nor|Or|So|That|The same|They|This|What|Who|With it)\b"
        for clause in self.catalogue.clauses.values():
            self.assertNotRegex(clause.text, opening, clause.id)

    def test_header_lines_hold_their_words(self) -> None:
        if not HEADERS.is_dir():
            self.skipTest("libxen-dev is not installed: /usr/include/xen is missing")
        lines = {}
        pattern = re.compile(r"public/([\w./-]+):(\d+)(?: \((.+)\))?")
        checked = 0
        for clause in self.catalogue.clauses.values():
            for source in clause.source:
                match = pattern.fullmatch(source)
                if not match:
                    continue
                name, line, word = match[1], int(match[2]), match[3]
                if name not in lines:
                    lines[name] = (HEADERS / name).read_text(encoding="utf-8").split("\n")
                self.assertLessEqual(line, len(lines[name]), f"{clause.id}: {source}")
                if word:
                    self.assertIn(word, lines[name][line - 1], f"{clause.id}: {source}")
                    checked += 1
        self.assertGreater(checked, 400)


if __name__ == "__main__":
    unittest.main()
