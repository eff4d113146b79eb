"""Watches a tree where there is no inotify, through watchfiles, which cannot say that it has seen everything."""

import contextlib
import os
import threading
from typing import TYPE_CHECKING

from bnet.errors import BnetError
from bnet.host.events.changes import Changes, Passes

if TYPE_CHECKING:
    from watchfiles import Change

_DEBOUNCE = 20  # ms in which events are gathered; watchfiles' own 1,600 would be felt
_STEP = 5  # ms without an event after which they are reported
_LOOK = 200  # ms until `close` is noticed
_PAUSE = 0.05  # s between a failure, such as of a name that is no UTF-8, and the next attempt


class Elsewhere:
    """Reports what happens to the files of a tree soon after it happened; never all of it with certainty."""

    def __init__(self, root: str, passes: Passes) -> None:
        """Begin to watch.

        Args:
            root: the tree's directory.
            passes: what is not reported.

        Raises:
            BnetError: it is no directory, or watchfiles is not installed.
        """
        try:
            from watchfiles import watch
        except ImportError:
            raise BnetError("watching files needs watchfiles here", hint="pip install watchfiles") from None
        self._watch = watch
        self._root = os.path.realpath(root)
        self._passes = passes
        if not os.path.isdir(self._root):
            raise BnetError(f"cannot watch {self._root}: it is no directory")
        self._paths: set[str] = set()
        self._lost = False
        self._lock = threading.Lock()
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._gather, name="file events", daemon=True)
        self._thread.start()

    def fileno(self) -> int:
        """Return the descriptor that can be read from when there is something to report."""
        return self._reader

    def read(self) -> Changes:
        """Return, without waiting, what was heard of since the last look."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._reader, 1 << 16)
        with self._lock:
            paths, self._paths = self._paths, set()
            lost, self._lost = self._lost, False
        gone = not os.path.isdir(self._root)
        return Changes(paths, lost=gone or lost, gone=gone)

    def close(self) -> None:
        """Watch no longer."""
        if not self._stop.is_set():
            self._stop.set()
            self._thread.join()
            os.close(self._reader)
            os.close(self._writer)

    def _gather(self) -> None:
        while not self._stop.is_set():
            try:
                self._follow()
            # Not narrower: whatever ended it, who reads is told that something was missed, and it begins anew.
            except Exception:
                with self._lock:
                    self._lost = True
                self._tell()
                self._stop.wait(_PAUSE)

    def _follow(self) -> None:
        looks = self._watch(
            self._root,
            watch_filter=None,
            debounce=_DEBOUNCE,
            step=_STEP,
            stop_event=self._stop,
            rust_timeout=_LOOK,
            raise_interrupt=False,
        )
        for changes in looks:
            self._note(changes)

    def _note(self, changes: "set[tuple[Change, str]]") -> None:
        paths = {os.path.relpath(path, self._root) for _, path in changes}
        with self._lock:
            self._paths |= {path for path in paths if not self._is_passed(path)}
        self._tell()

    def _is_passed(self, path: str) -> bool:
        """Tell whether a path or a directory that it is in is passed over: here nothing was left out before."""
        parts = path.split("/")
        return any(self._passes("/".join(parts[: at + 1])) for at in range(len(parts)))

    def _tell(self) -> None:
        with contextlib.suppress(BlockingIOError):  # then there is enough to be read
            os.write(self._writer, b"x")
