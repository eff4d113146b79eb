"""Jobs as the lines of lists."""

from datetime import UTC, datetime

import msgspec

from bnet.model.history import Past
from bnet.sitegen.words import clipped, span

BAD = ("failure", "error", "timeout")


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A job as a line of a list: its state in one word, with why beside it; `at` is the newest thing known of it."""

    number: int
    name: str
    kind: str
    why: str = ""
    server: str = ""
    took: str = ""
    at: datetime | None = None
    by: str = ""

    @property
    def href(self) -> str:
        """Where its page is, from the root."""
        return job_path(self.number)


def job_path(number: int) -> str:
    """Return where a job's page is; a hundred to a directory, as in the ledger."""
    return f"jobs/{number // 100:04}/{number}.html"


def row_of(past: Past, why: str = "") -> Row:
    """Return a job as a line."""
    at = past.submitted if past.finished is None else past.finished
    return Row(
        number=past.number,
        name=past.name,
        kind=past.result or past.state,
        why=why or _why(past),
        server=past.server or "",
        took=span(past.seconds),
        at=moment(at),
        by=past.submitted_by,
    )


def moment(seconds: float) -> datetime:
    """Return a time from seconds since 1970; a nonsensical one becomes the nearest that a calendar has."""
    return datetime.fromtimestamp(max(0.0, min(seconds, 253_402_300_799.0)), UTC)


def _why(past: Past) -> str:
    if past.result == "failure" and past.reason == "exit":
        return f"exit {past.exit_code}"
    return "" if past.reason in (None, "exit", past.result) else clipped(past.reason, 60)
