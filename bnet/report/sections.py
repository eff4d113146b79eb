"""The other parts of a report."""

from collections.abc import Sequence

from bnet.model.report import Figures, Line
from bnet.report.charts import Chart, Row
from bnet.report.glance import figure
from bnet.report.parts import Column, Section, Value
from bnet.report.words import local, plural


def anomalies(figures: Figures) -> Section:
    """Return what is out of the ordinary."""
    rows = [(each.about, each.figure, each.usual, each.rule) for each in figures.anomalies]
    columns = (Column("What"), Column("Now"), Column("Usually"), Column("Rule"))
    nothing = "Nothing is out of the ordinary, as far as the periods before tell what that is."
    return Section(title="Out of the ordinary", columns=columns, rows=rows, nothing=nothing)


def course(figures: Figures) -> Section:
    """Return the period in steps."""
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


def names(figures: Figures) -> Section:
    """Return the figures of each name."""
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


def lines(title: str, lines: Sequence[Line], nothing: str, *, timed: bool) -> Section:
    """Return some jobs, a line each; `timed` with how long they took."""
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


def flaky(figures: Figures) -> Section:
    """Return what failed and passed without another commit."""
    rows = [
        (each.name, each.revision[:12], each.failed, " ".join(f"#{number}" for number in each.jobs))
        for each in figures.flaky
    ]
    columns = (Column("Name"), Column("Commit"), Column("Failures", "count"), Column("Jobs"))
    texts = ["Failed, and then passed without another commit."] if rows else []
    return Section(title="Flaky", columns=columns, rows=rows, nothing="Nothing was flaky.", texts=texts)


def servers(figures: Figures) -> Section:
    """Return what servers did."""
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


def trend(figures: Figures) -> Section:
    """Return the period beside those before."""
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
    bad = [int(figure(each, "bad") or 0) for each in tallies]
    chart = Chart(
        title="This period beside those before",
        labels=[label[5:] for label in labels],
        rows=[Row("succeeded", good, "good"), Row("failed", bad, "bad")],
    )
    return Section(title="Trend", columns=columns, rows=rows, chart=chart if any(good) or any(bad) else None)


def queue(figures: Figures) -> Section:
    """Return how long jobs waited."""
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


def cache(figures: Figures) -> Section:
    """Return what came from the cache, and what that spared."""
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
