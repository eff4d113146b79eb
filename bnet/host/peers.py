"""Whose process is at the other end of a connection within this machine, as Linux tells it."""

import socket
from contextlib import suppress
from pathlib import Path

NOBODY = -1  # no process has the other end any more, and some systems count it as root's
TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))


def owner(connection: socket.socket) -> int | None:
    """Return the user id of whoever has the other end of a connection; None where that cannot be told.

    An end that was closed already is `NOBODY`'s: whoever had it cannot read the answer, and may have been anybody.
    """
    try:
        theirs, ours = connection.getpeername()[:2], connection.getsockname()[:2]
    except OSError:
        return None
    ends = (_written(connection.family, theirs), _written(connection.family, ours))
    for table in TABLES:
        with suppress(OSError, ValueError, IndexError):
            for line in table.read_text().splitlines()[1:]:
                words = line.split()
                if (words[1], words[2]) == ends:
                    return NOBODY if words[9] == "0" else int(words[7])
    return None


def _written(family: int, end: tuple[str, int]) -> str:
    """Return an address and a port as the tables have them: in words of four bytes, as the machine keeps these."""
    data = socket.inet_pton(family, end[0])
    swapped = b"".join(data[at : at + 4][::-1] for at in range(0, len(data), 4))
    return f"{swapped.hex().upper()}:{end[1]:04X}"
