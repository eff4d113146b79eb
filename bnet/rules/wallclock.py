"""When a schedule comes: from times on a wall clock to moments, whatever the clocks do there.

An expression that names hours of the day comes once for each time on the wall: a time that the clocks leave out
comes right after the gap, once for all that was left out, and of a time that they show twice the first one counts.
One whose hour is `*` means time that passes: it comes whenever the clock shows such a minute, so both times where
one is shown twice, and never for minutes that are left out (docs/adr/0017-wall-clock.md).
"""

import bisect
import functools
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

from bnet.codec.crons import zone_of
from bnet.model.schedule import Times

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
HALF_MINUTE = timedelta(seconds=30)


def moments(times: Times, timezone: str, after: datetime) -> Iterator[datetime]:
    """Yield the moments at which a schedule comes, in order, each once, from after a moment on.

    Args:
        times: the expression.
        timezone: whose clocks count.
        after: excluded.
    """
    turning: list[date] = []
    for day in _days(times.days, after.astimezone(zone_of(timezone)).date() - DAY):
        offset = _offset(timezone, day)
        if offset is None and (not turning or day - turning[-1] == DAY):
            turning.append(day)
            continue
        if turning:
            yield from _later(_turned(times, timezone, tuple(turning)), after)
            turning = []
        if offset is None:
            turning = [day]
        else:
            yield from _steady(times, day, offset, after)
    if turning:
        yield from _later(_turned(times, timezone, tuple(turning)), after)


def comes_at(times: Times, timezone: str, moment: datetime) -> bool:
    """Tell whether a schedule comes exactly at a moment."""
    return next(moments(times, timezone, moment - HALF_MINUTE), None) == moment


def on_the_wall(moment: datetime, timezone: str) -> str:
    """Return what the clocks show at a moment, as in `2026-10-25T02:30`; `/2` follows the second time."""
    local = moment.astimezone(zone_of(timezone))
    spec = "seconds" if local.second else "minutes"
    return local.replace(tzinfo=None, fold=0).isoformat(timespec=spec) + ("/2" if local.fold else "")


def shown_at(wall: str, timezone: str) -> datetime | None:
    """Return the moment that `on_the_wall` has told of; None if it never has."""
    plain, second, _ = wall.partition("/2")
    try:
        local = datetime.fromisoformat(plain).replace(tzinfo=zone_of(timezone), fold=1 if second else 0)
        moment = local.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if on_the_wall(moment, timezone) == wall else None


# -- days without a change of the clocks


def _steady(times: Times, day: date, offset: timedelta, after: datetime) -> Iterator[datetime]:
    midnight = datetime.combine(day, time(), UTC) - offset
    past = after - midnight
    first = 0 if past < timedelta(0) else int(past / MINUTE) // 60
    for hour in times.hours[bisect.bisect_left(times.hours, first) :]:
        for minute in times.minutes:
            moment = midnight + timedelta(hours=hour, minutes=minute)
            if moment > after:
                yield moment


@functools.lru_cache(maxsize=8192)
def _offset(timezone: str, day: date) -> timedelta | None:
    """Return a zone's offset from UTC on a day; None if it changes then, on the day before, or on the one after."""
    zone = zone_of(timezone)
    noon = datetime.combine(day, time(12), UTC)
    # Changes lie months apart but for Ramadan's, which lie weeks apart: the two ends tell of the time between.
    first, last = ((noon + away).astimezone(zone).utcoffset() for away in (-2.5 * DAY, 2.5 * DAY))
    return first if first == last else None


# -- days around a change


@functools.lru_cache(maxsize=512)
def _turned(times: Times, timezone: str, days: tuple[date, ...]) -> tuple[datetime, ...]:
    found = set()
    for day in days:
        for hour in times.hours:
            for minute in times.minutes:
                wall = datetime.combine(day, time(hour, minute))
                found.update(_every(wall, timezone) if times.by_interval else [first_of(wall, timezone)])
    return tuple(sorted(found))


def _later(found: tuple[datetime, ...], after: datetime) -> tuple[datetime, ...]:
    return found[bisect.bisect_right(found, after) :]


def _every(wall: datetime, timezone: str) -> list[datetime]:
    """Return the moments at which the clocks show a time: one, two, or none."""
    zone = zone_of(timezone)
    found = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return [each for each in found if each.astimezone(zone).replace(tzinfo=None, fold=0) == wall]


def first_of(wall: datetime, timezone: str) -> datetime:
    """Return the first moment at which the clocks show a time; the end of the gap for one that they leave out."""
    shown = _every(wall, timezone)
    return min(shown) if shown else _after_gap(wall, timezone)


def _after_gap(wall: datetime, timezone: str) -> datetime:
    zone = zone_of(timezone)
    # In a gap, the offset from after it gives a moment before the change, and the one from before it a moment after.
    early, late = sorted(wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    before = early.astimezone(zone).utcoffset()
    while late - early > timedelta(seconds=1):
        middle = (early + (late - early) / 2).replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == before:
            early = middle
        else:
            late = middle
    return late


# -- which days


def _days(days: str, start: date) -> Iterator[date]:
    """Yield the days that an expression means, from one on, until the calendar ends."""
    each: date | None = start
    while each is not None:
        if days == "* * *":
            yield each
            each = _next(each)
        else:
            each = _matching(days, each)
            if each is not None:
                yield each
                each = _next(each)


def _next(day: date) -> date | None:
    return day + DAY if day.year < LAST_YEAR else None


LAST_YEAR = 9000


@functools.lru_cache(maxsize=65536)
def _matching(days: str, start: date) -> date | None:
    from croniter import CroniterError, croniter

    eve = datetime.combine(start, time()) - timedelta(seconds=1)
    try:
        found = croniter(f"0 0 {days}", eve).get_next(datetime)
    except (CroniterError, OverflowError):
        return None
    assert isinstance(found, datetime)
    return found.date()
