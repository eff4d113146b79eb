"""A page for each server: what it used, hour by hour, and what ran there."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from markupsafe import Markup

from bnet.app.told.figures import hours_of
from bnet.codec.documents import encode
from bnet.model.history import Past
from bnet.model.rollup import Hour, Spread
from bnet.rules import rollup
from bnet.sitegen.charts import LOAD, MEGABYTES, PERCENT, Axis, Point, Series, chart, summary
from bnet.sitegen.facts import Facts
from bnet.sitegen.page import Part
from bnet.sitegen.rows import row_of
from bnet.sitegen.theme import Theme

MOST_RUNS = 25
MOST_DISKS = 4
WINDOWS = ((timedelta(days=1), "The last day"), (timedelta(days=14), "The last fourteen days"))


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """A figure over time: its name, the lines, what each is of, and the same in words."""

    title: str
    lines: Markup
    names: Sequence[str]
    words: str


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """A span of time with its pictures."""

    title: str
    pictures: Sequence[Picture]


def path_of(server: str) -> str:
    """Return where a server's page is."""
    return f"servers/{server}.html"


def parts(facts: Facts, theme: Theme) -> Iterator[Part]:
    """Yield the pages of all servers."""
    runs: dict[str, list[Past]] = {}
    for past in facts.past:
        if past.server is not None and len(kept := runs.setdefault(past.server, [])) < MOST_RUNS:
            kept.append(past)
    for name in facts.state.servers:
        yield _part(facts, theme, name, runs.get(name, ()))


def _part(facts: Facts, theme: Theme, name: str, runs: Sequence[Past]) -> Part:
    path, server = path_of(name), facts.state.servers[name]
    days = facts.days.get(name, {})
    told = [(past.key, past.number, past.name, past.result, past.reason, past.seconds) for past in runs]
    digest = hashlib.blake2b(repr((sorted(days.items()), told)).encode() + encode(server), digest_size=12)

    def render(contents: Mapping[str, bytes]) -> Mapping[str, str]:
        hours = hours_of(contents[blob] for blob in days.values() if blob in contents)
        made = theme.render(
            "server.html",
            path,
            facts.state.settings.name,
            server=server,
            windows=[_window(title, rollup.since(hours, span), span) for span, title in WINDOWS if hours],
            rows=[row_of(past) for past in runs],
            here="servers.html",
        )
        return {path: made}

    return Part(
        name=path, render=render, needs=tuple(days.values()), key=f"{theme.version}:{digest.hexdigest()}"
    )


def _window(title: str, hours: Sequence[Hour], span: timedelta) -> Window:
    end = hours[-1].hour + timedelta(hours=1)
    begin = max(end - span, end - timedelta(days=14))
    figures: Sequence[tuple[str, Axis, Callable[[Hour], Spread | None]]] = (
        ("CPU", PERCENT, lambda each: each.cpu),
        ("Memory", PERCENT, lambda each: each.memory),
        ("Load for each core", LOAD, lambda each: each.load),
        ("Network", MEGABYTES, lambda each: each.network),
        ("Jobs at once", LOAD, lambda each: each.runs),
    )
    pictures = [
        _picture(name, [Series("", points)], axis, begin, end)
        for name, axis, figure in figures
        if (points := _points(hours, figure))
    ]
    if disks := _disks(hours):
        pictures.insert(2, _picture("Disks", disks, PERCENT, begin, end))
    return Window(title=title, pictures=pictures)


def _picture(title: str, lines: Sequence[Series], axis: Axis, begin: datetime, end: datetime) -> Picture:
    return Picture(
        title=title,
        lines=chart(title, lines, axis, begin, end),
        names=[each.name for each in lines if each.name],
        words=summary(lines, axis),
    )


def _points(hours: Sequence[Hour], figure: Callable[[Hour], Spread | None]) -> list[Point]:
    found = ((each.hour, figure(each)) for each in hours)
    return [Point(at, spread.mean, spread.most) for at, spread in found if spread is not None]


def _disks(hours: Sequence[Hour]) -> list[Series]:
    """Return a line for each disk, those that are fullest now where there are many."""
    newest: dict[str, float] = {}
    for each in hours:
        newest |= {path: spread.mean for path, spread in each.disk.items()}
    fullest = sorted(newest, key=lambda path: (-newest[path], path))[:MOST_DISKS]
    return [
        Series(path, [Point(each.hour, of.mean, of.most) for each in hours if (of := each.disk.get(path))])
        for path in fullest
    ]
