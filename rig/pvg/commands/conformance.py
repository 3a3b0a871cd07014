# SPDX-License-Identifier: GPL-2.0-only
"""The conformance sub-command: runs the suite on a hypervisor and tells what it keeps."""
import os
import subprocess
import sys
import time
from pathlib import Path

from pvg import (conformance_build, conformance_cases, conformance_report, conformance_run, errors,
                 files, paths, progress, xen)

HELP = "check a hypervisor against the ABI, clause by clause"

ADAPTERS = paths.RIG / "adapters"
# Results of whole runs, one file for each way to run: what 'pvguest report' shows.
RESULTS = paths.BUILD / "conformance" / "results"
EXIT_FAILED = 1


def configure(parser):
    """Declare the options."""
    parser.epilog = ("exit status: 0 no failure; 1 a case failed; 2 usage; 125 the rig failed\n"
                     "example: pvguest conformance --area events --junit results.xml")
    parser.add_argument("--hv", default="xen-dom0", metavar="NAME",
                        help="adapter in rig/adapters, or a path to one (default xen-dom0)")
    parser.add_argument("--xen", metavar="FILE", help="hypervisor binary of your own")
    parser.add_argument("--accel", default=None, help="tcg or kvm, where the adapter emulates")
    parser.add_argument("--area", help="only this area")
    parser.add_argument("--case", metavar="GLOB", help="only matching cases, with full logs")
    parser.add_argument("--list", action="store_true", help="print the cases and stop")
    parser.add_argument("--ktap", metavar="FILE", help="results as KTAP ('-': standard output)")
    parser.add_argument("--junit", metavar="FILE", help="results as JUnit XML")
    parser.add_argument("--json", metavar="FILE", help="results as JSON")
    parser.add_argument("--coverage", action="store_true",
                        help="clauses without a case and cases without a clause; then stop")
    parser.add_argument("--mutants", metavar="N|all|NAME,...", nargs="?", const="all",
                        help="check that the suite notices a hypervisor that lies")
    parser.add_argument("--contract", action="store_true",
                        help="check that the adapter itself keeps its contract")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N",
                        help="boots at a time (default: one for each processor)")


def find_adapter(name):
    """Path of the adapter called NAME."""
    path = ADAPTERS / name if "/" not in name else Path(name)
    if not (path.is_file() and os.access(path, os.X_OK)):
        known = sorted(p.name for p in ADAPTERS.iterdir() if os.access(p, os.X_OK) and p.is_file())
        raise errors.UsageError(f"no adapter '{name}'; there are: {', '.join(known)}")
    return path


def describe(path):
    """What adapter PATH says of itself."""
    try:
        text = subprocess.run([str(path), "--describe"], stdout=subprocess.PIPE, text=True,
                              stdin=subprocess.DEVNULL, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise errors.RigError(f"adapter {path.name}: --describe failed: {error}") from error
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def make_setup(args):
    """The adapter and its constant options."""
    path = find_adapter(args.hv)
    facts = describe(path)
    accelerators = facts.get("accelerators", "native").split(",")
    accel = args.accel or accelerators[0]
    if accel not in accelerators:
        raise errors.UsageError(f"adapter {path.name} has no accelerator '{accel}'; it has: "
                                f"{', '.join(accelerators)}")
    options = ["--accel", accel]
    if args.xen:
        if facts.get("own-xen") != "yes":
            raise errors.UsageError(f"adapter {path.name} cannot take --xen")
        options += ["--xen", str(xen.binary(args.xen))]
    return conformance_run.Setup(path.name, path, options, accel,
                                 tuple(facts.get("parts", "single").split(",")))


def list_cases(cases):
    """Print CASES."""
    for case in cases:
        title = case.comment.split("\n\n")[0].replace("\n", " ")
        print(f"{case.area}.{case.name}  [{' '.join(case.clauses)}]  {title}")


def run(args, cases):
    """Run CASES as ARGS say and write the results."""
    setup = make_setup(args)
    images = conformance_build.Images(conformance_cases.load())
    line = progress.Line(f"{len(cases)} cases on {setup.name}", len(cases))
    failed = []

    def note(result, count):
        if result.result in ("fail", "error"):
            failed.append(result)
        line.update(count, f"{len(failed)} failed  {result.case.area}")

    echo = None
    if args.case:
        def echo(data):
            sys.stderr.buffer.write(data)
            sys.stderr.buffer.flush()
    started = time.monotonic()
    label = f"{setup.name}-own" if args.xen else setup.name
    campaign = conformance_run.Campaign(
        setup, images, paths.LOGS / f"conformance-{label}", 1 if args.case else args.jobs,
        echo, note)
    results = campaign.run(cases)
    line.finish(f"{len(failed)} failed")
    words = campaign.info.split()
    about = {"name": words[0] if words else "unknown",
             "version": words[1] if len(words) > 1 else "unknown", "adapter": setup.name,
             "accelerator": setup.accelerator}
    for target, text in ((args.ktap, conformance_report.ktap),
                         (args.junit, conformance_report.junit),
                         (args.json, conformance_report.as_json)):
        if target == "-":
            print(text(about, results), end="")
        elif target:
            files.write_atomically(target, text(about, results))
    if not (args.area or args.case):
        files.write_atomically(RESULTS / f"{label}.json",
                               conformance_report.as_json(about, results))
    out = sys.stderr if "-" in (args.ktap, args.junit, args.json) else sys.stdout
    print(conformance_report.table(about, results, time.monotonic() - started), file=out)
    return EXIT_FAILED if failed else 0


def main(args):
    """Entry point of the sub-command."""
    everything = conformance_cases.load()
    if args.coverage:
        from pvg import conformance_coverage
        return conformance_coverage.main(everything)
    cases = conformance_cases.select(everything, args.area, args.case)
    if args.list:
        list_cases(cases)
        return 0
    if args.contract:
        from pvg import conformance_contract
        return conformance_contract.main(make_setup(args))
    if args.mutants:
        from pvg import conformance_mutants
        return conformance_mutants.main(args, make_setup(args), cases)
    return run(args, cases)
