"""Pages that are lists of facts: sections of rows, whose cells say what kind of thing they are."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec
from markupsafe import Markup

from bnet.sitegen.rows import job_path


class Cell(NamedTuple):
    """Something in a row: `text`, `name`, `mono`, `when`, `state`, `job` (where to, in `more`) or `number`."""

    kind: str
    value: str | datetime | None
    more: str = ""


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A list: its title, what stands above it, a picture perhaps, heads and rows, and what is said if it is empty."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    nothing: str
    about: str = ""
    left_out: int = 0
    picture: Markup | None = None


def text(value: object) -> Cell:
    """Return a cell of text; nothing for None."""
    return Cell("text", "" if value is None else str(value))


def name(value: str) -> Cell:
    """Return the cell that a row is called by."""
    return Cell("name", value)


def mono(value: str) -> Cell:
    """Return a cell of something that is written exactly so."""
    return Cell("mono", value)


def number(value: object) -> Cell:
    """Return a cell with a figure."""
    return Cell("number", "" if value is None else str(value))


def when(value: datetime | str | None) -> Cell:
    """Return a cell with a time, given as such or in RFC 3339."""
    return Cell("when", datetime.fromisoformat(value) if isinstance(value, str) else value)


def state(kind: str | None, more: str = "") -> Cell:
    """Return a cell with a state, and a word more."""
    return Cell("state", kind or "", more)


def job(value: int | None) -> Cell:
    """Return a cell with a job."""
    return Cell("job", None if value is None else f"#{value}", "" if value is None else job_path(value))
