"""Outputs in their places: restored from the cache, all of them or none, and removed, where they are one's own."""

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from bnet.build import files, keys
from bnet.build.cache import Cache
from bnet.build.entries import Entry, Kept
from bnet.build.files import printable
from bnet.build.globs import Patterns
from bnet.build.keys import Inputs
from bnet.build.objects import Damaged
from bnet.build.outputs import ANYTHING
from bnet.errors import BnetError
from bnet.model.tree import Package


class Blocked(BnetError):
    """A link stands on the way to where outputs belong."""


class There(NamedTuple):
    """What is in the place of a package's outputs.

    Attributes:
        table: path -> kind and digest.
        places: the directories in which they were looked for.
        is_others: tells of a path whether another package has made what is there.
    """

    table: Mapping[str, tuple[str, bytes]]
    places: Sequence[str]
    is_others: Callable[[str], bool]


def restore(
    cache: Cache, package: Package, there: There, entry: Entry, key: bytes, inputs: Inputs, umask: int
) -> bool:
    """Make the outputs what an entry says: all of them, or none; False if the cache could not.

    Args:
        cache: where they are; what it could not do is in its `trouble`.
        package: whose outputs.
        there: what is in their place.
        entry: what they shall be.
        key, inputs: what they are made of.
        umask: of this process.

    Raises:
        Blocked: they cannot get to their place.
    """
    wanted = {os.fsdecode(kept.path): kept for kept in entry.files}
    hidden = msgspec.structs.replace(inputs, env=keys.hidden(inputs.env))
    if entry.package == package.name and entry.inputs != hidden:
        cache.refuse(key, f"an entry of {package.name} was made of something else")
        return False
    if not _is_of(package, wanted):
        cache.refuse(key, f"an entry of {package.name} names files that are none of its outputs")
        return False
    check_way(package)
    staged: list[tuple[str, str]] = []
    try:
        _check_places(package, wanted)
        cache.objects.check_room(entry.files, package.path)
        for path, kept in wanted.items():
            if kept.kind == files.LINK or there.table.get(path) != (kept.kind, kept.digest):
                staged.append((cache.objects.stage(kept), path))
        remove(package, there, [path for path in there.table if path not in wanted])
        for temporary, path in staged:
            _put(temporary, path, package.path)
        for path, kept in wanted.items():
            _set_mode(path, kept, umask)
    except Damaged as error:
        cache.trouble = error.message
        return False
    except (OSError, ValueError) as error:
        cache.trouble = f"cannot restore into {package.path}: {error}"
        return False
    finally:
        for temporary, _ in staged:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
    return True


def _is_of(package: Package, wanted: Mapping[str, Kept]) -> bool:
    """Tell whether these are outputs of a package, with none inside another, and some if it declares any."""
    patterns = Patterns(package.outputs, package.path)
    for path in wanted:
        parts = path.split("/")
        above = ("/".join(parts[:count]) for count in range(1, len(parts)))
        if not {"", ".", ".."}.isdisjoint(parts) or "\0" in path or any(each in wanted for each in above):
            return False
        if not patterns.match(path):
            return False
    return bool(wanted) or not package.outputs


def _check_places(package: Package, wanted: Iterable[str]) -> None:
    """Refuse to remove what stands where outputs belong and is none: a pattern such as `**/*.o` leads anywhere.

    Raises:
        Damaged: an entry asks for it; what was made here would not.
    """
    patterns = Patterns(package.outputs, package.path)
    for path in wanted:
        odd = _first_odd(os.path.dirname(path), package.path)
        there = [odd] if odd and not patterns.match(f"{odd}/{ANYTHING}") else []
        if os.path.isdir(path) and not os.path.islink(path):
            there += [f"{directory}/{name}" for directory, _, names in os.walk(path) for name in names]
        for at in there:
            if not patterns.match(at):
                raise Damaged(
                    f"cannot restore into {package.path}: {printable(at)} is in the way and no output"
                )


def remove(package: Package, there: There, paths: Sequence[str]) -> None:
    """Remove outputs, and the directories of outputs that are empty then; what others made stays."""
    own = [path for path in paths if not there.is_others(path)]
    for path in own:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            _in_writable(path, os.unlink)
    patterns = Patterns(package.outputs, package.path)
    # One in which anything at all would be an output is one itself.
    emptied = {path for path in there.places if patterns.match(f"{path}/{ANYTHING}")}
    for path in own:
        while len(path := os.path.dirname(path)) > len(package.path.removeprefix(".")):
            emptied.add(path)
    for directory in sorted(emptied, key=len, reverse=True):
        with contextlib.suppress(OSError):
            os.rmdir(directory)


def check_way(package: Package) -> None:
    """Refuse to go through a link that is no output itself: what is behind it is somebody else's.

    Raises:
        Blocked: there is one.
    """
    patterns = Patterns(package.outputs, package.path)
    for base in patterns.bases:
        at = _first_odd(base, package.path)
        if at and at != base and os.path.islink(at) and not patterns.match(f"{at}/{ANYTHING}"):
            raise Blocked(
                f"{printable(at)} is a link, and outputs belong behind it: {printable(base)}",
                hint="outputs are files in the package's own directories",
            )


def clear_way(package: Package) -> None:
    """Remove what stands in place of an output directory: a file, or a link, which is not followed."""
    check_way(package)
    patterns = Patterns(package.outputs, package.path)
    literal = patterns.literal
    for base in patterns.bases:
        at = _first_odd(os.path.dirname(base) if base in literal else base, package.path)
        if at and patterns.match(f"{at}/{ANYTHING}"):
            os.unlink(at)


def _first_odd(path: str, top: str) -> str:
    """Return the first thing on the way to a path, below a directory, that is none: a file, or a link; or ""."""
    parts = path.split("/")
    start = 0 if top == "." else len(top.split("/"))
    for count in range(start + 1, len(parts) + 1):
        at = "/".join(parts[:count])
        if os.path.lexists(at) and (os.path.islink(at) or not os.path.isdir(at)):
            return at
    return ""


def _put(temporary: str, path: str, top: str) -> None:
    """Move a restored file to its place, whatever kind of thing is there."""
    parent = os.path.dirname(path)
    if parent:
        if odd := _first_odd(parent, top):
            os.unlink(odd)
        os.makedirs(parent, exist_ok=True)
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    _in_writable(path, lambda place: _move(temporary, place))


def _move(temporary: str, path: str) -> None:
    try:
        os.rename(temporary, path)  # noqa: TID251 - a whole file, verified
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        beside = f"{path}.bnet~"  # the cache is on another disk, or the place is a mount of its own
        shutil.copy2(temporary, beside, follow_symlinks=False)
        os.rename(beside, path)  # noqa: TID251 - as above


def _in_writable(path: str, work: Callable[[str], None]) -> None:
    """Do something to a file whose directory its maker may have made read-only."""
    try:
        work(path)
    except PermissionError:
        parent = os.path.dirname(path) or "."
        os.chmod(parent, stat.S_IMODE(os.stat(parent).st_mode) | stat.S_IRWXU)
        work(path)


def _set_mode(path: str, kept: Kept, umask: int) -> None:
    if kept.kind != files.LINK:
        usual = (0o777 if kept.kind == files.EXECUTABLE else 0o666) & ~umask
        mode = kept.mode or usual
        if stat.S_IMODE(os.lstat(path).st_mode) != mode:
            os.chmod(path, mode)
