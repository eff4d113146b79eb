"""A store that a build may rely on not to be held up by: it costs no more than its time-out, all in all."""

import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from bnet.errors import StoreFailed
from bnet.files import move
from bnet.stores.failures import Refused, failures

if TYPE_CHECKING:
    from bnet.model.tree import StoreMode
    from bnet.ports.outside import Store

T = TypeVar("T")


class Guarded:
    """The store that answers as an empty one when the store behind it does not answer; it never raises.

    One of them serves a whole process, for that is how far its budget of waiting and its giving up reach.
    """

    def __init__(
        self,
        store: "Store",
        mode: "StoreMode",
        timeout: float,
        said: Callable[[str], None],
        name: str = "",
    ) -> None:
        """Take a store into custody.

        Args:
            store: may be slow, raise, or never return.
            mode: what is not allowed is not done, quietly: `read` sends and deletes nothing, `write` fetches nothing.
            timeout: seconds that callers may wait for it, all in all.
            said: told, in a sentence, when it is given up.
            name: what people know it as.
        """
        self._store = store
        self._reads = mode != "write"
        self._writes = mode != "read"
        self._timeout = timeout
        self._said = said
        self._title = f"the shared store {name}".rstrip()
        self._patience = Patience(timeout)
        self._gone = False
        self._lock = threading.Lock()

    def fetch(self, name: str, path: Path) -> bool:
        if not self._reads or self._gone:
            return False
        try:
            with failures("", f"be read into {path.parent}"):
                path.parent.mkdir(parents=True, exist_ok=True)
                room = Path(tempfile.mkdtemp(prefix=".fetch-", dir=path.parent))
        except StoreFailed as error:
            self._give_up(str(error))
            return False
        # A room of its own: a download that comes too late changes nothing at `path`, and removes what it made.
        left = threading.Event()

        def fetched() -> bool:
            try:
                return self._store.fetch(name, room / "blob")
            finally:
                if left.is_set():
                    shutil.rmtree(room, ignore_errors=True)

        try:
            if not self._ask(fetched, otherwise=False):
                return False
            with failures("", f"be read into {path.parent}"):
                move(room / "blob", path)
            return True
        except StoreFailed as error:
            self._give_up(str(error))
            return False
        finally:
            left.set()
            shutil.rmtree(room, ignore_errors=True)

    def send(self, name: str, path: Path) -> None:
        if self._writes:
            self._ask(lambda: self._store.send(name, path), otherwise=None, writing=True)

    def has(self, name: str) -> bool:
        return self._ask(lambda: self._store.has(name), otherwise=False)

    def names(self, prefix: str) -> Iterator[str]:
        none: list[str] = []
        yield from self._ask(lambda: list(self._store.names(prefix)), otherwise=none)

    def delete(self, name: str) -> None:
        if self._writes:
            self._ask(lambda: self._store.delete(name), otherwise=None, writing=True)

    def _ask(self, work: Callable[[], T], *, otherwise: T, writing: bool = False) -> T:
        if self._gone:
            return otherwise
        errand = Errand(work)
        with self._patience.waiting() as left:
            done = errand.wait(left)
        if not done:
            self._give_up(f"{self._title} has kept this build waiting for {self._timeout:g} s in all")
            return otherwise
        try:
            return errand.result()
        except StoreFailed as error:
            told = f"{error} ({error.hint})" if error.hint else str(error)
            if writing and isinstance(error, Refused):
                self._give_up_writing(told)
            else:
                self._give_up(told)
            return otherwise

    def _give_up(self, why: str) -> None:
        with self._lock:
            first, self._gone = not self._gone, True
        if first:
            self._said(f"{why}; going on without it")

    def _give_up_writing(self, why: str) -> None:
        with self._lock:
            first, self._writes = self._writes and not self._gone, False
        if first:
            self._said(f"{why}; nothing more is sent to it")


class Errand(Generic[T]):
    """Something that is done in a thread which nobody has to wait for, not even Python's end."""

    def __init__(self, work: Callable[[], T]) -> None:
        """Begin."""
        self._work = work
        self._done = threading.Event()
        self._result: T
        self._error: BaseException | None = None
        threading.Thread(target=self._run, name="shared store", daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """Wait for the end, but no longer than that; tell whether it came."""
        return self._done.wait(max(0.0, seconds))

    def result(self) -> T:
        """Return what came out, or raise it."""
        if self._error is not None:
            raise self._error
        return self._result

    def _run(self) -> None:
        try:
            self._result = self._work()
        except BaseException as error:
            self._error = error
        self._done.set()


class Patience:
    """A budget of seconds in which somebody waits: threads that wait at the same time spend it once."""

    def __init__(self, seconds: float) -> None:
        """Begin with all of it."""
        self._left = seconds
        self._waiting = 0
        self._since = 0.0
        self._lock = threading.Lock()

    @contextmanager
    def waiting(self) -> Iterator[float]:
        """Spend from it until the end of the block; yield the seconds that are left."""
        with self._lock:
            now = time.monotonic()
            if not self._waiting:
                self._since = now
            self._waiting += 1
            left = self._left - (now - self._since)
        try:
            yield left
        finally:
            with self._lock:
                self._waiting -= 1
                if not self._waiting:
                    self._left -= time.monotonic() - self._since
