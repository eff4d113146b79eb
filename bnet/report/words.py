"""How reports say figures."""

from datetime import datetime

from bnet.codec.crons import zone_of


def span(seconds: float) -> str:
    """Return a span of time in its two largest units."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, unit, less, lesser in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // less
            return f"{whole // size} {unit}" + (f" {rest} {lesser}" if rest else "")
    return f"{whole} s"


def percent(share: float) -> str:
    """Return a share of 1 in percent; what is not quite all, or not quite nothing, is not said to be."""
    shown = f"{share * 100:.0f}"
    if (shown == "100" and share < 1) or (shown == "0" and share > 0):
        shown = f"{share * 100:.1f}" if 0.0005 <= share <= 0.9994 else "99.9" if share > 0.5 else "0.1"
    return f"{shown} %"


def plural(count: int, thing: str) -> str:
    """Return how many there are."""
    return f"{count:,} {thing}" + ("" if count == 1 else "s")


def local(at: datetime, timezone: str) -> str:
    """Return a time as the clocks of a zone show it."""
    return f"{at.astimezone(zone_of(timezone)):%Y-%m-%d %H:%M}"
