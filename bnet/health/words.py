"""How verdicts say spans of time, sizes and lists."""

from collections.abc import Sequence

MOST_NAMED = 6


def span(seconds: float) -> str:
    """Return a span of time as people say it, in its two largest units."""
    whole = int(seconds)
    for size, unit, less, lesser in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // less
            return f"{whole // size} {unit}" + (f" {rest} {lesser}" if rest else "")
    return f"{whole} s"


def numbers(jobs: Sequence[int]) -> str:
    """Return jobs by their numbers, the first few of many."""
    told = " ".join(f"#{number}" for number in jobs[:MOST_NAMED])
    return f"{told} and {len(jobs) - MOST_NAMED} more" if len(jobs) > MOST_NAMED else told


def amount(size: float) -> str:
    """Return bytes as people say them."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"
