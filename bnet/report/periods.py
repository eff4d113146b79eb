"""The stretches of time that a report compares: each begins where the clocks showed the same as at its end."""

import calendar
import re
from datetime import UTC, datetime, timedelta

from bnet.codec.crons import zone_of
from bnet.codec.moments import parse_moment
from bnet.rules.wallclock import first_of

WALL = re.compile(r"\d{4}-\d{2}-\d{2}([T ][0-9:.]+)?", re.ASCII)  # of what is a point in time at all
EARLIER = 4  # periods before, for what is usual
EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)


def edges(end: datetime, period: str, span: float | None, timezone: str) -> tuple[datetime, ...]:
    """Return where the periods begin, the oldest first, and the end of the last one.

    Args:
        end: of the newest.
        period: `day`, `week` or `month`, if `span` is None.
        span: its length in seconds.
        timezone: whose days count: one of them may have 23 hours, or 25.
    """
    found = [_back(end, period, span, timezone, count) for count in range(EARLIER + 1, 0, -1)]
    return (*(max(EARLIEST, each) for each in found), end)


def _back(end: datetime, period: str, span: float | None, timezone: str, count: int) -> datetime:
    try:
        if span is not None:
            return end - timedelta(seconds=span * count)
        wall = end.astimezone(zone_of(timezone)).replace(tzinfo=None, fold=0)
        if period == "month":
            months = wall.year * 12 + wall.month - 1 - count
            year, month = divmod(months, 12)
            day = min(wall.day, calendar.monthrange(year, month + 1)[1])
            wall = wall.replace(year=year, month=month + 1, day=day)
        else:
            wall -= timedelta(days=count * (7 if period == "week" else 1))
        return first_of(wall, timezone)
    except (OverflowError, ValueError):
        return EARLIEST


def moment_in(text: str, now: datetime, timezone: str, *, end: bool) -> datetime:
    """Return the point in time that people mean; of a day, its beginning or its end.

    What names no zone is by the clocks of the report's.

    Raises:
        ValueError: the text says something else, with what would be right.
    """
    found = parse_moment(text, now)
    if not WALL.fullmatch(text.strip()):
        return found
    wall = found.replace(tzinfo=None)
    whole_day = len(text.strip()) == 10
    try:
        return first_of(wall + timedelta(days=1) if end and whole_day else wall, timezone)
    except OverflowError:
        return found
