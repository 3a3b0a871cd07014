# SPDX-License-Identifier: MIT
"""Tests of the style checks: each notices a fault that is planted in a small tree."""
import contextlib
import io
import os
import runpy
import shutil
import subprocess
import sys
import unittest
from collections.abc import Mapping, Sequence
from unittest import mock

import rigtest

STYLE = rigtest.REPO / "selftests" / "style"
sys.path.insert(0, str(STYLE))

from checks import circles, discover, help_texts, rules, sparse, tree  # noqa: E402  (the path must be set first)
from checks.tree import Tree  # noqa: E402
from pvg.base import errors, packages  # noqa: E402

C = "// SPDX-License-Identifier: GPL-2.0-only\n/* A file of a test. */\n"
HEADER = "/* SPDX-License-Identifier: GPL-2.0-only */\n/* A file of a test. */\n"
HASH = "# SPDX-License-Identifier: MIT\n"
PYTHON = HASH + '"""A module of a test."""\n'
SHELL = "#!/bin/sh\n" + HASH + "# A script of a test.\n"
WRONG = "mem" + "mory"      # in two parts, or it would be found here
VERSION = HASH + '"""The version."""\n\nVERSION = "1.2.3"\n'

# Check: files of a tree without a fault; a file that is added or replaced; what is said of that.
PLANTED: dict[str, list[tuple[dict[str, str], dict[str, str], str]]] = {
    "checkpatch": [
        ({"arch/x86/pvguest/a.c": C + "int pv_a;\n"},
         {"arch/x86/pvguest/a.c": C + "int pv_a ;\n"}, "a.c:3: WARNING:SPACING"),
        # The same name twice: reported in each file.
        ({"drivers/a.c": C},
         {"drivers/a.c": C + "int NoName;\n", "drivers/b.c": C + "int NoName;\n"},
         "b.c:3: CHECK:CAMELCASE"),
        # A name of the ABI's headers, and another.
        ({"drivers/a.c": C + "int a = XenbusStateClosed;\n"},
         {"drivers/a.c": C + "int a = XenbusStateClosed + XenBusState;\n"},
         "a.c:3: CHECK:CAMELCASE: Avoid CamelCase: <XenBusState>"),
        # Let pass in one folder, not in another.
        ({"selftests/abi/a.c": C + "uint8_t a;\n"}, {"drivers/a.c": C + "uint8_t a;\n"},
         "drivers/a.c:3: CHECK:PREFER_KERNEL_TYPES"),
    ],
    "kernel-doc": [
        ({"drivers/a.h": HEADER + "/**\n * a() - Do.\n * @b: what\n */\nvoid a(int b);\n"},
         {"drivers/a.h": HEADER + "/**\n * a() - Do.\n */\nvoid a(int b);\n"}, "a.h:6: warning"),
        ({"arch/a.c": C + "/**\n * a() - Do.\n *\n * Return: one.\n */\nint a(void)\n{\n}\n"},
         {"arch/a.c": C + "/**\n * a() - Do.\n */\nint a(void)\n{\n}\n"}, "return value of 'a'"),
        # One line above a function or a structure is not read; one about a member is.
        ({"drivers/a.c": C + "/* a() - Do. */\nint a;\n/***/\n/**/\n/*** A ***/\n"},
         {"drivers/a.c": C + "/** a() - Do. */\nint a(void)\n{\n}\n"},
         "drivers/a.c:3: error: one-line kernel-doc is not read by kernel-doc: a() - Do."),
        ({"hypercall-abi/include/a.h": HEADER + "/**\n * struct a - An a.\n */\nstruct a {\n"
          "\t/** @b: what */\n\tint b;\n};\n"},
         {"hypercall-abi/include/a.h": HEADER + "/** struct a - An a. */\nstruct a {\n"
          "\tint b;\n};\n"}, "a.h:3: error: one-line kernel-doc"),
    ],
    "shellcheck": [
        ({"a.sh": SHELL + 'echo "$1"\n'}, {"a.sh": SHELL + "echo $1\n"}, "a.sh:4:"),
        ({"run": SHELL}, {"run": SHELL + "if\n"}, "run:4:"),
        ({"a/a.sh": SHELL + ". ./b.sh\n", "a/b.sh": SHELL, ".shellcheckrc": "source-path=SCRIPTDIR\n"},
         {"a/a.sh": SHELL + ". ./c.sh\n"}, "a/a.sh:4:"),
    ],
    "pyflakes": [
        ({"a.py": PYTHON + "import os\nos.sync()\n"}, {"a.py": PYTHON + "import os\n"}, "a.py:3:"),
        ({}, {"run": "#!/usr/bin/python3\n" + PYTHON + "print(a)\n"}, "run:4:"),
    ],
    "codespell": [
        ({"a.md": "The memory.\n"}, {"a.md": f"The {WRONG}.\n"}, f"a.md:1: {WRONG}"),
        ({"a.c": C + "/* The sring. */\n"}, {"a.c": C + f"/* The {WRONG}. */\n"}, f"a.c:3: {WRONG}"),
    ],
    "mypy": [
        ({"pvguest": "#!/usr/bin/python3\n" + PYTHON, "rig/b.py": PYTHON,
          "selftests/style/a.py": PYTHON + "def a(b: int) -> int:\n    return b\n"},
         {"selftests/style/a.py": PYTHON + "def a(b):\n    return b\n"}, "a.py:3: error"),
        ({"pvguest": PYTHON, "rig/b.py": PYTHON, "selftests/style/a.py": PYTHON},
         {"rig/b.py": PYTHON + "A: int = ''\n"}, "rig/b.py:3: error"),
        # Programs of one name, and modules of other rooms.
        ({"selftests/a/check": "#!/usr/bin/python3\n" + PYTHON + "import b\n\nprint(b.B)\n",
          "selftests/c/check": "#!/usr/bin/python3\n" + PYTHON, "rig/b.py": PYTHON + "B: int = 1\n",
          "tools/d.py": PYTHON},
         {"selftests/a/check": "#!/usr/bin/python3\n" + PYTHON + "import b\n\nprint(b.C)\n"},
         "selftests/a/check:6: error"),
        ({}, {"tools/d.py": PYTHON + "def a(b):\n    return b\n"}, "tools/d.py:3: error"),
        ({}, {"rig/run": "#!/usr/bin/python3\n" + PYTHON + "def a(b):\n    return b\n"},
         "rig/run:4: error"),
    ],
    "licence": [
        ({"a.c": C, "a.py": PYTHON}, {"a.c": "/* A file of a test. */\n"}, "a.c:1:"),
        ({}, {"run": "#!/bin/sh\n# A script.\n"}, "run:1:"),
    ],
    "first-sentence": [
        ({"a.c": C, "a.py": PYTHON, "a.sh": SHELL, "__init__.py": HASH},
         {"a.c": C.splitlines()[0] + "\n#include <a.h>\n"}, "a.c:1:"),
        ({}, {"a.py": HASH + "import os\n"}, "a.py:1:"),
        ({}, {"a.sh": "#!/bin/sh\n" + HASH + "true\n"}, "a.sh:1:"),
        ({}, {"Makefile": HASH + "all:\n"}, "Makefile:1:"),
    ],
    "length": [
        ({"a.c": "\n" * 800, "docs/abi/a.md": "\n" * 900}, {"a.c": "\n" * 801}, "a.c:801:"),
    ],
    "white-space": [
        ({"a.txt": "a\n"}, {"a.txt": "a \n"}, "a.txt:1:"),
        ({}, {"a.txt": "a"}, "a.txt:1:"),
        ({}, {"a.txt": "a\n\n"}, "a.txt:1:"),
        ({}, {"a.txt": "a\r\n"}, "a.txt:1:"),
    ],
    "readme": [
        ({"a/README.md": "a\n", "a/b/c.txt": "c\n"}, {"b/c.txt": "c\n"}, "b/README.md:1:"),
    ],
    "documents": [
        ({"a.md": "In `docs/a.c`, `a.c`.\n", "docs/a.c": C}, {"a.md": "In `docs/b.c`.\n"},
         "a.md:1: docs/b.c"),
        ({"docs/a.md": "`../a.c`, `arch/x86/xen`, `kernel/tsc.c`, `pgtable.c`, `docs/NAME.md`\n",
          "a.c": C},
         {"docs/a.md": "\n`b.c`\n"}, "docs/a.md:2: b.c"),
        ({"a.md": "`./pvguest run --hv none -- true`\n"}, {"a.md": "`./pvguest run --hv any`\n"},
         "--hv: invalid choice"),
        ({"a.md": "    $ ./pvguest bench --quick    # one boot\n"},
         {"a.md": "```\n./pvguest bench --quickly\n```\n"}, "a.md:2: './pvguest bench --quickly'"),
        ({"a.md": "`./pvguest build --kernel NAME`\n"}, {"a.md": "`./pvguest build --name NAME`\n"},
         "no option --name"),
        ({"a.md": "`make check`\n", "Makefile": "run check:\n"}, {"a.md": "`make all`\n"},
         "no target all"),
        ({"a.md": "`--orders`\n"}, {"a.md": "`--no-such`\n"}, "--no-such: no command"),
        ({"a.md": "`pv_a()`\n", "a.c": "int pv_a;\n"}, {"a.md": "`pv_b()`\n"}, "pv_b: not in any"),
        ({"a.md": "`pv_a_`\n", "a.c": "int pv_a_b;\n"}, {"a.md": "`pv_b_`\n"}, "pv_b_: not in any"),
    ],
    "hints": [
        ({"rig/pvg/b/a.py": '"""Of pvguest run."""\nA = "run ./pvguest build --kernel x"\n'},
         {"rig/pvg/b/a.py": '"""Of pvguest run."""\nA = f"run{__name__}: pvguest build --kernel x"\n'},
         "rig/pvg/b/a.py:2: a reader types './pvguest build'"),
        ({"a.md": "# pvguest\n\nIn pvguest, `./pvguest run` runs.\n"},
         {"a.md": "# pvguest\n\nMade by (`pvguest abi\ngenerate`).\n"},
         "a.md:3: a reader types './pvguest abi'"),
    ],
    "links": [
        ({"a.md": "# A b\n[a](#a-b) [b](docs/b.md#c)\n", "docs/b.md": "## `C`\n"},
         {"a.md": "[b](docs/c.md)\n"}, "a.md:1: docs/c.md"),
        ({"b.md": "# B\n"}, {"a.md": "[b](b.md#c)\n"}, "no heading makes #c"),
    ],
    "version": [
        ({"CHANGELOG.md": "# Log\n\n## 1.2.3 - 2026-11-22\n", "rig/pvg/base/version.py": VERSION},
         {"CHANGELOG.md": "# Log\n\n## 1.3.0 - 2026-11-22\n"}, "the newest version is 1.3.0"),
        ({"CHANGELOG.md": "# Log\n\n## 1.2.3 - 2026-11-22\n", "rig/pvg/base/version.py": VERSION},
         {"CHANGELOG.md": "# Log\n\n## 1.2.3\n"}, "CHANGELOG.md:1: the first heading"),
    ],
}
# Those with a test of their own, below or in test_words.py and test_prefixes.py.
OTHERS = {"circles", "help-examples", "hypercalls", "manual", "prefixes", "sparse", "words"}


class StyleCase(rigtest.FolderCase):
    """A tree of a test, and a state folder."""

    def setUp(self) -> None:
        super().setUp()
        self.root, self.state = self.folder / "tree", self.folder / "state"
        self.root.mkdir()

    def write(self, contents: Mapping[str, str]) -> None:
        """Have the files CONTENTS, text by name, in the tree."""
        for name, text in contents.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())

    def found(self, name: str) -> list[str]:
        """The findings of check NAME now."""
        return discover()[name](Tree(self.root, self.state))


class Planted(StyleCase):
    """Each check reports a planted fault, and nothing in a tree without one."""

    def test_each_check_has_a_test(self) -> None:
        self.assertEqual(set(discover()), set(PLANTED) | OTHERS)

    def test_planted_faults_are_found(self) -> None:
        for name, cases in PLANTED.items():
            for number, (good, bad, expected) in enumerate(cases):
                with self.subTest(f"{name} {number}"):
                    shutil.rmtree(self.root)
                    self.root.mkdir()
                    self.write(good)
                    self.assertEqual(self.found(name), [])
                    self.write(bad)
                    findings = self.found(name)
                    self.assertTrue(any(expected in line for line in findings), findings)
                    # The kept results say the same.
                    self.assertEqual(self.found(name), findings)
                    self.write({file: "" for file in bad if file not in good} | good)
                    if name not in ("licence", "readme"):
                        self.assertEqual(self.found(name), [])

    def test_examples_of_help(self) -> None:
        texts = {"run": "usage\n\nexample: ./pvguest run --hv none -- true\n         ./pvguest run --orders\n",
                 "build": "example: ./pvguest build --kernel native; ./pvguest run\n"}
        with mock.patch.object(help_texts, "commands", return_value=list(texts)):
            for good, bad, expected in (
                    ("--orders", "--order", "unrecognized arguments: --order"),
                    ("./pvguest run --hv none -- true", "./pvguest run --hv nine", "invalid choice"),
                    ("example: ./pvguest run", "for example ./pvguest run", "has no example")):
                with mock.patch.object(help_texts, "help_of", texts.__getitem__):
                    self.assertEqual(self.found("help-examples"), [])
                changed = {name: text.replace(good, bad) for name, text in texts.items()}
                with mock.patch.object(help_texts, "help_of", changed.__getitem__):
                    findings = self.found("help-examples")
                self.assertEqual(len(findings), 1)
                self.assertIn(expected, findings[0])

    def test_examples_of_the_programs_of_suites(self) -> None:
        program = ("#!/usr/bin/python3\n" + PYTHON + "from pvg.base import arguments\n\n\n"
                   "def parse(words):\n"
                   "    parser = arguments.Parser(prog='selftests/a/check', epilog="
                   "'example: selftests/a/check one')\n"
                   "    parser.add_argument('word', choices=['one', 'two'])\n"
                   "    return parser.parse_args(words)\n")
        with mock.patch.object(help_texts, "commands", return_value=[]):
            for bad, page, expected in (
                    ("check three'", "one", "'selftests/a/check three': argument word: invalid"),
                    ("check one --two'", "one", "unrecognized arguments: --two"),
                    ("check one'".replace("one", ""), "one", "required: word"),
                    ("nothing'", "one", "not of this program"),
                    ("check one'", "two", None), ("check one'", "six", "argument word: invalid")):
                with self.subTest(bad=bad, page=page):
                    self.write({"selftests/a/check": program.replace("check one'", bad),
                                "a.md": f"`selftests/a/check {page}`\n"})
                    (self.root / "selftests/a/check").chmod(0o755)
                    findings = self.found("help-examples" if page == "one" else "documents")
                    if expected:
                        self.assertTrue(any(expected in line for line in findings), findings)
                    else:
                        self.assertEqual(findings, [])
        self.write({"selftests/a/check": "#!/usr/bin/python3\n" + PYTHON})
        with mock.patch.object(help_texts, "commands", return_value=[]):
            self.assertIn("prints no help", self.found("help-examples")[0])
        self.write({"selftests/a/check": program.replace("example: ", "")})
        with mock.patch.object(help_texts, "commands", return_value=[]):
            self.assertIn("has no example", self.found("help-examples")[0])

    def test_examples_of_adapters(self) -> None:
        adapter = ("#!/usr/bin/python3\n" + PYTHON + "from pvg.conformance.adapter import Adapter\n\n"
                   "ADAPTER = Adapter('rig/adapters/a', int)\nparse = ADAPTER.parse\n")
        with mock.patch.object(help_texts, "commands", return_value=[]):
            self.write({"rig/adapters/a": adapter})
            self.assertEqual(self.found("help-examples"), [])
            self.write({"rig/adapters/a": adapter.replace("adapters/a", "adapters/b")})
            self.assertIn("has no example", self.found("help-examples")[0])

    def test_manual_that_is_not_what_the_catalogue_makes(self) -> None:
        for name in ("rig/pvg", "hypercall-abi", "docs/abi", "linux"):
            shutil.copytree(rigtest.REPO / name, self.root / name,
                            ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copyfile(rigtest.PVGUEST, self.root / "pvguest")
        self.assertEqual(self.found("manual"), [])
        with open(self.root / "docs/abi/mmu.md", "a", encoding="utf-8") as page:
            page.write("More.\n")
        self.assertIn("docs/abi/mmu.md is not what", "\n".join(self.found("manual")))

    def test_findings_of_sparse_in_a_source(self) -> None:
        self.state.mkdir()
        source = self.folder / "pvguest" / "a.c"
        source.parent.mkdir()
        unit = sparse.Unit(str(source), self.folder / "a.o",
                           self.state / str(source).replace("/", "+"))
        for text, expected in (("int *a;", ""), ("int *a = 0;", "NULL pointer")):
            source.write_text(f"static {text}\n", encoding="ascii")
            unit.object.touch()
            self.assertTrue(sparse.stale(unit))
            # A file system may give both files the same time.
            compiled = unit.object.stat().st_mtime_ns
            os.utime(unit.object, ns=(compiled, compiled - 1))
            subprocess.run([str(sparse.ONE), "-Wnon-pointer-null", str(source)], check=False,
                           env=dict(os.environ, PVGUEST_SPARSE=str(self.state)))
            self.assertFalse(sparse.stale(unit))
            found = sparse.findings(unit, "pvguest")
            self.assertEqual(len(found), 1 if expected else 0, found)
            self.assertIn(expected, "".join(found))
            # As if it had been compiled again.
            os.utime(unit.object, ns=(0, unit.words.stat().st_mtime_ns + 1))
            self.assertTrue(sparse.stale(unit))
            unit.object.unlink()

    def test_objects_that_use_each_other_in_a_circle(self) -> None:
        one = "o/a.o:0000 T pv_a\no/a.o:     U pv_b\no/a.o:     U printk\n"
        other = "o/b.o:0000 D pv_b\no/b.o:     U pv_c\n"
        third = "o/c.o:0000 T pv_c\no/c.o:     U pv_b\no/c.o:0000 t pv_a\n"
        self.assertEqual(circles.circle(one + other), [])
        self.assertEqual(circles.circle(one + third), [])
        found = circles.circle(one + other + third)
        self.assertIn(found, (["b", "c", "b"], ["c", "b", "c"]))
        fourth = "o/c.o:0000 T pv_c\no/c.o:     U pv_a\n"
        found = circles.circle(one + other + fourth)
        # An arrow points at what is used: a uses b, b uses c, c uses a.
        self.assertIn(" ".join(found[:3]), ("a b c", "b c a", "c a b"))

    def test_circle_by_weak_symbols(self) -> None:
        user = "o/a.o:0000 T pv_a\no/a.o:     {} pv_b\n"
        weak = "o/b.o:0000 {} pv_b\no/b.o:     U pv_a\n"
        strong = "o/c.o:0000 T pv_b\n"
        for used in "Uwv":
            for defined in "TWV":
                one, other = user.format(used), weak.format(defined)
                self.assertIn(circles.circle(one + other), (["a", "b", "a"], ["b", "a", "b"]))
                if defined != "T":
                    # The weak definition is not the one that is used, whichever is listed first.
                    self.assertEqual(circles.circle(one + other + strong), [])
                    self.assertEqual(circles.circle(one + strong + other), [])

    def test_source_of_the_port_without_an_object(self) -> None:
        (self.folder / "a.o").touch()
        found = circles.missing(["port/a.c", "port/b.S"], self.folder)
        self.assertEqual(len(found), 1)
        self.assertIn("port/b.S", found[0])

    def test_units_that_kbuild_has_compiled(self) -> None:
        objects = self.folder / "objects"
        (objects / "pvguest").mkdir(parents=True)
        (self.folder / "a.c").touch()
        for name, source in (("a", "../a.c"), ("gone", "../gone.c"), ("b", "../b.S")):
            (objects / f"pvguest/.{name}.o.cmd").write_text(
                f"savedcmd := cc\n\nsource_pvguest/{name}.o := {source}\n", encoding="ascii")
        self.assertEqual([unit.source for unit in sparse.units(objects, "pvguest", self.state)],
                         ["../a.c"])


class Kept(StyleCase):
    """Results are kept by contents, and asked for again only where something has changed."""

    def each(self, version: str = "1") -> list[str]:
        """The names that are looked at, of a check that finds one thing in each."""
        asked: list[str] = []

        def work(names: Sequence[str]) -> dict[str, list[str]]:
            asked.extend(names)
            return {name: [f"{name}:1: bad"] for name in names}

        tree = Tree(self.root, self.state)
        found = tree.each("each", tree.files("*.c"), lambda name: version, work)
        self.assertEqual(found, [f"{name}:1: bad" for name in tree.files("*.c")])
        return sorted(asked)

    def test_only_changed_files_are_looked_at(self) -> None:
        self.write({"a.c": "a", "b.c": "b"})
        self.assertEqual(self.each(), ["a.c", "b.c"])
        self.assertEqual(self.each(), [])
        self.write({"b.c": "c"})
        self.assertEqual(self.each(), ["b.c"])
        self.assertEqual(self.each("2"), ["a.c", "b.c"])

    def test_findings_before_the_end_of_a_run_are_kept(self) -> None:
        self.write({"a.c": "longer", "b.c": "1"})
        asked: list[str] = []

        def work(names: Sequence[str]) -> dict[str, list[str]]:
            asked.extend(names)
            if "b.c" in names and asked.count("b.c") == 1:
                raise KeyboardInterrupt
            return {}

        with mock.patch.object(tree, "SHARE", 1), mock.patch.object(tree, "PROCESSES", 1):
            for made in (Tree(self.root, self.state), Tree(self.root, self.state)):
                with contextlib.suppress(KeyboardInterrupt):
                    made.each("each", ["a.c", "b.c"], lambda name: "", work)
        self.assertEqual(asked, ["a.c", "b.c", "b.c"])

    def test_damaged_results_are_dropped(self) -> None:
        self.write({"a.c": "a"})
        self.each()
        (self.state / "each.json").write_text("[", encoding="ascii")
        self.assertEqual(self.each(), ["a.c"])

    def test_a_whole_is_looked_at_when_one_file_changes(self) -> None:
        asked = []

        def work() -> list[str]:
            asked.append(1)
            return ["bad"]

        def whole(version: str) -> list[str]:
            tree = Tree(self.root, self.state)
            return tree.whole("whole", tree.names, version, work)

        self.write({"a.c": "a"})
        for count, version in ((1, "1"), (1, "1"), (2, "2")):
            self.assertEqual(whole(version), ["bad"])
            self.assertEqual(len(asked), count)
        self.write({"a.c": "b"})
        whole("2")
        self.assertEqual(len(asked), 3)

    def test_files_that_git_ignores_are_not_looked_at(self) -> None:
        subprocess.run(["git", "init", "-q", str(self.root)], check=True)
        self.write({".gitignore": "/build/\n/c.c\n", "build/a.c": "a", "b.c": "b", "c.c": "c"})
        (self.root / "link.c").symlink_to("b.c")
        for other_owner in ("0", "1"):
            with self.subTest(other_owner), \
                    mock.patch.dict(os.environ, GIT_TEST_ASSUME_DIFFERENT_OWNER=other_owner):
                self.assertEqual(Tree(self.root, self.state).names, [".gitignore", "b.c"])


class Rules(unittest.TestCase):
    """Exceptions say why, and still let something pass."""

    def test_reasons(self) -> None:
        tree = Tree(rigtest.REPO, rigtest.REPO / "build" / "style")
        for passed in (*rules.CHECKPATCH, *rules.LONG):
            with self.subTest(passed.rule):
                self.assertGreater(len(passed.reason.split()), 2)
                for pattern in passed.files:
                    self.assertTrue(tree.files(pattern), pattern)


class Front(unittest.TestCase):
    """The command line of the suite."""

    def test_unknown_word(self) -> None:
        done = subprocess.run([str(STYLE / "check"), "no-such"], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("no check 'no-such'", done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1)

    def test_missing_packages(self) -> None:
        main = runpy.run_path(str(STYLE / "check"))["main"]
        missing = errors.RigError("missing Debian packages; run: sudo apt-get install sparse")
        said = io.StringIO()
        with mock.patch.object(packages, "require", side_effect=missing), \
                contextlib.redirect_stderr(said):
            self.assertEqual(main([]), 125)
        self.assertEqual(said.getvalue(), f"selftests/style/check: {missing}\n")


if __name__ == "__main__":
    unittest.main()
