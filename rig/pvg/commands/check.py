# SPDX-License-Identifier: GPL-2.0-only
"""pvguest check: runs every test suite and adds up the results."""
import concurrent.futures
import os
import signal
import subprocess
import threading
import time

from pvg import errors, ktap, packages, paths, progress

HELP = "run the test suites and add up their results"
LIMITS = {False: 3600, True: 8 * 3600}      # seconds that one suite may take: short, long


def suites():
    """Names of the suites: the folders of selftests/ with an executable called 'check'."""
    return sorted(p.parent.name for p in (paths.REPO / "selftests").glob("*/check")
                  if os.access(p, os.X_OK))


def configure(parser):
    """Options of 'pvguest check'."""
    parser.add_argument("suite", nargs="*", help="suites to run (default: all of "
                        + ", ".join(suites()) + ")")
    parser.add_argument("--jobs", type=int, metavar="N",
                        default=min(2, os.cpu_count() or 1),
                        help="suites to run at one time (default: two, or one on a machine with "
                             "one processor); each keeps one to two processors busy, and tests "
                             "have limits of time")
    parser.add_argument("--long", action="store_true", help="include the slow tests")
    parser.epilog = ("example: pvguest check host\n"
                     "A suite is an executable selftests/NAME/check that prints KTAP. It finds\n"
                     "PVGUEST_LONG=1 in its environment when the slow tests are wanted.")


def _kill(process, how):
    """Send the signal HOW to the suite PROCESS and all that it started."""
    try:
        os.killpg(process.pid, how)
    except ProcessLookupError:
        pass


def _run(name, long, running):
    """Run suite NAME, in the list RUNNING meanwhile; returns its Reader and the failures' texts."""
    log_path = paths.LOGS / f"check-{name}.log"
    paths.LOGS.mkdir(parents=True, exist_ok=True)
    environment = dict(os.environ, PVGUEST_LONG="1" if long else "")
    reader, failures = ktap.Reader(), []

    def failed(text):
        failures.append(f"{name}: not ok: {text}")
        print(failures[-1], flush=True)

    start = time.monotonic()
    progress.say(f"{name}: running (log: {paths.shown(log_path)})")
    with open(log_path, "wb") as log:
        process = subprocess.Popen([str(paths.REPO / "selftests" / name / "check")],
                                   cwd=paths.REPO, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=log, env=environment,
                                   start_new_session=True)
        running.append(process)
        timer = threading.Timer(LIMITS[long], _kill, (process, signal.SIGKILL))
        timer.start()
        shown = start
        try:
            for raw in process.stdout:
                log.write(raw)
                log.flush()
                failure = reader.feed(raw.decode("utf-8", "replace"))
                if failure:
                    failed(failure)
                if time.monotonic() - shown > 15:
                    shown = time.monotonic()
                    progress.say(f"{name}: {_sum(reader)} so far, {int(shown - start)} s")
            status = process.wait()
        finally:
            timer.cancel()
        running.remove(process)
    problem = reader.finish(status)
    if problem:
        failed(f"{problem}; see {paths.shown(log_path)}")
    print(f"{name}: {_sum(reader)} ({int(time.monotonic() - start)} s)", flush=True)
    return reader, failures


def _sum(reader):
    return f"{reader.passed} passed, {reader.failed} failed, {reader.skipped} skipped"


def _run_all(names, args):
    """Run the suites NAMES, some at one time, the first first; returns what _run() does of each."""
    running = []
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        jobs = [pool.submit(_run, name, args.long, running) for name in names]
        try:
            return [job.result() for job in jobs]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in list(running):
                _kill(process, signal.SIGTERM)
            raise


def main(args):
    """Run the suites that ARGS name; the last lines printed are the failures and the sum."""
    packages.require(packages.FOR_CHECK)
    names = args.suite or suites()
    for name in names:
        if name not in suites():
            raise errors.UsageError(f"no suite '{name}'; there are: {', '.join(suites())}")
    if args.jobs < 1:
        raise errors.UsageError(f"--jobs {args.jobs}: at least one")
    total, failures = ktap.Reader(), []
    for reader, failed in _run_all(names, args):
        failures += failed
        total.passed += reader.passed
        total.failed += reader.failed
        total.skipped += reader.skipped
    if failures:
        # Once more, where a reader of a long log's end finds them.
        print("What failed:", *failures, sep="\n")
    print(_sum(total), flush=True)
    return 1 if total.failed or not names else 0
