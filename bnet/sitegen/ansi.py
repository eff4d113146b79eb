"""A log as lines of HTML: colours kept, everything else that a terminal would obey is spelt out or dropped."""

import re

from markupsafe import escape

from bnet.codec.sequences import SEQUENCE
from bnet.codec.shown import escaped

LONGEST = 4_000  # characters of a line that are shown
_GROUP = re.compile(r"(?:::group::|##\[group\])(.*)")
_ENDED = re.compile(r"(?:::endgroup::|##\[endgroup\])\s*")


class Pen:
    """What a terminal would write with at some place of a log."""

    def __init__(self) -> None:
        """Begin as a terminal does."""
        self.ink = ""
        self.ground = ""
        self.marks: set[str] = set()

    def reset(self) -> None:
        """Begin anew."""
        self.ink, self.ground, self.marks = "", "", set()

    @property
    def classes(self) -> str:
        """Return the classes of a span, "" if it takes none."""
        return " ".join(filter(None, [self.ink, self.ground, *sorted(self.marks)]))

    def obey(self, codes: str) -> None:
        """Take the numbers of a sequence."""
        numbers = [int(each[:4] or 0) for each in re.split("[;:]", codes)]
        at = 0
        while at < len(numbers):
            code = numbers[at]
            if code in (38, 48):
                at = self._large(numbers, at)
            else:
                self._take(code)
            at += 1

    def _take(self, code: int) -> None:
        if code == 0:
            self.reset()
        elif code in (1, 2, 3, 4, 7, 9):
            self.marks.add(f"m{code}")
        elif 22 <= code <= 29:
            self.marks -= {"m1", "m2"} if code == 22 else {f"m{code - 20}"}
        elif 30 <= code <= 37 or 90 <= code <= 97:
            self.ink = f"f{code % 10 + (8 if code >= 90 else 0)}"
        elif 40 <= code <= 47 or 100 <= code <= 107:
            self.ground = f"b{code % 10 + (8 if code >= 100 else 0)}"
        elif code == 39:
            self.ink = ""
        elif code == 49:
            self.ground = ""

    def _large(self, numbers: list[int], at: int) -> int:
        """Take a colour of 256 or of millions as the nearest of sixteen; return where its last number is."""
        kind = "f" if numbers[at] == 38 else "b"
        rest = numbers[at + 1 :]
        if len(rest) >= 2 and rest[0] == 5:
            colour, end = _nearest(_of_256(rest[1])) if rest[1] > 15 else rest[1], at + 2
        elif len(rest) >= 4 and rest[0] == 2:
            colour, end = _nearest((rest[1], rest[2], rest[3])), at + 4
        else:
            return len(numbers)
        if kind == "f":
            self.ink = f"f{colour}"
        else:
            self.ground = f"b{colour}"
        return end


def _of_256(number: int) -> tuple[int, int, int]:
    number = min(number, 255)
    if number >= 232:
        level = 8 + 10 * (number - 232)
        return level, level, level
    number -= 16
    red, green, blue = (
        0 if part == 0 else 55 + 40 * part for part in (number // 36, number // 6 % 6, number % 6)
    )
    return red, green, blue


def _nearest(colour: tuple[int, int, int]) -> int:
    strongest = max(colour)
    if strongest < 64:
        return 0
    bits = sum(1 << place for place, part in enumerate(colour) if part > strongest * 0.6)
    if bits == 7:
        return 15 if strongest > 200 else 7 if strongest > 140 else 8
    return bits + (8 if strongest > 200 else 0)


def title_of_group(line: str) -> str | None:
    """Return the title if a line opens a group, as CI services know it; None if it does not."""
    found = _GROUP.match(line)
    return None if found is None else escaped(SEQUENCE.sub("", found[1]).strip()[:200]) or "group"


def ends_group(line: str) -> bool:
    """Tell whether a line closes a group."""
    return _ENDED.fullmatch(line) is not None


def html_of(line: str, pen: Pen) -> str:
    """Return a line as HTML; a pen remembers from line to line what was left switched on."""
    line = line.removesuffix("\r")
    if "\r" in line:
        line = line[line.rindex("\r") + 1 :]  # what a terminal shows in the end: of a progress bar, its end
    cut = len(line) - LONGEST
    if cut > 0:
        line = line[:LONGEST]
    html = _coloured(line, pen) if "\x1b" in line else _spanned(line, pen)
    return html if cut <= 0 else f'{html}<i class="cut">… {cut:,} more characters</i>'


def _coloured(line: str, pen: Pen) -> str:
    parts, at = [], 0
    for found in SEQUENCE.finditer(line):
        parts.append(_spanned(line[at : found.start()], pen))
        if found[1] is not None:
            pen.obey(found[1])
        at = found.end()
    parts.append(_spanned(line[at:], pen))
    return "".join(parts)


def _spanned(text: str, pen: Pen) -> str:
    if not text:
        return ""
    safe = str(escape(text if text.isprintable() else escaped(text, keep="\t")))
    classes = pen.classes
    return f'<span class="{classes}">{safe}</span>' if classes else safe
