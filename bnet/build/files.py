"""What is in files: their kind and hashes, read no more often than their stamps demand."""

import os
import stat
from collections.abc import Iterable, Sequence

import msgspec
import xxhash
from blake3 import blake3

from bnet.build.stamps import ABSENT, SIZE, is_young, stamp, stamps
from bnet.errors import BnetError

LARGE = 1 << 24  # bytes from which on a file is hashed in pieces, by all cores
PIECE = 1 << 22

FILE, EXECUTABLE, LINK, OTHER = "f", "x", "l", "?"


class Special(BnetError):
    """A socket, a device or a pipe stands where files are expected."""


class Unreadable(BnetError):
    """A file is there and cannot be read."""


class Content(msgspec.Struct, frozen=True, array_like=True):
    """What is in some files, in the order of their paths.

    Attributes:
        paths: from the root of the tree, each with a NUL after it.
        kinds: a letter each: `f` file, `x` executable, `l` link, `?` what cannot be kept or read.
        stamps: `stamps.SIZE` bytes each, taken before the file was read.
        quick: xxh3 of each, 8 bytes: to see that a file with another stamp is the same.
        digests: blake3 of each, 32 bytes: what keys and stores are made of. A link's is that of its target's
            name and, if that is a file of the tree, of its content.
        young: indices of those that may change again without another stamp.
    """

    paths: bytes = b""
    kinds: str = ""
    stamps: bytes = b""
    quick: bytes = b""
    digests: bytes = b""
    young: tuple[int, ...] = ()

    def is_sound(self) -> bool:
        """Tell whether each path has a kind and a digest; what others wrote may say anything."""
        count = self.paths.count(b"\0")
        return (
            len(self.kinds) == count
            and len(self.digests) == 32 * count
            and set(self.kinds) <= {FILE, EXECUTABLE, LINK, OTHER}
        )

    def names(self) -> list[str]:
        """Return the paths."""
        return split_names(self.paths)

    def digest(self, index: int) -> bytes:
        """Return the blake3 of one file."""
        return self.digests[index * 32 : index * 32 + 32]

    def table(self) -> dict[str, tuple[str, bytes]]:
        """Return path -> kind and digest."""
        return {path: (self.kinds[at], self.digest(at)) for at, path in enumerate(self.names())}


def join_names(paths: Iterable[str]) -> bytes:
    """Return paths as bytes, each with a NUL after it."""
    return b"".join(os.fsencode(path) + b"\0" for path in paths)


def split_names(joined: bytes) -> list[str]:
    """Undo `join_names`."""
    return os.fsdecode(joined).split("\0")[:-1]


def read_content(paths: Sequence[str], known: Content, now: int, *, anything: bool = False) -> Content:
    """Return what is in files, reading only those of which that is not known.

    Args:
        paths: sorted, from the directory that one stands in.
        known: what an earlier look has found.
        now: `stamps.file_system_time`, taken before.
        anything: take also what cannot be kept, as something that is like nothing else.

    Raises:
        Special, Unreadable: of a file that this happens to.
    """
    row, joined = stamps(paths), join_names(paths)
    if not known.young and row == known.stamps and joined == known.paths and LINK not in known.kinds:
        return known
    where = {path: at for at, path in enumerate(known.names())}
    unsure = set(known.young)
    kinds, quick, digests, young = [], [], [], []
    for index, path in enumerate(paths):
        own = row[index * SIZE : index * SIZE + SIZE]
        at = where.get(path)
        # A link's stamp does not tell whether the file behind it changed.
        sure = at is not None and at not in unsure and known.kinds[at] != LINK
        if at is not None and sure and own == known.stamps[at * SIZE : at * SIZE + SIZE]:
            told = known.kinds[at], known.quick[at * 8 : at * 8 + 8], known.digest(at)
        else:
            before = None if at is None else (known.quick[at * 8 : at * 8 + 8], known.digest(at))
            told = (_read_anything if anything else read_file)(path, before)
            if is_young(own, now):
                young.append(index)
        kinds.append(told[0])
        quick.append(told[1])
        digests.append(told[2])
    return Content(joined, "".join(kinds), row, b"".join(quick), b"".join(digests), tuple(young))


def read_file(path: str, before: tuple[bytes, bytes] | None = None) -> tuple[str, bytes, bytes]:
    """Return a file's kind, xxh3 and blake3.

    Args:
        path: of the file.
        before: xxh3 and blake3 of when it was read last; if the first still holds, so does the second.

    Raises:
        Special, Unreadable: as they say.
    """
    try:
        found = os.lstat(path)
        if stat.S_ISLNK(found.st_mode):
            return (LINK, *_read_link(path))
        if not stat.S_ISREG(found.st_mode):
            raise Special(f"{printable(path)} is {_special(found.st_mode)}; only files and links are kept")
        quick, digest = _hash(path, found.st_size, before)
    except OSError as error:
        raise Unreadable(f"{printable(path)}: {error.strerror}") from None
    return EXECUTABLE if found.st_mode & 0o100 else FILE, quick, digest


def _read_anything(path: str, before: tuple[bytes, bytes] | None) -> tuple[str, bytes, bytes]:
    try:
        return read_file(path, before)
    except (Special, Unreadable):
        return OTHER, bytes(8), bytes(32)


def _hash(path: str, size: int, before: tuple[bytes, bytes] | None) -> tuple[bytes, bytes]:
    if size >= LARGE:
        return _hash_large(path, before)
    with open(path, "rb", buffering=0) as file:
        data = file.read()
    quick = xxhash.xxh3_64_digest(data)
    return quick, before[1] if before is not None and quick == before[0] else blake3(data).digest()


def _hash_large(path: str, before: tuple[bytes, bytes] | None) -> tuple[bytes, bytes]:
    quick, digest = xxhash.xxh3_64(), blake3(max_threads=blake3.AUTO)
    if before is None:
        with open(path, "rb", buffering=0) as file:
            while data := file.read(PIECE):
                quick.update(data)
                digest.update(data)
        return quick.digest(), digest.digest()
    with open(path, "rb", buffering=0) as file:
        while data := file.read(PIECE):
            quick.update(data)
    return (quick.digest(), before[1]) if quick.digest() == before[0] else _hash_large(path, None)


def _read_link(path: str) -> tuple[bytes, bytes]:
    """Hash where a link leads, and what is there if it is a file: a build reads through the link."""
    target = os.fsencode(os.readlink(path))
    inner = b""
    if os.path.isfile(path):
        inner = _hash(path, os.stat(path).st_size, None)[1]
    return xxhash.xxh3_64_digest(target + b"\0" + inner), blake3(target + b"\0" + inner).digest()


def watched_by_links(content: Content, now: int) -> dict[str, bytes] | None:
    """Return the stamps of what links among these lead to: it counts, so it is watched too.

    Args:
        content: of which the links still are what they were.
        now: `stamps.file_system_time`, taken before.

    Returns:
        Stamps by path; None where they could not tell of every change.
    """
    found = {}
    names = content.names()
    for at in (at for at, kind in enumerate(content.kinds) if kind == LINK):
        target = os.path.realpath(names[at])
        one_step = os.path.join(os.path.realpath(os.path.dirname(names[at])), os.readlink(names[at]))
        found[target] = row = stamp(target)
        if row == ABSENT or os.path.normpath(one_step) != target or is_young(row, now):
            return None
        if read_file(names[at])[2] != content.digest(at):
            return None
    return found


def changed_since(content: Content) -> list[str]:
    """Return the files that have another stamp by now, or another content where a stamp would not tell."""
    changed = []
    unsure = {*content.young, *(at for at, kind in enumerate(content.kinds) if kind == LINK)}
    for at, path in enumerate(content.names()):
        same = stamp(path) == content.stamps[at * SIZE : at * SIZE + SIZE]
        if not same or (at in unsure and read_file(path)[2] != content.digest(at)):
            changed.append(path)
    return changed


def printable(path: str) -> str:
    """Return a path as a message may show it: line ends and bytes that are no text are written out."""
    return (
        path.encode("unicode_escape", "surrogateescape").decode("ascii", "backslashreplace")
        if (not path.isprintable())
        else path
    )


def _special(mode: int) -> str:
    if stat.S_ISSOCK(mode):
        return "a socket"
    if stat.S_ISFIFO(mode):
        return "a pipe"
    return "a device" if stat.S_ISBLK(mode) or stat.S_ISCHR(mode) else "no file"
