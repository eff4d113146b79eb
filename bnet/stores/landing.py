"""How a file arrives: under another name until it is whole."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bnet.files import move


def unique() -> str:
    """Return a name that nobody else has; process ids would not do, for machines share a store."""
    return os.urandom(12).hex()


@contextmanager
def landing(path: Path) -> Iterator[Path]:
    """Yield a name beside `path`; its file is given that name in the end, and removed if something fails."""
    path.parent.mkdir(parents=True, exist_ok=True)  # a missing one would look like a missing blob
    temporary = path.with_name(f".{unique()}.tmp")
    try:
        yield temporary
        move(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
