"""Lists of jobs: those that are open and ended last, and those of each day."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import groupby

import msgspec

from bnet.model.history import Past
from bnet.sitegen.actions import Action, Actions
from bnet.sitegen.drawings import waterfall
from bnet.sitegen.facts import Facts
from bnet.sitegen.overview import Present, Running, Waiting, queue
from bnet.sitegen.page import Part
from bnet.sitegen.rows import BAD, Row, moment, row_of
from bnet.sitegen.theme import Theme

INDEX = "jobs/index.html"
MOST_ROWS = 250  # of a page: at most 1 kB each
MOST_OPEN = 100
MOST_ENDED = 100
MOST_DAYS = 31  # that the first list links to; the others are in the history


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """A day of jobs that ended: how many, how many of them well or badly, and where the list is."""

    day: date
    total: int
    good: int
    bad: int

    @property
    def href(self) -> str:
        """Where its first page is, from the root."""
        return day_path(self.day)


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """What the first list shows."""

    running: Sequence[Running]
    queue: Sequence[Waiting]
    waiting: int
    ended: Sequence[Row]
    days: Sequence[Day]
    actions: Sequence[Action]


def day_path(day: date, page: int = 1) -> str:
    """Return where a day's list is."""
    return f"jobs/days/{day:%Y-%m-%d}{'' if page == 1 else f'.{page}'}.html"


def by_day(facts: Facts) -> dict[date, list[Past]]:
    """Return the jobs that ended, by day, both newest first."""
    ended = [past for past in facts.past if past.finished is not None]
    return {
        day: list(each) for day, each in groupby(ended, key=lambda past: moment(past.finished or 0.0).date())
    }


def day_of(day: date, ended: Sequence[Past]) -> Day:
    """Count a day's jobs."""
    good = sum(past.result == "success" for past in ended)
    bad = sum(past.result in BAD for past in ended)
    return Day(day=day, total=len(ended), good=good, bad=bad)


def index_part(facts: Facts, theme: Theme, at: Present, days: Mapping[date, Sequence[Past]]) -> Part:
    """Return the list of jobs that are open and of those that ended last."""
    ended = [row_of(past) for past in facts.past if past.finished is not None][:MOST_ENDED]
    shown = Index(
        running=at.running[:MOST_OPEN],
        queue=queue(facts, at, MOST_OPEN),
        waiting=len(at.pending),
        ended=ended,
        days=[day_of(day, each) for day, each in list(days.items())[:MOST_DAYS]],
        actions=list(Actions(facts.new_file).of_all()),
    )
    return theme.part(INDEX, "jobs.html", facts, view=shown)


def day_parts(facts: Facts, theme: Theme, days: Mapping[date, Sequence[Past]]) -> Iterator[Part]:
    """Yield the lists of each day."""
    order = list(days)
    for at, day in enumerate(order):
        later = order[at - 1] if at else None
        earlier = order[at + 1] if at + 1 < len(order) else None
        yield _day_part(facts, theme, day, days[day], earlier, later)


def _day_part(
    facts: Facts, theme: Theme, day: date, ended: Sequence[Past], earlier: date | None, later: date | None
) -> Part:
    keys = [
        (past.key, past.number, past.name, past.result, past.reason, past.server, past.seconds)
        for past in ended
    ]
    digest = hashlib.blake2b(repr((keys, earlier, later)).encode(), digest_size=12).hexdigest()
    starts = range(0, len(ended), MOST_ROWS)

    def render(_: Mapping[str, bytes]) -> Mapping[str, str]:
        files = {}
        for page, start in enumerate(starts, 1):
            path = day_path(day, page)
            files[path] = theme.render(
                "day.html",
                path,
                facts.state.settings.name,
                day=day_of(day, ended),
                rows=[row_of(past) for past in ended[start : start + MOST_ROWS]],
                page=page,
                picture=waterfall(ended, day) if page == 1 else "",
                sheets=[day_path(day, each) for each in range(1, len(starts) + 1)],
                earlier=earlier and day_path(earlier),
                later=later and day_path(later),
                here=INDEX,
            )
        return files

    return Part(name=day_path(day), render=render, key=f"{theme.version}:{digest}")
