"""What is compared: bytes of a file or of a member of an archive, and how much of them may be read."""

import io
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

CHUNK = 1 << 16  # bytes
IN_MEMORY = 256_000  # bytes of a member that are not put on the disk


class Limit(Exception):
    """More would have to be read than is worth it; the text says of what."""


class Hostile(Exception):
    """The bytes are no archive, or not wholly; the text says what is wrong."""


class Budget:
    """What a comparison may cost: bytes that are read or unpacked, and members of archives.

    Attributes:
        members: of archives, in all.
    """

    def __init__(self, size: int = 512_000_000, members: int = 40_000) -> None:
        """Begin with all of it."""
        self._size = size
        self._members = members
        self._room: TemporaryDirectory[str] | None = None
        self._kept = 0

    def spend(self, size: int) -> None:
        """Take bytes from it.

        Raises:
            Limit: there are no more.
        """
        self._size -= size
        if self._size < 0:
            raise Limit("there is more in it than is looked at")

    def __enter__(self) -> "Budget":
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove what was kept."""
        if self._room is not None:
            self._room.cleanup()
            self._room = None

    def keep(self, chunks: Iterable[bytes]) -> "Blob":
        """Return bytes so that they can be read again: in memory, or where they are many, on the disk."""
        parts, size = [], 0
        source = iter(chunks)
        for chunk in source:
            parts.append(chunk)
            size += len(chunk)
            if size > IN_MEMORY:
                break
        else:
            return Blob(b"".join(parts))
        if self._room is None:
            self._room = TemporaryDirectory(prefix="bnet-compare-")
        self._kept += 1
        path = Path(self._room.name) / str(self._kept)
        with path.open("wb") as file:
            file.writelines(chain(parts, source))
        return Blob(path)

    def member(self) -> None:
        """Take a member from it.

        Raises:
            Limit: there are no more.
        """
        self._members -= 1
        if self._members < 0:
            raise Limit("there are more members in it than are looked at")


class Blob:
    """Bytes that can be read again: of a file, or in memory."""

    def __init__(self, content: Path | bytes) -> None:
        """Keep where they are."""
        self._content = content

    def open(self) -> BinaryIO:
        """Return a file to read them from."""
        return io.BytesIO(self._content) if isinstance(self._content, bytes) else self._content.open("rb")

    @property
    def size(self) -> int:
        """How many they are."""
        return len(self._content) if isinstance(self._content, bytes) else self._content.stat().st_size

    def head(self, size: int) -> bytes:
        """Return the first of them."""
        with self.open() as file:
            return file.read(size)

    def chunks(self, budget: Budget) -> Iterator[bytes]:
        """Yield them in pieces."""
        with self.open() as file:
            while chunk := file.read(CHUNK):
                budget.spend(len(chunk))
                yield chunk


class Stream:
    """Pieces of bytes, read like a file from the first one on."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        """Begin."""
        self._chunks = iter(chunks)
        self._left = b""
        self.at = 0

    def read(self, size: int) -> bytes:
        """Return the next bytes, fewer only at the end; for sizes that fit into memory."""
        parts, wanted = [], size
        while wanted:
            if not self._left:
                self._left = next(self._chunks, b"")
                if not self._left:
                    break
            part, self._left = self._left[:wanted], self._left[wanted:]
            parts.append(part)
            wanted -= len(part)
        self.at += size - wanted
        return b"".join(parts)

    def exactly(self, size: int) -> Iterator[bytes]:
        """Yield so many bytes in pieces.

        Raises:
            Hostile: there are fewer.
        """
        while size:
            part = self.read(min(size, CHUNK))
            if not part:
                raise Hostile("it ends in the middle of a member")
            size -= len(part)
            yield part
