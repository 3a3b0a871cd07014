# SPDX-License-Identifier: MIT
"""Tests that docs/parameters.md lists the parameters that the code has, and the values of each."""
import re
import unittest

import rigtest

PAGE = rigtest.REPO / "docs" / "parameters.md"
FOLDERS = ("arch/x86/pvguest", "drivers")
PORT = "pvguest."
PREFIXES = (PORT, "pvblk.", "pvnet.", "pvbus.", "pvcon.")

PREFIX = re.compile(r'^#define\s+MODULE_PARAM_PREFIX\s+"([^"]*)"', re.M)
# Every parameter is of one of our kinds, whose refusals are lines of the log in our form.
NUMBER = re.compile(r"^pvguest_number\((\w+), [\w.]+, (\w+), (\w+), (\w+)\);", re.M)
SWITCH = re.compile(r"^pvguest_switch\((\w+), [\w.]+, (\w+)\);", re.M)
OTHERS = re.compile(r"^.*\b(?:module|core)_param\w*\(.*$", re.M)
KINDS = "arch/x86/pvguest/include/pvguest/parameter.h"
DEFINED = re.compile(r"^#define\s+(\w+)\s+(\d+)$", re.M)
# Limits that are no plain numbers in a header.
LIMITS = {"PVBLK_MAX_SEGMENTS": 512, "UINT_MAX": 2 ** 32 - 1}
BOOT = re.compile(r'^(early_param|__setup)\(\s*"([^"]+)"', re.M)
ROW = re.compile(r"^\| `([\w.]+)` \|[^|]*\| ([^|]*) \|.*\| (yes|no)\b[^|]*\|$", re.M)
OLD = re.compile(r"old name `([\w.]+)`")


def limit(text: str, sources: str) -> int:
    """The number that TEXT, a number or a name that SOURCES define, means."""
    found = dict(DEFINED.findall(sources))
    return int(text) if text.isdigit() else LIMITS.get(text) or int(found[text])


def in_code() -> dict[str, tuple[str, bool]]:
    """Parameters of the port and the drivers: values, and whether it can be written later."""
    found = {}
    for folder in FOLDERS:
        for path in sorted((rigtest.REPO / folder).rglob("*.c")):
            text = path.read_text(encoding="utf-8")
            given = PREFIX.search(text)
            # A driver's folder is its module; in the port each file would be one.
            module = path.stem if folder != "drivers" else path.parent.name
            prefix = given[1] if given else f"{module}."
            headers = "".join(header.read_text(encoding="utf-8") for header in
                              [path, *sorted(path.parent.glob("*.h"))])
            for name, least, most, mode in NUMBER.findall(text):
                values = f"{limit(least, headers)}-{limit(most, headers)}"
                found[prefix + name] = values, bool(int(mode, 8) & 0o222)
            for name, mode in SWITCH.findall(text):
                found[prefix + name] = "switch", bool(int(mode, 8) & 0o222)
            for _, name in BOOT.findall(text):
                found[name.rstrip("=")] = "switch" if name.endswith("=") else "no value", False
    return found


def in_page() -> tuple[dict[str, tuple[str, bool]], set[str]]:
    """Parameters that have a row on the page, with values and changes as above; old names."""
    text = PAGE.read_text(encoding="utf-8")
    ours, _, _ = text.partition("\n## Linux's own")
    return ({match[1]: (match[2], match[3] == "yes") for match in ROW.finditer(ours)},
            set(OLD.findall(ours)))


class Parameters(unittest.TestCase):
    """The code and its page."""

    def test_each_has_a_row_and_each_row_a_parameter(self) -> None:
        rows, old = in_page()
        self.assertEqual(sorted(in_code()), sorted(set(rows) | old))

    def test_page_says_what_each_takes_and_whether_while_running(self) -> None:
        code, (rows, _) = in_code(), in_page()
        self.assertEqual({name: code[name] for name in rows if name in code}, rows)

    def test_none_is_of_a_kind_whose_refusals_are_not_ours(self) -> None:
        found = [f"{path}: {line}" for folder in FOLDERS
                 for path in sorted((rigtest.REPO / folder).rglob("*.[ch]"))
                 if not path.samefile(rigtest.REPO / KINDS)
                 for line in OTHERS.findall(path.read_text(encoding="utf-8"))]
        self.assertEqual(found, [])

    def test_names_begin_with_what_reads_them(self) -> None:
        rows, old = in_page()
        for name in in_code():
            with self.subTest(name):
                self.assertTrue(name.startswith(PREFIXES) or name in old, name)
        self.assertEqual([name for name in rows if not name.startswith(PREFIXES)], [])

    def test_other_pages_name_parameters_that_exist(self) -> None:
        code = in_code()
        words = re.compile(r"`[^`\n]*?((?:pvguest|pvblk|pvnet|pvbus|pvcon|events)\.(?!c\b|h\b|o\b|"
                           r"ko\b|md\b|config\b|service\b)[a-z]\w*)(?:=\w+)?[^`\n]*`")
        seen = set()
        for path in sorted((rigtest.REPO / "docs").rglob("*.md")):
            for name in words.findall(path.read_text(encoding="utf-8")):
                seen.add(name)
                with self.subTest(f"{path.name}: {name}"):
                    self.assertIn(name, code)
        self.assertIn("pvguest.fifo_events", seen)


if __name__ == "__main__":
    unittest.main()
