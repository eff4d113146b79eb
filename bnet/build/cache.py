"""The cache: outputs by the key they were made under, every file once, verified whenever it is used."""

import contextlib
import errno
import os
import shutil
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from blake3 import blake3

from bnet.build.entries import LARGEST, Entry, Kept, decode_entry, encode_entry
from bnet.build.files import EXECUTABLE, LINK, printable
from bnet.build.recent import remember
from bnet.errors import BnetError, StoreFailed
from bnet.files import move

if TYPE_CHECKING:
    from bnet.ports import Store

__all__ = ["LONGEST_LOG", "Cache", "Damaged", "Entry", "Kept"]

VERSION = 1
WORTHWHILE = 4096  # bytes; what is smaller fits a block of the disk either way
PAYS = 0.9  # of its size that a compressed file may have to be kept so
LEVEL = 3
PIECE = 1 << 20
LARGE = 64 * PIECE  # what is larger is not held in memory
LONGEST_LOG = 16 * PIECE  # of what a command printed, the last so many bytes are kept
SPARE = 1 << 28  # bytes; less than this is laid out without asking the disk whether there is room


class Damaged(BnetError):
    """What the cache holds is not what it was; it is dropped, and made again."""


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
        self.trouble = ""
        self._count = 0
        self._tag = (
            f"{os.getpid()}.{os.urandom(4).hex()}"  # containers that share a cache have the same numbers
        )
        self._lock = threading.Lock()
        self._doubted = False
        self._refuses = False
        self._newer: bool | None = None

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
            self._drop(path, "an entry is damaged")
            return None
        with contextlib.suppress(OSError):
            os.utime(path)  # what was used last is removed last
        return entry

    def look_shared(self, key: bytes) -> Entry | None:
        """Return what the shared store has under a key, and keep nothing of it."""
        temporary = self._temporary()
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
        if not all(self._has(each) or self._bring_object(each) for each in entry.digests()):
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
            names = [self._keep_file(Path(path), kept.digest) for kept, path in files if kept.kind != LINK]
            names.append(self._there(entry.log) or self._keep_bytes(log, entry.log))
            self._place(self.entry_path(key), encode_entry(entry))
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
        self._drop(self.entry_path(key), why)

    def log_of(self, entry: Entry) -> bytes:
        """Return what an entry's command printed; what cannot be read any more is left out."""
        data = b""
        try:
            for piece in self.read(entry.log):
                data += piece
                if len(data) > LONGEST_LOG:
                    return b""
        except (OSError, Damaged):
            return b""
        return data

    # -- objects

    def check_room(self, wanted: Iterable[Kept], directory: str) -> None:
        """Tell before anything is written whether a disk has room for some files.

        Raises:
            Damaged: it has not; an entry that somebody made up may ask for anything.
        """
        size = sum(kept.size for kept in wanted)
        if size > SPARE and size > shutil.disk_usage(directory).free:
            raise Damaged(f"an entry of the cache asks for {size:,} bytes, more than the disk has")

    def stage(self, kept: Kept) -> str:
        """Write an output into the cache's own directory for what is under way, and verify it; return where.

        Raises:
            Damaged: the cache has it not, or not as it was.
            OSError: the disk is full.
        """
        path = str(self._temporary())
        try:
            self.lay_out(kept, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(path)
            raise
        return path

    def lay_out(self, kept: Kept, path: str) -> None:
        """Write an output where there is nothing yet, and verify it.

        Raises:
            Damaged: the cache has it not, or not as it was.
            OSError: the disk is full.
        """
        if kept.kind == LINK:
            os.symlink(kept.target, path)
            return
        mode = 0o777 if kept.kind == EXECUTABLE else 0o666
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with open(handle, "wb", buffering=0) as file:
            left = kept.size
            for piece in self.read(kept.digest):
                left -= len(piece)
                if left < 0:
                    self._drop(self._object(kept.digest), "an object is larger than its entry says")
                    raise Damaged(self.trouble)
                file.write(piece)
            if kept.mode:
                os.fchmod(file.fileno(), kept.mode)

    def read(self, digest: bytes) -> Iterator[bytes]:
        """Yield an object's content; a wrong one is dropped, and the last step raises `Damaged`."""
        hasher = blake3()
        path = self._object(digest)
        try:
            for piece in pieces(path, path.suffix == ".z"):
                hasher.update(piece)
                yield piece
        except FileNotFoundError:
            raise Damaged("the cache lacks a file that an entry names; it is made again") from None
        except Unpackable as error:
            self._drop(path, "an object is damaged")
            raise Damaged(self.trouble) from error
        if hasher.digest() != digest:
            self._drop(path, "an object is damaged")
            raise Damaged(self.trouble)

    def _object(self, digest: bytes) -> Path:
        plain = self.object_path(digest)
        return plain if plain.exists() else plain.with_name(plain.name + ".z")

    def _has(self, digest: bytes) -> bool:
        plain = self.object_path(digest)
        return plain.exists() or plain.with_name(plain.name + ".z").exists()

    def _keep_file(self, path: Path, digest: bytes) -> Path:
        if there := self._there(digest):
            return there
        if path.stat().st_size > LARGE:
            return self._pack_large(path, digest)
        data = path.read_bytes()
        if blake3(data).digest() != digest:
            raise _is_written_to(path)
        return self._keep_bytes(data, digest)

    def _there(self, digest: bytes) -> Path | None:
        plain = self.object_path(digest)
        packed = plain.with_name(plain.name + ".z")
        return next((path for path in (plain, packed) if self._adopt(path, digest)), None)

    def _adopt(self, path: Path, digest: bytes) -> bool:
        """Tell whether there is such an object, and make it young: a young one is not removed (see `upkeep`).

        One step does both, so that it cannot be removed in between. Once something was found damaged, what else
        is there is read before it is relied on.
        """
        try:
            os.utime(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except PermissionError:  # a cache of several users, who may not set each other's times
            return path.exists()
        if self._doubted:
            try:
                for _ in self.read(digest):
                    pass
            except Damaged:
                return False
        return True

    def _keep_bytes(self, data: bytes, digest: bytes) -> Path:
        plain = self.object_path(digest)
        packed = plain.with_name(plain.name + ".z")
        if len(data) > WORTHWHILE:
            import zstandard

            less = zstandard.ZstdCompressor(level=LEVEL).compress(data)
            if len(less) < PAYS * len(data):
                self._place(packed, less)
                return packed
        self._place(plain, data)
        return plain

    def _pack_large(self, path: Path, digest: bytes) -> Path:
        import zstandard

        target, temporary = self.object_path(digest), self._temporary()
        hasher = blake3()
        try:
            with path.open("rb") as source, temporary.open("xb") as file:
                start = source.read(PIECE)
                source.seek(0)
                packs = len(zstandard.ZstdCompressor(level=LEVEL).compress(start)) < PAYS * len(start)
                if packs:
                    target = target.with_name(target.name + ".z")
                    with zstandard.ZstdCompressor(level=LEVEL).stream_writer(file, closefd=False) as out:
                        _copy(source, out, hasher)
                else:
                    _copy(source, file, hasher)
            if hasher.digest() != digest:
                raise _is_written_to(path)
            move(temporary, target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return target

    # -- the shared store

    def _bring_object(self, digest: bytes) -> bool:
        plain = self.object_path(digest)
        return self._bring(plain) or self._bring(plain.with_name(plain.name + ".z"))

    def _bring(self, path: Path) -> bool:
        assert self.store is not None
        temporary = self._temporary()
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
                if self._doubted or not store.has(self._name(path)):
                    store.send(self._name(path), path)

    def _name(self, path: Path) -> str:
        return path.relative_to(self.path).as_posix()

    # -- files

    def entry_path(self, key: bytes) -> Path:
        """Return where an entry is, or would be."""
        name = key.hex()
        return self.path / "entries" / name[:2] / name[2:]

    def object_path(self, digest: bytes) -> Path:
        """Return where an object is that is not compressed; another has `.z` after its name."""
        name = digest.hex()
        return self.path / "objects" / name[:2] / name[2:]

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
            self._place(self.path / "version", f"{VERSION}\n".encode())
            self._newer = False

    def _temporary(self) -> Path:
        with self._lock:
            self._count += 1
            return self.path / "tmp" / f"{self._tag}.{self._count}"

    def _place(self, path: Path, data: bytes) -> None:
        """Write a file whole or not at all; not to the disk itself, since what is used is verified."""
        temporary = self._temporary()
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

    def _drop(self, path: Path, why: str) -> None:
        self._doubted = True
        self.trouble = f"{why} ({path}); it was dropped and is made again"
        with contextlib.suppress(OSError):
            path.unlink()


class Unpackable(Exception):
    """What should be compressed is not."""


def pieces(path: Path, packed: bool) -> Iterator[bytes]:
    """Yield the content of an object's file.

    Raises:
        Unpackable: it is not what its name says.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        if packed:
            import zstandard

            try:
                yield from zstandard.ZstdDecompressor().read_to_iter(file, read_size=PIECE)
            except zstandard.ZstdError as error:
                raise Unpackable(str(error)) from None
            return
        while data := file.read(PIECE):
            yield data


def _copy(source: BinaryIO, target: BinaryIO, hasher: blake3) -> None:
    while data := source.read(PIECE):
        hasher.update(data)
        target.write(data)


def _is_written_to(path: Path) -> OSError:
    return OSError(errno.EAGAIN, f"{printable(str(path))} is being written to while it should be kept")
