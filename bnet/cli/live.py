"""What a terminal shows while a build runs: the packages at work, how far it is, and what failed above that.

It is drawn by a thread of its own a few times a second, however fast packages come and go; a build that is over
before the first time shows nothing. Written without a library: a package's log goes through as it is, lines that
a narrower window has wrapped are counted, and nothing is switched off that a kill would leave switched off.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, TextIO

import click

from bnet.cli.plain import Story
from bnet.cli.render import coloured, seconds

if TYPE_CHECKING:
    from bnet.build.engine import Event

FIRST = 0.2  # seconds until something is shown
PAUSE = 0.1  # seconds between two pictures
MOST = 10  # packages at work that are listed
WIDEST = 30  # columns of the bar
CLEAR = "\x1b[J"
CLEAR_LINE = "\x1b[K"


class Size(NamedTuple):
    """A window's columns and rows."""

    columns: int
    rows: int


class Progress:
    """How far a build is."""

    def __init__(self, total: int, begun: float) -> None:
        """Begin with nothing done.

        Args:
            total: how many packages there are to bring up to date.
            begun: when that began, in seconds of the monotonic clock.
        """
        self.total = total
        self.begun = begun
        self.running: dict[str, float] = {}
        self.done = self.cached = self.failed = 0

    def note(self, event: "Event", now: float) -> None:
        """Take in what the engine told."""
        if event.outcome is None:
            self.running[event.package] = now
            return
        self.running.pop(event.package, None)
        self.done += 1
        if event.outcome.result == "success":
            self.cached += event.outcome.tier not in ("full", "incremental")
        elif event.outcome.result != "skipped":
            self.failed += 1

    def picture(self, now: float, size: Size, full: str, empty: str) -> list[str]:
        """Return the lines to show; none is wider than the window, and there are fewer than it has rows.

        Args:
            now: the time, on the clock of `begun`.
            size: of the window.
            full: a sign for what is done.
            empty: a sign for what is not.
        """
        room = size.columns - 1  # a sign in the last column would wrap on some terminals
        most = max(0, min(MOST, size.rows - 3))
        shown = sorted(self.running.items(), key=lambda each: each[1])[:most]
        widest = max((len(name) for name, _ in shown), default=0)
        lines = []
        for name, since in shown:
            took = seconds(now - since)
            space = max(0, min(widest, room - 4 - len(took)))
            lines.append(_cut(f"  {_cut(name, space):<{space}}  {took}", room))
        if (hidden := len(self.running) - len(shown)) and most:
            lines.append(_cut(f"  and {hidden} more", room))
        # Where the build is stopped, the terminal writes `^C` behind the last line.
        return [*lines, self._status(now, room - len("^C"), full, empty)]

    def _status(self, now: float, room: int, full: str, empty: str) -> str:
        words = [f"{self.done} of {self.total}"]
        words += [f"{self.cached} cached"] if self.cached else []
        words += [click.style(f"{self.failed} failed", fg="red")] if self.failed else []
        words.append(seconds(now - self.begun))
        said = ", ".join(words)
        length = len(click.unstyle(said))
        wide = min(WIDEST, room - length - 1)
        if wide >= 10:
            part = min(wide, wide * self.done // max(1, self.total))
            bar = click.style(full * part, fg="green") + click.style(empty * (wide - part), dim=True)
            return f"{bar} {said}"
        return said if length <= room else _cut(click.unstyle(said), max(0, room))


class Live:
    """Shows a build in a terminal while it runs; at the end, and when it is interrupted, that is gone."""

    def __init__(
        self,
        story: Story,
        total: int,
        *,
        stream: TextIO | None = None,
        size: Callable[[], Size] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep what is needed.

        Args:
            story: what is said of packages that are done with; it scrolls away above the display.
            total: how many packages there are.
            stream: the terminal; otherwise stderr.
            size: measures its window.
            clock: seconds, monotonic.
        """
        self.story = story
        self._stream = stream or sys.stderr
        self._size = size or self._measured
        self._clock = clock
        self._progress = Progress(total, clock())
        self._said: list[str] = []
        self._drawn: list[str] = []
        self._columns = 0
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep_drawing, daemon=True)
        ascii_only = "utf" not in (self._stream.encoding or "").lower()
        self._signs = ("=", "-") if ascii_only else ("━", "─")

    def __enter__(self) -> "Live":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()
        with suppress(OSError):
            self._write([])

    def told(self, event: "Event") -> None:
        """Take in what the engine told; it is shown with the next picture."""
        said = "" if event.outcome is None else self.story.of(event.outcome)
        with self._lock:
            self._progress.note(event, self._clock())
            if said:
                self._said.append(said)

    def draw(self) -> None:
        """Show how far it is."""
        size = self._size()
        with self._lock:
            lines = self._progress.picture(self._clock(), size, *self._signs)
        self._write(lines, size.columns)

    def _keep_drawing(self) -> None:
        pause = FIRST
        with suppress(OSError):  # the terminal is gone, and with it whoever would look
            while not self._over.wait(pause):
                pause = PAUSE
                if self._in_front():
                    self.draw()

    def _write(self, lines: Sequence[str], columns: int = 0) -> None:
        """Write what is new above, and the picture, over the last one: in one go, so that nothing flickers."""
        with self._lock:
            said, self._said = self._said, []
        columns = columns or self._size().columns
        text = self._back(columns)
        if self._drawn and (said or columns != self._columns):
            text += CLEAR
        text += "".join(f"{each}\n" for each in said)
        text += f"{CLEAR_LINE}\n".join(lines)
        if self._drawn or lines:
            text += CLEAR
        self._drawn, self._columns = [click.unstyle(each) for each in lines], columns
        if text:
            self._stream.write(text if coloured(self._stream) else _without_colour(text))
            self._stream.flush()

    def _back(self, columns: int) -> str:
        """Return what leads from the end of the last picture to its beginning."""
        if not self._drawn:
            return ""
        rows = sum(max(1, -(-len(each) // columns)) for each in self._drawn)
        return "\r" + (f"\x1b[{rows - 1}A" if rows > 1 else "")

    def _in_front(self) -> bool:
        """Tell whether the terminal is ours now; what runs in a shell's background must not draw over it."""
        try:
            return os.tcgetpgrp(self._stream.fileno()) == os.getpgrp()
        except (OSError, ValueError):
            return True

    def _measured(self) -> Size:
        try:
            columns, rows = os.get_terminal_size(self._stream.fileno())
        except (OSError, ValueError):
            columns = rows = 0
        return Size(columns or 80, rows or 24)


def can_show(environ: Mapping[str, str], stream: TextIO) -> bool:
    """Tell whether somebody watches who has a terminal that can move its cursor."""
    watched = environ.get("CI", "").lower() in ("", "0", "false")
    return watched and stream.isatty() and environ.get("TERM", "dumb") not in ("", "dumb", "unknown")


def _cut(text: str, room: int) -> str:
    return (
        text if len(text) <= room else text[: max(0, room - 2)] + ".." if room > 2 else text[: max(0, room)]
    )


def _without_colour(text: str) -> str:
    import re

    return re.sub(r"\x1b\[[0-9;:]*m", "", text)
