"""What differs in two pieces of text or of binary data, in a few lines."""

import difflib
import re
import struct

LONGEST_LINE = 160  # characters that are shown of a line
MOST_LINES = 400  # of each text, between which changes are looked for
SHOWN = 8  # lines of a difference
_TIME = re.compile(
    r"(19|20)[0-9]{2}-?[01][0-9]-?[0-3][0-9]|[0-2][0-9]:[0-5][0-9]:[0-5][0-9]|\b1[0-9]{9}(\.[0-9]+|([0-9]{3}){0,3})\b"
)
_ELF_NOTE = b"GNU\0"


def as_text(data: bytes) -> list[str] | None:
    """Return the lines of a text; None for anything else."""
    if b"\0" in data:
        return None
    try:
        return data.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        return None


def difference(one: list[str], other: list[str]) -> list[str]:
    """Return a few lines of what differs, each with a `-` of the one or a `+` of the other before it."""
    begin = 0
    while begin < min(len(one), len(other)) and one[begin] == other[begin]:
        begin += 1
    end = 0
    while end < min(len(one), len(other)) - begin and one[-1 - end] == other[-1 - end]:
        end += 1
    ours, theirs = one[begin : len(one) - end], other[begin : len(other) - end]
    if len(ours) > MOST_LINES or len(theirs) > MOST_LINES:
        found = [f"-{each}" for each in ours[:2]] + [f"+{each}" for each in theirs[:2]]
    else:
        found = [
            each
            for each in difflib.unified_diff(ours, theirs, n=0, lineterm="")
            if not each.startswith(("---", "+++", "@@"))
        ]
    if not found:
        return ["the ends of lines differ"]
    shown = [_cut(each) for each in found[:SHOWN]]
    return shown + ([f"... and {len(found) - SHOWN} lines more"] if len(found) > SHOWN else [])


def looks_like_time(lines: list[str]) -> bool:
    """Tell whether what differs is a time: both sides have one, and without them they are the same."""
    ours, theirs = ([each[1:] for each in lines if each[:1] == sign] for sign in "-+")
    if not ours or len(ours) != len(theirs):
        return False
    pairs = list(zip(ours, theirs, strict=True))
    return all(_TIME.search(a) and _TIME.sub("#", a) == _TIME.sub("#", b) for a, b in pairs)


def _cut(line: str) -> str:
    return line if len(line) <= LONGEST_LINE else line[: LONGEST_LINE - 3] + "..."


def first_difference(one: bytes, other: bytes) -> str:
    """Say from where on two pieces of binary data differ."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    ours, theirs = (each[low : low + 8].hex(" ") or "its end" for each in (one, other))
    return f"from byte {low:,} on: {ours} and {theirs}"


def build_id(data: bytes) -> str:
    """Return the build id that a linker noted in an ELF file; "" if there is none."""
    if not data.startswith(b"\x7fELF"):
        return ""
    big = data[5:6] == b"\x02"
    at = data.find(_ELF_NOTE)
    while at >= 12:
        name, size, kind = struct.unpack(">III" if big else "<III", data[at - 12 : at])
        if (name, kind) == (4, 3) and 4 <= size <= 64:
            return data[at + 4 : at + 4 + size].hex()
        at = data.find(_ELF_NOTE, at + 1)
    return ""
