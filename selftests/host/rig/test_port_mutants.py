# SPDX-License-Identifier: MIT
"""Tests of the lists of the port's faults: that they fit the sources, and how a fault gets into a text."""
import sys
import unittest
from typing import Any

import rigtest

GUEST = rigtest.REPO / "selftests" / "guest"
sys.path.insert(0, str(GUEST))
from mutants import faults  # noqa: E402  (the path must be set first)

TEXT = """static int first(int a)
{
	if (a)
		drop(a,
		     1);
	return a;
}

static int second(int a)
{
	drop(a, 1);
	return a;
}
"""


def fault(**words: Any) -> faults.Fault:
    """An entry of a list, about TEXT."""
    entry = {"id": "x", "file": "x.c", "function": "first", "old": "drop(a, 1);", "breaks": "it",
             "caught_by": {"host": ["test_ring"]}}
    return faults.Fault({**entry, **words})


class Lists(unittest.TestCase):
    """port.yaml and drivers.yaml."""

    def test_each_source_text_is_there_exactly_once(self) -> None:
        self.assertEqual(faults.problems(faults.load()), [])

    def test_host_tests_exist(self) -> None:
        for entry in faults.load():
            for name in entry.caught_by["host"]:
                found = list((rigtest.REPO / "selftests" / "host").glob(f"*/{name}.c"))
                self.assertEqual(len(found), 1, f"{entry.id}: {name}")

    def test_at_least_forty_places(self) -> None:
        self.assertGreaterEqual(len({(entry.file, edit.function, edit.old)
                                     for entry in faults.load() for edit in entry.edits}), 40)


class Seeding(unittest.TestCase):
    """How a fault gets into a text."""

    def test_statement_in_one_function_only(self) -> None:
        self.assertIn("	if (a)\n		{ ; }\n	return a;", fault().seed(TEXT))
        self.assertIn("	drop(a, 1);\n	return a;", fault().seed(TEXT))

    def test_expression(self) -> None:
        found = fault(function="second", old="a, 1", new="a, 2", form="expression").seed(TEXT)
        self.assertIn("	drop(a, 2);", found)

    def test_two_places_of_one_fault(self) -> None:
        found = fault(old="if (a)", new="if (!a)", form="expression",
                      also=[{"old": "return a;", "new": "return 0;"}]).seed(TEXT)
        self.assertIn("	if (!a)\n", found)
        self.assertIn("	return 0;\n}\n\nstatic", found)

    def test_text_that_is_not_there_or_there_twice_is_an_error(self) -> None:
        for words in ({"old": "gone();"}, {"function": "third"}, {"old": "a"}):
            with self.subTest(words), self.assertRaises(faults.ListError):
                fault(**words).seed(TEXT)

    def test_unknown_and_missing_keys_are_errors(self) -> None:
        cases: tuple[dict[str, Any], ...] = (
            {"unknown": "x"}, {"caught_by": {}}, {"caught_by": {"moon": ["test_ring"]}},
            {"form": "verse"})
        for words in cases:
            with self.subTest(words), self.assertRaises(faults.ListError):
                fault(**words)


if __name__ == "__main__":
    unittest.main()
