"""Points in time as people write them."""

import re
from datetime import UTC, datetime, timedelta

from bnet.codec.durations import parse_duration

RIGHT = "write for instance 2026-11-20, 2026-11-20T18:30:00Z, or how long ago: 90m, 2d, 1w"
_SHORT = re.compile(
    r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?)?(Z|[+-]\d{2}:?\d{2})?", re.ASCII
)


def parse_moment(text: str, now: datetime, *, end: bool = False) -> datetime:
    """Return the point in time that a text means; UTC, where it names no zone.

    Args:
        text: RFC 3339, a part of it from the left down to the day, or a span of time ago.
        now: what spans are counted from.
        end: whether of a day the end is meant, and not the beginning.

    Raises:
        ValueError: the text says something else, with what would be right.
    """
    bare = text.strip().replace("z", "Z")
    try:
        if _SHORT.fullmatch(bare):
            moment = datetime.fromisoformat(bare)
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
            return moment + timedelta(days=1, microseconds=-1) if end and len(bare) == 10 else moment
        return now - timedelta(seconds=parse_duration(text))
    except (ValueError, OverflowError):
        shown = text if len(text) <= 40 else f"{text[:40]}..."
        raise ValueError(f"{shown!r} is no time; {RIGHT}") from None
