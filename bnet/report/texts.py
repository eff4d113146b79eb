"""A report as plain text: Markdown, and CSV."""

import csv
import io
import re

from bnet.codec.shown import escaped
from bnet.report.parts import Document, Section, shown

_MARKS = re.compile(r"([\\`*_{}\[\]<>|~])")
FORMULA = ("=", "+", "-", "@")


def markdown(told: Document) -> str:
    """Return a report as Markdown; what stands in it from outside is text, whatever signs are in it."""
    parts = [f"# {_plain(told.title)}", _plain(told.period), " ".join(_plain(each) for each in told.lead)]
    for section in told.sections:
        parts.append(f"## {_plain(section.title)}")
        parts += [_plain(each) for each in section.texts]
        parts.append(_table(section) if section.rows else section.nothing)
    return "\n\n".join(each for each in [*parts, _plain(told.foot)] if each) + "\n"


def _table(section: Section) -> str:
    rows = [[each.head for each in section.columns]]
    rows += [
        [_plain(shown(value, column.unit)) for value, column in zip(row, section.columns, strict=True)]
        for row in section.rows
    ]
    line = ["---" if each.unit == "text" else "---:" for each in section.columns]
    return "\n".join(f"| {' | '.join(row)} |" for row in (rows[0], line, *rows[1:]))


def _plain(text: str) -> str:
    return _MARKS.sub(r"\\\1", escaped(text))


def csv_text(told: Document) -> str:
    """Return all tables of a report as one: `section, row, figure, value`; durations in seconds, shares of 1."""
    room = io.StringIO()
    out = csv.writer(room, lineterminator="\n")
    out.writerow(("section", "row", "figure", "value"))
    for section in told.sections:
        for row in section.raw or section.rows:
            first = shown(row[0], section.columns[0].unit)
            for value, column in zip(row[1:], section.columns[1:], strict=True):
                if value is not None and value != "":
                    out.writerow((section.title, _cell(first), column.head, _cell(value)))
    return room.getvalue()


def _cell(value: str | int | float) -> str | int | float:
    """Return a cell that no spreadsheet takes for a formula."""
    if not isinstance(value, str):
        return value
    text = escaped(value)
    return f"'{text}" if text.startswith(FORMULA) else text
