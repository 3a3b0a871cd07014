# SPDX-License-Identifier: GPL-2.0-only
"""pvguest check: runs every test suite and adds up the results."""
import os
import signal
import subprocess
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
    parser.add_argument("--long", action="store_true", help="include the slow tests")
    parser.epilog = ("example: pvguest check host\n"
                     "A suite is an executable selftests/NAME/check that prints KTAP. It finds\n"
                     "PVGUEST_LONG=1 in its environment when the slow tests are wanted.")


def _run(name, long):
    """Run suite NAME; returns its Reader and what failed, a text each."""
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
        timer = signal.signal(signal.SIGALRM, lambda *_: os.killpg(process.pid, signal.SIGKILL))
        signal.alarm(LIMITS[long])
        try:
            shown = start
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
        except BaseException:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
            raise
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, timer)
    problem = reader.finish(status)
    if problem:
        failed(f"{problem}; see {paths.shown(log_path)}")
    print(f"{name}: {_sum(reader)} ({int(time.monotonic() - start)} s)", flush=True)
    return reader, failures


def _sum(reader):
    return f"{reader.passed} passed, {reader.failed} failed, {reader.skipped} skipped"


def main(args):
    """Run the suites that ARGS name; the last lines printed are the failures and the sum."""
    packages.require(packages.FOR_CHECK)
    names = args.suite or suites()
    for name in names:
        if name not in suites():
            raise errors.UsageError(f"no suite '{name}'; there are: {', '.join(suites())}")
    total, failures = ktap.Reader(), []
    for name in names:
        reader, failed = _run(name, args.long)
        failures += failed
        total.passed += reader.passed
        total.failed += reader.failed
        total.skipped += reader.skipped
    if failures:
        # Once more, where a reader of a long log's end finds them.
        print("What failed:", *failures, sep="\n")
    print(_sum(total), flush=True)
    return 1 if total.failed or not names else 0
