# SPDX-License-Identifier: MIT
"""Tests of the check of words: each kind of text is read, code is not, and the tree is clean."""
import os
import subprocess
import sys
import unittest
from unittest import mock

import rigtest

sys.path.insert(0, str(rigtest.REPO / "selftests" / "style"))

import words  # noqa: E402  (the path must be set first)

# File, text, the number of the line with the problem and the word.
BAD = (
    ("a.c", "int a;\n/* The front end\n * wishes more. */\n", 3, "wishes"),
    ("a.c", 'void a(void)\n{\n\tprint("it makes no sense");\n}\n', 3, "makes no sense"),
    ("a.py", '"""A module."""\n# It tells all.\n', 2, "tells"),
    ("a.py", '"""What it is."""\n', 1, "What it is."),
    ("a.sh", "#!/bin/sh\n# Sent by\n# somebody else.\n", 3, "somebody else"),
    ("a.md", "A back end\nthat lies.\n", 2, "lies"),
    ("a.md", "It ends. Who waits goes on.\n", 1, "Who waits"),
    ("a.md", "It ends.\n[What waits](b.md) goes on.\n", 1, "[What waits"),
    ("a.c", "int a;\n/* Otherwise b() fails. */\nint b;\n", 2, "Otherwise"),
    ("a.yaml", "- text: >-\n    It is told.\n", 2, "told"),
    ("a.md", "# Rules\n\n- A rule\n- What a file has is checked.\n", 3, "What a file"),
    ("a.sh", "#!/bin/sh\n# SPDX-License-Identifier: MIT\n# What is run: a test.\n", 3, "What is run"),
    ("a.py", "# SPDX-License-Identifier: MIT\n# What is kept here.\n", 2, "What is kept"),
    ("a.yaml", "# Mutants.\n\n- name: id_believed\n  file: a.c\n", 3, "believed"),
    ("a.c", "TEST(port_of_nobody)\n{\n}\n", 1, "nobody"),
    ("a.c", "int a;\nTEST_F(disk, it_forgets_data)\n{\n}\n", 2, "forgets"),
    ("a.c", "\tcmocka_unit_test_setup(what_is_read, start),\n", 1, "what_is_read"),
    ("a.c", "CASE(evtchn_told, \"EVT-001\", 0)\n", 1, "told"),
    ("a.c", "int a;\n/* The same for others. */\nint b;\n", 2, "The same"),
    ("a.h", "int a;\n\n/*\n * It is read only.\n */\nint b;\n", 4, "It"),
    ("a.py", "def test_none_wanted(self):\n    pass\n", 1, "wanted"),
    ("a.py", "# Left to whoever comes.\n", 1, "whoever"),
    ("a.patch", "It tells all.\n---\n--- a/a.c\n", 1, "tells"),
    ("a.patch", "A head.\n---\n--- a/a.c\n+++ b/a.c\n+/* It lies. */\n", 5, "lies"),
)
GOOD = (
    ("a.c", "bool wanted; /* Set by want(). */\nint tell(void);\n"),
    ("a.c", 'char *a = "nonsense";\n'),
    ("a.c", "int a;\n/* Items of others. */\nint b(void)\n{\n\t/* The same. */\n}\n"),
    ("a.c", "TEST(port_of_a_domain)\n{\n\twanted = is_told(1);\n}\n"),
    ("a.py", '"""A module."""\ntold = 1  # the number\n'),
    ("a.sh", '#!/bin/sh\necho "$told is a number"\n'),
    ("a.patch", "A head.\n---\n--- a/a.c\n+++ b/a.c\n /* We want it. */\n-/* A lie. */\n"),
    ("a.md", "What is a port? `want()` and\n\n    wanted code\n"),
    ("a.md", "It ends. [What is a port?](b.md)\n"),
    ("a.md", "- What is a port?\n- Does it end? A port - what it is - ends.\n"),
    ("a.yaml", "- name: id_accepted\n"),
)


class Words(unittest.TestCase):
    """The check of single files, and of what the repository holds."""

    def test_bad(self) -> None:
        for name, text, line, word in BAD:
            with self.subTest(text=text):
                found = words.findings(name, text, words.kind_of(name, text))
                self.assertEqual(len(found), 1, found)
                self.assertTrue(found[0].startswith(f"{name}:{line}: '{word}"), found)

    def test_good(self) -> None:
        for name, text in GOOD:
            with self.subTest(text=text):
                self.assertEqual(words.findings(name, text, words.kind_of(name, text)), [])

    def test_exception_is_for_one_file(self) -> None:
        text = 'char *a = "nobody cared";\n'
        self.assertEqual(words.findings("selftests/guest/programs/system.c", text), [])
        self.assertEqual(len(words.findings("selftests/guest/programs/smp.c", text)), 1)

    def test_each_exception_is_needed(self) -> None:
        for entry in words.PASSED:
            with self.subTest(file=entry.file, text=entry.text):
                text = (rigtest.REPO / entry.file).read_text(encoding="utf-8")
                kind = words.kind_of(entry.file, text)
                self.assertEqual(words.findings(entry.file, text, kind), [])
                others = tuple(other for other in words.PASSED if other != entry)
                with mock.patch.object(words, "PASSED", others):
                    self.assertNotEqual(words.findings(entry.file, text, kind), [])

    def test_paths_that_cannot_be_checked(self) -> None:
        for path, about in (("none", "none: no such file"), ("/etc", "/etc: no file of this"),
                            (str(rigtest.REPO / ".git"), ".git: no file of this")):
            with self.subTest(path):
                done = subprocess.run([rigtest.REPO / "selftests/style/words.py", path], text=True,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
                self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
                self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
                self.assertIn(about, done.stderr)

    def test_clone_of_another_user(self) -> None:
        done = subprocess.run([rigtest.REPO / "selftests/style/words.py", "README.md"], text=True,
                              cwd=rigtest.REPO, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              check=False, env={**os.environ, "GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"})
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_tree_is_clean(self) -> None:
        done = subprocess.run([rigtest.REPO / "selftests/style/words.py"], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        self.assertEqual(done.returncode, 0, done.stdout)


if __name__ == "__main__":
    unittest.main()
