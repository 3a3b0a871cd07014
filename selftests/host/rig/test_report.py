#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of the conformance report: its input, its contents, and its look in a browser."""
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(REPO / "rig"))

from pvg.base import errors, paths  # noqa: E402  (the path must be set first)
from pvg.abi import clauses  # noqa: E402
from pvg.conformance import matrix  # noqa: E402
from pvg.commands import report  # noqa: E402

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PASS_GREEN = (0xda, 0xfb, 0xe1)
FAIL_RED = (0xff, 0xe1, 0xdd)


def results(**changes: Any) -> dict[str, Any]:
    """Results of one hypervisor: three cases, with CHANGES to the second."""
    cases = [
        {"name": "yield_works", "area": "sched", "clauses": ["SCH-001"], "result": "pass",
         "reason": "", "seconds": 0.5, "log": "", "file": "nowhere.c:1"},
        {"name": "version_told", "area": "version", "clauses": ["VER-001", "HCN-017"],
         "result": "fail", "reason": "</script><b>wrong", "seconds": 1, "log": "",
         "file": "nowhere.c:2"},
        {"name": "block_wakes", "area": "sched", "clauses": ["SCH-001", "SCH-004"],
         "result": "skip", "reason": "no second vCPU", "seconds": 0, "log": "", "file": "x:1"},
    ]
    cases[1].update(changes)
    return {"format": 1, "cases": cases, "hypervisor": {
        "name": "Demo", "version": "1.2", "adapter": "here", "accelerator": "none"}}


def pixels(png: Path) -> set[tuple[int, ...]]:
    """The set of colours in a PNG of 8-bit RGB or RGBA."""
    data, at, packed = png.read_bytes(), 8, b""
    width = height = channels = 0
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + size]
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", body[:10])
            if depth != 8 or colour not in (2, 6):
                raise ValueError("not a PNG of 8-bit RGB or RGBA")
            channels = {2: 3, 6: 4}[colour]
        elif kind == b"IDAT":
            packed += body
        at += size + 12
    raw, stride, before, found = zlib.decompress(packed), width * channels, None, set()
    for row in range(height):
        start = row * (stride + 1)
        method, line = raw[start], bytearray(raw[start + 1:start + 1 + stride])
        before = before or bytes(stride)
        for i in range(stride):
            left = line[i - channels] if i >= channels else 0
            up, corner = before[i], before[i - channels] if i >= channels else 0
            if method == 1:
                line[i] = (line[i] + left) & 255
            elif method == 2:
                line[i] = (line[i] + up) & 255
            elif method == 3:
                line[i] = (line[i] + (left + up) // 2) & 255
            elif method == 4:
                guess = left + up - corner
                near = min((left, up, corner), key=lambda value: abs(guess - value))
                line[i] = (line[i] + near) & 255
        found |= {tuple(line[i:i + 3]) for i in range(0, stride, channels)}
        before = bytes(line)
    return found


class Reading(unittest.TestCase):
    """The distrustful reader of results files."""

    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.path = Path(scratch.name) / "results.json"

    def refused(self, text: str, expected: str) -> None:
        """A file that holds TEXT is refused with one line that holds EXPECTED."""
        self.path.write_text(text, encoding="utf-8")
        with self.assertRaises(errors.UsageError) as caught:
            matrix.read_results(self.path)
        self.assertIn(expected, str(caught.exception))
        self.assertNotIn("\n", str(caught.exception))

    def test_good(self) -> None:
        self.path.write_text(json.dumps(results()), encoding="utf-8")
        data = matrix.read_results(self.path)
        self.assertAlmostEqual(data.pop("written"), self.path.stat().st_mtime)
        self.assertEqual(data, results())

    def test_missing(self) -> None:
        with self.assertRaises(errors.UsageError):
            matrix.read_results(self.path)

    def test_not_json(self) -> None:
        self.refused("{", "not JSON")
        self.refused("[" * 100000, "not JSON")
        self.refused("9" * 5000, "not JSON")

    def test_other_format(self) -> None:
        self.refused(json.dumps({**results(), "format": 2}), "not results of format 1")
        self.refused("[]", "not results of format 1")

    def test_no_hypervisor(self) -> None:
        self.refused(json.dumps({**results(), "hypervisor": {"name": "x"}}), "hypervisor lacks one")

    def test_bad_field(self) -> None:
        self.refused(json.dumps(results(seconds="long")), "case 1 has no proper seconds")

    def test_unknown_result(self) -> None:
        self.refused(json.dumps(results(result="maybe")), "unknown result 'maybe'")

    def test_clauses_of_other_kinds(self) -> None:
        self.refused(json.dumps(results(clauses=[5])), "names clauses that are no strings")


class Joining(unittest.TestCase):
    """Results and catalogue together."""

    catalogue: clauses.Catalogue

    @classmethod
    def setUpClass(cls) -> None:
        cls.catalogue = clauses.load()

    def clause(self, data: dict[str, Any], clause_id: str) -> dict[str, Any]:
        """The joined entry of CLAUSE_ID."""
        return next(entry for entry in data["clauses"] if entry["id"] == clause_id)

    def test_every_clause_has_a_row(self) -> None:
        data = matrix.join(self.catalogue, [results()])
        self.assertEqual([entry["id"] for entry in data["clauses"]], list(self.catalogue.clauses))

    def test_worst_result_counts(self) -> None:
        data = matrix.join(self.catalogue, [results(clauses=["SCH-001"])])
        self.assertEqual(self.clause(data, "SCH-001")["results"], ["fail"])
        self.assertEqual(self.clause(data, "SCH-004")["results"], ["skip"])
        self.assertEqual(self.clause(data, "SCH-005")["results"], ["none"])

    def test_a_pass_outweighs_a_skip(self) -> None:
        data = matrix.join(self.catalogue, [results()])
        self.assertEqual(self.clause(data, "SCH-001")["results"], ["pass"])

    def test_one_column_for_each_run(self) -> None:
        data = matrix.join(self.catalogue, [results(), results(result="pass")])
        self.assertEqual(self.clause(data, "VER-001")["results"], ["fail", "pass"])
        self.assertEqual(self.clause(data, "VER-001")["cases"], ["version_told"])

    def test_unknown_clause(self) -> None:
        with self.assertRaises(errors.RigError) as caught:
            matrix.join(self.catalogue, [results(clauses=["VER-999"])])
        self.assertIn("nowhere.c:2: case version_told names clause VER-999", str(caught.exception))


class Excerpts(unittest.TestCase):
    """Code and logs of a case."""

    def setUp(self) -> None:
        paths.BUILD.mkdir(exist_ok=True)
        scratch = tempfile.TemporaryDirectory(dir=paths.BUILD)
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)

    def put(self, name: str, text: str) -> str:
        """Write TEXT to file NAME; returns its path as results name it."""
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return str(path.relative_to(paths.REPO))

    def test_code_with_its_comment(self) -> None:
        text = ("int before;\n\n/*\n * The rule.\n */\nCASE(one, \"A\", 0)\n{\n\twork();\n}\n\n"
                "int after;\n")
        where = self.put("case.c", text)
        self.assertEqual(matrix.code_of(f"{where}:6"),
                         "/*\n * The rule.\n */\nCASE(one, \"A\", 0)\n{\n\twork();\n}")

    def test_code_outside_the_repository(self) -> None:
        self.assertEqual(matrix.code_of("../../etc/passwd:1"), "")
        self.assertEqual(matrix.code_of("/etc/passwd:1"), "")
        self.assertEqual(matrix.code_of("nonsense"), "")

    def test_line_that_is_not_there(self) -> None:
        self.assertEqual(matrix.code_of(self.put("case.c", "x\n") + ":99"), "")

    def test_log_of_one_case(self) -> None:
        log = self.put("log", "boot\r\n@case one\r\nhello\r\n@ok one 3\r\n"
                              "@case two\r\n@ok two 1\r\n")
        self.assertEqual(matrix.log_of(log, "one"), "@case one\nhello\n@ok one 3")
        self.assertEqual(matrix.log_of(log, "two"), "@case two\n@ok two 1")

    def test_log_of_a_later_run(self) -> None:
        log = self.put("log", "@case one\n@ok one 3\n")
        when = (self.folder / "log").stat().st_mtime
        self.assertEqual(matrix.log_of(log, "one", when), "@case one\n@ok one 3")
        self.assertIn("later run", matrix.log_of(log, "one", when - 5))

    def test_log_without_the_case_gives_its_end(self) -> None:
        log = self.put("log", "\n".join(f"line {n}" for n in range(500)))
        self.assertTrue(matrix.log_of(log, "one").endswith("line 499"))
        self.assertLessEqual(matrix.log_of(log, "one").count("\n"), matrix.LOG_LINES)

    def test_binary_noise(self) -> None:
        path = self.folder / "noise"
        path.write_bytes(bytes(range(256)) * 40)
        text = matrix.log_of(str(path.relative_to(paths.REPO)), "one")
        self.assertTrue(all(c in "\n\t" or c.isprintable() for c in text))

    def test_missing_log(self) -> None:
        self.assertEqual(matrix.log_of("build/no/such.log", "one"), "")


class Page(unittest.TestCase):
    """The page itself."""

    page: str

    @classmethod
    def setUpClass(cls) -> None:
        cls.page = report.page(matrix.join(clauses.load(), [results()]))

    def test_self_contained(self) -> None:
        self.assertNotRegex(self.page, r"(?:src|href)\s*=|@import|url\(")

    def test_data_cannot_end_its_element(self) -> None:
        self.assertEqual(self.page.count("</script>"), 2)
        data, = re.findall(r'id="data">(.*?)</script>', self.page, re.S)
        self.assertEqual(json.loads(data)["cases"]["version_told"]["runs"]["0"]["reason"],
                         "</script><b>wrong")


@unittest.skipUnless(CHROMIUM, "chromium is not installed")
class Browser(unittest.TestCase):
    """The page as headless Chromium sees it."""

    folder: Path

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        (cls.folder / "index.html").write_text(
            report.page(matrix.join(clauses.load(), [results()])), encoding="utf-8")

    def chromium(self, rest: str, *options: str) -> str:
        """Run Chromium on the page, with REST after its address; returns its output."""
        done = subprocess.run(
            [str(CHROMIUM), "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             "--window-size=1200,900", "--virtual-time-budget=5000",
             f"--user-data-dir={self.folder / 'profile'}", *options,
             f"file://{self.folder / 'index.html'}{rest}"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=1200, check=True,
            env={**os.environ, "HOME": str(self.folder)})
        return done.stdout

    def test_rows_and_totals(self) -> None:
        page = self.chromium("", "--dump-dom")
        self.assertEqual(len(re.findall(r'<tr class="clause" id="', page)),
                         len(clauses.load().clauses))
        self.assertIn("must: 1 of ", page)
        self.assertIn("2 failed", page)

    def test_a_clause_opens_by_its_address(self) -> None:
        page = self.chromium("#VER-001", "--dump-dom")
        self.assertIn('id="more-VER-001"', page)
        self.assertIn("&lt;/script&gt;&lt;b&gt;wrong", page)
        self.assertIn("public/version.h:", page)

    def test_search(self) -> None:
        page = self.chromium("?search=sched_op+SCHEDOP_yield", "--dump-dom")
        found = re.findall(r'<tr class="clause" id="([^"]+)"', page)
        self.assertIn("SCH-001", found)
        self.assertNotIn("VER-001", found)

    def test_filter_by_result(self) -> None:
        page = self.chromium("?result=bad", "--dump-dom")
        self.assertEqual(re.findall(r'<tr class="clause" id="([^"]+)"', page),
                         ["HCN-017", "VER-001"])

    def test_colours(self) -> None:
        picture = self.folder / "page.png"
        self.chromium("?search=SCH-001", f"--screenshot={picture}")
        found = pixels(picture)
        self.assertIn(PASS_GREEN, found)
        self.assertNotIn(FAIL_RED, found)
        self.chromium("?result=bad", f"--screenshot={picture}")
        self.assertIn(FAIL_RED, pixels(picture))


if __name__ == "__main__":
    unittest.main()
