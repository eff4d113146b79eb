"""What a report is made of, whatever it is shown as: parts with sentences, tables and pictures."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import msgspec

from bnet.report.charts import Chart
from bnet.report.words import percent, span

Unit = Literal["text", "count", "share", "seconds", "job"]
Value = str | int | float | None


class Column(NamedTuple):
    """A table's column: its head, and what its figures are."""

    head: str
    unit: Unit = "text"


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A part: its title, sentences, a table, and a picture; `nothing` is said where the table has no rows.

    `raw` are the rows for programs, where those for people are texts.
    """

    title: str
    texts: Sequence[str] = ()
    columns: Sequence[Column] = ()
    rows: Sequence[Sequence[Value]] = ()
    raw: Sequence[Sequence[Value]] = ()
    nothing: str = ""
    chart: Chart | None = None


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A report: its title, the period in words, what matters most in a few sentences, and the parts."""

    title: str
    period: str
    lead: Sequence[str]
    sections: Sequence[Section]
    foot: str


def shown(value: Value, unit: Unit) -> str:
    """Return a figure as people read it."""
    if value is None or isinstance(value, str):
        return value or ""
    if unit == "share":
        return percent(value)
    if unit == "seconds":
        return span(value)
    if unit == "job":
        return f"#{value}"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}" if value >= 1 else f"{value:.2g}"
