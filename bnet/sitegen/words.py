"""Figures and times as a page shows them."""

from datetime import datetime

from markupsafe import Markup, escape

from bnet.codec.shown import escaped

# A sign beside the word, for those who do not see its colour.
SIGNS = {
    "success": "✓",
    "failure": "✕",
    "error": "!",
    "timeout": "◔",
    "cancelled": "–",
    "skipped": "»",
    "running": "▸",
    "pending": "○",
    "waiting": "○",
    "active": "✓",
    "paused": "‖",
    "draining": "↓",
    "silent": "!",
}


def span(seconds: float | None) -> str:
    """Return a span of time in the two units that fit."""
    if seconds is None:
        return ""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    for unit, size, less, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if round(seconds) >= size:
            whole, rest = divmod(round(seconds), size)
            return f"{whole} {unit} {rest // part} {less}" if rest // part else f"{whole} {unit}"
    return f"{seconds:.0f} s"


def size(count: float | None) -> str:
    """Return a number of bytes in the unit that fits."""
    if count is None:
        return ""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{count:.0f} {unit}" if count >= 99.5 or unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:,.1f} TB"


def when(moment: datetime | None) -> Markup:
    """Return a time, which a reader's browser may tell as an age."""
    if moment is None:
        return Markup()
    # Safe: nothing but digits and signs of its own is in a time.
    return Markup(f'<time datetime="{moment:%Y-%m-%dT%H:%M:%SZ}">{moment:%Y-%m-%d %H:%M:%S}</time>')


def badge(kind: str, word: str = "") -> Markup:
    """Return a state as a sign, a word and a colour; none of them is needed to understand the others."""
    # Put together from escaped pieces: there are thousands of them, and Markup.format is ten times slower.
    sign, shown = SIGNS.get(kind, "·"), escape(visible(word or kind))
    return Markup(f'<span class="st st-{escape(kind)}"><i aria-hidden="true">{sign}</i>{shown}</span>')


def lines(text: str) -> Markup:
    """Return a text of several lines, to stand in a `<pre>`."""
    return escape(escaped(text, keep="\n\t"))


def said(text: str) -> Markup:
    """Return a sentence, what stands between backticks in it as code."""
    pieces = [escape(escaped(each)) for each in text.split("`")]
    if len(pieces) % 2 == 0:
        return escape(escaped(text))
    marked = [Markup("<code>{}</code>").format(each) if at % 2 else each for at, each in enumerate(pieces)]
    return Markup("").join(marked)


def visible(value: object) -> object:
    """Return what is put into a page; of a text, control characters and signs of direction are spelt out."""
    if type(value) is str and not value.isprintable():
        return escaped(value)
    return value


def clipped(text: str | None, most: int) -> str:
    """Return the beginning of a text, of as many characters as there is room for."""
    text = text or ""
    return text if len(text) <= most else text[: most - 1] + "…"


def plural(number: int, thing: str, things: str = "") -> str:
    """Return how many there are."""
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"
