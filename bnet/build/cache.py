"""The cache: outputs by the key they were made under, every file once, verified whenever it is used."""

import contextlib
import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bnet.build.entries import LARGEST, Entry, Kept, decode_entry, encode_entry
from bnet.build.files import LINK
from bnet.build.objects import Damaged, Objects
from bnet.build.recent import remember
from bnet.build.shelf import Shelf
from bnet.errors import StoreFailed
from bnet.files import move

if TYPE_CHECKING:
    from bnet.ports.outside import Store

VERSION = 1
LONGEST_LOG = 1 << 24  # bytes: of what a command printed, the last so many bytes are kept


class Cache:
    """A directory of entries and objects, shared by all trees of a user; any process may read and write it."""

    def __init__(self, path: Path, store: "Store | None" = None) -> None:
        """Name its directory.

        Args:
            path: made when something is kept first.
            store: where a team shares the same files; asked when they are not here, given what is made here.
        """
        self.path = path
        self.store = store
        self.shelf = Shelf(path)
        self.objects = Objects(self.shelf)
        self._refuses = False
        self._newer: bool | None = None

    @property
    def trouble(self) -> str:
        """What a person should know of it; "" if all is well."""
        return self.shelf.trouble

    @trouble.setter
    def trouble(self, words: str) -> None:
        self.shelf.trouble = words

    # -- entries

    def find(self, key: bytes) -> Entry | None:
        """Return what was made under a key, if this machine has it, whole as far as that can be told at once."""
        if self.is_newer():
            return None
        path = self.entry_path(key)
        try:
            with path.open("rb") as file:
                data = file.read(LARGEST)
        except OSError:
            return None
        entry = decode_entry(data)
        if entry is None:
            self.shelf.drop(path, "an entry is damaged")
            return None
        with contextlib.suppress(OSError):
            os.utime(path)  # what was used last is removed last
        return entry

    def look_shared(self, key: bytes) -> Entry | None:
        """Return what the shared store has under a key, and keep nothing of it."""
        temporary = self.shelf.temporary()
        try:
            self._begin()
            found = self.store is not None and self.store.fetch(self._name(self.entry_path(key)), temporary)
            return decode_entry(temporary.read_bytes()) if found else None
        except (StoreFailed, OSError):
            return None
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()

    def find_shared(self, key: bytes) -> Entry | None:
        """Bring what was made under a key here from the shared store; None where that has it not, or not whole."""
        if self.store is None or self.is_newer() or not self._bring(self.entry_path(key)):
            return None
        entry = self.find(key)
        if entry is None:
            return None
        if not all(self.objects.has(each) or self._bring_object(each) for each in entry.digests()):
            return None
        remember(self.path, entry.package, key)
        return entry

    def keep(self, key: bytes, entry: Entry, files: Sequence[tuple[Kept, str]], log: bytes) -> bool:
        """Keep an entry with its files.

        Args:
            key: what it was made from.
            entry: what it says.
            files: each output and where it is.
            log: what was printed.

        Returns:
            Whether it is kept; False on a disk that is full or read-only, and `trouble` says so.
        """
        if self._refuses or self.is_newer():
            return False
        try:
            self._begin()
            names = [
                self.objects.keep_file(Path(path), kept.digest) for kept, path in files if kept.kind != LINK
            ]
            names.append(self.objects.there(entry.log) or self.objects.keep_bytes(log, entry.log))
            self.shelf.place(self.entry_path(key), encode_entry(entry))
            remember(self.path, entry.package, key)
        except OSError as error:
            at = os.fsdecode(error.filename or self.path)
            if at in {path for _, path in files}:  # something of the build's own that still runs removed it
                self.trouble = f"what {entry.package} made is not kept: {at}: {error.strerror}"
                return False
            self._refuses = error.errno != errno.EAGAIN
            self.trouble = f"nothing more is kept in {self.path}: {error.strerror}"
            return False
        if self.store is not None:
            self._share(self.store, [*dict.fromkeys(names), self.entry_path(key)])
        return True

    def refuse(self, key: bytes, why: str) -> None:
        """Drop an entry that is whole, and wrong."""
        self.shelf.drop(self.entry_path(key), why)

    def log_of(self, entry: Entry) -> bytes:
        """Return what an entry's command printed; what cannot be read any more is left out."""
        data = b""
        try:
            for piece in self.objects.read(entry.log):
                data += piece
                if len(data) > LONGEST_LOG:
                    return b""
        except (OSError, Damaged):
            return b""
        return data

    # -- the shared store

    def _bring_object(self, digest: bytes) -> bool:
        plain = self.objects.path_of(digest)
        return self._bring(plain) or self._bring(plain.with_name(plain.name + ".z"))

    def _bring(self, path: Path) -> bool:
        assert self.store is not None
        temporary = self.shelf.temporary()
        try:
            self._begin()
            if not self.store.fetch(self._name(path), temporary):
                return False
            move(temporary, path)
        except (StoreFailed, OSError):
            with contextlib.suppress(OSError):
                temporary.unlink()
            return False
        return True

    def _share(self, store: "Store", paths: list[Path]) -> None:
        """Give files to the store, the entry last, so that nobody finds one whose files are not there yet.

        Once something was found damaged, which may have come from there, what it has already is given again.
        """
        with contextlib.suppress(StoreFailed, OSError):
            for path in paths:
                if self.shelf.doubted or not store.has(self._name(path)):
                    store.send(self._name(path), path)

    def _name(self, path: Path) -> str:
        return path.relative_to(self.path).as_posix()

    # -- files

    def entry_path(self, key: bytes) -> Path:
        """Return where an entry is, or would be."""
        name = key.hex()
        return self.path / "entries" / name[:2] / name[2:]

    def is_newer(self) -> bool:
        """Tell whether a newer bnet wrote it, whose files may mean other things: it is left alone, which is said."""
        if self._newer is None:
            try:
                found = int((self.path / "version").read_text())
            except FileNotFoundError:
                return False
            except (OSError, ValueError):
                found = VERSION + 1
            self._newer = found > VERSION
        if self._newer:
            self.trouble = (
                f"{self.path} is not used: a newer bnet wrote it, and its files may mean other things"
            )
        return self._newer

    def _begin(self) -> None:
        (self.path / "tmp").mkdir(parents=True, exist_ok=True)
        if self._newer is None:
            self.shelf.place(self.path / "version", f"{VERSION}\n".encode())
            self._newer = False
