# SPDX-License-Identifier: GPL-2.0-only
"""What the rig says while it works: standard error only, one line that moves on a terminal."""
import sys
import time

PREFIX = "pvguest: "


def say(text):
    """Print one line for the person who waits."""
    print(PREFIX + text, file=sys.stderr, flush=True)


class Line:
    """A line that shows how far a long job is: redrawn on a terminal, every 10 % elsewhere."""

    def __init__(self, title, total):
        self.title = title
        self.total = max(total, 1)
        self.start = time.monotonic()
        self.live = sys.stderr.isatty()
        self.shown = -10
        self.drawn = 0.0
        if not self.live:
            say(title)

    def update(self, count, detail=""):
        """COUNT of the total is done; DETAIL names what is being worked on."""
        percent = min(99, 100 * count // self.total)
        now = time.monotonic()
        if self.live:
            if now - self.drawn >= 0.1:
                self.drawn = now
                text = f"{PREFIX}{self.title}: {percent:2d} %  {self._clock()}  {detail}"
                print("\r" + text[:78].ljust(78), end="", file=sys.stderr, flush=True)
        elif percent >= self.shown + 10:
            self.shown = percent
            say(f"{self.title}: {percent} %, {self._clock()}")

    def finish(self, outcome="done"):
        """Close the line with its outcome."""
        text = f"{self.title}: {outcome} in {self._clock()}"
        if self.live:
            print("\r" + (PREFIX + text).ljust(78), file=sys.stderr, flush=True)
        else:
            say(text)

    def seconds(self):
        """Whole seconds since the line was begun."""
        return int(time.monotonic() - self.start)

    def _clock(self):
        seconds = self.seconds()
        return f"{seconds // 60}:{seconds % 60:02d}"
