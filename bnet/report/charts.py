"""Pictures of a report: bars on top of each other, as SVG that needs no style sheet."""

from collections.abc import Sequence
from typing import Literal

import msgspec
from markupsafe import Markup

Tone = Literal["good", "bad", "plain"]
COLOURS: dict[Tone, str] = {"good": "#2e8555", "bad": "#c4314b", "plain": "#3b6fb6"}
GREY = "#8a8f98"
WIDE, HIGH, LEFT, TOP, UNDER = 720, 150, 36, 8, 18


class Row(msgspec.Struct, frozen=True):
    """What one colour of the bars stands for: its name, a figure for each bar, and how that is to be taken."""

    name: str
    values: Sequence[float]
    tone: Tone


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """Bars: a label for each, the rows that they are stacked of, and what a full one would be, if that is known."""

    title: str
    labels: Sequence[str]
    rows: Sequence[Row]
    most: float = 0.0

    @property
    def caption(self) -> str:
        """What it shows, readable without colours."""
        return f"{self.title}: {', above that '.join(row.name for row in self.rows)}"

    @property
    def top(self) -> float:
        """The figure at the top."""
        sums = [sum(values) for values in zip(*(row.values for row in self.rows), strict=True)]
        return max([self.most, *sums]) or 1.0


class Bar(msgspec.Struct, frozen=True):
    """A piece of a bar: which bar, where it begins and how high it is, as shares of the whole height."""

    at: int
    base: float
    height: float
    tone: Tone
    told: str


def bars(chart: Chart) -> list[Bar]:
    """Return the pieces of all bars."""
    found, top = [], chart.top
    for at, label in enumerate(chart.labels):
        base = 0.0
        for row in chart.rows:
            share = row.values[at] / top
            if share > 0:
                found.append(Bar(at, base, share, row.tone, f"{label}: {row.values[at]:g} {row.name}"))
            base += share
    return found


def svg(chart: Chart) -> Markup:
    """Return a picture; the table beside it says the same."""
    step = WIDE / max(1, len(chart.labels))
    parts = [
        Markup('<line x1="{0}" x2="{1}" y1="{2}" y2="{2}" stroke="{3}" stroke-opacity="{4}"/>').format(
            LEFT, LEFT + WIDE, TOP + HIGH * (1 - share), GREY, 0.7 if share == 0 else 0.25
        )
        for share in (0, 0.5, 1)
    ]
    text = Markup('<text x="{}" y="{}" font-size="11" fill="{}" text-anchor="{}">{}</text>')
    parts += [
        text.format(LEFT - 5, TOP + HIGH * (1 - share) + 4, GREY, "end", f"{chart.top * share:g}")
        for share in (0, 1)
    ]
    for each in bars(chart):
        piece = Markup(
            '<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" fill="{}"><title>{}</title></rect>'
        )
        y = TOP + HIGH * (1 - each.base - each.height)
        x, wide = LEFT + each.at * step + step * 0.12, step * 0.76
        parts.append(piece.format(x, y, wide, HIGH * each.height, COLOURS[each.tone], each.told))
    every = max(1, -(-len(chart.labels) // 6))
    for at in range(0, len(chart.labels), every):
        parts.append(
            text.format(round(LEFT + at * step, 1), TOP + HIGH + 14, GREY, "start", chart.labels[at])
        )
    frame = Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} {}" width="{}" role="img" aria-label="{}" '
        'font-family="sans-serif">{}</svg>'
    )
    told = f"{chart.caption}; the table beside it says the same"
    wide, high = LEFT + WIDE + 4, TOP + HIGH + UNDER
    return frame.format(wide, high, wide, told, Markup("").join(parts))
