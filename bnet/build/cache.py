"""The cache: outputs by the key they were made under, every file once, verified whenever it is used."""

import contextlib
import errno
import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
from blake3 import blake3

from bnet.build.files import EXECUTABLE, LINK, Content, printable
from bnet.build.keys import Inputs
from bnet.errors import BnetError, StoreFailed
from bnet.files import move
from bnet.ports import Store

VERSION = 1
MAGIC = b"bnet entry 1\n"
WORTHWHILE = 4096  # bytes; what is smaller fits a block of the disk either way
PAYS = 0.9  # of its size that a compressed file may have to be kept so
LEVEL = 3
PIECE = 1 << 20


class Damaged(BnetError):
    """What the cache holds is not what it was; it is dropped, and made again."""


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """An output: its path, letter of its kind, size, and blake3; of a link, where it leads."""

    path: bytes
    kind: str
    size: int
    digest: bytes
    target: bytes = b""


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """What one build of a package made.

    Attributes:
        package: its name.
        files: its outputs.
        log: what its command printed, as an object's digest.
        seconds: how long that took.
        inputs: what the key was made of; values of variables as digests, for they may be nobody's business.
        sources: the files that it was made from, without their stamps.
        at: when, as RFC 3339.
    """

    package: str
    files: tuple[Kept, ...]
    log: bytes
    seconds: float
    inputs: Inputs
    sources: Content
    at: str


class Stats(NamedTuple):
    """What a cache holds."""

    entries: int
    objects: int
    bytes: int


class Cache:
    """A directory of entries and objects, shared by all trees of a user; any process may read and write it."""

    def __init__(self, path: Path, store: Store | None = None) -> None:
        """Name its directory.

        Args:
            path: made when something is kept first.
            store: where a team shares the same files; asked when they are not here, given what is made here.
        """
        self.path = path
        self.store = store
        self.trouble = ""
        self._count = 0
        self._lock = threading.Lock()

    # -- entries

    def find(self, key: bytes) -> Entry | None:
        """Return what was made under a key, if this machine has it, whole as far as that can be told at once."""
        path = self._entry(key)
        try:
            data = path.read_bytes()
        except OSError:
            return None
        entry = decode_entry(data)
        if entry is None:
            self._drop(path, "an entry is damaged")
            return None
        with contextlib.suppress(OSError):
            os.utime(path)  # what was used last is removed last
        return entry

    def find_shared(self, key: bytes) -> Entry | None:
        """Bring what was made under a key here from the shared store; None where that has it not, or not whole."""
        if self.store is None or not self._bring(self._entry(key)):
            return None
        entry = self.find(key)
        if entry is None:
            return None
        wanted = {kept.digest for kept in entry.files if kept.kind != LINK} | {entry.log}
        return entry if all(self._has(digest) or self._bring_object(digest) for digest in wanted) else None

    def keep(self, key: bytes, entry: Entry, files: Iterable[tuple[Kept, str]], log: bytes) -> bool:
        """Keep an entry with its files.

        Args:
            key: what it was made from.
            entry: what it says.
            files: each output and where it is.
            log: what was printed.

        Returns:
            Whether it is kept; False on a disk that is full or read-only, and `trouble` says so.
        """
        try:
            self._begin()
            names = [self._keep_file(Path(path), kept.digest) for kept, path in files if kept.kind != LINK]
            names.append(self._keep_bytes(log, entry.log))
            self._place(self._entry(key), encode_entry(entry))
        except OSError as error:
            self.trouble = f"nothing more is kept in {self.path}: {error.strerror}"
            return False
        if self.store is not None:
            self._share(self.store, [*dict.fromkeys(names), self._entry(key)])
        return True

    def log_of(self, entry: Entry) -> bytes:
        """Return what an entry's command printed; what cannot be read any more is left out."""
        try:
            return b"".join(self._read(entry.log))
        except (OSError, Damaged):
            return b""

    # -- objects

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
            for piece in self._read(kept.digest):
                left -= len(piece)
                if left < 0:
                    raise Damaged("a file in the cache is larger than its entry says")
                file.write(piece)

    def _read(self, digest: bytes) -> Iterator[bytes]:
        """Yield an object's content; a wrong one is dropped, and the last step raises `Damaged`."""
        plain = self._object(digest)
        hasher = blake3()
        packed = plain.with_name(plain.name + ".z")
        path = plain if plain.exists() else packed
        try:
            for piece in _pieces(path, path is packed):
                hasher.update(piece)
                yield piece
        except FileNotFoundError:
            raise Damaged("the cache lacks a file that an entry names") from None
        except _zstd_error() as error:
            self._drop(path, "an object is damaged")
            raise Damaged(f"a file in the cache cannot be unpacked: {error}") from None
        if hasher.digest() != digest:
            self._drop(path, "an object is damaged")
            raise Damaged("a file in the cache is not what it was")

    def _has(self, digest: bytes) -> bool:
        plain = self._object(digest)
        return plain.exists() or plain.with_name(plain.name + ".z").exists()

    def _keep_file(self, path: Path, digest: bytes) -> Path:
        plain = self._object(digest)
        packed = plain.with_name(plain.name + ".z")
        for there in (plain, packed):
            if there.exists():
                return there
        if path.stat().st_size > 64 * PIECE:
            return self._copy_large(path, plain)
        data = path.read_bytes()
        if blake3(data).digest() != digest:
            raise OSError(errno.EAGAIN, f"{printable(str(path))} is being written to while it should be kept")
        return self._keep_bytes(data, digest)

    def _keep_bytes(self, data: bytes, digest: bytes) -> Path:
        plain = self._object(digest)
        packed = plain.with_name(plain.name + ".z")
        if len(data) > WORTHWHILE:
            import zstandard

            less = zstandard.ZstdCompressor(level=LEVEL).compress(data)
            if len(less) < PAYS * len(data):
                self._place(packed, less)
                return packed
        self._place(plain, data)
        return plain

    def _copy_large(self, path: Path, target: Path) -> Path:
        temporary = self._temporary()
        with path.open("rb") as source, temporary.open("xb") as file:
            while data := source.read(PIECE):
                file.write(data)
        move(temporary, target)
        return target

    # -- the shared store

    def _bring_object(self, digest: bytes) -> bool:
        plain = self._object(digest)
        return self._bring(plain) or self._bring(plain.with_name(plain.name + ".z"))

    def _bring(self, path: Path) -> bool:
        assert self.store is not None
        try:
            self._begin()
            temporary = self._temporary()
            if not self.store.fetch(self._name(path), temporary):
                return False
            move(temporary, path)
        except (StoreFailed, OSError):
            return False
        return True

    def _share(self, store: Store, paths: list[Path]) -> None:
        """Give files to the store, the entry last, so that nobody finds one whose files are not there yet."""
        with contextlib.suppress(StoreFailed, OSError):
            for path in paths:
                if not store.has(self._name(path)):
                    store.send(self._name(path), path)

    def _name(self, path: Path) -> str:
        return path.relative_to(self.path).as_posix()

    # -- files

    def _entry(self, key: bytes) -> Path:
        name = key.hex()
        return self.path / "entries" / name[:2] / name[2:]

    def _object(self, digest: bytes) -> Path:
        name = digest.hex()
        return self.path / "objects" / name[:2] / name[2:]

    def _begin(self) -> None:
        """Make the directory.

        Raises:
            OSError: it cannot be made, or a newer bnet made it.
        """
        mark = self.path / "version"
        try:
            found = int(mark.read_text())
        except FileNotFoundError:
            (self.path / "tmp").mkdir(parents=True, exist_ok=True)
            self._place(mark, f"{VERSION}\n".encode())
            return
        except ValueError:
            found = VERSION + 1
        if found > VERSION:
            raise OSError(errno.EPERM, "a newer bnet wrote it, and its files may mean other things")

    def _temporary(self) -> Path:
        with self._lock:
            self._count += 1
            return self.path / "tmp" / f"{os.getpid()}.{self._count}"

    def _place(self, path: Path, data: bytes) -> None:
        """Write a file whole or not at all; not to the disk itself, since what is used is verified."""
        temporary = self._temporary()
        try:
            temporary.write_bytes(data)
        except FileNotFoundError:
            temporary.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(data)
        move(temporary, path)

    def _drop(self, path: Path, why: str) -> None:
        self.trouble = f"{why} ({path}); it was dropped and is made again"
        with contextlib.suppress(OSError):
            path.unlink()


def encode_entry(entry: Entry) -> bytes:
    """Return an entry as bytes that say whether they are whole."""
    body = msgspec.msgpack.encode(entry)
    return MAGIC + blake3(body).digest() + body


def decode_entry(data: bytes) -> Entry | None:
    """Undo `encode_entry`; None for anything else."""
    start = len(MAGIC) + 32
    if not data.startswith(MAGIC) or blake3(data[start:]).digest() != data[len(MAGIC) : start]:
        return None
    try:
        return msgspec.msgpack.decode(data[start:], type=Entry)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None


def _pieces(path: Path, packed: bool) -> Iterator[bytes]:
    with path.open("rb") as file:
        if packed:
            import zstandard

            yield from zstandard.ZstdDecompressor().read_to_iter(file, read_size=PIECE)
            return
        while data := file.read(PIECE):
            yield data


def _zstd_error() -> type[Exception]:
    import sys

    module = sys.modules.get("zstandard")
    return module.ZstdError if module is not None else ZeroDivisionError
