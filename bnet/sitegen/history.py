"""The past in figures: a calendar, how often each kind of job succeeds, how long it takes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from statistics import median

import msgspec
from markupsafe import Markup

from bnet.model.history import Past
from bnet.sitegen.commits import Line
from bnet.sitegen.drawings import DayCount, calendar, dots
from bnet.sitegen.facts import Facts
from bnet.sitegen.jobs import Day, day_of
from bnet.sitegen.page import Part
from bnet.sitegen.rows import BAD
from bnet.sitegen.theme import Theme
from bnet.sitegen.words import span

MOST_NAMES = 120
MOST_RUNS = 200  # of a name, the newest, that its figures are made of
DOTS = 20
WEEKS = 53


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """All jobs of one name: how many, how often they succeed, how long they take, how the last ones ended."""

    name: str
    runs: int
    share: float | None
    typical: str
    slow: str
    last: Past
    dots: Markup


class History(msgspec.Struct, frozen=True, kw_only=True):
    """What the page shows."""

    picture: Markup
    total: int
    share: float | None
    kinds: Sequence[Kind]
    more_kinds: int
    months: Sequence[tuple[str, Sequence[Day]]]
    years: Sequence[int]
    lines: Sequence[Line]


def parts(
    facts: Facts, theme: Theme, days: Mapping[date, Sequence[Past]], lines: Sequence[Line]
) -> Iterator[Part]:
    """Yield the page of the past, and one for each year."""
    counted = {day: day_of(day, ended) for day, ended in days.items()}
    years = sorted({day.year for day in days}, reverse=True)
    today = facts.now.date()
    last = max([today, *days])
    names = _by_name(facts.past)
    kinds = [
        _kind(name, names[name]) for name in sorted(names, key=lambda name: -len(names[name]))[:MOST_NAMES]
    ]
    ended = [past for past in facts.past if past.finished is not None]
    shown = History(
        picture=_picture(counted, last - timedelta(weeks=WEEKS), last, ""),
        total=len(ended),
        share=_share(ended),
        kinds=kinds,
        more_kinds=max(0, len(names) - MOST_NAMES),
        months=_months(each for each in counted.values() if (last - each.day).days < 92),
        years=years,
        lines=lines,
    )
    yield theme.part("history.html", "history.html", facts, view=shown)
    for year in years:
        found = {day: each for day, each in counted.items() if day.year == year}
        picture = _picture(found, date(year, 1, 1), date(year, 12, 31), "../")
        path = f"history/{year}.html"
        months = _months(found.values())
        yield theme.part(
            path, "year.html", facts, year=year, picture=picture, months=months, here="history.html"
        )


def _picture(counted: Mapping[date, Day], first: date, last: date, root: str) -> Markup:
    days = {day: DayCount(each.total, each.bad, each.href) for day, each in counted.items()}
    return calendar(days, first, last, root)


def _months(days: Iterable[Day]) -> list[tuple[str, list[Day]]]:
    found: dict[str, list[Day]] = {}
    for each in sorted(days, key=lambda each: each.day, reverse=True):
        found.setdefault(f"{each.day:%B %Y}", []).append(each)
    return list(found.items())


def _by_name(past: Sequence[Past]) -> dict[str, list[Past]]:
    found: dict[str, list[Past]] = {}
    for each in past:
        if each.finished is not None:
            found.setdefault(each.name, []).append(each)
    return found


def _share(ended: Sequence[Past]) -> float | None:
    """Return which share of what ended well or badly ended well."""
    good = sum(past.result == "success" for past in ended)
    bad = sum(past.result in BAD for past in ended)
    return good / (good + bad) if good + bad else None


def _kind(name: str, runs: Sequence[Past]) -> Kind:
    newest = runs[:MOST_RUNS]
    took = sorted(each.seconds for each in newest if each.seconds is not None and each.result == "success")
    return Kind(
        name=name,
        runs=len(runs),
        share=_share(newest),
        typical=span(median(took)) if took else "",
        slow=span(took[min(len(took) - 1, int(len(took) * 0.95))]) if took else "",
        last=runs[0],
        dots=dots([each.result or "" for each in reversed(newest[:DOTS])]),
    )
