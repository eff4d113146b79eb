"""The shared store on a directory, usually of a network file system."""

import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from bnet.errors import StoreFailed
from bnet.files import move
from bnet.stores.failures import failures
from bnet.stores.landing import landing, unique
from bnet.stores.names import INCOMING, checked, directory_of, is_name

_ABSENT = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


class DirectoryStore:
    """A file for each blob.

    The directory itself has to be there: where a network file system is not mounted, its mount point is an
    empty directory of the local disk, which nobody wants to be filled.
    """

    def __init__(self, root: Path) -> None:
        """Name the directory."""
        self._root = root

    def fetch(self, name: str, path: Path) -> bool:
        with self._failures(f"read {name}"):
            try:
                source = self._path(name).open("rb")
            except _ABSENT:
                return self._nothing()
            with source, landing(path) as arriving, arriving.open("xb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
            return True

    def send(self, name: str, path: Path) -> None:
        with self._failures(f"write {name}"):
            target = self._path(name)
            with path.open("rb") as source:
                temporary = self._incoming() / unique()
                try:
                    with temporary.open("xb") as file:
                        shutil.copyfileobj(source, file, 1 << 20)
                        file.flush()
                        os.fsync(
                            file.fileno()
                        )  # a name without content would stay, for `has` says it is there
                    move(temporary, target)
                except BaseException:
                    temporary.unlink(missing_ok=True)
                    raise

    def has(self, name: str) -> bool:
        with self._failures(f"look for {name}"):
            return self._path(name).is_file() or self._nothing()

    def names(self, prefix: str) -> Iterator[str]:
        with self._failures("be listed"):
            directory = directory_of(prefix)
            found = False
            for parent, _, files in os.walk(self._root / directory, onerror=_raise_unless_absent):
                found = True
                at = os.path.relpath(parent, self._root)
                for file in files:
                    name = file if at == "." else f"{at}/{file}"
                    if name.startswith(prefix) and is_name(name):
                        yield name
            if not found:
                self._nothing()

    def delete(self, name: str) -> None:
        with self._failures(f"delete {name}"):
            try:
                self._path(name).unlink()
            except _ABSENT:
                self._nothing()

    def _path(self, name: str) -> Path:
        return self._root / checked(name)

    def _incoming(self) -> Path:
        directory = self._root / INCOMING
        if not directory.is_dir():
            self._nothing()
            directory.mkdir(exist_ok=True)
        return directory

    def _nothing(self) -> bool:
        """Return False, for a blob that is not there.

        Raises:
            StoreFailed: nor is the store.
        """
        if not self._root.is_dir():
            hint = "make it once, or mount what it is on"
            raise StoreFailed(f"the shared store {self._root} is no directory", hint=hint)
        return False

    def _failures(self, doing: str) -> AbstractContextManager[None]:
        return failures(str(self._root), doing)


def _raise_unless_absent(error: OSError) -> None:
    if not isinstance(error, _ABSENT):
        raise error
