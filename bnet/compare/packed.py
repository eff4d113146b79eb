"""Compressed streams: unpacked piece by piece, however much a few bytes of them stand for."""

import bz2
import lzma
import struct
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime

from bnet.compare.blobs import CHUNK, Blob, Budget, Hostile

MEMORY = 128_000_000  # bytes that unpacking xz may take
BROKEN = (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError)
_LEVELS = {0: "default", 2: "best", 4: "fastest"}
_SYSTEMS = {0: "FAT", 3: "Unix", 255: "unknown"}


class _Zlib:
    """What zlib has not unpacked yet, its caller keeps."""

    hungry = True

    def __init__(self) -> None:
        self.inner = zlib.decompressobj(wbits=31)

    def more(self, data: bytes) -> tuple[bytes, bytes]:
        return self.inner.decompress(data, CHUNK), self.inner.unconsumed_tail


class _Buffered:
    """What bz2 and lzma have not unpacked yet, they keep."""

    def __init__(self, inner: bz2.BZ2Decompressor | lzma.LZMADecompressor) -> None:
        self.inner = inner

    @property
    def hungry(self) -> bool:
        return self.inner.needs_input

    def more(self, data: bytes) -> tuple[bytes, bytes]:
        return self.inner.decompress(data, CHUNK), b""


def _unpacker(kind: str) -> _Zlib | _Buffered:
    if kind == "gzip":
        return _Zlib()
    return _Buffered(bz2.BZ2Decompressor() if kind == "bzip2" else lzma.LZMADecompressor(memlimit=MEMORY))


def packing(head: bytes) -> str:
    """Return how bytes are compressed, by their first ones: `gzip`, `bzip2`, `xz`, or ""."""
    if head.startswith(b"\x1f\x8b\x08"):
        return "gzip"
    if head.startswith(b"BZh"):
        return "bzip2"
    return "xz" if head.startswith(b"\xfd7zXZ\0") else ""


def unpacked(blob: Blob, budget: Budget) -> Iterator[bytes]:
    """Yield what is in a compressed stream, or several one after the other.

    Raises:
        Hostile: it is damaged.
        Limit: there is too much in it.
    """
    kind = packing(blob.head(8))
    try:
        with blob.open() as file:
            unpacker, data = _unpacker(kind), b""
            while True:
                if not data and unpacker.hungry:
                    data = file.read(CHUNK)
                    if not data:
                        raise Hostile("it ends before its end")
                budget.spend(len(data) // 8 + 1)  # each turn costs something, also one that brings nothing
                out, data = unpacker.more(data)
                if out:
                    budget.spend(len(out))
                    yield out
                if unpacker.inner.eof:
                    rest = unpacker.inner.unused_data or data or file.read(CHUNK)
                    if packing(rest) != kind:
                        return  # the end, or padding
                    unpacker, data = _unpacker(kind), rest
    except BROKEN as error:
        raise Hostile(f"its {kind} stream is damaged: {error}") from error


def gzip_header(head: bytes) -> dict[str, str]:
    """Return what a gzip stream says of itself: its time, its level of compression, its system, the file's name."""
    if len(head) < 10:
        return {}
    flags, at, level, system = struct.unpack("<BIBB", head[3:10])
    found = {
        "time": "none" if at == 0 else moment(at),
        "compression": _LEVELS.get(level, str(level)),
        "system": _SYSTEMS.get(system, str(system)),
    }
    if flags & 8 and not flags & 4:
        found["name"] = head[10:].partition(b"\0")[0][:200].decode("latin-1")
    return found


def moment(seconds: float) -> str:
    """Return a time of an archive in words."""
    try:
        shown = f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError):
        return f"{seconds:g} s since 1970"
    return shown if seconds == int(seconds) else f"{shown}.{f'{seconds % 1:.9f}'[2:].rstrip('0')}"
