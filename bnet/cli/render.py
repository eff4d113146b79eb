"""How things look in a terminal: tables, words for states, colour where it is wanted."""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, TextIO

import click

_COLOURS = {
    "success": "green",
    "running": "cyan",
    "failure": "red",
    "error": "red",
    "timeout": "red",
    "cancelled": "yellow",
    "skipped": "yellow",
    "paused": "yellow",
    "draining": "yellow",
    "high": "yellow",
    "urgent": "red",
}


def coloured(stream: TextIO | None = None) -> bool:
    """Tell whether colour is wanted in a stream, stdout if none is named (no-color.org, bixense.com/clicolors)."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("CLICOLOR_FORCE", "0") != "0":
        return True
    return (stream or sys.stdout).isatty() and os.environ.get("TERM") != "dumb"


def out(text: str) -> None:
    """Print a result."""
    click.echo(text, color=coloured())


def note(text: str) -> None:
    """Print progress or a message, beside the results."""
    click.echo(text, err=True, color=coloured(sys.stderr))


def out_json(value: object) -> None:
    """Print a result for programs."""
    click.echo(json.dumps(value, indent=2, sort_keys=False))


def word(text: str | None) -> str:
    """Return a state's or result's word in its colour."""
    return click.style(text, fg=_COLOURS[text]) if text in _COLOURS else text or ""


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows under heads, in columns as wide as they need to be."""
    if not rows:
        return ""
    columns = [_column(cells) for cells in zip(heads, *rows, strict=True)]
    lines = ["  ".join(cells).rstrip() for cells in zip(*columns, strict=True)]
    lines[0] = click.style(lines[0], bold=True)
    return "\n".join(lines)


def _column(cells: Sequence[str]) -> list[str]:
    """Return cells as wide as the widest of them; colours take no room."""
    if "\x1b" not in "".join(cells):
        width = max(map(len, cells))
        return [cell.ljust(width) for cell in cells]
    widths = [len(_plain(cell)) for cell in cells]
    return [cell + " " * (max(widths) - width) for cell, width in zip(cells, widths, strict=True)]


def out_list(
    told: Sequence[object],
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    nothing: str,
    *,
    as_json: bool,
) -> None:
    """Print a list: for programs as it was told, for people as a table, or that there is nothing in it."""
    if as_json:
        out_json(told)
    elif not told:
        note(nothing)
    else:
        out(table(heads, [*rows]))


def job_rows(jobs: Sequence[dict[str, Any]], now: datetime) -> list[list[str]]:
    """Return the cells of a list of jobs."""
    return [
        [
            f"#{job['number']}",
            job["name"],
            word(job["result"] or job["state"]) + (f" ({reason(job)})" if reason(job) else ""),
            job["server"] or "",
            str(job["attempt"] or ""),
            _took(job, now),
            age(job["submitted_at"], now),
        ]
        for job in jobs
    ]


def _took(job: dict[str, Any], now: datetime) -> str:
    """Return how long a job took, or what is likely left of one that runs."""
    if job["seconds"] is not None:
        return seconds(job["seconds"])
    expected = job.get("expected")
    if job["state"] != "running" or not expected or not expected["runs"]:
        return ""
    left = (datetime.fromisoformat(expected["ends_at"]) - now).total_seconds()
    return f"~{seconds(max(1, round(left)))} left".replace(".0 s", " s")


JOB_HEADS = ("JOB", "NAME", "STATE", "SERVER", "ATTEMPT", "TOOK", "SUBMITTED")


def reason(job: dict[str, Any]) -> str:
    """Return what to say beside a job's state: why it waits, or why it ended so."""
    if job["waiting_for"]:
        return f"waits for {job['waiting_for']}"
    if job["result"] == "failure" and job["reason"] == "exit":
        return f"exit {job['exit_code']}"
    return "" if job["reason"] in (None, "exit", job["result"]) else str(job["reason"])


def seconds(value: float) -> str:
    """Return a span of time in the unit that fits."""
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(int(value), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def span(value: float) -> str:
    """Return a short span of time, in milliseconds below a second."""
    return f"{value * 1000:.0f} ms" if value < 0.9995 else seconds(value)


def age(moment: str | datetime | None, now: datetime) -> str:
    """Return how long ago a time was; a text is one of RFC 3339."""
    if not moment:
        return ""
    at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    past = (now - at).total_seconds()
    return f"{seconds(max(0.0, past))} ago"


def counted(number: int, thing: str) -> str:
    """Return how many things there are."""
    return f"{number:,} {thing}" + ("" if number == 1 else "s")


def _plain(text: str) -> str:
    return click.unstyle(text) if "\x1b" in text else text
