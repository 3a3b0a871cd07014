# SPDX-License-Identifier: GPL-2.0-only
"""pvguest check: runs every test suite and adds up the results."""
import argparse
import concurrent.futures
import os
import signal
import subprocess
import threading
from typing import Callable, List

from pvg.base import arguments, errors, packages, plural, progress, releases
from pvg.checks import results, shards, suites

HELP = "run the test suites and add up their results"


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of 'pvguest check'."""
    parser.add_argument("suite", nargs="*", help="suites to run (default: all of "
                        + ", ".join(suites.names()) + ")")
    parser.add_argument("--jobs", type=arguments.number(1), metavar="N",
                        help="suites to run at one time (default: two, or one on a machine with "
                             "one processor; a long run: one); each keeps one to two processors "
                             "busy")
    parser.add_argument("--linux", default=releases.default(), choices=releases.names(),
                        help="Linux release whose kernels are tested (default: %(default)s)")
    parser.add_argument("--long", action="store_true",
                        help="include the slow tests: hours, in units whose results are kept by "
                             "commit; those that have passed are not run again")
    parser.add_argument("--shard", metavar="K/N",
                        help="with --long: only the Kth of N shards, N at most the number of units; "
                             "'list' shows the shards")
    parser.add_argument("--again", action="store_true",
                        help="with --long: run also what has passed on this commit")
    parser.add_argument("--sum", action="store_true",
                        help="with --long: run nothing, add up what is kept for this commit")
    parser.epilog = ("example: ./pvguest check host\n"
                     "example: ./pvguest check --long --shard 2/8\n"
                     "A suite is an executable selftests/NAME/check that prints KTAP; its whole output is\n"
                     "in build/log/check-NAME.log. It finds PVGUEST_LONG=1 in its environment when the slow\n"
                     f"tests are to run. Results of long runs are in build/results; {results.PAGE} says how\n"
                     "far the last one got and with which results.")


def _run_all(units: List[suites.Unit], jobs: int, long: bool,
             done: Callable[[suites.Outcome], None] = lambda outcome: None
             ) -> List[suites.Outcome]:
    """Run UNITS, JOBS at one time, in order; DONE is called with each outcome."""
    running: "List[subprocess.Popen[bytes]]" = []
    ended = threading.Event()

    def run(unit: suites.Unit) -> suites.Outcome:
        outcome = suites.run(unit, long, running)
        # A unit that we ended ourselves has no result.
        if not ended.is_set():
            done(outcome)
        return outcome

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        futures = []
        try:
            for unit in units:
                futures.append(pool.submit(run, unit))
                if unit.suite == suites.FIRST:
                    futures[-1].result()
            return [future.result() for future in futures]
        except BaseException:
            ended.set()
            pool.shutdown(wait=False, cancel_futures=True)
            for process in list(running):
                suites.kill(process, signal.SIGTERM)
            raise


def _units(names: List[str]) -> List[suites.Unit]:
    return [unit for name in names for unit in suites.units(name)]


def _list(units: List[suites.Unit], store: results.Store) -> int:
    """Print the shards of UNITS, and which units have passed."""
    count = shards.fitting(units)
    for number, shard in enumerate(shards.split(units, count), 1):
        print(f"{number}/{count}: about {-(-shards.seconds(shard) // 60)} min")
        for unit in shard:
            state = "passed" if store.has_passed(unit) else f"about {unit.seconds} s"
            print(f"  {unit.title}: {state}")
    return 0


def _nothing_to_add_up(args: argparse.Namespace, store: results.Store) -> None:
    """Say that there is no result that --sum could add up, and what makes some."""
    words = ["./pvguest check --long", *args.suite]
    if args.shard:
        words.append(f"--shard {args.shard}")
    if args.linux != releases.usual():
        words.append(f"--linux {args.linux}")
    progress.say(f"no unit{' of this shard' if args.shard else ''} has a result for {store.name}; "
                 f"run: {' '.join(words)}")


def _prepare(names: List[str]) -> None:
    """Have what the suites NAMES need, all at once, rather than for one test after the other."""
    packages.require({package for name in names for package in packages.FOR_SUITE.get(name, ())})


def _long(args: argparse.Namespace, names: List[str]) -> int:
    """A long run: of all units, or of those of a shard, that have not passed on this commit."""
    store = results.Store(results.version())
    units = _units(names)
    every = set(names) == set(suites.names())
    if args.shard == "list":
        return _list(units, store)
    chosen = shards.choose(units, args.shard) if args.shard else units
    if args.sum and not any(store.find(unit) for unit in chosen):
        _nothing_to_add_up(args, store)
        return 1
    if not args.sum:
        _prepare(names)
        left = [unit for unit in chosen if args.again or not store.has_passed(unit)]
        progress.say(f"{len(left)} of {plural.counted(len(chosen), 'unit')} to run on {store.name}")

        def keep(outcome: suites.Outcome) -> None:
            if results.version() == store.name:
                store.keep(outcome)
            else:
                progress.say(f"{outcome.title}: not kept: the work tree has changed under the run")

        _run_all(left, args.jobs, True, keep)
    if args.shard:
        # The page is due with the last shard.
        if all(store.find(unit) for unit in units):
            return results.add_up(store, units, every)
        return results.add_up(store, chosen, False)
    return results.add_up(store, units, every)


def main(args: argparse.Namespace) -> int:
    """Run the suites that ARGS name; the last lines printed are the failures and the sum."""
    names = args.suite or suites.names()
    for name in names:
        if name not in suites.names():
            raise errors.UsageError(f"no suite '{name}'; there are: {', '.join(suites.names())}")
    if args.jobs is None:
        args.jobs = 1 if args.long else min(2, os.cpu_count() or 1)
    if not args.long and (args.shard or args.again or args.sum):
        raise errors.UsageError("--shard, --again and --sum go with --long")
    if args.again and args.sum:
        raise errors.UsageError("--again runs all, --sum nothing: give one of them")
    if args.shard and args.shard != "list":
        shards.check(args.shard)
    if args.long:
        return _long(args, names)
    _prepare(names)
    whole = results.total(_run_all([suites.Unit(name) for name in names], args.jobs, False), "all")
    if whole.failures:
        # Once more, where a reader of a long log's end finds them.
        print("Failed:", *whole.failures, sep="\n")
    print(whole, flush=True)
    return 1 if whole.failed or not names else 0
