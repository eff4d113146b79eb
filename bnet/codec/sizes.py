"""Sizes as people write them: `5GB`, `500 MB`, `1.5GiB`, or bytes."""

import re

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?", re.IGNORECASE)
_UNITS = "kmgt"
LONGEST_TEXT = 100  # characters: a float holds no number of 400 digits


def parse_size(text: str) -> int:
    """Return bytes; `GB` counts thousands, `GiB` 1,024s.

    Raises:
        ValueError: the text is no size, with what would be right.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None or (found[3] and not found[2]) or len(text) > LONGEST_TEXT:
        raise ValueError(
            f"{text[:LONGEST_TEXT]!r} is no size; write bytes or for instance 500MB, 5GB, 1.5GiB"
        )
    power = 1 + _UNITS.index(found[2].lower()) if found[2] else 0
    return int(float(found[1]) * (1024 if found[3] else 1000) ** power)


def size_text(size: float) -> str:
    """Return a size in the unit that fits."""
    units = ["bytes", "kB", "MB", "GB", "TB"]
    while size >= 999.5 and len(units) > 1:
        size, units = size / 1000, units[1:]
    return f"{size:.0f} {units[0]}" if units[0] == "bytes" or size >= 99.5 else f"{size:.1f} {units[0]}"
