"""What a watch of a tree reports, whichever platform it is on."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

Passes = Callable[[str], bool]
"""Tells whether a path, from the root of the tree, is passed over, with all that is in it."""


class Changes(NamedTuple):
    """What happened to the files of a tree since the last look.

    Attributes:
        paths: what was written, made, removed, renamed or got other attributes, from the root of the tree, which
            itself is "."; a directory stands for all that is or was in it.
        lost: events are missing: anything may have changed.
        exact: whether it is certain that nothing besides `paths` had changed when this was asked for.
        gone: another directory, or none, now has the root's name; nothing more will be reported.
    """

    paths: set[str]
    lost: bool = False
    exact: bool = False
    gone: bool = False


class TreeWatch(Protocol):
    """Reports what happens to the files of one tree."""

    def fileno(self) -> int:
        """Return a descriptor that can be read from, for `select`, when there is something to report."""

    def read(self) -> Changes:
        """Return, without waiting, what happened since the last look.

        Raises:
            BnetError: a limit of the system is reached; the next look says that events were lost.
        """

    def close(self) -> None:
        """Watch no longer."""
