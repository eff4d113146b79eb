"""Whether anything was touched since a tree was brought up to date, answered before bnet is imported.

A build that leaves every package of a tree up to date writes down all paths that matter, one after the other,
and a digest of their stamps. The next `bnet build` needs one lstat for each and no more.
"""

import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import xxhash

from bnet import __version__
from bnet.build.stamps import digest_now
from bnet.early import home_of

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

    from bnet.build.files import Content
    from bnet.build.record import Record, Tool, Watched
    from bnet.model.tree import Tree

CONFIG = "bnet.yaml"
NAME = "instant"
SOCKET = "watch.sock"
CLEAN = b"clean"
ANSWER = 0.25  # seconds to wait for a watch's answer; one that builds just now gives none
MAGIC = f"bnet instant 1 {__version__}\n".encode()
# Then come the checksum (8), how many packages (4), where the paths begin (4), and their digest (16).
FIXED = len(MAGIC) + 32


def up_to_date(environ: Mapping[str, str], began: float) -> bool:
    """Tell whether the tree that one stands in is wholly up to date, and if so, say that to people.

    Args:
        environ: the environment.
        began: `time.perf_counter()` of the program's start.
    """
    cache = environ.get("BNET_CACHE") or (home_of(environ) and os.path.join(home_of(environ), "cache"))
    try:
        stood = os.getcwd()
    except OSError:
        return False
    root = root_above(stood)
    if not cache or not root:
        return False
    state = state_of(cache, root)
    try:
        with open(os.path.join(state, NAME), "rb") as file:
            head = _read_head(file)
            count = _count(head, environ)
            if count and not _is_watched_clean(state, head) and not _is_untouched(head, file.read(), root):
                count = 0
    except (OSError, ValueError):
        count = 0
    if not count:
        os.chdir(stood)
        return False
    sys.stderr.write(summary({"instant": count}, 0, time.perf_counter() - began) + "\n")
    return True


def state_of(cache: str, root: str) -> str:
    """Return the directory of what is known of a tree.

    Args:
        cache: this user's.
        root: the tree's own, real names only.
    """
    return os.path.join(cache, "trees", xxhash.xxh3_64_hexdigest(os.fsencode(root)))


def root_above(directory: str) -> str:
    """Return the nearest directory from here upwards that holds a `bnet.yaml`, real names only; "" if none does."""
    directory = os.path.realpath(directory)
    while not os.path.isfile(os.path.join(directory, CONFIG)):
        above = os.path.dirname(directory)
        if above == directory:
            return ""
        directory = above
    return directory


def read_head(state: "Path") -> bytes:
    """Return what stands before the paths; b"" if a build has not left everything up to date."""
    try:
        with open(state / NAME, "rb") as file:
            return _read_head(file)
    except (OSError, ValueError):
        return b""


def _read_head(file: "BinaryIO") -> bytes:
    start = file.read(FIXED)
    if start[: len(MAGIC)] != MAGIC or len(start) < FIXED:
        raise ValueError("of another version, or torn")
    end = int.from_bytes(start[FIXED - 20 : FIXED - 16], "big")
    if not FIXED <= end <= os.fstat(file.fileno()).st_size:  # before so much memory is asked for
        raise ValueError("torn")
    return start + file.read(end - FIXED)


def _count(head: bytes, environ: Mapping[str, str]) -> int:
    """Return how many packages the head speaks of; 0 if a variable that counts has another value."""
    variables = head[FIXED:].split(b"\0")[:-1]
    for name, value in zip(variables[::2], variables[1::2], strict=True):
        if _value(environ, os.fsdecode(name)) != value:
            return 0
    return int.from_bytes(head[FIXED - 24 : FIXED - 20], "big")


def _is_watched_clean(state: str, head: bytes) -> bool:
    """Ask a `bnet watch` of this tree, if there is one; it answers for exactly this record, or not at all."""
    if not os.path.exists(os.path.join(state, SOCKET)):
        return False
    import socket

    os.chdir(state)  # a socket's address is short, and this path may not be
    try:
        with socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(ANSWER)
            asking.connect(SOCKET)
            asking.sendall(xxhash.xxh3_128_digest(head))
            return asking.recv(64) == CLEAN
    except OSError:
        return False


def _is_untouched(head: bytes, paths: bytes, root: str) -> bool:
    if xxhash.xxh3_64_digest(head[len(MAGIC) + 8 :] + paths) != head[len(MAGIC) : len(MAGIC) + 8]:
        return False
    os.chdir(root)
    return digest_now(paths.split(b"\0")[:-1]) == head[FIXED - 16 : FIXED]


def _value(environ: Mapping[str, str], name: str) -> bytes:
    value = environ.get(name)
    return b"-" if value is None else b"=" + os.fsencode(value)


def write_instant(state: "Path", known: "Record", environ: Mapping[str, str]) -> None:
    """Write down that all packages are up to date; where that is not certain, nothing is kept.

    Args:
        state: the tree's directory.
        known: every package of the tree, as a build has just left it; or none.
        environ: the environment of that build.
    """
    from bnet.build import files
    from bnet.build.stamps import digest_of, file_system_time
    from bnet.files import write_atomic

    (state / NAME).unlink(missing_ok=True)
    if known.tree is None or not known.made or any(each.young for each in known.made.values()):
        return
    found = _all_stamps(known, file_system_time(str(state)), environ)
    if found is None:
        return
    declared = (known.tree.env, *(package.env for package in known.tree.packages))
    names = sorted({"PATH", *(name for some in declared for name in some)})
    variables = b"".join(os.fsencode(name) + b"\0" + _value(environ, name) + b"\0" for name in names)
    end = FIXED + len(variables)
    body = b"".join(
        (
            len(known.made).to_bytes(4, "big"),
            end.to_bytes(4, "big"),
            digest_of(b"".join(found.values())),
            variables,
            files.join_names(found),
        )
    )
    write_atomic(state / NAME, MAGIC + xxhash.xxh3_64_digest(body) + body, durable=False, mode=0o600)


def _all_stamps(known: "Record", now: int, environ: Mapping[str, str]) -> dict[str, bytes] | None:
    """Return the stamps of all that matters, by path; None if something has changed already, or may have."""
    from bnet.build import files
    from bnet.build.stamps import ABSENT

    assert known.tree is not None
    found: dict[str, bytes] = {}
    for each in known.made.values():
        for content in (each.sources, each.outputs):
            behind = files.watched_by_links(content, now) if files.LINK in content.kinds else {}
            if behind is None or not _agree(found, behind):
                return None
        for watched in (each.sources, each.outputs, each.source_places, each.output_places):
            if not _agree(found, _stamped(watched)):
                return None  # it changed after one package had looked at it, and before another did
    missing = [path for path, row in found.items() if row == ABSENT]
    instead = _of_missing(missing, now)
    if instead is None or not _agree(found, instead):
        return None
    for path in missing:
        del found[path]
    configured, of_tools = _of_config(known, now), _of_tools(known.tree, known.tools, environ)
    if not configured or of_tools is None:
        return None
    found |= configured | of_tools
    return None if ABSENT in found.values() else found


def _stamped(watched: "Content | Watched") -> "Iterator[tuple[str, bytes]]":
    from bnet.build.files import split_names
    from bnet.build.stamps import SIZE

    for at, path in enumerate(split_names(watched.paths)):
        yield path, watched.stamps[at * SIZE : at * SIZE + SIZE]


def _agree(found: dict[str, bytes], more: "Mapping[str, bytes] | Iterator[tuple[str, bytes]]") -> bool:
    """Add stamps; False if one path has another stamp already."""
    return all(found.setdefault(path, row) == row for path, row in dict(more).items())


def _of_missing(paths: "Iterable[str]", now: int) -> dict[str, bytes] | None:
    """Return the stamps that tell that an ignore file has come; None if one has, or something else is missing."""
    from bnet.build.lister import IGNORE, place_of
    from bnet.build.stamps import is_young, stamp

    found: dict[str, bytes] = {}
    for path in paths:
        place = place_of(os.path.dirname(path))
        found[place] = row = stamp(place)
        if os.path.basename(path) != IGNORE or is_young(row, now) or os.path.lexists(path):
            return None
    return found


def _of_config(known: "Record", now: int) -> dict[str, bytes]:
    """Return the stamps that tell of a change of the configuration; none if it is not that of the record for sure."""
    from bnet.build.stamps import is_young, stamp

    paths = {CONFIG, os.path.realpath(CONFIG)}
    found = {path: stamp(path) for path in paths}
    with open(CONFIG, "rb") as file:
        same = xxhash.xxh3_128_digest(file.read()) == known.config
    return found if same and not any(is_young(row, now) for row in found.values()) else {}


def _of_tools(
    tree: "Tree", tools: "Mapping[str, Tool]", environ: Mapping[str, str]
) -> dict[str, bytes] | None:
    """Return the stamps that tell that a tool is another one: its file, and directories where one would come first.

    None, if one is another already.
    """
    from bnet.build.stamps import ABSENT, stamp
    from bnet.build.tools import executable

    found: dict[str, bytes] = {}
    for word in {word for package in tree.packages for word in package.tools}:
        path = executable(word, environ)
        there = stamp(os.path.realpath(path)) if path else ABSENT
        if (tools[word].path, tools[word].stamp) != (path, there) or tools[word].again:
            return None
        if path:
            found[os.path.realpath(path)] = there
        for directory in environ.get("PATH", os.defpath).split(os.pathsep):
            at = directory or "."
            while not os.path.isdir(at):
                at = os.path.dirname(at) or "."  # where it would be made
            found[at] = stamp(at)
            if directory == os.path.dirname(path):
                break
    return found


def summary(tiers: Mapping[str, int], failed: int, seconds: float) -> str:
    """Return the line that a build ends with.

    Args:
        tiers: how many packages were brought up to date in each way.
        failed: how many were not.
        seconds: how long it all took.
    """
    done = sum(tiers.values())
    told = ", ".join(f"{count} {tier}" for tier, count in tiers.items() if count)
    took = f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
    said = f"{done} package{'' if done == 1 else 's'} up to date"
    return f"{said}{f' ({told})' if told else ''}{f', {failed} not' if failed else ''} in {took}"
