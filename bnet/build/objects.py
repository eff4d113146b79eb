"""Objects of the cache: what files hold, by its digest, each once, compressed where that pays, verified on use."""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from blake3 import blake3

from bnet.build.entries import Kept
from bnet.build.files import EXECUTABLE, LINK, printable
from bnet.build.shelf import Shelf
from bnet.errors import BnetError
from bnet.files import move

WORTHWHILE = 4096  # bytes; what is smaller fits a block of the disk either way
PAYS = 0.9  # of its size that a compressed file may have to be kept so
LEVEL = 3
PIECE = 1 << 20
LARGE = 64 * PIECE  # what is larger is not held in memory
SPARE = 1 << 28  # bytes; less than this is laid out without asking the disk whether there is room


class Damaged(BnetError):
    """What the cache holds is not what it was; it is dropped, and made again."""


class Objects:
    """The objects on a shelf."""

    def __init__(self, shelf: Shelf) -> None:
        """Name the shelf."""
        self._shelf = shelf

    def path_of(self, digest: bytes) -> Path:
        """Return where an object is that is not compressed; another has `.z` after its name."""
        name = digest.hex()
        return self._shelf.path / "objects" / name[:2] / name[2:]

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
        path = str(self._shelf.temporary())
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
                    self._shelf.drop(self._object(kept.digest), "an object is larger than its entry says")
                    raise Damaged(self._shelf.trouble)
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
            self._shelf.drop(path, "an object is damaged")
            raise Damaged(self._shelf.trouble) from error
        if hasher.digest() != digest:
            self._shelf.drop(path, "an object is damaged")
            raise Damaged(self._shelf.trouble)

    def _object(self, digest: bytes) -> Path:
        plain = self.path_of(digest)
        return plain if plain.exists() else plain.with_name(plain.name + ".z")

    def has(self, digest: bytes) -> bool:
        """Tell whether there is such an object, of which nothing is promised."""
        plain = self.path_of(digest)
        return plain.exists() or plain.with_name(plain.name + ".z").exists()

    def keep_file(self, path: Path, digest: bytes) -> Path:
        """Keep a file, if it still has this digest, and return where.

        Raises:
            OSError: `EAGAIN` if it is being written to; otherwise of the disk.
        """
        if there := self.there(digest):
            return there
        if path.stat().st_size > LARGE:
            return self._pack_large(path, digest)
        data = path.read_bytes()
        if blake3(data).digest() != digest:
            raise _is_written_to(path)
        return self.keep_bytes(data, digest)

    def there(self, digest: bytes) -> Path | None:
        """Return where an object is that may be relied on while an entry with it is written."""
        plain = self.path_of(digest)
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
        if self._shelf.doubted:
            try:
                for _ in self.read(digest):
                    pass
            except Damaged:
                return False
        return True

    def keep_bytes(self, data: bytes, digest: bytes) -> Path:
        """Keep bytes under their digest, compressed if that pays, and return where."""
        plain = self.path_of(digest)
        packed = plain.with_name(plain.name + ".z")
        if len(data) > WORTHWHILE:
            import zstandard

            less = zstandard.ZstdCompressor(level=LEVEL).compress(data)
            if len(less) < PAYS * len(data):
                self._shelf.place(packed, less)
                return packed
        self._shelf.place(plain, data)
        return plain

    def _pack_large(self, path: Path, digest: bytes) -> Path:
        import zstandard

        target, temporary = self.path_of(digest), self._shelf.temporary()
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
