"""A report as PDF, by fpdf2, which `pip install 'bnet[pdf]'` brings along.

Its built-in fonts know the signs of Western Europe. For a report with others, fpdf2 puts a font that many machines
have into it; what that does not know, or where there is none, is spelt out.
"""

from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

from bnet.codec.shown import escaped
from bnet.errors import BnetError
from bnet.report.charts import COLOURS, Chart, bars
from bnet.report.parts import Document, Section, shown

if TYPE_CHECKING:
    from fpdf import FPDF

FONTS = (
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",  # Debian
    "/usr/share/fonts/dejavu-sans-fonts/DejaVuSans.ttf",  # Fedora
    "/usr/share/fonts/TTF/DejaVuSans.ttf",  # Arch
    "/usr/share/fonts/dejavu/DejaVuSans.ttf",  # Alpine
    "/Library/Fonts/Arial Unicode.ttf",  # macOS, Chinese and Japanese too
    "/System/Library/Fonts/Supplemental/Arial Unicode.ttf",
    "C:/Windows/Fonts/arial.ttf",
)
BUILT_IN, FOUND = "Helvetica", "found"
GREY, BLACK = "#5a616b", "#1d2127"
HIGH = 32.0  # millimetres of a chart


class NoPdf(BnetError):
    """What makes PDF is not installed."""


def pdf(told: Document, made_at: datetime) -> bytes:
    """Return a report as PDF.

    Raises:
        NoPdf: fpdf2 is not installed.
    """
    try:
        from fpdf import FPDF
    except ImportError:
        raise NoPdf(
            "PDF needs fpdf2, which is not installed here",
            hint="pip install 'bnet[pdf]'; or --format html, which every browser prints",
        ) from None
    page = FPDF(format="A4")
    page.set_creation_date(made_at)
    _find_font(page, told)
    page.set_title(_spelt(page, told.title))
    page.set_auto_page_break(True, margin=16)
    page.set_draw_color(GREY)
    page.set_line_width(0.1)
    page.add_page()
    _line(page, told.title, 17, bold=True)
    _line(page, told.period, 10, colour=GREY)
    page.ln(2)
    for each in told.lead:
        _line(page, each, 11)
    for section in told.sections:
        _section(page, section)
    page.ln(5)
    _line(page, told.foot, 8, colour=GREY)
    return bytes(page.output())


def _find_font(page: "FPDF", told: Document) -> None:
    """Add a font of this machine, if a report has signs that the built-in ones lack."""
    if max(told.title + told.foot) < "\u0100":  # all else in it is names, zones and figures
        return
    for name in FONTS:
        with suppress(OSError):
            for style in ("", "B"):
                page.add_font(FOUND, style, name)
            return


def _section(page: "FPDF", section: Section) -> None:
    page.ln(5)
    if page.will_page_break(30):
        page.add_page()
    _line(page, section.title, 13, bold=True)
    for each in section.texts:
        _line(page, each, 9, colour=GREY)
    if section.chart is not None:
        _chart(page, section.chart)
    if not section.rows:
        _line(page, section.nothing, 9, colour=GREY)
        return
    page.ln(1)
    page.set_font(_font(page), size=8)
    page.set_text_color(BLACK)
    rows = [[each.head for each in section.columns]]
    rows += [
        [shown(value, column.unit) for value, column in zip(row, section.columns, strict=True)]
        for row in section.rows
    ]
    # A column is as wide as what stands in it, within reason; a long text goes on in the next line.
    wide = [max(min(len(row[at]), 34) for row in rows) + 2 for at in range(len(section.columns))]
    align = tuple("LEFT" if each.unit == "text" else "RIGHT" for each in section.columns)
    with page.table(
        col_widths=tuple(wide),
        text_align=align,
        borders_layout="HORIZONTAL_LINES",
        line_height=4.5,
        width=min(page.epw, sum(wide) * 2.1),
        align="LEFT",
    ) as table:
        for row in rows:
            table.row([_spelt(page, each) for each in row])


def _chart(page: "FPDF", chart: Chart) -> None:
    if page.will_page_break(HIGH + 12):
        page.add_page()
    _line(page, f"{chart.caption} (to {chart.top:g})", 8, colour=GREY)
    left, top = page.get_x(), page.get_y() + 1
    step = page.epw / max(1, len(chart.labels))
    page.line(left, top + HIGH, left + page.epw, top + HIGH)
    with page.local_context():  # or the tables that follow would be filled with the last colour
        for each in bars(chart):
            page.set_fill_color(COLOURS[each.tone])
            y = top + HIGH * (1 - each.base - each.height)
            page.rect(left + (each.at + 0.12) * step, y, 0.76 * step, HIGH * each.height, style="F")
    page.set_font(_font(page), size=7)
    page.set_text_color(GREY)
    every = max(1, -(-len(chart.labels) // 6))
    for at in range(0, len(chart.labels), every):
        page.text(left + at * step, top + HIGH + 3.5, _spelt(page, chart.labels[at]))
    page.set_y(top + HIGH + 6)


def _line(page: "FPDF", text: str, size: int, *, bold: bool = False, colour: str = BLACK) -> None:
    page.set_font(_font(page), style="B" if bold else "", size=size)
    page.set_text_color(colour)
    page.multi_cell(0, size * 0.5, _spelt(page, text), new_x="LMARGIN", new_y="NEXT", align="L")


def _font(page: "FPDF") -> str:
    return FOUND if FOUND in page.fonts else BUILT_IN


def _spelt(page: "FPDF", text: str) -> str:
    """Return a text as the font of a page can write it."""
    known = getattr(page.fonts.get(FOUND), "cmap", range(256))
    return "".join(
        sign if ord(sign) in known else sign.encode("unicode_escape").decode() for sign in escaped(text)
    )
