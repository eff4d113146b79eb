"""Telling open pages that there is something new: server-sent events, one thread for each reader."""

from collections.abc import Iterator
from threading import Condition

MOST_READERS = 100
QUIET = 15.0  # seconds after which a line without meaning shows whether the reader is still there
AGAIN = 3000  # milliseconds after which a browser comes back


class News:
    """The newest thing there is to tell: who was away gets that, and has missed nothing."""

    def __init__(self) -> None:
        """Have nothing to tell yet."""
        self._changed = Condition()
        self._number = 0
        self._text = ""
        self._over = False
        self._readers = 0

    def tell(self, text: str) -> None:
        """Let every reader know; one line."""
        with self._changed:
            self._number += 1
            self._text = text
            self._changed.notify_all()

    def close(self) -> None:
        """Let every reader go."""
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def enter(self) -> bool:
        """Take one more reader, unless there are too many."""
        with self._changed:
            if self._readers >= MOST_READERS or self._over:
                return False
            self._readers += 1
            return True

    def leave(self) -> None:
        """Have one reader less."""
        with self._changed:
            self._readers -= 1

    def stream(self, quiet: float = QUIET) -> Iterator[bytes]:
        """Yield what a reader is sent, until the end: first the newest there is."""
        yield b"retry: %d\n\n" % AGAIN
        seen = 0
        while True:
            with self._changed:
                if self._number == seen and not self._over:
                    self._changed.wait(quiet)
                if self._over:
                    return
                number, text = self._number, self._text
            yield b": still here\n\n" if number == seen else f"id: {number}\ndata: {text}\n\n".encode()
            seen = number
