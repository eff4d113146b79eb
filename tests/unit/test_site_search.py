"""The index of all jobs that a browser loads in pieces."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

from msgspec.structs import replace

from bnet import scaffold
from bnet.model.hub import FORMAT, Head
from bnet.model.job import Job, JobSpec
from bnet.model.state import State
from bnet.rules.past import past_of
from bnet.sitegen.facts import Facts
from bnet.sitegen.page import LIMIT
from bnet.sitegen.search import PIECE, parts, piece_path
from bnet.wiring.site import theme_of

AT = datetime(2026, 11, 20, tzinfo=UTC)
EVIL = "</script>\u2028\x1b&" * 40
THEME = theme_of(Path(scaffold.root()) / "site")
ONE = past_of(Job(spec=JobSpec(number=1, name="n" * 64, submitted_by=EVIL, submitted_at=AT)))


def facts(*numbers: int, **more: object) -> Facts:
    past = [replace(ONE, number=number, **more) for number in numbers]
    return Facts(state=State(tip="t", head=Head(format=FORMAT, hub="h")), hub="h", now=AT, past=past)


def made(of: Facts) -> dict[str, str]:
    return {path: text for part in parts(of, THEME) for path, text in part.render({}).items()}


def test_jobs_are_in_pieces_of_their_numbers_whatever_an_adopted_hub_made_of_these() -> None:
    files = made(facts(1, PIECE, 1_000_001))
    assert set(files) == {"jobs/search.html", *(piece_path(at) for at in (0, 1, 1_000_001 // PIECE))}
    found = re.search('data-blocks="([^"]*)"', files["jobs/search.html"])
    assert found is not None and found[1].split() == [str(1_000_001 // PIECE), "1", "0"]


def test_a_piece_stays_within_the_limit_and_says_what_it_holds() -> None:
    wide = {"server": "s" * 64, "reason": EVIL, "result": "error", "state": "finished", "finished": 0.0}
    text = made(facts(*range(PIECE), **wide, branch=EVIL, revision=EVIL))[piece_path(0)]
    assert len(text.encode()) < LIMIT
    assert not re.search("[\x00-\x09\x0b-\x1f\u2028]", text)
    number, rows = json.loads("[" + text.removeprefix("window.bnetFound(").removesuffix(");\n") + "]")
    assert (number, len(rows), rows[0][:2]) == (
        0,
        PIECE,
        [PIECE - 1, f"jobs/{(PIECE - 1) // 100:04}/{PIECE - 1}.html"],
    )


def test_a_piece_is_made_anew_only_when_one_of_its_jobs_has_changed() -> None:
    def keys(of: Facts) -> dict[str, str]:
        return {part.name: part.key for part in parts(of, THEME)}

    before, after = keys(facts(1, PIECE)), keys(facts(1, PIECE, PIECE + 1))
    assert before[piece_path(0)] == after[piece_path(0)] and before[piece_path(1)] != after[piece_path(1)]
    assert keys(facts(1, state="running"))[piece_path(0)] != before[piece_path(0)]
