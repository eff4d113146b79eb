"""Spans of time as people write them."""

import re

LONGEST = 10 * 365 * 86400.0
LONGEST_TEXT = 100  # characters: a search for parts takes time with the square of them
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")


def parse_duration(text: float | str) -> float:
    """Return seconds from a number or from text such as `90`, `10m` or `1h30m`.

    Raises:
        ValueError: the text says something else, with what would be right.
    """
    if not isinstance(text, str):
        if not 0 <= text <= LONGEST:
            raise ValueError(f"must be between 0 and {LONGEST:.0f} seconds, not {text}")
        return float(text)
    bare = text.strip().lower()
    if re.fullmatch(r"\d+(\.\d+)?", bare):
        return parse_duration(float(bare))
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"{text[:20]!r}... is no span of time: it is {len(text):,} characters long")
    parts = _PART.findall(bare)
    if not parts or _PART.sub("", bare).strip():
        raise ValueError(f"{text!r} is no span of time; write seconds or for instance 90s, 10m, 1h30m, 2d")
    return parse_duration(sum(float(number) * _UNITS[unit] for number, unit in parts))
