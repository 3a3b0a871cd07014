# SPDX-License-Identifier: GPL-2.0-only
"""Messages while the rig works: standard error only, one line that moves on a terminal."""
import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Self, TextIO

PREFIX = "pvguest: "
QUIET = 30              # seconds without a word after which a reader takes a job for dead
TICK = 1.0              # seconds between two looks at whether it is time for a word


def say(text: str) -> None:
    """Print one line for the person who waits."""
    write(PREFIX + text + "\n", sys.stderr)


def write(text: str, file: TextIO) -> None:
    """Write TEXT to FILE at once: print() writes a line's end apart, so that lines of two threads mix."""
    file.write(text)
    file.flush()


@contextlib.contextmanager
def repeating(report: Callable[[], None], seconds: float) -> Iterator[None]:
    """Call REPORT in a thread, every so many SECONDS, while the body runs."""
    over = threading.Event()

    def run() -> None:
        while not over.wait(seconds):
            report()

    thread = threading.Thread(target=run, daemon=True)
    try:
        thread.start()
        yield
    finally:
        over.set()
        # Not where an interrupt came before it had begun.
        if thread.is_alive():
            thread.join()


@contextlib.contextmanager
def reminding(what: str) -> Iterator[None]:
    """Say again and again while the body runs that it still does WHAT, with the seconds so far."""
    start = time.monotonic()
    with repeating(lambda: say(f"still {what}, {int(time.monotonic() - start)} s"), QUIET):
        yield


class Line:
    """A line that shows how far a long job is.

    It is redrawn on a terminal; elsewhere there is a line for every 10 %, and one where QUIET
    seconds have passed since the last. 'with line:' looks at the time also while nothing calls
    update().
    """

    def __init__(self, title: str, total: int,
                 clock: Callable[[], float] = time.monotonic) -> None:
        self.title = title
        self.total = max(total, 1)
        self.now = clock
        self.start = clock()
        self.live = sys.stderr.isatty()
        self.percent = 0
        self.detail = ""
        self.shown = 0
        self.said = self.start
        self.drawn = self.start - 1
        self._lock = threading.Lock()       # of what is shown, and when it was
        self._ticking = contextlib.ExitStack()
        if not self.live:
            say(title)

    def __enter__(self) -> Self:
        self._ticking.enter_context(repeating(self.tick, TICK))
        return self

    def __exit__(self, *_: object) -> None:
        self._ticking.close()

    def beside_others(self) -> contextlib.AbstractContextManager[object]:
        """For 'with' where programs that are run draw lines of their own on a terminal."""
        if self.live:
            return contextlib.nullcontext()
        return self

    def update(self, count: int, detail: str = "") -> None:
        """COUNT of the total is done; DETAIL names what is being worked on."""
        with self._lock:
            self.percent = min(99, 100 * count // self.total)
            self.detail = detail
            self._show()

    def tick(self) -> None:
        """Show the line if it is time to."""
        with self._lock:
            self._show()

    def _show(self) -> None:
        now = self.now()
        if self.live:
            if now - self.drawn >= 0.1:
                self.drawn = now
                text = f"{PREFIX}{self.title}: {self.percent:2d} %  {self._clock()}  {self.detail}"
                write("\r" + text[:78].ljust(78), sys.stderr)
        elif self.percent >= self.shown + 10 or now - self.said >= QUIET:
            self.shown, self.said = self.percent, now
            say(f"{self.title}: {self.percent} %, {self._clock()}")

    def finish(self, outcome: str = "done") -> None:
        """Close the line with its outcome."""
        self._ticking.close()
        text = f"{self.title}: {outcome} in {self._clock()}"
        if self.live:
            write("\r" + (PREFIX + text).ljust(78) + "\n", sys.stderr)
        else:
            say(text)

    def seconds(self) -> int:
        """Whole seconds since the line was begun."""
        return int(self.now() - self.start)

    def _clock(self) -> str:
        seconds = self.seconds()
        return f"{seconds // 60}:{seconds % 60:02d}"
