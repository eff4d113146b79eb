"""The reports that were kept: a list, and a page for each."""

from collections.abc import Iterator, Mapping
from datetime import datetime

import msgspec

from bnet.codec.documents import Unreadable, decode
from bnet.model.report import Figures
from bnet.report.charts import svg
from bnet.report.document import document
from bnet.report.parts import shown
from bnet.sitegen.facts import Facts
from bnet.sitegen.page import Part
from bnet.sitegen.rows import job_path
from bnet.sitegen.tables import Cell, Section, mono, text, when
from bnet.sitegen.theme import Theme

HERE = "reports.html"
MOST = 200  # of all names together, the newest


class Reports(msgspec.Struct, frozen=True, kw_only=True):
    """The page that lists them."""

    title: str
    sections: tuple[Section, ...]


def parts(facts: Facts, theme: Theme) -> Iterator[Part]:
    """Yield the list of reports, and those that were kept."""
    newest = sorted(facts.reports, key=lambda each: (each[1], each[0]), reverse=True)
    view = Reports(title="Reports", sections=(_asked(facts), _kept(newest[:MOST], len(newest))))
    yield theme.part(HERE, "things.html", facts, view=view)
    for name, at in newest[:MOST]:
        yield _page(theme, facts, name, at, facts.reports[name, at])


def path_of(name: str, at: datetime) -> str:
    """Return where a report's page is."""
    return f"reports/{name}/{at:%Y-%m-%dT%H%MZ}.html"


def _asked(facts: Facts) -> Section:
    rows = [
        [
            Cell("name", name),
            text(each.report.kind),
            text(each.report.period),
            mono(each.report.cron or ""),
            text(each.report.timezone),
            text(", ".join(each.report.deliver)),
            text(each.report.description),
        ]
        for name, each in sorted(facts.state.reports.items())
    ]
    heads = ("Report", "Kind", "Period", "Comes", "Zone", "Sent to", "")
    nothing = "coordination/reports.yaml names reports that come by the clock; bnet report weekly makes one at once."
    return Section(title="What is asked for", heads=heads, rows=rows, nothing=nothing)


def _kept(newest: list[tuple[str, datetime]], total: int) -> Section:
    rows = [[Cell("job", f"{name}, {at:%Y-%m-%d %H:%M}", path_of(name, at)), when(at)] for name, at in newest]
    return Section(
        title="Kept",
        heads=("Report", "Until"),
        rows=rows,
        nothing="None was made by the clock yet.",
        left_out=total - len(newest),
    )


def _page(theme: Theme, facts: Facts, name: str, at: datetime, blob: str) -> Part:
    path = path_of(name, at)

    def render(contents: Mapping[str, bytes]) -> Mapping[str, str]:
        try:
            figures = decode(Figures, contents.get(blob, b""))
        except Unreadable:
            return {path: _rendered(theme, facts, path, None)}
        return {path: _rendered(theme, facts, path, figures)}

    return Part(name=path, render=render, needs=(blob,), key=f"{theme.version}:{blob}")


def _rendered(theme: Theme, facts: Facts, path: str, figures: Figures | None) -> str:
    told = None if figures is None else document(figures)
    return theme.render(
        "report.html",
        path,
        facts.state.settings.name,
        told=told,
        shown=shown,
        svg=svg,
        job_path=job_path,
        here=HERE,
    )
