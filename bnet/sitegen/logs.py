"""A run's log, divided into pieces that a page has room for."""

from collections.abc import Mapping, Sequence

import msgspec

from bnet.app.server.telemetry import join_chunks
from bnet.app.told.telemetry import Chunk
from bnet.sitegen import ansi

INLINE = 120_000  # bytes of HTML that a job's own page has room for
SHEET = 200_000  # and a page that holds nothing else
MOST = 1_000_000  # bytes of a log that are shown, four times what bnet keeps of one: anybody may have put more there


class Line(msgspec.Struct, frozen=True):
    """One line: its number, its HTML; of a group's first line, its title; of one that ends a group, that it does."""

    number: int
    html: str
    title: str | None = None
    ends: bool = False


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a log: its HTML, the numbers of its first and last line."""

    html: str
    first: int
    last: int


def text_of(chunks: Sequence[Chunk], contents: Mapping[str, bytes]) -> list[tuple[int, str]]:
    """Return a log as texts, each with the count of bytes that were not kept before it."""
    found: list[tuple[int, bytearray]] = []
    # One that is too large to be read was not put there by bnet: nothing of it is shown.
    there = {chunk.offset: contents[chunk.blob] for chunk in chunks if chunk.blob in contents}
    for cut, data in _newest(join_chunks(there)):
        if cut or not found:
            found.append((cut, bytearray()))
        found[-1][1].extend(data)
    return [(cut, data.decode("utf-8", "backslashreplace")) for cut, data in found]


def _newest(pieces: Sequence[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Return the last pieces of a log that there is room for."""
    over = sum(len(data) for _, data in pieces) - MOST
    kept, cut = [], 0
    for before, data in pieces:
        dropped = max(0, min(over, len(data)))
        over -= dropped
        cut += before + dropped
        if dropped < len(data):
            kept.append((cut, data[dropped:]))
            cut = 0
    return kept


def lines_of(texts: Sequence[tuple[int, str]]) -> list[Line]:
    """Return the lines of a log; where something was not kept, a line says how much."""
    found: list[Line] = []
    pen = ansi.Pen()
    for cut, text in texts:
        if cut:
            said = f'<i class="cut">… {cut:,} bytes were not kept …</i>'
            found.append(Line(len(found) + 1, said))
        for line in text.removesuffix("\n").split("\n") if text else ():
            title = ansi.title_of_group(line) if line[:1] in ":#" else None
            ends = title is None and line[:1] in ":#" and ansi.ends_group(line)
            html = "" if title is not None or ends else ansi.html_of(line, pen)
            found.append(Line(len(found) + 1, html, title, ends))
    return found


def sheets_of(lines: Sequence[Line], most: int = SHEET) -> list[Sheet]:
    """Divide lines so that no sheet is larger than some bytes, or than one line."""
    starts, size = [0], 0
    for at, line in enumerate(lines):
        more = 64 + len(line.html.encode()) + len((line.title or "").encode())
        if size + more > most and at > starts[-1]:
            starts.append(at)
            size = 0
        size += more
    ends = [*starts[1:], len(lines)]
    return [_sheet(lines[start:end]) for start, end in zip(starts, ends, strict=True) if end > start]


def tail(lines: Sequence[Line], most: int) -> Sequence[Line]:
    """Return as many of the last lines as there is room for, but one at least."""
    size, at = 0, len(lines)
    while at > 0 and (size := size + 64 + len(lines[at - 1].html.encode())) <= most:
        at -= 1
    return lines[min(at, len(lines) - 1) :]


def _sheet(lines: Sequence[Line]) -> Sheet:
    parts, is_open = [], False
    for line in lines:
        if line.title is not None or line.ends:
            parts.append("</details>" if is_open else "")
            is_open = line.title is not None
        if line.title is not None:
            title = ansi.html_of(line.title, ansi.Pen())
            parts.append(f'<details open><summary id="L{line.number}">{title}</summary>')
        elif not line.ends:
            at = line.number
            parts.append(f'<div id="L{at}"><a href="#L{at}">{at}</a>{line.html}</div>')
    parts.append("</details>" if is_open else "")
    return Sheet(html="".join(parts), first=lines[0].number, last=lines[-1].number)
