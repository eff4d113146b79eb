"""Whether this machine's time of day can be believed, by what the others in the network say it is."""

from collections.abc import Mapping
from datetime import datetime

from bnet.model.base import Record

TOLERANCE_S = 300.0
FRESH_S = 3600.0  # an older comparison says nothing about now


class Skew(Record, frozen=True, kw_only=True):
    """How far another server's clock was ahead of ours.

    Attributes:
        ahead_s: in seconds.
        seen_at: when that was, on our boot clock.
        zero_s: what our time of day then said of the moment of our boot (`zero`).
    """

    ahead_s: float
    seen_at: float
    zero_s: float


def zero(now: datetime, boot: float) -> float:
    """Return when this machine was booted, by its time of day: it moves whenever somebody sets that.

    Args:
        now: the time of day.
        boot: seconds since the boot.
    """
    return now.timestamp() - boot


def trusted(skews: Mapping[str, Skew], now: datetime, boot: float) -> bool:
    """Tell whether the time of day may decide anything here.

    Args:
        skews: server -> comparison.
        now: the time of day in question.
        boot: seconds on this machine's boot-time clock.

    Nobody to compare with is no reason for doubt.
    """
    return abs(offset(skews, now, boot)) <= TOLERANCE_S


def offset(skews: Mapping[str, Skew], now: datetime, boot: float) -> float:
    """Return by how many seconds the others are ahead of us, as the median of fresh comparisons has it.

    What our own clock was moved by since a comparison counts.
    """
    moved = zero(now, boot)
    fresh = [each.ahead_s + each.zero_s - moved for each in skews.values() if boot - each.seen_at <= FRESH_S]
    from statistics import median  # 2 ms, with fractions and decimals

    return median(fresh) if fresh else 0.0
