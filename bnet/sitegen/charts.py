"""Figures over time as lines, with axes that can be read. Beside each, words say the same."""

import math
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise

import msgspec
from markupsafe import Markup

from bnet.sitegen.words import clipped

WIDE, HIGH = 460, 150
BARS_WIDE = 900
LEFT, RIGHT, TOP, BOTTOM = 48, 20, 8, 26
TICKS = (1, 2, 3, 6, 12, 24, 48, 168)  # hours between two marks
MOST_MARKS = 8
MOST = 1e15  # of a figure; a ref may hold anything
NICE = (1, 2, 2.5, 5, 10)


class Point(msgspec.Struct, frozen=True):
    """An hour: when it began, its mean, the most it was."""

    at: datetime
    mean: float
    most: float


class Series(msgspec.Struct, frozen=True):
    """A line: what it is of, "" if it is the only one, and its points in the order of time."""

    name: str
    points: Sequence[Point]


class Axis(msgspec.Struct, frozen=True, kw_only=True):
    """What is upright: how figures are written, up to where it always goes, and what one of its unit is."""

    form: str = "{}"
    least: float = 1.0
    base: float = 1.0

    def shown(self, value: float) -> str:
        """Return a figure as it is written."""
        figure = min(value, MOST) / self.base
        return self.form.format(f"{figure:,.0f}" if figure >= 100 else f"{figure:.3g}")


PERCENT = Axis(form="{} %", least=100.0)
LOAD = Axis(least=1.0)
MEGABYTES = Axis(form="{} MB/s", least=1e6, base=1e6)


def chart(title: str, series: Sequence[Series], axis: Axis, begin: datetime, end: datetime) -> Markup:
    """Return lines between two times; what lies between a mean and the most of its hour is shaded.

    Args:
        title: what it is of, for those who do not see it.
        series: at most four; the style sheet knows so many.
        axis: of the figures.
        begin, end: what is shown; `end` is later.
    """
    highest = max((point.most for each in series for point in each.points), default=0.0)
    highest = min(max(highest, axis.least), MOST)
    step = _step(highest, axis.base)
    top = step * math.ceil(highest / step - 1e-9)
    whole = (end - begin).total_seconds()

    def x(at: datetime) -> float:
        return LEFT + (WIDE - LEFT - RIGHT) * (at - begin).total_seconds() / whole

    def y(value: float) -> float:
        return TOP + (HIGH - TOP - BOTTOM) * (1 - max(0.0, min(value, top)) / top)

    parts = []
    for count in range(round(top / step) + 1):
        level, told = y(count * step), axis.shown(count * step)
        parts.append(
            Markup('<line x1="{0}" x2="{1}" y1="{2:.1f}" y2="{2:.1f}"/>').format(LEFT, WIDE - RIGHT, level)
        )
        parts.append(Markup('<text class="up" x="{}" y="{:.1f}">{}</text>').format(LEFT - 5, level + 4, told))
    for moment, told in _marks(begin, end):
        parts.append(
            Markup('<line x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}"/>').format(
                x(moment), TOP, HIGH - BOTTOM
            )
        )
        parts.append(Markup('<text class="on" x="{:.1f}" y="{}">{}</text>').format(x(moment), HIGH - 5, told))
    for at, each in enumerate(series):
        for run in _runs(each.points):
            line = [(x(point.at + timedelta(minutes=30)), point) for point in run]
            means = [f"{place:.1f} {y(point.mean):.1f}" for place, point in line]
            mosts = [f"{place:.1f} {y(point.most):.1f}" for place, point in reversed(line)]
            if len(series) == 1 and len(line) > 1:
                parts.append(
                    Markup('<path class="c{} band" d="M{}Z"/>').format(at, "L".join([*means, *mosts]))
                )
            # A line of no length, with round ends, is a dot.
            path = "L".join(means if len(means) > 1 else means * 2)
            parts.append(Markup('<path class="c{}" d="M{}"/>').format(at, path))
    label = f"{title}, from {begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}: {summary(series, axis)}"
    frame = Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>')
    return frame.format(WIDE, HIGH, label, Markup("").join(parts))


def summary(series: Sequence[Series], axis: Axis) -> str:
    """Return the figures of lines in words: the last, the mean, the most."""
    told = []
    for each in series:
        if each.points:
            mean = sum(point.mean for point in each.points) / len(each.points)
            most = max(point.most for point in each.points)
            last = each.points[-1].mean
            named = f"{clipped(each.name, 40)}: " if each.name else ""
            told.append(f"{named}last {axis.shown(last)}, mean {axis.shown(mean)}, most {axis.shown(most)}")
    return "; ".join(told) or "nothing told"


def _step(highest: float, base: float) -> float:
    """Return the distance between two lines, of which there are three to six."""
    rough = highest / base / 4
    size = 10.0 ** math.floor(math.log10(rough))
    return base * size * min(NICE, key=lambda each: abs(each * size - rough))


def _marks(begin: datetime, end: datetime) -> list[tuple[datetime, str]]:
    """Return times to be named, with their names: hours of a day, or days."""
    hours = (end - begin).total_seconds() / 3600
    every = next((each for each in TICKS if hours / each <= MOST_MARKS), TICKS[-1])
    at = begin.replace(minute=0, second=0, microsecond=0, hour=0)
    found = []
    while at <= end:
        if at >= begin:
            found.append((at, f"{at:%H:%M}" if every < 24 else f"{at:%b} {at.day}"))
        at += timedelta(hours=every)
    return found


def _runs(points: Sequence[Point]) -> list[list[Point]]:
    """Return points in pieces without gaps: where hours are missing, there is no line."""
    runs = [[point] for point in points[:1]]
    for before, point in pairwise(points):
        if point.at - before.at > timedelta(hours=1):
            runs.append([])
        runs[-1].append(point)
    return runs


class Bar(msgspec.Struct, frozen=True):
    """A day: how many there were, and how many of them count."""

    day: date
    total: int = 0
    part: int = 0


def bars(title: str, days: Sequence[Bar]) -> Markup:
    """Return a bar for each day, the part of it that counts in another colour."""
    highest = min(max(each.total for each in days), MOST)
    step = max(1.0, _step(max(highest, 1.0), 1.0))
    top = step * math.ceil(highest / step)
    high, each_wide = HIGH - TOP - BOTTOM, (BARS_WIDE - LEFT - RIGHT) / len(days)
    parts = []
    for count in range(round(top / step) + 1):
        level = TOP + high * (1 - count * step / top)
        parts.append(
            Markup('<line x1="{0}" x2="{1}" y1="{2:.1f}" y2="{2:.1f}"/>').format(
                LEFT, BARS_WIDE - RIGHT, level
            )
        )
        parts.append(
            Markup('<text class="up" x="{}" y="{:.1f}">{}</text>').format(
                LEFT - 5, level + 4, LOAD.shown(count * step)
            )
        )
    for at, each in enumerate(days):
        x = LEFT + at * each_wide
        for kind, count in (("whole", each.total), ("part", min(each.part, each.total))):
            tall = high * min(count, MOST) / top
            if count > 0:
                bar = Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>')
                parts.append(bar.format(kind, x + 1, TOP + high - tall, each_wide - 2, tall))
        if at % max(1, len(days) // 7) == 0:
            label = f"{each.day:%b} {each.day.day}"
            parts.append(Markup('<text x="{:.1f}" y="{}">{}</text>').format(x, HIGH - 5, label))
    frame = Markup('<svg class="chart bars" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>')
    return frame.format(BARS_WIDE, HIGH, f"{title}; the table below has the figures", Markup("").join(parts))
