"""A report as PDF, by fpdf2, which `pip install 'bnet[pdf]'` brings along.

Its built-in fonts know the signs of Western Europe; others are spelt out, so that no font has to be found.
"""

from datetime import datetime
from typing import TYPE_CHECKING

from bnet.codec.shown import escaped
from bnet.errors import BnetError
from bnet.report.charts import COLOURS, Chart, bars
from bnet.report.parts import Document, Section, shown

if TYPE_CHECKING:
    from fpdf import FPDF

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
    page.set_title(_plain(told.title))
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
    page.set_font("Helvetica", size=8)
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
            table.row([_plain(each) for each in row])


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
    page.set_font("Helvetica", size=7)
    page.set_text_color(GREY)
    every = max(1, -(-len(chart.labels) // 6))
    for at in range(0, len(chart.labels), every):
        page.text(left + at * step, top + HIGH + 3.5, _plain(chart.labels[at]))
    page.set_y(top + HIGH + 6)


def _line(page: "FPDF", text: str, size: int, *, bold: bool = False, colour: str = BLACK) -> None:
    page.set_font("Helvetica", style="B" if bold else "", size=size)
    page.set_text_color(colour)
    page.multi_cell(0, size * 0.5, _plain(text), new_x="LMARGIN", new_y="NEXT", align="L")


def _plain(text: str) -> str:
    return escaped(text).encode("latin-1", "backslashreplace").decode("latin-1")
