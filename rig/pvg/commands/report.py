# SPDX-License-Identifier: GPL-2.0-only
"""pvguest report: one self-contained page, clauses by hypervisor, from conformance runs."""
import argparse
import json
from pathlib import Path
from typing import Any

from pvg.base import arguments, errors, files, paths, plural
from pvg.abi import clauses
from pvg.conformance import matrix

HELP = "write the conformance report (build/report/index.html)"

PAGE = paths.BUILD / "report" / "index.html"
RESULTS = paths.BUILD / "conformance" / "results"
TEMPLATE = Path(matrix.__file__).with_name("report.html")


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of 'pvguest report'."""
    parser.add_argument("results", nargs="*", metavar="FILE",
                        help="results written by './pvguest conformance --json FILE', one column "
                             f"each (default: {paths.shown(RESULTS)}/*.json)")
    parser.add_argument("--output", type=arguments.result_file, metavar="FILE",
                        help=f"where the page goes (default: {paths.shown(PAGE)})")
    parser.epilog = ("example: ./pvguest conformance --json xen.json; ./pvguest report xen.json\n"
                     "In the page: type to search, click a clause for its text, source, cases,\n"
                     "code and log; '#MMU-012' after the address opens that clause.")


def page(data: dict[str, Any]) -> str:
    """The page that shows DATA."""
    # Nothing in the data may end the script element it is carried in.
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    before, mark, after = TEMPLATE.read_text(encoding="utf-8").partition("@DATA@")
    if not mark:
        raise errors.RigError(f"{paths.shown(TEMPLATE)}: no @DATA@ to put the results at")
    return before + text + after


def main(args: argparse.Namespace) -> int:
    """Write the page and say where it is."""
    found = [Path(name) for name in args.results] or sorted(RESULTS.glob("*.json"))
    if not found:
        raise errors.UsageError("no results: run ./pvguest conformance first, which leaves them in "
                                + paths.shown(RESULTS))
    output = args.output or PAGE
    runs = [matrix.read_results(path) for path in found]
    data = matrix.join(clauses.load(), runs)
    files.write_atomically(output, page(data))
    covered = sum(bool(clause["cases"]) for clause in data["clauses"])
    print(f"{paths.shown(output)}: {plural.counted(len(data['clauses']), 'clause')}, "
          f"{covered} with a result, {plural.counted(len(runs), 'hypervisor')}")
    return 0
