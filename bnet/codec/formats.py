"""The formats of a hub that this bnet knows, and the way from each to the next."""

from collections.abc import Callable, Mapping

from bnet.model.hub import FORMAT

Files = Mapping[str, bytes]
"""path -> content of every document that is part of the parsed state."""

Step = Callable[[Files], Mapping[str, bytes | None]]
"""Returns the documents that differ in the next format: path -> content, or None for removal."""

NEWEST = FORMAT

UPGRADES: dict[int, Step] = {}
"""n -> the step from format n-1 to n; there is one for each number from 2 to `NEWEST`."""


def upgraded(files: Files, old: int, new: int) -> dict[str, bytes | None]:
    """Return what changes between two formats.

    Args:
        files: the documents in the old one; the step of a format sees what the steps before it made.
        old: the format that they have.
        new: the format that they shall have.
    """
    now: dict[str, bytes] = dict(files)
    changed: dict[str, bytes | None] = {}
    for number in range(old + 1, new + 1):
        for path, data in UPGRADES[number](now).items():
            changed[path] = data
            if data is None:
                now.pop(path, None)
            else:
                now[path] = data
    return changed
