"""Entries of the cache: what one build of a package made, as bytes that tell whether they are whole."""

import re

import msgspec
from blake3 import blake3

from bnet.build.files import EXECUTABLE, FILE, LINK, Content
from bnet.build.keys import Inputs
from bnet.codec.documents import BROKEN
from bnet.model.tree import PACKAGE_PATTERN

MAGIC = b"bnet entry 1\n"
START = len(MAGIC) + 32
_NAME = re.compile(PACKAGE_PATTERN)
LARGEST = 1 << 28  # bytes of an entry; one of a million files has half of it


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """An output: its path, letter of its kind, size, and blake3; of a link, where it leads.

    `mode` is its permissions where they were not what the umask gives, else 0.
    """

    path: bytes
    kind: str
    size: int
    digest: bytes
    target: bytes = b""
    mode: int = 0


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

    def content(self) -> Content:
        """Return its outputs as they are once they are restored, without stamps."""
        return Content(
            paths=b"".join(kept.path + b"\0" for kept in self.files),
            kinds="".join(kept.kind for kept in self.files),
            digests=b"".join(kept.digest for kept in self.files),
        )

    def digests(self) -> set[bytes]:
        """Return the names of the objects that it needs."""
        return {kept.digest for kept in self.files if kept.kind != LINK} | {self.log}


def encode_entry(entry: Entry) -> bytes:
    """Return an entry as bytes that say whether they are whole."""
    body = msgspec.msgpack.encode(entry)
    return MAGIC + blake3(body).digest() + body


def decode_entry(data: bytes) -> Entry | None:
    """Undo `encode_entry`; None for anything else."""
    if not data.startswith(MAGIC) or blake3(data[START:]).digest() != data[len(MAGIC) : START]:
        return None
    try:
        entry = msgspec.msgpack.decode(data[START:], type=Entry)
    except BROKEN:
        return None
    sound = _NAME.fullmatch(entry.package) and entry.sources.is_sound()
    return entry if sound and len(entry.log) == 32 and all(map(_is_sound, entry.files)) else None


def _is_sound(kept: Kept) -> bool:
    if kept.kind == LINK:
        return bool(kept.target) and b"\0" not in kept.target
    return (
        kept.kind in (FILE, EXECUTABLE) and kept.size >= 0 and len(kept.digest) == 32 and kept.mode >> 9 == 0
    )
