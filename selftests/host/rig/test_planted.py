# SPDX-License-Identifier: MIT
"""Tests of planted faults: lists that are refused, copies of a tree, builds, what is kept and reported.

The tree is a few lines, make and the adapter are shell scripts: no hypervisor is needed.
"""
import argparse
import contextlib
import io
import json
import os
import signal
import sys
import unittest
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent))

import rigtest  # noqa: E402
from test_conformance_runner import Images  # noqa: E402
from pvg.base import errors, packages, paths  # noqa: E402
from pvg.conformance import build, planted, planted_list, run, suite, xen_tree  # noqa: E402
from pvg.conformance.planted_list import Fault  # noqa: E402

PLANTED = rigtest.REPO / "selftests" / "abi" / "planted"
KNOWN = ("DEMO-001", "DEMO-002", "DEMO-003")
SOURCE = "int one(void)\n{\n    if ( a )\n        return right_a;\n    return right_b;\n}\n"
# Makes a hypervisor of the sources, unless one of them holds the word broken.
MAKE = """#!/bin/sh
echo "$3" >> "$CALLS"
case $3 in olddefconfig) exit 0;; esac
cd "$2" || exit 1
if grep -q broken common/one.c; then echo 'one.c: error'; exit 2; fi
if grep -q endless common/one.c; then kill -INT $PPID; sleep 20; fi
{ printf '\\177ELF'; cat common/one.c; } > xen
"""
# Fails case n if the hypervisor holds the word wrong_n; one that holds the word dead panics.
ADAPTER = """#!/bin/sh
while [ $# -gt 0 ]; do
	case $1 in --xen) hv=$2;; --cmdline) line=$2;; esac
	shift
done
grep -qa dead "$hv" && exit 14
grep -qa trouble "$hv" && { echo '@case a'; exit 125; }
names='a b c'
case $line in
case=*) names=$(echo "${line#case=}" | tr , ' ');;
after=a) names='b c';;
after=b) names=c;;
after=c) names=;;
esac
for n in $names; do
	echo "@case $n"
	if grep -qa "wrong_$n" "$hv"; then echo "@fail $n saw it"; exit 0; fi
	echo "@ok $n 1"
done
echo @done
"""


def fault(name: str, old: str = "right_a", new: str = "wrong_a", **more: Any) -> Fault:
    """A fault of the tree's file."""
    words: dict[str, Any] = {"file": "xen/common/one.c", "notice": "something", "clauses": (),
                             "survives": "", "place": "list.yaml:1"}
    return Fault(name, old=old, new=new, **{**words, **more})


class Folder(rigtest.FolderCase):
    """A tree of sources, and places for all that is made of it."""

    def setUp(self) -> None:
        super().setUp()
        # A shell that has started the tests in the background has them ignore it.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, before)
        self.source = self.folder / "source"
        self.file = self.source / "xen" / "common" / "one.c"
        self.file.parent.mkdir(parents=True)
        self.file.write_text(SOURCE)
        (self.source / "xen" / "Makefile").write_text("# none\n")
        (self.source / "xen" / "common" / "one.o").write_text("stale")
        for name, value in (("LOGS", self.folder / "log"), ("BUILD", self.folder / "build")):
            self.patch(mock.patch.object(paths, name, value))
        self.patch(mock.patch.object(xen_tree, "FOLDER", self.folder / "build" / "planted"))
        bin_folder = self.folder / "bin"
        self.program(bin_folder / "make", MAKE)
        self.calls = self.folder / "calls"
        self.patch(mock.patch.dict(os.environ, CALLS=str(self.calls),
                                   PATH=f"{bin_folder}:{os.environ['PATH']}"))

    def patch(self, patch: Any) -> None:
        """Have PATCH in force until the test ends."""
        patch.start()
        self.addCleanup(patch.stop)

    def program(self, path: Path, script: str) -> Path:
        """The program PATH, which is SCRIPT."""
        path.parent.mkdir(exist_ok=True)
        path.write_text(script, encoding="ascii")
        path.chmod(0o755)
        return path

    def builds(self) -> int:
        """How often make was called to build."""
        return self.calls.read_text().count("-j") if self.calls.exists() else 0


class Lists(Folder):
    """Files that list faults."""

    ENTRY = "- id: x\n  file: xen/common/one.c\n  old: right_a\n  new: wrong_a\n  notice: it\n"

    def load(self, text: str) -> list[Fault]:
        """The faults of a list that is TEXT and fits the tree."""
        path = self.folder / "list.yaml"
        path.write_text(text)
        faults = planted_list.load(path, KNOWN)
        planted_list.refuse(planted_list.problems(faults, self.source))
        return faults

    def test_each_refusal_is_one_line_with_the_place(self) -> None:
        entry = self.ENTRY
        cases: Sequence[tuple[str, str, str]] = (
            ("", "1", "empty"), ("- [", "1", "not YAML"), ("a: b\n", "1", "not a list of faults"),
            ("[]\n", "1", "no fault"), ("- text\n", "1", "not a mapping"),
            (entry + "  odd: 1\n", "6", "unknown key 'odd'"),
            (entry + "  id: y\n", "6", "'id' appears twice"),
            (entry.replace("  notice: it\n", ""), "1", "no notice"),
            (entry.replace("right_a", "[right_a]"), "3", "old is not a text"),
            (entry.replace("right_a", "''"), "3", "old is not a text"),
            (entry.replace("wrong_a", "right_a"), "4", "the same text"),
            (entry.replace("id: x", "id: a/b"), "1", "letters and digits"),
            (entry.replace("id: x", "id: all"), "1", "letters and digits"),
            (entry + "  clauses: [DEMO-009]\n", "6", "no clause 'DEMO-009'"),
            (entry + "  clauses: DEMO-001\n", "6", "clauses is not a list"),
            (entry + entry.replace("wrong_a", "wrong_b"), "6", "'x' is also at .*list.yaml:1"),
            (entry + entry.replace("id: x", "id: y"), "6", "the same replacement as x"),
            (entry.replace("xen/common", "../source/xen/common"), "2", "outside the tree"),
            (entry.replace("xen/common/", "/etc/"), "2", "outside the tree"),
            (entry.replace("one.c", "two.c"), "1", "No such file"),
            (entry.replace("xen/common/one.c", "xen"), "1", "Is a directory"),
            (entry.replace("right_a", "right_z"), "1", "nowhere"),
            (entry.replace("right_a", "return"), "1", "2 times"))
        for text, line, about in cases:
            with self.subTest(about=about, text=text):
                with self.assertRaises(errors.UsageError) as caught:
                    self.load(text)
                self.assertRegex(str(caught.exception), rf"list\.yaml:{line}: [^\n]*{about}[^\n]*\Z")

    def test_link_that_leads_out_of_the_tree(self) -> None:
        outside = self.folder / "outside.c"
        outside.write_text("right_a")
        self.file.unlink()
        self.file.symlink_to(outside)
        with self.assertRaisesRegex(errors.UsageError, "outside the tree"):
            self.load(self.ENTRY)

    def test_texts_are_taken_as_they_stand(self) -> None:
        text = self.ENTRY.replace("right_a", '"    if ( a )\\n        return"').replace("wrong_a", "''")
        entry, = self.load(text)
        self.assertEqual((entry.old, entry.new), ("    if ( a )\n        return", ""))

    def test_folder_of_lists(self) -> None:
        folder = self.folder / "lists"
        folder.mkdir()
        with self.assertRaisesRegex(errors.UsageError, r"no \*\.yaml"):
            planted_list.load(folder, KNOWN)
        (folder / "a.yaml").write_text(self.ENTRY)
        (folder / "b.yaml").write_text(self.ENTRY.replace("id: x", "id: y").replace("wrong_a", "wrong_b"))
        self.assertEqual([one.name for one in planted_list.load(folder, KNOWN)], ["x", "y"])
        (folder / "c.yaml").write_text(self.ENTRY)
        with self.assertRaisesRegex(errors.UsageError, r"c\.yaml:1: id 'x' is also at .*a\.yaml:1"):
            planted_list.load(folder, KNOWN)

    def test_folder_without_a_hypervisor(self) -> None:
        with self.assertRaisesRegex(errors.UsageError, "no xen/Makefile"):
            xen_tree.check(self.folder)

    def test_shipped_lists_can_be_read(self) -> None:
        found = sorted(PLANTED.iterdir())
        self.assertTrue(found)
        for path in found:
            if not path.is_dir():
                continue
            faults = planted_list.load(path)
            self.assertGreaterEqual(len(faults), 150)
            for one in faults:
                # No larger pieces of another project's source.
                self.assertLessEqual(max(one.old.count("\n"), one.new.count("\n")), 3, one.name)


class Trees(Folder):
    """The copy of a tree."""

    def test_products_are_not_copied_and_the_source_stays(self) -> None:
        tree = xen_tree.Tree(self.source)
        with tree.locked(), tree.planted(fault("x")):
            self.assertIn("wrong_a", (tree.copy / "xen/common/one.c").read_text())
            self.assertFalse((tree.copy / "xen/common/one.o").exists())
        self.assertEqual(self.file.read_text(), SOURCE)

    def test_restored_after_a_failure(self) -> None:
        tree = xen_tree.Tree(self.source)
        with tree.locked():
            with self.assertRaises(RuntimeError), tree.planted(fault("x")):
                raise RuntimeError
            self.assertEqual((tree.copy / "xen/common/one.c").read_text(), SOURCE)

    def test_fault_of_a_run_that_was_killed(self) -> None:
        tree = xen_tree.Tree(self.source)
        with tree.locked(), mock.patch.object(tree, "restore"), tree.planted(fault("x")):
            pass
        self.assertNotEqual((tree.copy / "xen/common/one.c").read_text(), SOURCE)
        again = xen_tree.Tree(self.source)
        with again.locked():
            self.assertEqual((again.copy / "xen/common/one.c").read_text(), SOURCE)

    def test_other_contents_have_another_copy(self) -> None:
        first = xen_tree.Tree(self.source)
        (self.source / "xen" / "common" / "one.o").write_text("other")
        self.assertEqual(xen_tree.Tree(self.source).folder, first.folder)
        self.file.write_text(SOURCE + "\n")
        second = xen_tree.Tree(self.source)
        self.assertNotEqual(second.folder, first.folder)

    def test_old_copies_go_and_their_results_stay(self) -> None:
        folders = []
        for number in range(xen_tree.KEPT_TREES + 1):
            self.file.write_text(SOURCE + "\n" * number)
            tree = xen_tree.Tree(self.source)
            with tree.locked():
                (tree.folder / "results").mkdir()
            os.utime(tree.folder, (number, number))
            folders.append(tree.folder)
        self.assertEqual([(folder / "tree").is_dir() for folder in folders], [False, True, True])
        self.assertTrue((folders[0] / "results").is_dir())

    def test_interrupted_build_ends_and_is_restored(self) -> None:
        tree = xen_tree.Tree(self.source)
        with tree.locked():
            with self.assertRaises(KeyboardInterrupt), tree.planted(fault("x", new="endless")):
                tree.build("x", 1)
            self.assertEqual((tree.copy / "xen/common/one.c").read_text(), SOURCE)


class Hunts(Folder):
    """Whole runs."""

    CASES = [suite.Case(name, "demo", [clause], set(), "demo.c", 1, "")
             for name, clause in zip("abc", KNOWN)]

    def setUp(self) -> None:
        super().setUp()
        self.patch(mock.patch.object(packages, "require"))
        self.patch(mock.patch.object(build, "Images", lambda _: Images(self.CASES)))
        self.adapter = self.program(self.folder / "adapter", ADAPTER)

    def run_with(self, faults: Sequence[Fault], **options: Any) -> tuple[int, str, str, dict[str, Any]]:
        """Exit status, output, messages and JSON of a run with FAULTS."""
        target = self.folder / "out.json"
        args = argparse.Namespace(**{
            "hv": "fake", "jobs": 1, "stop_at_first_failure": False, "timeout": None, "json": target,
            "planted": self.folder / "list.yaml", "xen_source": self.source, **options})
        setup = run.Setup("fake", self.adapter, [], "native", ("single",))
        out, said = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(said):
            status = planted.main(args, setup, self.CASES, faults)
        return status, out.getvalue(), said.getvalue(), json.loads(target.read_text())

    def test_report(self) -> None:
        faults = [fault("seen"), fault("alive", new="other_a"),
                  fault("excused", new="third_a", survives="no guest can see it"),
                  fault("panics", new="dead"), fault("both", new="wrong_a wrong_c")]
        status, out, said, data = self.run_with(faults)
        self.assertEqual(status, 1)
        self.assertIn("killed: seen: DEMO-001\n", out)
        self.assertIn("killed: both: DEMO-001 DEMO-003\n", out)
        self.assertIn("killed: panics: the hypervisor runs no case\n", out)
        self.assertIn("survived: alive (xen/common/one.c; a guest should notice: something): "
                      "no reason known\n", out)
        self.assertIn("survived: excused (xen/common/one.c; a guest should notice: something): "
                      "no guest can see it\n", out)
        self.assertIn("5 faults, 3 killed (60.0%)", out)
        self.assertIn("1 of 5: seen: killed by a, ", said)
        self.assertEqual([(one["id"], one["outcome"], one["clauses"]) for one in data["faults"]],
                         [("seen", "killed", ["DEMO-001"]), ("alive", "survived", []),
                          ("excused", "survived", []), ("panics", "killed", []),
                          ("both", "killed", ["DEMO-001", "DEMO-003"])])
        self.assertEqual(data["faults"][0]["cases"][0]["reason"], "saw it")

    def test_survivor_whose_clause_no_case_is_about(self) -> None:
        _, out, _, _ = self.run_with([fault("here", new="other_a", clauses=("DEMO-001", "GONE-001")),
                                      fault("elsewhere", new="third_a", clauses=("GONE-001", "GONE-002"))])
        self.assertRegex(out, r"survived: here \(.*\): no reason known\n")
        self.assertRegex(out, r"survived: elsewhere \(.*\): none of the cases that ran is about "
                              r"GONE-001 or GONE-002\n")

    def test_all_killed_is_success(self) -> None:
        status, _, _, _ = self.run_with([fault("seen"), fault("other", "right_b", "wrong_b")])
        self.assertEqual(status, 0)

    def test_first_failure_ends_a_trial_and_clauses_come_first(self) -> None:
        status, out, _, data = self.run_with([fault("both", new="wrong_a wrong_c", clauses=("DEMO-003",))],
                                             stop_at_first_failure=True)
        self.assertEqual((status, data["faults"][0]["clauses"]), (0, ["DEMO-003"]), out)
        self.assertEqual(data["faults"][0]["ran"], 1)

    def test_resumed(self) -> None:
        faults = [fault("seen"), fault("alive", new="other_a")]
        first = self.run_with(faults)
        self.assertEqual(self.builds(), 3)
        again = self.run_with([fault("seen"), fault("alive", new="other_a")])
        self.assertEqual(self.builds(), 3)
        self.assertEqual(again[3], first[3])
        # Another text, and another way to run, are other trials.
        self.run_with([fault("seen", new="wrong_a again"), fault("alive", new="other_a")])
        self.assertEqual(self.builds(), 4)
        self.run_with([fault("alive", new="other_a")], stop_at_first_failure=True)
        self.assertEqual(self.builds(), 5)

    def test_interrupted_run_reports_and_goes_on(self) -> None:
        faults = [fault("seen"), fault("endless", new="endless"), fault("third", new="wrong_b")]
        out = io.StringIO()
        with contextlib.redirect_stdout(out), self.assertRaises(KeyboardInterrupt):
            self.run_with(faults)
        data = json.loads((self.folder / "out.json").read_text())
        self.assertEqual([one["outcome"] for one in data["faults"]], ["killed", "not tried", "not tried"])
        status, text, _, data = self.run_with([faults[0], faults[2]])
        self.assertEqual((status, self.builds()), (0, 4), text)

    def test_fault_that_does_not_build(self) -> None:
        status, out, _, data = self.run_with([fault("bad", new="broken"), fault("seen")])
        self.assertEqual(status, errors.EXIT_RIG)
        self.assertRegex(out, "not known: bad: does not build, log .*build-bad.log")
        self.assertIn("killed: seen", out)
        self.assertEqual(data["faults"][0]["outcome"], "not built")
        # It is built again by the next run.
        self.run_with([fault("bad", new="broken"), fault("seen")])
        self.assertEqual(self.builds(), 4)

    def test_trouble_of_the_rig_is_no_kill_and_not_kept(self) -> None:
        status, out, _, data = self.run_with([fault("odd", new="trouble")])
        self.assertEqual((status, data["faults"][0]["outcome"]), (errors.EXIT_RIG, "not known"), out)
        self.run_with([fault("odd", new="trouble")])
        self.assertEqual(self.builds(), 3)

    def test_cases_that_fail_without_a_fault_do_not_count(self) -> None:
        self.file.write_text(SOURCE + "wrong_c\n")
        status, out, _, data = self.run_with([fault("alive", new="other_a")])
        self.assertEqual((status, data["faults"][0]["outcome"]), (1, "survived"))
        self.assertIn("left out: c, which does not pass without a fault", out)

    def test_tree_that_is_of_no_use_without_a_fault(self) -> None:
        for word, about in (("broken", "does not build without a fault"), ("dead", "no case passes"),
                            ("trouble", "without a fault, . cases could not be run")):
            self.file.write_text(SOURCE + word)
            with self.subTest(word), self.assertRaisesRegex(errors.RigError, about):
                self.run_with([fault("seen")])

    def test_time_is_over(self) -> None:
        self.run_with([fault("seen")])
        with mock.patch.object(planted.Hunt, "_limit", side_effect=planted.Over):
            status, out, _, data = self.run_with([fault("seen"), fault("new", new="wrong_c")], timeout=1)
        self.assertEqual(status, errors.EXIT_TIMEOUT)
        self.assertEqual([one["outcome"] for one in data["faults"]], ["killed", "not tried"])
        self.assertIn("1 fault not tried; the same command goes on", out)

    def test_json_on_the_standard_output_is_alone_there(self) -> None:
        target = self.folder / "out.json"
        target.write_text("{}")
        _, out, _, _ = self.run_with([fault("seen")], json="-")
        self.assertEqual(json.loads(out)["faults"][0]["id"], "seen")


class CommandLine(Folder):
    """Options, as a shell gives them."""

    def call(self, *words: rigtest.Word) -> tuple[int, str, str]:
        """Exit status, output and messages of 'conformance' with WORDS."""
        done = rigtest.call("conformance", *words)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def test_options_that_do_not_go_together(self) -> None:
        listed = self.folder / "list.yaml"
        listed.write_text(Lists.ENTRY)
        both = ("--planted", listed, "--xen-source", self.source)
        cases: Sequence[tuple[tuple[rigtest.Word, ...], str]] = (
            (("--planted", listed), "--xen-source"), (("--xen-source", self.source), "needs --planted"),
            (("--check",), "needs --planted"), (("--faults", "1"), "needs --planted"),
            ((*both, "--mutants", "1"), "does not go with"), ((*both, "--list"), "does not go with"),
            ((*both, "--ktap", "-"), "--ktap"), ((*both, "--check", "--json", "-"), "--check"),
            ((*both, "--check", "--faults", "1"), "--faults"),
            ((*both, "--check", "--area", "time"), "--area"), ((*both, "--check", "--timeout", "9"), "--timeout"),
            ((*both, "--check", "--leave-out", "x"), "--leave-out"), ((*both, "--check", "--hv", "xen-domu"), "--hv"),
            ((*both, "--xen", listed), "--xen"),
            ((*both, "--faults", "y"), "--faults takes a number"),
            ((*both, "--hv", "xen-domu"), "cannot take --planted"),
            (("--planted", listed, "--xen-source", self.folder), "no xen/Makefile"))
        for words, about in cases:
            with self.subTest(words):
                status, out, said = self.call(*words)
                self.assertEqual((status, out), (2, ""), said)
                self.assertEqual(len(said.splitlines()), 1, said)
                self.assertIn(about, said)

    def test_check(self) -> None:
        listed = self.folder / "list.yaml"
        listed.write_text(Lists.ENTRY)
        words = ("--planted", listed, "--xen-source", self.source, "--check")
        status, out, said = self.call(*words)
        self.assertEqual((status, said), (0, ""))
        self.assertIn("1 fault of", out)
        listed.write_text(Lists.ENTRY + Lists.ENTRY.replace("id: x", "id: y").replace("right_a", "gone"))
        status, out, said = self.call(*words)
        self.assertEqual(status, 2)
        self.assertRegex(out, r"list\.yaml:6: y: xen/common/one\.c holds the old text nowhere")
        self.assertIn("1 of 2 faults", said)
        self.assertFalse(self.calls.exists())


if __name__ == "__main__":
    unittest.main()
