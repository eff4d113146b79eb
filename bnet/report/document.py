"""A report as a document: what it says, in which order, whatever it is shown as."""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import msgspec

from bnet.model.report import Figures, Line, Spans, Tally
from bnet.report.charts import Chart, Row
from bnet.report.words import local, percent, plural, span

Unit = Literal["text", "count", "share", "seconds", "job"]
Value = str | int | float | None


class Column(NamedTuple):
    """A table's column: its head, and what its figures are."""

    head: str
    unit: Unit = "text"


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A part: its title, sentences, a table, and a picture; `nothing` is said where the table has no rows."""

    title: str
    texts: Sequence[str] = ()
    columns: Sequence[Column] = ()
    rows: Sequence[Sequence[Value]] = ()
    nothing: str = ""
    chart: Chart | None = None


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A report: its title, the period in words, what matters most in a few sentences, and the parts."""

    title: str
    period: str
    lead: Sequence[str]
    sections: Sequence[Section]
    foot: str


def document(figures: Figures) -> Document:
    """Return what a report says."""
    zone = figures.timezone
    begin, end = local(figures.now.begin, zone), local(figures.now.end, zone)
    made = f"Made at {local(figures.made_at, zone)}" + (f" by {figures.by}" if figures.by else "")
    return Document(
        title=f"{figures.network}: {figures.name} report",
        period=f"{begin} to {end} ({zone})",
        lead=lead(figures),
        sections=[*_sections(figures)],
        foot=f"{made} from the ledger; jobs are counted where they ended.",
    )


def lead(figures: Figures) -> list[str]:
    """Return what matters most, in sentences."""
    now, before = figures.now, figures.earlier[-1] if figures.earlier else None
    if not now.ended:
        told = ["No job ended in this period."]
        if before is not None and before.ended:
            told.append(f"In the period before it were {before.ended:,}.")
    else:
        said = f"{plural(now.ended, 'job')} ended"
        if now.share is not None:
            said += f", {percent(now.share)} of those that passed or failed passed"
        if before is not None and before.ended:
            said += f"; before: {before.ended:,}"
            said += f", {percent(before.share)}" if before.share is not None else ""
        told = [said + "."]
    if figures.anomalies:
        first = figures.anomalies[0]
        more = len(figures.anomalies) - 1
        told.append(
            f"Out of the ordinary: {first.about}, {first.figure}" + (f"; and {more} more." if more else ".")
        )
    return told


def _sections(figures: Figures) -> Iterator[Section]:
    full, deep = figures.kind != "summary", figures.kind == "analytics"
    yield _at_a_glance(figures)
    if figures.anomalies or full:
        yield _anomalies(figures)
    if full:
        yield _course(figures)
        yield _names(figures)
        yield _lines("Failures", figures.failures, "Nothing failed.", timed=False)
        yield _lines("Slowest", figures.slowest, "Nothing was timed.", timed=True)
    if full or figures.flaky:
        yield _flaky(figures)
    if full:
        yield _servers(figures)
    if deep:
        yield _trend(figures)
        yield _queue(figures)
        yield _cache(figures)


def _at_a_glance(figures: Figures) -> Section:
    now, before = figures.now, figures.earlier[-1] if figures.earlier else None
    rows: list[list[Value]] = []

    def row(name: str, of: str) -> None:
        values = [None if each is None else _figure(each, of) for each in (now, before)]
        if values != [None, None]:
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
    return Section(title="At a glance", columns=columns, rows=rows, nothing="There are no figures.")


def _figure(of: Tally, name: str) -> float | None:
    if name == "bad":
        return sum(of.results.get(each, 0) for each in ("failure", "error", "timeout"))
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


def _anomalies(figures: Figures) -> Section:
    rows = [(each.about, each.figure, each.usual, each.rule) for each in figures.anomalies]
    columns = (Column("What"), Column("Now"), Column("Usually"), Column("Rule"))
    nothing = "Nothing is out of the ordinary, as far as the periods before tell what that is."
    return Section(title="Out of the ordinary", columns=columns, rows=rows, nothing=nothing)


def _course(figures: Figures) -> Section:
    course, zone = figures.course, figures.timezone
    labels = [local(each, zone)[5:] for each in course.begins]
    chart = Chart(
        title="Jobs that ended, over the period",
        labels=labels,
        rows=[Row("succeeded", course.well, "good"), Row("failed", course.badly, "bad")],
    )
    rows = [
        (label, good, bad, busy)
        for label, good, bad, busy in zip(labels, course.well, course.badly, course.busy, strict=True)
        if good or bad or busy
    ]
    columns = (
        Column("From"),
        Column("Succeeded", "count"),
        Column("Failed", "count"),
        Column("Slots at work", "count"),
    )
    return Section(
        title="Over the period",
        columns=columns,
        rows=rows,
        nothing="Nothing ran.",
        chart=chart if rows else None,
    )


def _names(figures: Figures) -> Section:
    rows = [
        (
            each.name,
            each.runs,
            each.share,
            each.share_before,
            each.took.median if each.took else None,
            each.took.p95 if each.took else None,
            each.median_before,
        )
        for each in figures.names
    ]
    columns = (
        *(Column("Name"), Column("Jobs", "count"), Column("Succeed", "share"), Column("Before", "share")),
        *(Column("Median", "seconds"), Column("95 of 100", "seconds"), Column("Median before", "seconds")),
    )
    left = figures.names_total - len(figures.names)
    texts = [f"These are those with the most jobs; {plural(left, 'name')} more are left out."] if left else []
    return Section(title="By name", columns=columns, rows=rows, nothing="No job ended.", texts=texts)


def _lines(title: str, lines: Sequence[Line], nothing: str, *, timed: bool) -> Section:
    head = (Column("Job", "job"), Column("Name"), Column("Result"), Column("Server"))
    more = (Column("Took", "seconds"), Column("Usually", "seconds")) if timed else (Column("Ended (UTC)"),)
    rows: list[Sequence[Value]] = []
    for each in lines:
        first = (each.job, each.name, _ended(each), each.server)
        at = f"{each.at:%Y-%m-%d %H:%M}" if each.at else ""
        rows.append((*first, each.seconds, each.usual) if timed else (*first, at))
    return Section(title=title, columns=(*head, *more), rows=rows, nothing=nothing)


def _ended(line: Line) -> str:
    return f"{line.result} ({line.why})" if line.why else line.result


def _flaky(figures: Figures) -> Section:
    rows = [
        (each.name, each.revision[:12], each.failed, " ".join(f"#{number}" for number in each.jobs))
        for each in figures.flaky
    ]
    columns = (Column("Name"), Column("Commit"), Column("Failures", "count"), Column("Jobs"))
    texts = ["Failed, and then passed without another commit."] if rows else []
    return Section(title="Flaky", columns=columns, rows=rows, nothing="Nothing was flaky.", texts=texts)


def _servers(figures: Figures) -> Section:
    rows = [
        (each.name, each.slots or None, each.runs, each.failed, each.seconds, each.busy)
        for each in figures.servers
    ]
    columns = (
        *(Column("Server"), Column("Slots", "count"), Column("Attempts", "count"), Column("Failed", "count")),
        *(Column("At work", "seconds"), Column("Of its slots", "share")),
    )
    course = figures.course
    labels = [local(each, figures.timezone)[5:] for each in course.begins]
    chart = Chart(
        title=f"Of {course.slots} slots",
        labels=labels,
        rows=[Row("at work", course.busy, "plain")],
        most=float(course.slots),
    )
    return Section(
        title="Servers",
        columns=columns,
        rows=rows,
        nothing="There was no server.",
        chart=chart if any(course.busy) else None,
    )


def _trend(figures: Figures) -> Section:
    tallies = (*figures.earlier, figures.now)
    labels = [local(each.begin, figures.timezone) for each in tallies]
    rows = [
        (
            label,
            each.ended,
            each.share,
            each.took.median if each.took else None,
            each.waited.median if each.waited else None,
            each.busy,
        )
        for label, each in zip(labels, tallies, strict=True)
    ]
    columns = (
        *(Column("From"), Column("Jobs", "count"), Column("Succeeded", "share"), Column("Median", "seconds")),
        *(Column("Median wait", "seconds"), Column("Slots at work", "share")),
    )
    good = [each.results.get("success", 0) for each in tallies]
    bad = [int(_figure(each, "bad") or 0) for each in tallies]
    chart = Chart(
        title="This period beside those before",
        labels=[label[5:] for label in labels],
        rows=[Row("succeeded", good, "good"), Row("failed", bad, "bad")],
    )
    return Section(title="Trend", columns=columns, rows=rows, chart=chart if any(good) or any(bad) else None)


def _queue(figures: Figures) -> Section:
    now = figures.now.waited
    rows: list[Sequence[Value]] = []
    if now is not None:
        rows = [
            ("half of the jobs", now.median),
            ("90 of 100", now.p90),
            ("95 of 100", now.p95),
            ("all", now.most),
        ]
    columns = (Column("Of the jobs"), Column("Waited no longer than", "seconds"))
    texts = ["From submission to the first start; what a job waited for others that it needs is in it."]
    return Section(
        title="Time in the queue", columns=columns, rows=rows, nothing="No job started.", texts=texts
    )


def _cache(figures: Figures) -> Section:
    rows = [
        (name, each.packages, each.cached, each.cached / each.packages, each.spared)
        for name, each in (("this period", figures.now), ("before", (figures.earlier or (figures.now,))[-1]))
        if each.packages
    ]
    columns = (
        *(Column("Period"), Column("Packages", "count"), Column("From the cache", "count")),
        *(Column("Share", "share"), Column("Spared, at least", "seconds")),
    )
    texts = ["Spared: what such packages take to build, by those that were built, less what restoring took."]
    return Section(
        title="Cache",
        columns=columns,
        rows=rows,
        nothing="No build brought packages up to date.",
        texts=texts,
    )


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
