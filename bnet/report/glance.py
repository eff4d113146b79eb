"""The first part of a report: what matters most, now and before."""

from bnet.model.report import Figures, Spans, Tally
from bnet.report.facts import BAD
from bnet.report.parts import Column, Section, Value
from bnet.report.words import percent, span


def at_a_glance(figures: Figures) -> Section:
    """Return the figures of the period beside those of the one before."""
    now, before = figures.now, figures.earlier[-1] if figures.earlier else None
    rows: list[list[Value]] = []
    raw: list[list[Value]] = []

    def row(name: str, of: str) -> None:
        values = [None if each is None else figure(each, of) for each in (now, before)]
        if values != [None, None]:
            raw.append([name, *values, None])
            rows.append([name, *(_shown(value, of) for value in values), _change(values[0], values[1], of)])

    for name, of in (
        ("jobs that ended", "ended"),
        ("succeeded", "share"),
        ("failed", "bad"),
        ("median duration", "took.median"),
        ("95 of 100 within", "took.p95"),
        ("median wait in the queue", "waited.median"),
        ("95 of 100 waited no longer than", "waited.p95"),
        ("packages from the cache", "cached"),
        ("slots at work", "busy"),
    ):
        row(name, of)
    columns = (Column("Figure"), Column("This period"), Column("Before"), Column("Change"))
    return Section(title="At a glance", columns=columns, rows=rows, raw=raw, nothing="There are no figures.")


def figure(of: Tally, name: str) -> float | None:
    """Return one figure of a period: `bad`, `cached`, one of its fields, or `took.median` and the like."""
    if name == "bad":
        return sum(of.results.get(each, 0) for each in BAD)
    if name == "cached":
        return of.cached / of.packages if of.packages else None
    first, _, inner = name.partition(".")
    found = getattr(of, first)
    if isinstance(found, Spans):
        found = getattr(found, inner)
    return None if found is None else float(found)


def _shown(value: float | None, of: str) -> str | None:
    if value is None:
        return None
    if of in ("share", "cached", "busy"):
        return percent(value)
    return span(value) if "." in of else f"{value:,.0f}"


def _change(now: float | None, before: float | None, of: str) -> str | None:
    if now is None or before is None:
        return None
    if of in ("share", "cached", "busy"):
        points = round((now - before) * 100, 1)
        return f"{points:+g} points" if points else "same"
    if not before:
        return "new" if now else "same"
    change = round(100 * (now / before - 1))
    return f"{change:+,} %" if change else "same"
