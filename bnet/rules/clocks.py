"""Whether this machine's time of day can be believed, by what the others in the network say it is."""

from collections.abc import Mapping
from statistics import median

from bnet.model.base import Record

TOLERANCE_S = 300.0
FRESH_S = 3600.0  # an older comparison says nothing about now


class Skew(Record, frozen=True, kw_only=True):
    """How far another server's clock was ahead of ours, in seconds, and when on our boot clock that was seen."""

    ahead_s: float
    seen_at: float


def trusted(skews: Mapping[str, Skew], now: float) -> bool:
    """Tell whether the time of day may decide anything here.

    Args:
        skews: server -> comparison.
        now: seconds on this machine's boot-time clock.

    Nobody to compare with is no reason for doubt.
    """
    return abs(offset(skews, now)) <= TOLERANCE_S


def offset(skews: Mapping[str, Skew], now: float) -> float:
    """Return by how many seconds the others are ahead of us, as the median of fresh comparisons has it."""
    fresh = [each.ahead_s for each in skews.values() if now - each.seen_at <= FRESH_S]
    return median(fresh) if fresh else 0.0
