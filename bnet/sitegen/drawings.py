"""Pictures of numbers, as SVG: days as a calendar, a day as a waterfall. Beside each, words say the same."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from markupsafe import Markup

from bnet.model.history import Past
from bnet.sitegen.rows import moment
from bnet.sitegen.words import clipped, span

CELL = 14  # pixels of a day
LEFT = 30
TOP = 18
LANE = 16
MOST_BARS = 400
HOURS = 24


class DayCount(NamedTuple):
    """How many jobs ended on a day, how many of them badly, and where they are listed."""

    total: int
    bad: int
    href: str

    @property
    def kind(self) -> str:
        """Return the class of its square: how many, or how bad."""
        if self.bad:
            return (
                "d-bad3"
                if self.bad * 2 > self.total
                else "d-bad2"
                if self.bad * 10 > self.total
                else "d-bad1"
            )
        return "d-good1" if self.total < 10 else "d-good2" if self.total < 100 else "d-good3"


def calendar(days: Mapping[date, DayCount], first: date, last: date, root: str) -> Markup:
    """Return the days between two as squares, a column a week; each leads to its jobs."""
    begin = first - timedelta(days=first.weekday())
    weeks = (last - begin).days // 7 + 1
    parts, month = [], 0
    for row, name in ((0, "Mon"), (2, "Wed"), (4, "Fri")):
        parts.append(Markup('<text x="0" y="{}">{}</text>').format(TOP + row * CELL + 10, name))
    for at in range(weeks * 7):
        day = begin + timedelta(days=at)
        if not first <= day <= last:
            continue
        x, y = LEFT + at // 7 * CELL, TOP + at % 7 * CELL
        if day.month != month and day.day <= 7:
            month = day.month
            parts.append(Markup('<text x="{}" y="11">{}</text>').format(x, f"{day:%b}"))
        parts.append(_square(day, days.get(day), x, y, root))
    width, height = LEFT + weeks * CELL, TOP + 7 * CELL
    frame = Markup(
        '<svg class="calendar" viewBox="0 0 {} {}" width="{}" height="{}" aria-hidden="true">{}</svg>'
    )
    return frame.format(width, height, width, height, Markup("").join(parts))


def _square(day: date, found: DayCount | None, x: int, y: int, root: str) -> Markup:
    box = Markup('<rect class="{}" x="{}" y="{}" width="11" height="11" rx="2">{}</rect>')
    if found is None:
        return box.format("d-none", x, y, "")
    told = f"{day}: {found.total} ended" + (f", {found.bad} badly" if found.bad else "")
    square = box.format(found.kind, x, y, Markup("<title>{}</title>").format(told))
    return Markup('<a href="{}" tabindex="-1">{}</a>').format(root + found.href, square)


def dots(results: Sequence[str]) -> Markup:
    """Return how some jobs ended as small bars, the newest last; those that did not succeed are shorter."""
    paths: dict[str, list[str]] = {}
    for at, result in enumerate(results):
        top, high = (0, 10) if result == "success" else (2, 8)
        paths.setdefault(result, []).append(f"M{at * 8} {top}h6v{high}h-6z")
    label = f"the last {len(results)}: {sum(each == 'success' for each in results)} succeeded"
    bars = (
        Markup('<path class="t-{}" d="{}"/>').format(result, "".join(each)) for result, each in paths.items()
    )
    frame = Markup('<svg class="dots" viewBox="0 0 160 10" role="img" aria-label="{}">{}</svg>')
    return frame.format(label, Markup("").join(bars))


def waterfall(ended: Sequence[Past], day: date) -> Markup:
    """Return a day's jobs as bars over its hours, a lane a server, one below the other where they overlap."""
    begun = moment(0.0).replace(year=day.year, month=day.month, day=day.day).timestamp()
    lanes: list[tuple[str, float]] = []  # of a lane: its server, and when its last bar ended
    bars = []
    usable = [
        past for past in ended if past.server and past.finished is not None and past.seconds is not None
    ]
    for past in sorted(
        usable[:MOST_BARS], key=lambda past: (past.server, (past.finished or 0) - (past.seconds or 0))
    ):
        end = past.finished or 0.0
        start = max(begun, end - (past.seconds or 0.0))
        lane = next(
            (at for at, (server, until) in enumerate(lanes) if server == past.server and until <= start), None
        )
        if lane is None:
            lane = len(lanes)
            lanes.append((past.server or "", 0.0))
        lanes[lane] = (past.server or "", end)
        bars.append((past, lane, start, end))
    return _frame(lanes, bars, begun) if bars else Markup()


def _frame(
    lanes: Sequence[tuple[str, float]], bars: Sequence[tuple[Past, int, float, float]], begun: float
) -> Markup:
    wide, left = 960, 110
    height = TOP + LANE * len(lanes) + 4
    parts = []
    for hour in range(0, HOURS + 1, 3):
        x = left + wide * hour / HOURS
        parts.append(Markup('<line x1="{0:.0f}" x2="{0:.0f}" y1="{1}" y2="{2}"/>').format(x, TOP - 4, height))
        parts.append(Markup('<text x="{:.0f}" y="10">{:02}</text>').format(x + 2, hour))
    before = ""
    for at, (server, _) in enumerate(lanes):
        if server != before:
            parts.append(
                Markup('<text x="0" y="{}">{}</text>').format(TOP + LANE * at + 11, clipped(server, 15))
            )
        before = server
    for past, lane, start, end in bars:
        x = left + wide * (start - begun) / 86400
        width = max(1.5, wide * (end - start) / 86400)
        kind = past.result or "waiting"
        told = f"#{past.number} {past.name}, {kind}, {span(past.seconds)}"
        bar = Markup(
            '<rect class="t-{}" x="{:.1f}" y="{}" width="{:.1f}" height="12" rx="1.5"><title>{}</title></rect>'
        )
        parts.append(bar.format(kind, x, TOP + LANE * lane, width, told))
    label = f"When the jobs of this day ran: {len(bars)} of them in {len(lanes)} lanes; the table below lists them"
    frame = Markup('<svg class="waterfall" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>')
    return frame.format(left + wide + 24, height, label, Markup("").join(parts))
