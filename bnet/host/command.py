"""How the adapters run a program of the machine: through a callable that they are given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from bnet.errors import BnetError

if TYPE_CHECKING:
    from bnet.process import Completed


class Run(Protocol):
    """Runs a program to its end, as `bnet.process.run` does."""

    def __call__(self, argv: Sequence[str], *, input: bytes | None = None) -> Completed:
        """Run it.

        Args:
            argv: the program and its arguments.
            input: its standard input; nothing to read if none.

        Raises:
            OSError: it could not be started.
        """


def started(run: Run, argv: Sequence[str], input: bytes | None = None, *, hint: str) -> Completed:
    """Run a program that may fail, but has to exist.

    Args:
        run: what runs it.
        argv: the program and its arguments.
        input: its standard input.
        hint: what a person can do if there is no such program.

    Raises:
        BnetError: it could not be started.
    """
    try:
        return run(argv, input=input)
    except OSError as error:
        raise BnetError(f"this machine cannot run {argv[0]}: {error.strerror}", hint=hint) from error


def checked(run: Run, argv: Sequence[str], input: bytes | None = None, *, hint: str) -> None:
    """Run a program that has to succeed.

    Args:
        run: what runs it.
        argv: the program and its arguments.
        input: its standard input.
        hint: what a person can do if it fails.

    Raises:
        BnetError: it could not be started, or it failed.
    """
    completed = started(run, argv, input, hint=hint)
    if completed.code != 0:
        raise BnetError(f"`{' '.join(argv)}` failed: {completed.complaint}", hint=hint)
