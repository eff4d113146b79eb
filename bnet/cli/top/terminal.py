"""The terminal that `bnet top` takes over, and gives back however it ends; and the keys that come from it."""

import os
import re
import select
import signal
import sys
import termios
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType

from bnet.cli.live import Size
from bnet.cli.render import coloured

# The other screen, without a cursor and without wrapping: what was on the first one is there again afterwards.
ENTER, LEAVE = "\x1b[?1049h\x1b[?25l\x1b[?7l", "\x1b[?7h\x1b[?25h\x1b[?1049l"
# Terminals that know of synchronized updates show a frame at once; the others pass over these.
BEGIN, END = "\x1b[?2026h", "\x1b[?2026l"
KEYS = {
    b"\x1b[A": "up", b"\x1bOA": "up",
    b"\x1b[B": "down", b"\x1bOB": "down",
    b"\x1b[5~": "page up", b"\x1b[6~": "page down",
    b"\x1b[H": "home", b"\x1bOH": "home", b"\x1b[1~": "home",
    b"\x1b[F": "end", b"\x1bOF": "end", b"\x1b[4~": "end",
    b"\r": "enter", b"\n": "enter", b"\x7f": "erase", b"\x08": "erase", b"\x1b": "escape",
}  # fmt: skip
COLOUR = re.compile(r"\x1b\[(?:[34]8;[0-9;]*|(?:[349]|10)[0-9])m")
AFTER_ESCAPE = 0.05  # seconds within which the rest of an arrow comes


class Ended(Exception):
    """The terminal is gone, or this process was asked to end."""


class Screen:
    """A terminal in which whole pictures are drawn."""

    def __init__(self) -> None:
        """Keep what stdin and stdout are; nothing is changed yet."""
        self._in, self._out = sys.stdin.fileno(), sys.stdout.fileno()
        self._before = termios.tcgetattr(self._in)
        self._wake, self._waker = os.pipe()
        for each in (self._wake, self._waker):
            os.set_blocking(each, False)
        self._drawn: list[str] = []
        self._wiped = True  # what is on the screen is not what was drawn
        self._left = b""
        self._ending = False

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Take the terminal over, and give it back at the end, after Ctrl-C and SIGTERM too."""
        handlers = {
            number: signal.signal(number, handler)
            for number, handler in (
                (signal.SIGWINCH, self._resized),
                (signal.SIGINT, self._asked),
                (signal.SIGTERM, self._asked),
                (signal.SIGHUP, self._asked),
                (signal.SIGTSTP, self._paused),
            )
        }
        before = signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        try:
            self._enter()
            yield
        finally:
            self._ending = True
            self._leave()
            signal.set_wakeup_fd(before)
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _enter(self) -> None:
        tty.setcbreak(self._in)  # Ctrl-C stays a signal
        self._wiped = True
        self._write(ENTER)

    def _leave(self) -> None:
        with suppress(OSError, Ended, termios.error):  # the terminal may be gone
            self._write(LEAVE)
        with suppress(OSError, termios.error):
            termios.tcsetattr(self._in, termios.TCSADRAIN, self._before)

    def _resized(self, number: int, frame: FrameType | None) -> None:
        self._wiped = True

    def _asked(self, number: int, frame: FrameType | None) -> None:
        if not self._ending:  # a second one would find the terminal half given back
            self._ending = True
            raise KeyboardInterrupt if number == signal.SIGINT else Ended

    def _paused(self, number: int, frame: FrameType | None) -> None:
        if self._ending:
            return
        self._leave()
        os.kill(os.getpid(), signal.SIGSTOP)
        self._enter()

    def wake(self) -> None:
        """Let `key` return; any thread may."""
        with suppress(OSError):
            os.write(self._waker, b"\0")

    @property
    def size(self) -> Size:
        """The window's columns and rows."""
        try:
            columns, rows = os.get_terminal_size(self._out)
        except OSError:
            columns = rows = 0
        return Size(columns or 80, rows or 24)

    def draw(self, lines: Sequence[str]) -> None:
        """Show a picture: only lines that differ from the last one are written, in one go."""
        shown = list(lines) if coloured() else [_bare(line) for line in lines]
        before, wiped, self._wiped = self._drawn, self._wiped, False
        before, text = ([], "\x1b[2J") if wiped else (before, "")
        for at, line in enumerate(shown):
            if at >= len(before) or before[at] != line:
                text += f"\x1b[{at + 1};1H{line}\x1b[0m\x1b[K"
        if len(before) > len(shown):
            text += f"\x1b[{len(shown) + 1};1H\x1b[J"
        self._drawn = shown
        if text:
            self._write(f"{BEGIN}{text}{END}")

    def _write(self, text: str) -> None:
        data = text.encode(sys.stdout.encoding or "utf-8", "replace")
        try:
            while data:
                data = data[os.write(self._out, data) :]
        except OSError:
            raise Ended from None

    def key(self, seconds: float) -> str:
        """Return a key as soon as one is pressed: its name, or its sign; "" if time passed or `wake` was called."""
        if not self._left:
            ready, _, _ = select.select([self._in, self._wake], [], [], seconds)
            if self._wake in ready:
                with suppress(BlockingIOError):
                    os.read(self._wake, 4096)
            if self._in not in ready:
                return ""
            self._left = self._read()
        if self._left == b"\x1b" and select.select([self._in], [], [], AFTER_ESCAPE)[0]:
            self._left += self._read()
        taken = _first(self._left)
        self._left = self._left[len(taken) :]
        return KEYS.get(taken) or _sign(taken)

    def _read(self) -> bytes:
        try:
            found = os.read(self._in, 1024)
        except OSError:
            found = b""
        if not found:
            raise Ended
        return found


def _first(data: bytes) -> bytes:
    """Return the bytes of the first key: an escape sequence, or a sign in UTF-8."""
    if data[:2] in (b"\x1b[", b"\x1bO"):
        end = next((at for at in range(2, len(data)) if 0x40 <= data[at] <= 0x7E), len(data) - 1)
        return data[: end + 1]
    length = 1 if data[0] < 0xC0 else 2 if data[0] < 0xE0 else 3 if data[0] < 0xF0 else 4
    return data[:length]


def _sign(data: bytes) -> str:
    text = data.decode(errors="replace")
    return text if text.isprintable() else ""


def _bare(line: str) -> str:
    """Return a line without colours; what is bold, dim or reversed stays, for that shows which job is chosen."""
    return COLOUR.sub("", line)
