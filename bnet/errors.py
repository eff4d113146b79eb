"""The errors that are meant for people; everything else that is raised is a bug."""

from __future__ import annotations


class BnetError(Exception):
    """Something a person can act on; the command line prints it and exits with `exit_code`."""

    exit_code = 2

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        """Keep what went wrong and what to do next.

        Args:
            message: what went wrong, in one sentence without a final full stop.
            hint: what to do next, if there is more to say than the message does.
        """
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message


def said(error: BnetError | OSError) -> str:
    """Return in one line what an error says, and of which file."""
    if isinstance(error, BnetError):
        return str(error).replace("\n", "; ")
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}"


class AnswerNo(BnetError):
    """It was done, and the answer is no: a job failed, a thing is unhealthy or differs."""

    exit_code = 1


class HubUnreachable(BnetError):
    """The hub could not be reached after retries; nothing was lost."""

    exit_code = 4


class RefusedByPolicy(BnetError):
    """The hub's or the server's policy forbids it."""

    exit_code = 5


class Damaged(BnetError):
    """A command on a private copy of the hub failed, which on a sound one it never does."""

    exit_code = 1


class Taken(BnetError):
    """A lock or a name is held by another."""

    exit_code = 6


class Invalid(BnetError):
    """A document or an argument is wrong, at a place that can be named."""

    def __init__(
        self,
        message: str,
        *,
        file: str | None = None,
        line: int | None = None,
        field: str | None = None,
        hint: str | None = None,
    ) -> None:
        """Keep what is wrong, and where.

        Args:
            message: what would be right, and what was found instead.
            file: the document's path as the reader knows it.
            line: the line in that document, counted from 1.
            field: the field's dotted name.
            hint: what to do next, if there is more to say than the message does.
        """
        super().__init__(message, hint=hint)
        self.file = file
        self.line = line
        self.field = field

    def __str__(self) -> str:
        """Give the error as `file:line: field "name": message`, leaving out what is not known."""
        # A line without a file says nothing, so it is not shown.
        place = self.file if self.file is None or self.line is None else f"{self.file}:{self.line}"
        named = None if self.field is None else f'field "{self.field}"'
        return ": ".join(part for part in (place, named, self.message) if part)


class StoreFailed(BnetError):
    """A shared store is away, refuses, or is full; what it holds can be made again."""


class RepositoryUnreachable(BnetError):
    """A repository's host gave no answer; it may be asked again later."""

    exit_code = 4
