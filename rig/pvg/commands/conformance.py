# SPDX-License-Identifier: GPL-2.0-only
"""The conformance sub-command: runs the suite on a hypervisor and reports what holds."""
import argparse
import contextlib
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from pvg.base import arguments, errors, files, paths, plural, progress
from pvg.machine import qemu, xen
from pvg.guest import methods
from pvg.conformance import build, report, run, suite

HELP = "check a hypervisor against the ABI, clause by clause"

ADAPTERS = paths.RIG / "adapters"
# Results of whole runs, one file for each way to run: what 'pvguest report' shows.
RESULTS = paths.BUILD / "conformance" / "results"
DEFAULT_ADAPTER = "xen-dom0"
EXIT_FAILED = 1
DESCRIBE_LIMIT = 60     # seconds; one that reaches a host over a network asks it


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = ("exit status: 0 no failure; 1 a case failed; 2 usage; 124 the run's limit is "
                     "over;\n125 the rig failed, or a case could not be run; 130, 143 ended by "
                     "SIGINT, SIGTERM\n"
                     "example: ./pvguest conformance --area evtchn --junit results.xml\n"
                     "example: ./pvguest conformance --case 'fifo_*'\n"
                     "example: ./pvguest conformance --planted selftests/abi/planted/xen-4.17 "
                     "--xen-source xen-4.17.5+72-g01140da4e8 --check\n"
                     "The table of results is the output; consoles are in build/log/conformance-NAME, and\n"
                     "results of a run of all cases in build/conformance/results for './pvguest report'.")
    parser.add_argument("--hv", default=DEFAULT_ADAPTER, metavar="NAME",
                        help="adapter in rig/adapters, or the path of one (default: %(default)s)")
    parser.add_argument("--xen", type=arguments.file, metavar="FILE",
                        help="hypervisor binary of your own, where the adapter takes one: xen-dom0")
    parser.add_argument("--accel", metavar="NAME",
                        help="tcg (emulate) or kvm, where the adapter makes a machine (default: "
                             "the first that it has: tcg)")
    parser.add_argument("--area", action="append", default=[],
                        help="only the cases of this area, such as evtchn; may be repeated")
    parser.add_argument("--case", metavar="GLOB", action="append", default=[],
                        help="only cases whose name, alone or as --list prints it, matches; the "
                             "guest's console is shown; may be repeated")
    parser.add_argument("--leave-out", metavar="GLOB", action="append", default=[],
                        help="no case whose name matches; may be repeated")
    parser.add_argument("--stop-at-first-failure", action="store_true",
                        help="end the run when a case fails or cannot be run")
    parser.add_argument("--timeout", type=arguments.number(1), metavar="SECONDS",
                        help="end the run then, with the results so far (default: no limit)")
    parser.add_argument("--list", action="store_true",
                        help="print the cases that --area and --case choose, and run none")
    output = arguments.result_file_or_output
    parser.add_argument("--ktap", type=output, metavar="FILE",
                        help="results as KTAP ('-': standard output)")
    parser.add_argument("--junit", type=output, metavar="FILE", help="results as JUnit XML")
    parser.add_argument("--json", type=output, metavar="FILE", help="results as JSON")
    parser.add_argument("--coverage", action="store_true",
                        help="list clauses without a case and cases without a clause; run none")
    parser.add_argument("--mutants", metavar="N|all|NAME,...", nargs="?", const="all",
                        help="check that a case fails for each injected fault: for N of them, for "
                             "all (if nothing follows), or for those named")
    planted = parser.add_argument_group(
        "faults planted in a hypervisor's sources (docs/adding-a-case.md)")
    planted.add_argument("--planted", type=arguments.file_or_folder, metavar="LIST",
                         help="build a hypervisor for each replacement of text that the file LIST, or "
                              "a folder of such files, names, run "
                              "the cases on it, and say which faults none noticed; goes on where a "
                              "run before it ended; takes --json")
    planted.add_argument("--xen-source", type=arguments.folder, metavar="DIR",
                         help="the sources, which are copied to build/planted and stay as they are")
    planted.add_argument("--faults", metavar="N|all|ID,...", default="",
                         help="try N faults of the list, all (default), or those named")
    planted.add_argument("--check", action="store_true",
                         help="say whether each replacement fits the sources; build and run nothing")
    parser.add_argument("--contract", action="store_true",
                        help="check that the adapter itself keeps its contract "
                             "(docs/adding-a-hypervisor.md)")
    parser.add_argument("--jobs", type=arguments.number(1), default=os.cpu_count() or 1, metavar="N",
                        help="boots at a time (default: one for each processor)")


def find_adapter(name: str) -> Path:
    """Path of the adapter called NAME."""
    path = ADAPTERS / name if "/" not in name else Path(name)
    if not (path.is_file() and os.access(path, os.X_OK)):
        known = sorted(p.name for p in ADAPTERS.iterdir() if os.access(p, os.X_OK) and p.is_file())
        raise errors.UsageError(f"no adapter '{name}'; there are: {', '.join(known)}")
    return path


def _refused(path: Path, problem: str) -> errors.UsageError:
    """The error for an adapter PATH that cannot be used."""
    return errors.UsageError(f"adapter {path.name}: {problem}")


def describe(path: Path) -> dict[str, str]:
    """The description of adapter PATH, as it prints it; refuses one that can run no guest."""
    try:
        done = subprocess.run([str(path), "--describe"], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, errors="replace",
                              stdin=subprocess.DEVNULL, timeout=DESCRIBE_LIMIT, check=False)
    except subprocess.TimeoutExpired:
        raise _refused(path, f"'{path} --describe' took more than {DESCRIBE_LIMIT} s") from None
    except OSError as error:
        raise _refused(path, f"{path}: {error.strerror}") from None
    if done.returncode:
        said = done.stderr.strip().splitlines() or \
            [f"'{path} --describe' ended with exit status {done.returncode}"]
        # The last line of a Python program's is the exception.
        line = said[-1] if said[0].startswith("Traceback") else said[0]
        raise _refused(path, line.removeprefix(f"rig/adapters/{path.name}: "))
    facts = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    if not facts.keys() & {"parts", "accelerators", "own-xen"}:
        raise _refused(path, f"'{path} --describe' prints none of the lines parts=, accelerators=, "
                             "own-xen= (docs/adding-a-hypervisor.md)")
    for part in facts.get("parts", suite.PARTS[0]).split(","):
        if part not in suite.PARTS:
            raise _refused(path, f"no part '{part}'; there are: {', '.join(suite.PARTS)}")
    return facts


def make_setup(args: argparse.Namespace, builds: bool = False) -> run.Setup:
    """The adapter and its constant options; BUILDS: hypervisors are built, and given to it later."""
    path = find_adapter(args.hv)
    facts = describe(path)
    accelerators = facts.get("accelerators", "native").split(",")
    accel = args.accel or accelerators[0]
    if accel not in accelerators:
        raise errors.UsageError(f"adapter {path.name} has no accelerator '{accel}'; it has: "
                                f"{', '.join(accelerators)}")
    # Another's adapter knows itself what its machine needs, and that may not be this one.
    if accel == "kvm" and path.parent == ADAPTERS:
        qemu.check_kvm()
    options = ["--accel", accel]
    if builds:
        if facts.get("own-xen") != "yes":
            raise errors.UsageError(f"adapter {path.name} cannot take --planted: it has a hypervisor "
                                    "of its own")
    elif args.xen:
        if facts.get("own-xen") != "yes":
            raise errors.UsageError(f"adapter {path.name} cannot take --xen")
        options += ["--xen", str(xen.binary(args.xen))]
    elif path.parent == ADAPTERS and path.name in methods.NAMES:
        # Not while cases wait for it.
        methods.load(path.name).prepare()
    return run.Setup(_label(path, accel, accelerators, args.xen), path, options, accel,
                     tuple(facts.get("parts", suite.PARTS[0]).split(",")),
                     hypervisor=facts.get("hypervisor", ""))


def _label(path: Path, accel: str, accelerators: Sequence[str], own: Path | None) -> str:
    """The name of the logs and results of an adapter and a hypervisor, and of no other pair."""
    words = [path.name]
    if path.parent != ADAPTERS:
        words.append(_mark(path))
    if accel != accelerators[0]:
        words.append(accel)
    if own:
        words += ["own", Path(own).name, _mark(Path(own))]
    return "-".join(words)


def _mark(path: Path) -> str:
    """A few letters that stand for the place of PATH."""
    return hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:6]


def list_cases(cases: Sequence[suite.Case]) -> None:
    """Print CASES."""
    for case in cases:
        title = case.comment.split("\n\n")[0].replace("\n", " ")
        print(f"{case.area}.{case.name}  [{' '.join(case.clauses)}]  {title}")


def _echo(data: bytes) -> None:
    """Show DATA of a guest's console."""
    sys.stderr.buffer.write(data)
    sys.stderr.buffer.flush()


def run_cases(args: argparse.Namespace, cases: Sequence[suite.Case]) -> int:
    """Run CASES as ARGS say and write the results, also those of a run that ends early."""
    setup = make_setup(args)
    images = build.Images(suite.load())
    line = progress.Line(f"{plural.counted(len(cases), 'case')} on {setup.name}", len(cases))
    bad = []

    def note(result: run.Result, count: int) -> None:
        if result.result in ("fail", "error"):
            bad.append(result)
        if not args.case:
            line.update(count, f"{len(bad)} failed  {result.case.area}")

    started = time.monotonic()
    campaign = run.Campaign(
        setup, images, paths.LOGS / f"conformance-{setup.name}", 1 if args.case else args.jobs,
        _echo if args.case else None, note, stop_early=args.stop_at_first_failure,
        limit=args.timeout)
    interrupted: BaseException | None = None
    try:
        with contextlib.ExitStack() as ticking:
            # Not in the middle of the guest's console.
            if not args.case:
                ticking.enter_context(line)
            campaign.run(cases)
    except (KeyboardInterrupt, SystemExit) as end:
        # Of a signal: what there is by now is written first.
        interrupted = end
    results = campaign.so_far(cases)
    line.finish(f"{len(bad)} failed")
    name, version = campaign.hypervisor()
    about = {"name": name, "version": version, "adapter": setup.path.name,
             "accelerator": setup.accelerator}
    if len(results) < len(cases):
        about["ended"] = campaign.ended
        about["not run"] = str(len(cases) - len(results))
    _write(args, about, results)
    if not (args.area or args.case or args.leave_out or "ended" in about):
        files.write_atomically(RESULTS / f"{setup.name}.json", report.as_json(about, results))
    out = sys.stderr if "-" in (args.ktap, args.junit, args.json) else sys.stdout
    print(report.table(about, results, time.monotonic() - started), file=out)
    if interrupted:
        raise interrupted
    if any(result.result == "fail" for result in results):
        return EXIT_FAILED
    if bad:
        return errors.EXIT_RIG
    return errors.EXIT_TIMEOUT if campaign.late else 0


def plant(args: argparse.Namespace, cases: Sequence[suite.Case]) -> int:
    """Do what --planted and the options that go with it say."""
    from pvg.conformance import planted
    if args.check:
        return planted.check(Path(args.planted), Path(args.xen_source))
    faults = planted.select(Path(args.planted), Path(args.xen_source), args.faults or "all")
    return planted.main(args, make_setup(args, builds=True), cases, faults)


def _write(args: argparse.Namespace, about: report.About, results: Sequence[run.Result]) -> None:
    """Write RESULTS to the files that ARGS name."""
    for target, text in ((args.ktap, report.ktap),
                         (args.junit, report.junit),
                         (args.json, report.as_json)):
        if target == "-":
            print(text(about, results), end="")
        elif target:
            files.write_atomically(target, text(about, results))


def _check_together(args: argparse.Namespace) -> None:
    """Refuse options that say different things of what is to be done."""
    tasks = [name for name in ("coverage", "list", "contract", "mutants", "planted")
             if getattr(args, name)]
    if len(tasks) > 1:
        raise errors.UsageError(f"--{tasks[0]} does not go with --{tasks[1]}")
    results = [name for name in ("ktap", "junit", "json") if getattr(args, name)]
    if args.planted:
        _check_planted(args, results)
    elif tasks and results:
        raise errors.UsageError(f"--{tasks[0]} does not go with --{results[0]}")
    else:
        for option in ("xen_source", "faults", "check"):
            if getattr(args, option):
                raise errors.UsageError(f"--{option.replace('_', '-')} needs --planted")


def _check_planted(args: argparse.Namespace, results: Sequence[str]) -> None:
    """Refuse options that --planted lacks, or does not go with."""
    if not args.xen_source:
        raise errors.UsageError("--planted needs --xen-source, the folder of the sources")
    if args.xen:
        raise errors.UsageError("--planted does not go with --xen: it builds hypervisors")
    for name in results:
        if args.check or name != "json":
            raise errors.UsageError(f"--{'check' if args.check else 'planted'} does not go with --{name}")
    if args.check and args.faults:
        raise errors.UsageError("--check does not go with --faults: it looks at the whole list")
    if args.check:
        for option in ("area", "case", "leave_out", "timeout", "accel", "stop_at_first_failure"):
            if getattr(args, option):
                raise errors.UsageError(f"--check does not go with --{option.replace('_', '-')}: "
                                        "it runs nothing")
        if args.hv != DEFAULT_ADAPTER:
            raise errors.UsageError("--check does not go with --hv: it runs nothing")


def main(args: argparse.Namespace) -> int:
    """Entry point of the sub-command."""
    _check_together(args)
    find_adapter(args.hv)
    everything = suite.load()
    if args.coverage:
        from pvg.conformance import coverage
        return coverage.main(everything)
    cases = suite.select(everything, args.area, args.case, args.leave_out)
    if [args.ktap, args.junit, args.json].count("-") > 1:
        raise errors.UsageError("only one of --ktap, --junit and --json can be '-'")
    if args.list:
        list_cases(cases)
        return 0
    if args.contract:
        from pvg.conformance import contract
        return contract.main(make_setup(args))
    if args.planted:
        return plant(args, cases)
    if args.mutants:
        from pvg.conformance import mutants
        chosen = mutants.choose(mutants.load(), args.mutants)
        return mutants.main(args, make_setup(args), cases, chosen)
    return run_cases(args, cases)
