"""Files of the cache: placed whole or not at all, and dropped once they are known to be damaged."""

import contextlib
import os
import threading
from pathlib import Path

from bnet.files import move


class Shelf:
    """A directory that any process may read and write meanwhile.

    Attributes:
        path: the directory; made when something is placed in it first.
        trouble: what a person should know of it; "" if all is well.
        doubted: whether something in it was found to be damaged.
    """

    def __init__(self, path: Path) -> None:
        """Name the directory."""
        self.path = path
        self.trouble = ""
        self.doubted = False
        self._count = 0
        # Not only the process's number: containers that share a cache have the same ones.
        self._tag = f"{os.getpid()}.{os.urandom(4).hex()}"
        self._lock = threading.Lock()

    def temporary(self) -> Path:
        """Return a path that nobody else has, for what is not complete yet."""
        with self._lock:
            self._count += 1
            return self.path / "tmp" / f"{self._tag}.{self._count}"

    def place(self, path: Path, data: bytes) -> None:
        """Write a file whole or not at all; not to the disk itself, since what is used is verified."""
        temporary = self.temporary()
        try:
            try:
                temporary.write_bytes(data)
            except FileNotFoundError:
                temporary.parent.mkdir(parents=True, exist_ok=True)
                temporary.write_bytes(data)
            move(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise

    def drop(self, path: Path, why: str) -> None:
        """Remove a file that is not what it should be, and keep the reason."""
        self.doubted = True
        self.trouble = f"{why} ({path}); it was dropped and is made again"
        with contextlib.suppress(OSError):
            path.unlink()
