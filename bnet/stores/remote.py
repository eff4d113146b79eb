"""The shared store on anything that fsspec speaks."""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from bnet.errors import StoreFailed
from bnet.stores.connections import Connections
from bnet.stores.dialect import Dialect
from bnet.stores.failures import failures, reason, shown
from bnet.stores.landing import landing, unique
from bnet.stores.names import INCOMING, checked, directory_of, is_name
from bnet.stores.protocols import PACKAGES

T = TypeVar("T")


class RemoteStore:
    """A file or object for each blob."""

    def __init__(self, url: str, timeout: float = 60.0) -> None:
        """Name the place; it is connected to when it is used first.

        Args:
            url: what fsspec understands, or `webdavs://`.
            timeout: seconds to wait for a single answer, where the protocol's library can be told.
        """
        self._url = url
        self._connections = Connections(url, timeout)
        self._directories: set[str] = set()
        self._seen = False
        self._lock = threading.Lock()

    def fetch(self, name: str, path: Path) -> bool:
        checked(name)

        def get(dialect: Dialect, system: Any, base: str) -> bool:
            try:
                with landing(path) as arriving:
                    dialect.get(system, _join(base, name), str(arriving))
            except FileNotFoundError:
                return self._nothing(dialect, system, base)
            return True

        return self._do(f"read {name}", get)

    def send(self, name: str, path: Path) -> None:
        checked(name)

        def put(dialect: Dialect, system: Any, base: str) -> None:
            target = _join(base, name)
            if dialect.whole:
                dialect.put(system, str(path), target)
                return
            incoming = _join(base, INCOMING)
            self._make(dialect, system, incoming)
            self._make(dialect, system, target.rpartition("/")[0])
            temporary = f"{incoming}/{unique()}"
            try:
                dialect.put(system, str(path), temporary)
                dialect.rename(system, temporary, target)
            except BaseException:
                with suppress(Exception):  # the store has failed already, in a way that is raised again below
                    system.rm_file(temporary)
                with self._lock:
                    self._directories.clear()  # somebody may have removed them
                raise

        self._do(f"write {name}", put)

    def has(self, name: str) -> bool:
        checked(name)

        def look(dialect: Dialect, system: Any, base: str) -> bool:
            there = dialect.is_file(system, _join(base, name))
            return there or self._nothing(dialect, system, base)

        return self._do(f"look for {name}", look)

    def names(self, prefix: str) -> Iterator[str]:
        directory = directory_of(prefix)

        def walk(dialect: Dialect, system: Any, base: str) -> list[str]:
            system.invalidate_cache()
            top = base.strip("/")
            above = len(top) + 1 if top else 0
            files = dialect.files(system, _join(base, directory).rstrip("/"))
            found = [file.lstrip("/")[above:] for file in files]
            return found if found or self._nothing(dialect, system, base) else []

        # All of them, and then the first: a connection is not lent out for as long as the caller likes.
        for name in self._do("be listed", walk):
            if name.startswith(prefix) and is_name(name):
                yield name

    def delete(self, name: str) -> None:
        checked(name)

        def remove(dialect: Dialect, system: Any, base: str) -> None:
            try:
                system.rm_file(_join(base, name))
            except FileNotFoundError:
                self._nothing(dialect, system, base)

        self._do(f"delete {name}", remove)

    def _do(self, doing: str, work: Callable[[Dialect, Any, str], T]) -> T:
        with failures(shown(self._url), doing):
            try:
                return self._connections.use(work)
            except ImportError as error:
                raise self._lacking(error) from error

    def _lacking(self, error: ImportError) -> StoreFailed:
        protocol = self._url.partition("://")[0]
        package = PACKAGES.get(protocol)
        hint = f"pip install {package}" if package else reason(error)
        return StoreFailed(
            f"the shared store {shown(self._url)} needs a Python package that is not installed here",
            hint=hint,
        )

    def _make(self, dialect: Dialect, system: Any, directory: str) -> None:
        if directory.strip("/") and directory not in self._directories:
            dialect.make_directory(system, directory)
            with self._lock:
                self._directories.add(directory)

    def _nothing(self, dialect: Dialect, system: Any, base: str) -> bool:
        """Return False, for a blob that is not there.

        Raises:
            StoreFailed: nor is the store, which is asked once.
        """
        if not self._seen and not dialect.is_there(system, base):
            raise StoreFailed(
                f"the shared store {shown(self._url)} is not there", hint="make it once by hand"
            )
        self._seen = True
        return False


def _join(base: str, name: str) -> str:
    base = base.rstrip("/")
    return f"{base}/{name}" if base else name
