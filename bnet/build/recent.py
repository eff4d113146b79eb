"""The keys under which a package was kept lately, so that `bnet why` finds what is nearest to it: only a hint."""

import os
from contextlib import suppress
from pathlib import Path

from bnet.files import read_or_none, write_atomic

SIZE = 32  # bytes of a key
KEPT = 32  # keys that are left when there are too many
MOST = 4 * KEPT


def remember(cache: Path, package: str, key: bytes) -> None:
    """Note that a package was kept under a key; what cannot be noted is not known then.

    Args:
        cache: the cache's directory.
        package: its name.
        key: of the entry.
    """
    path = _path(cache, package)
    with suppress(OSError):
        try:
            size = _append(path, key)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            size = _append(path, key)
        if size > MOST * SIZE:
            write_atomic(path, b"".join(reversed(recent(cache, package)[:KEPT])), durable=False)


def recent(cache: Path, package: str) -> list[bytes]:
    """Return keys under which a package was kept, the last one first; entries of theirs may be gone by now."""
    data = read_or_none(_path(cache, package)) or b""
    found = [data[at : at + SIZE] for at in range(0, len(data) - SIZE + 1, SIZE)]
    return list(dict.fromkeys(reversed(found)))


def _append(path: Path, key: bytes) -> int:
    """Append a key in one step, as others may at the same time; return the file's size then."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        os.write(handle, key)
        return os.fstat(handle).st_size
    finally:
        os.close(handle)


def _path(cache: Path, package: str) -> Path:
    return cache / "recent" / package.replace("/", "%")
