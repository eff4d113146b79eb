"""A report as a document: what it says, in which order."""

from collections.abc import Iterator

from msgspec.structs import replace

from bnet.codec.crons import zone_of
from bnet.model.report import Figures
from bnet.report import sections
from bnet.report.glance import at_a_glance
from bnet.report.parts import Document, Section
from bnet.report.words import local, percent, plural


def document(figures: Figures) -> Document:
    """Return what a report says, by the clocks of its zone, or by UTC where this machine does not know that one."""
    try:
        zone_of(figures.timezone)
    except ValueError:
        figures = replace(figures, timezone="UTC")
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
    yield at_a_glance(figures)
    if figures.anomalies or full:
        yield sections.anomalies(figures)
    if full:
        yield sections.course(figures)
        yield sections.names(figures)
        yield sections.lines("Failures", figures.failures, "Nothing failed.", timed=False)
        yield sections.lines("Slowest", figures.slowest, "Nothing was timed.", timed=True)
    if full or figures.flaky:
        yield sections.flaky(figures)
    if full:
        yield sections.servers(figures)
    if deep:
        yield sections.trend(figures)
        yield sections.queue(figures)
        yield sections.cache(figures)
