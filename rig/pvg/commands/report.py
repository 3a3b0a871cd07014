# SPDX-License-Identifier: GPL-2.0-only
"""pvguest report: one self-contained page, clauses by hypervisor, from conformance runs."""
import json
from pathlib import Path

from pvg import clauses, errors, files, paths, report_data

HELP = "write the conformance report (build/report/index.html)"

PAGE = paths.BUILD / "report" / "index.html"
RESULTS = paths.BUILD / "conformance" / "results"
TEMPLATE = Path(report_data.__file__).with_name("report.html")


def configure(parser):
    """Options of 'pvguest report'."""
    parser.add_argument("results", nargs="*", metavar="FILE",
                        help="results written by 'pvguest conformance --json FILE', one column "
                             f"each (default: {paths.shown(RESULTS)}/*.json)")
    parser.add_argument("--output", metavar="FILE", default=str(PAGE),
                        help=f"where the page goes (default: {paths.shown(PAGE)})")
    parser.epilog = ("example: pvguest conformance --json xen.json; pvguest report xen.json\n"
                     "In the page: type to search, click a clause for its text, source, cases,\n"
                     "code and log; '#MMU-012' after the address opens that clause.")


def page(data):
    """The page that shows DATA."""
    # Nothing in the data may end the script element it is carried in.
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    before, mark, after = TEMPLATE.read_text(encoding="utf-8").partition("@DATA@")
    if not mark:
        raise errors.RigError(f"{paths.shown(TEMPLATE)}: no @DATA@ to put the results at")
    return before + text + after


def main(args):
    """Write the page and say where it is."""
    found = [Path(name) for name in args.results] or sorted(RESULTS.glob("*.json"))
    if not found:
        raise errors.UsageError("no results: run pvguest conformance --json "
                                f"{paths.shown(RESULTS)}/NAME.json first")
    runs = [report_data.read_results(path) for path in found]
    data = report_data.join(clauses.load(), runs)
    files.write_atomically(args.output, page(data))
    covered = sum(bool(clause["cases"]) for clause in data["clauses"])
    print(f"{paths.shown(args.output)}: {len(data['clauses'])} clauses, {covered} with a result, "
          f"{len(runs)} hypervisor{'s' if len(runs) != 1 else ''}")
    return 0
