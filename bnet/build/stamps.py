"""Stamps: what the file system says of a path, compared byte by byte to know that nothing touched it."""

import marshal
import os
import struct
from collections.abc import Iterable, Sequence
from operator import attrgetter

import xxhash

ABSENT = b"\0" * 40
SIZE = 40
TICK = 20_000_000  # ns; kernels stamp files with the time of their last timer tick, at most 10 ms apart
OLD = TICK + 10_000_000  # ns after which a file that was written is not young, wherever in a tick that was
FAR = 60_000_000_000  # ns; a time of modification so far ahead was set by somebody, such as a program that unpacks
SECOND = 2_000_000_000  # ns; FAT counts every other second, HFS+ and old ext3 whole ones

_MOST = (1 << 63) - 1  # ns since 1970 that fit into a stamp: until the year 2262
_pack = struct.Struct("<qqqQQ").pack
_fields = attrgetter("st_mtime_ns", "st_ctime_ns", "st_size", "st_mode", "st_ino")


def stamp(path: str) -> bytes:
    """Return the stamp of a path itself, links not followed; `ABSENT` if there is none.

    The time of the last change of the inode is in it, so that a file that was replaced, or rewritten under its
    old time of modification, has another stamp.
    """
    try:
        fields = _fields(os.lstat(path))
    except (OSError, ValueError):
        return ABSENT
    try:
        return _pack(*fields)
    except struct.error:
        # Its time is beyond what can be kept: what `digest_now` says of it never is what `digest_of` does.
        modified, changed, *rest = fields
        return _pack(_bounded(modified), _bounded(changed), *rest)


def _bounded(time: int) -> int:
    return max(-_MOST, min(time, _MOST))


def stamps(paths: Iterable[str]) -> bytes:
    """Return the stamps of many paths in a row, `SIZE` bytes each."""
    return b"".join(map(stamp, paths))


def digest_of(row: bytes) -> bytes:
    """Return what `digest_now` gives while all these stamps are as they are."""
    return xxhash.xxh3_128_digest(marshal.dumps(list(struct.iter_unpack("<qqqQQ", row)), 2))


def digest_now(paths: Sequence[bytes]) -> bytes:
    """Return the digest of the paths' present stamps, without a step of Python for each.

    Raises:
        OSError: one of them is not there.
    """
    # Version 2 of marshal writes plain values, equal ones alike; it is only written here, never read.
    return xxhash.xxh3_128_digest(marshal.dumps(list(map(_fields, map(os.lstat, paths))), 2))


def is_young(row: bytes, now: int) -> bool:
    """Tell whether a file might be changed once more without its stamp showing it.

    Args:
        row: its stamp, taken before it was read.
        now: the file system's own time in ns, taken before that.
    """
    modified, changed, *_ = struct.unpack("<qqqQQ", row)
    # Whatever changes a file of a set time changes its inode, and sets the time of that.
    newest = changed if modified > now + FAR else max(modified, changed)
    return bool(newest > now - (TICK if newest % 1_000_000_000 else SECOND))


def file_system_time(directory: str) -> int:
    """Return the time in ns that a file gets which is written now; clocks of programs may differ from it."""
    path = os.path.join(directory, ".now")
    try:
        os.utime(path)
    except FileNotFoundError:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        os.utime(path)
    return os.stat(path).st_mtime_ns
