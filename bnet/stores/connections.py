"""Connections to a store, as many as there are threads that use it at a time."""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from bnet.errors import StoreFailed
from bnet.stores.dialect import Dialect
from bnet.stores.protocols import dialect_of

T = TypeVar("T")

# OpenSSH begins to turn callers away when ten have not logged in yet (MaxStartups).
AT_ONCE = 8

# What the other side says on a connection that works.
ANSWERS = (FileNotFoundError, PermissionError, StoreFailed)


class Connections:
    """Lends a file system to one thread at a time, and the same to all where it can take that."""

    def __init__(self, url: str, timeout: float) -> None:
        """Keep what to connect to; that is done when it is needed, and so are the dear imports."""
        self._url = url
        self._timeout = timeout
        self._dialect: Dialect | None = None
        self._free: list[tuple[Any, str]] = []
        self._shared: tuple[Any, str] | None = None
        self._lock = threading.Lock()
        self._connecting = threading.Lock()
        self._places = threading.Semaphore(AT_ONCE)

    def use(self, work: Callable[[Dialect, Any, str], T]) -> T:
        """Do something with a file system; once more with a new one if the old one may have been cut off."""
        dialect = self._speaker()
        if self._shared is not None:
            return work(dialect, *self._shared)
        with self._places:
            return self._use_own(dialect, work)

    def _use_own(self, dialect: Dialect, work: Callable[[Dialect, Any, str], T]) -> T:
        with self._lock:
            old = self._free.pop() if self._free else None
        if old is not None:
            try:
                return self._lend(dialect, old, work)
            except ANSWERS:
                raise
            # Not narrower: each library raises something else on a connection that was cut off. Nothing is hidden,
            # for what was another fault is raised by the new connection too.
            except Exception:
                with self._lock:
                    stale, self._free = self._free, []
                for each, _ in stale:
                    dialect.close(each)
        return self._lend(dialect, self._connect(dialect), work)

    def _lend(self, dialect: Dialect, made: tuple[Any, str], work: Callable[[Dialect, Any, str], T]) -> T:
        try:
            answer = work(dialect, *made)
        except ANSWERS:
            self._take_back(made)
            raise
        except BaseException:
            if made is not self._shared:
                dialect.close(made[0])
            raise
        self._take_back(made)
        return answer

    def _take_back(self, made: tuple[Any, str]) -> None:
        if made is not self._shared:
            with self._lock:
                self._free.append(made)

    def _speaker(self) -> Dialect:
        with self._lock:  # two threads that import the same packages at once have seen half of them
            if self._dialect is None:
                self._dialect = dialect_of(self._url, self._timeout)
            return self._dialect

    def _connect(self, dialect: Dialect) -> tuple[Any, str]:
        if not dialect.whole:
            return self._made(dialect)
        with self._connecting:  # one for all, which is dear to make
            return self._shared or self._made(dialect)

    def _made(self, dialect: Dialect) -> tuple[Any, str]:
        made = dialect.connect()
        if not made[0].async_impl:
            return made
        from bnet.stores.detached import detach_lookups

        detach_lookups()
        with self._lock:
            if self._shared is None:
                self._shared = made
            return self._shared
