"""The cache's upkeep: what is in it, whether it is sound, and keeping it in bounds.

Builds go on meanwhile. What could meet them, and why no harm is done:

- An object that no entry names yet may belong to an entry that is just being written. One that is young stays; a
  build makes an object young in the step that finds it there, and the collector takes an object out of the way
  before it looks how old it is, and puts it back if it has become young. So an object is lost only to a build that
  takes longer than `YOUNG` to keep one package.
- An entry, and with it its objects, may be removed while a build restores from it. The build finds that a file is
  missing before it has touched an output, and runs the command.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from blake3 import blake3

from bnet.build.cache import Cache
from bnet.build.entries import Entry, decode_entry
from bnet.build.files import LINK
from bnet.build.objects import Unpackable, pieces
from bnet.files import move, write_atomic

YOUNG = 600.0  # seconds that an object stays that no entry names
MOST = 10 * 10**9  # bytes
LONGEST = 30 * 86400.0  # seconds that an entry stays unused
PAUSE = 86400.0  # seconds between two looks that nobody asked for
MARK = "collected"
ROOT = "root"  # in a tree's directory: where the tree is


class Found(NamedTuple):
    """A file of the cache: its path, size in bytes, and when it was last used or written, in seconds."""

    path: Path
    size: int
    used: float


class Stored(NamedTuple):
    """An entry where it is, with its key; without what it says, if it is damaged."""

    found: Found
    key: str
    entry: Entry | None


class Stats(NamedTuple):
    """What a cache holds.

    Attributes:
        entries, objects: how many there are.
        bytes: that they take.
        content: bytes of all outputs of all entries, each counted as often as it is one.
        deduplicated: of these, bytes that are not kept a second time.
        compressed: of these, bytes that compression saves.
    """

    entries: int
    objects: int
    bytes: int
    content: int
    deduplicated: int
    compressed: int


class Removed(NamedTuple):
    """What was removed, and what is left; of bytes, young objects included that no entry names any more."""

    entries: int
    objects: int
    bytes: int
    left_entries: int
    left_bytes: int


class Wrong(NamedTuple):
    """A file that is not what it should be, and was removed."""

    path: Path
    why: str


# -- looking


def stored(path: Path) -> Iterator[Stored]:
    """Yield a cache's entries."""
    for found in _files(path / "entries"):
        with contextlib.suppress(OSError):
            data = found.path.read_bytes()
            yield Stored(found, found.path.parent.name + found.path.name, decode_entry(data))


def stats(path: Path) -> Stats:
    """Return what a cache holds."""
    objects = list(_files(path / "objects"))
    on_disk = {_digest_of(each.path): each.size for each in objects}
    entries, size, content = 0, sum(each.size for each in objects), 0
    once: dict[bytes, int] = {}
    for each in stored(path):
        entries += 1
        size += each.found.size
        for kept in each.entry.files if each.entry else ():
            if kept.kind != LINK:
                content += kept.size
                once[kept.digest] = kept.size
    held = sum(once.values())
    packed = sum(length - on_disk[digest] for digest, length in once.items() if digest in on_disk)
    return Stats(entries, len(objects), size, content, content - held, packed)


def verify(cache: Cache) -> list[Wrong]:
    """Read everything, and remove what is wrong: damaged files, and entries that lack one."""
    wrong = []
    for found in list(_files(cache.path / "objects")):
        why = _what_is_wrong(found.path)
        if why:
            wrong.append(Wrong(found.path, why))
            found.path.unlink(missing_ok=True)
    there = {_digest_of(found.path) for found in _files(cache.path / "objects")}
    for each in list(stored(cache.path)):
        lacks = each.entry is not None and not each.entry.digests() <= there
        if each.entry is None or lacks:
            named = f" of {each.entry.package}" if each.entry else ""
            why = f"an entry{named} that lacks a file" if lacks else "a damaged entry"
            wrong.append(Wrong(each.found.path, why))
            each.found.path.unlink(missing_ok=True)
    return wrong


def _what_is_wrong(path: Path) -> str:
    hasher = blake3()
    try:
        for piece in pieces(path, path.suffix == ".z"):
            hasher.update(piece)
    except Unpackable:
        return "a file that cannot be unpacked"
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"a file that cannot be read: {error.strerror}"
    return "" if hasher.digest() == _digest_of(path) else "a file that is not what it was"


# -- removing


def collect(path: Path, *, most: int, longest: float, now: float) -> Removed:
    """Remove the entries used longest ago, then objects that no entry names, and what killed builds left.

    Args:
        path: the cache's.
        most: bytes that it may take then.
        longest: seconds that an entry may be unused.
        now: in seconds, by the clock of the file system.
    """
    sizes = {_digest_of(each.path): each.size for each in _files(path / "objects")}
    kept: set[bytes] = set()
    size, left, removed, freed, full = 0, 0, 0, 0, False
    for each in sorted(stored(path), key=lambda each: each.found.used, reverse=True):
        new = (each.entry.digests() - kept) & sizes.keys() if each.entry else set()
        wanted = each.found.size + sum(sizes[digest] for digest in new)
        full = full or size + wanted > most
        if (full or each.entry is None or each.found.used < now - longest) and _remove_unused(each.found):
            removed, freed = removed + 1, freed + each.found.size
            continue
        size, left = size + wanted, left + 1
        kept |= new
    swept = _sweep(path, kept, now)
    _clear_away(path, longest, now)
    held = size - sum(sizes[digest] for digest in kept) + sum(sizes.values()) - sum(swept)
    return Removed(removed, len(swept), freed + sum(swept), left, held)


def _remove_unused(found: Found) -> bool:
    """Remove an entry unless it was used since it was looked at."""
    with contextlib.suppress(OSError):
        if found.path.stat().st_mtime != found.used:
            return False
        found.path.unlink()
    return True


def _sweep(path: Path, kept: set[bytes], now: float) -> list[int]:
    swept = []
    away = path / "tmp" / f"{os.getpid()}.{os.urandom(4).hex()}.swept"
    for found in _files(path / "objects"):
        if _digest_of(found.path) in kept or found.used > now - YOUNG:
            continue
        with contextlib.suppress(OSError):
            away.parent.mkdir(exist_ok=True)
            move(found.path, away)
            if away.stat().st_mtime != found.used:
                move(away, found.path)  # somebody has just found it here, and relies on it
            else:
                away.unlink()
                swept.append(found.size)
    return swept


def _clear_away(path: Path, longest: float, now: float) -> None:
    """Remove what killed builds left, and what is known of trees that are gone, or were not built in for long."""
    for found in [each for each in _scan(path / "tmp") if each.used < now - YOUNG]:
        found.path.unlink(missing_ok=True)
    for tree in _directories(path / "trees"):
        if _is_gone(tree, now):
            shutil.rmtree(tree, ignore_errors=True)
        record = tree / "record"
        with contextlib.suppress(OSError):
            if record.stat().st_mtime < now - longest:
                for each in (record, tree / "instant", *(found.path for found in _scan(tree / "logs"))):
                    each.unlink(missing_ok=True)


def _is_gone(tree: Path, now: float) -> bool:
    """Tell whether the tree that a directory is of has been removed, and not a moment ago."""
    with contextlib.suppress(OSError):
        root = tree / ROOT
        return root.stat().st_mtime < now - YOUNG and not os.path.lexists(root.read_bytes())
    return False


def clear(path: Path) -> Removed:
    """Remove all entries and objects; what is known of trees stays, and so they stay up to date."""
    before = stats(path)
    for name in ("entries", "objects"):
        away = path / "tmp" / f"{os.getpid()}.{os.urandom(4).hex()}.{name}"
        away.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            move(path / name, away)  # at once, so that a build beside it finds everything or nothing
    for directory in _directories(path / "tmp"):
        shutil.rmtree(directory, ignore_errors=True)
    return Removed(before.entries, before.objects, before.bytes, 0, 0)


def now_and_then(path: Path, *, most: int, now: float, longest: float = LONGEST) -> Removed | None:
    """Keep a cache in bounds after a build; once a day, and without reading anything while it is.

    Returns:
        What was removed; None if nothing had to be.
    """
    mark = path / MARK
    try:
        with contextlib.suppress(FileNotFoundError):
            if abs(now - mark.stat().st_mtime) < PAUSE:
                return None
        if not (path / "entries").is_dir():
            return None
        mark.touch()  # so that no other build looks, too
        entries = list(_files(path / "entries"))
        size = sum(each.size for each in entries) + sum(each.size for each in _files(path / "objects"))
        if size <= most and all(each.used >= now - longest for each in entries):
            _clear_away(path, longest, now)
            _note(mark, size)
            return None
        removed = collect(path, most=most, longest=longest, now=now)
        _note(mark, removed.left_bytes)
        return removed
    except OSError:
        return None  # a cache that may only be read is somebody else's to keep in bounds


def _note(mark: Path, size: int) -> None:
    """Write down what a cache holds, for those who cannot wait until it is counted (`bnet.host.metrics`)."""
    write_atomic(mark, f"{size}\n".encode(), durable=False)


# -- files


def _files(directory: Path) -> Iterator[Found]:
    for inner in _directories(directory):
        yield from _scan(inner)


def _directories(directory: Path) -> list[Path]:
    try:
        with os.scandir(directory) as found:
            return [Path(each.path) for each in found if each.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def _scan(directory: Path) -> list[Found]:
    files = []
    with contextlib.suppress(OSError), os.scandir(directory) as found:
        for each in found:
            with contextlib.suppress(OSError):
                if each.is_file(follow_symlinks=False):
                    row = each.stat(follow_symlinks=False)
                    files.append(Found(Path(each.path), row.st_size, row.st_mtime))
    return files


def _digest_of(path: Path) -> bytes:
    try:
        return bytes.fromhex(path.parent.name + path.name.removesuffix(".z"))
    except ValueError:
        return os.fsencode(path)  # no object's name: nothing names it
