"""An index of all jobs in pieces, which a browser loads one after another when somebody searches."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from bnet.model.history import Past
from bnet.sitegen.facts import Facts
from bnet.sitegen.page import Part
from bnet.sitegen.rows import job_path, row_of
from bnet.sitegen.theme import Theme
from bnet.sitegen.words import clipped, visible

PATH = "jobs/search.html"
PIECE = 400  # numbers of jobs: with the longest texts, 200 kB
LONGEST = 60  # characters of a text


def piece_path(at: int) -> str:
    """Return where a piece is."""
    return f"jobs/search/{at}.js"


def parts(facts: Facts, theme: Theme) -> Iterator[Part]:
    """Yield the page that searches, and the pieces."""
    pieces: dict[int, list[Past]] = {}
    for past in facts.past:
        pieces.setdefault(past.number // PIECE, []).append(past)
    blocks = sorted(pieces, reverse=True)
    shown = {"blocks": blocks, "total": len(facts.past), "here": "jobs/index.html"}
    yield theme.part(PATH, "search.html", facts, **shown)
    for at, found in pieces.items():
        yield _piece(at, sorted(found, key=lambda past: -past.number))


def _piece(at: int, jobs: Sequence[Past]) -> Part:
    # What is archived does not change any more, and its file's id stands for it.
    told = [(past.key, past.blob) if past.blob else msgspec.structs.astuple(past) for past in jobs]
    digest = hashlib.blake2b(repr(told).encode("utf-8", "replace"), digest_size=12).hexdigest()

    def render(_: Mapping[str, bytes]) -> Mapping[str, str]:
        rows = msgspec.json.encode([_row(past) for past in jobs]).decode()
        # A script, not JSON: from a disk, a page may load nothing else.
        return {piece_path(at): f"window.bnetFound({at}, {rows});\n"}

    return Part(name=piece_path(at), render=render, key=f"1:{digest}")


def _row(past: Past) -> list[object]:
    row = row_of(past)
    at = "" if row.at is None else f"{row.at:%Y-%m-%dT%H:%M:%SZ}"
    texts = (row.name, row.kind, row.why, row.server, row.took, at, row.by, past.branch, past.revision[:10])
    return [row.number, job_path(row.number), *(visible(clipped(each, LONGEST)) for each in texts)]
