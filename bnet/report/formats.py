"""A report in each of its formats, and as something to be sent."""

import msgspec

from bnet.codec.documents import encode
from bnet.model.report import Figures, ReportFormat
from bnet.ports.outside import Attachment
from bnet.report.document import document, lead
from bnet.report.html import html
from bnet.report.pdf import pdf
from bnet.report.texts import csv_text, markdown

ENDINGS: dict[ReportFormat, tuple[str, str]] = {
    "html": ("html", "text/html"),
    "markdown": ("md", "text/markdown"),
    "csv": ("csv", "text/csv"),
    "json": ("json", "application/json"),
    "pdf": ("pdf", "application/pdf"),
}


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """A report as it is sent: a title, a body in Markdown, and the files with it."""

    title: str
    body: str
    attachments: tuple[Attachment, ...]


def rendered(figures: Figures, form: ReportFormat) -> bytes:
    """Return a report in a format.

    Raises:
        NoPdf: it is to be PDF, and what makes that is not installed.
    """
    if form == "json":
        return encode(figures)
    told = document(figures)
    if form == "pdf":
        return pdf(told, figures.made_at)
    make = {"html": html, "markdown": markdown, "csv": csv_text}[form]
    return make(told).encode()


def parcel(figures: Figures, forms: tuple[ReportFormat, ...]) -> Parcel:
    """Return a report as it is sent.

    Raises:
        NoPdf: as above.
    """
    told = document(figures)
    stem = f"{figures.name}-{figures.now.end:%Y-%m-%d}"
    attachments = tuple(
        Attachment(name=f"{stem}.{ENDINGS[form][0]}", kind=ENDINGS[form][1], data=rendered(figures, form))
        for form in forms
    )
    title = f"{told.title}, {told.period}"
    return Parcel(title=title, body="\n\n".join(lead(figures)), attachments=attachments)
