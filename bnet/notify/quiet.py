"""Quiet hours, and how many messages a channel gets."""

from datetime import datetime, time

from bnet.codec.crons import zone_of
from bnet.model.notices import Spent
from bnet.model.notify import Limits, Quiet


def is_quiet(quiet: Quiet | None, now: datetime) -> bool:
    """Tell whether it is quiet, by what the clocks of the zone show."""
    if quiet is None:
        return False
    shown = now.astimezone(zone_of(quiet.zone)).time()
    start, end = time.fromisoformat(quiet.start), time.fromisoformat(quiet.end)
    return start <= shown < end if start < end else shown >= start or shown < end


def has_room(spent: Spent | None, limits: Limits, now: datetime) -> bool:
    """Tell whether a channel may get another message, in this minute and this hour."""
    if spent is None:
        return True
    minute, hour = _counts(spent, now)
    return minute < limits.minute and hour < limits.hour


def spend(spent: Spent | None, now: datetime) -> Spent:
    """Count another message."""
    minute, hour = (0, 0) if spent is None else _counts(spent, now)
    at = int(now.timestamp())
    return Spent(minute=at // 60, in_minute=minute + 1, hour=at // 3600, in_hour=hour + 1)


def _counts(spent: Spent, now: datetime) -> tuple[int, int]:
    at = int(now.timestamp())
    return (
        spent.in_minute if spent.minute == at // 60 else 0,
        spent.in_hour if spent.hour == at // 3600 else 0,
    )
