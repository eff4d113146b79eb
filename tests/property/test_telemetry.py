"""What a server says of its runs: in few bytes, in order, and cut where it is too much."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bnet.app.server.telemetry import (
    HEAD_BYTES,
    KEEP,
    LONGEST,
    OLDEST,
    REMEMBERED,
    TAIL_BYTES,
    Draft,
    chunk_path,
    join_chunks,
    run_path,
    settled,
)
from bnet.memory import MemoryHub, Repository
from bnet.model.run import Intent, RunExit, RunFact
from bnet.model.server import Heartbeat
from bnet.model.telemetry import Sent, SentLog

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
KEY = "1.1"


class Runs:
    """Runs whose logs and artifacts are what the test says."""

    def __init__(self) -> None:
        self.logs: dict[str, bytes] = {}
        self.left: dict[str, dict[str, bytes]] = {}

    def log_size(self, key: str) -> int:
        return len(self.logs.get(key, b""))

    def read_log(self, key: str, start: int, end: int) -> bytes:
        return self.logs.get(key, b"")[start:end]

    def kept(self, key: str) -> None:
        return None

    def artifacts(self, key: str) -> dict[str, bytes]:
        return self.left.get(key, {})

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"a draft has no business with {name}")


def fact(key: str = KEY, phase: Any = "alive", at: datetime = NOW) -> RunFact:
    job, attempt = map(int, key.split("."))
    intent = Intent(
        run=f"run-{key}", job=job, attempt=attempt, name="j", command="x", ttl_s=300.0, on_lost_lease="finish"
    )
    ended = RunExit(run=intent.run, outcome="exit", finished_at=at, exit_code=0) if phase == "ended" else None
    return RunFact(intent=intent, phase=phase, exit=ended)


class Server:
    """A server that pushes what it drafts, onto a ref in memory."""

    def __init__(self) -> None:
        self.hub = MemoryHub(Repository())
        self.runs = Runs()
        self.sent = Sent()

    def push(
        self, *facts: RunFact, now: datetime = NOW, prune: bool = True, pinned: frozenset[int] = frozenset()
    ) -> Draft:
        draft = Draft(self.sent)
        for each in facts:
            draft.add_run(each, self.runs, now)
        if prune:
            draft.prune(now, pinned=pinned)
        beat = Heartbeat(server="s1", instance="i", at=now, boot_id="b", nonce="n", version="0", slots=1)
        commit, anew = draft.commit(beat, now)
        [oid] = self.hub.write([commit])
        self.sent = draft.landed(oid, anew, now)
        return draft

    def tree(self) -> dict[str, bytes]:
        return dict(self.hub.repository.trees[self.sent.tip])

    def log(self, key: str = KEY) -> list[tuple[int, bytes]]:
        prefix = run_path(key) + "log/"
        return join_chunks(
            {int(path[len(prefix) :]): data for path, data in self.tree().items() if path.startswith(prefix)}
        )


def text(size: int) -> bytes:
    return b"".join(b"%07d\n" % n for n in range(size // 8 + 1))[:size]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([0, 1, 100, 4095, 4096, 30_000, 70_000, 200_000, 300_000]), max_size=8))
def test_what_is_kept_is_the_beginning_and_the_end(grown: list[int]) -> None:
    server, size = Server(), 0
    for more in grown:
        size += more
        server.runs.logs[KEY] = text(size)
        draft = server.push(fact())
        assert sum(len(data or b"") for data in draft.files.values()) <= HEAD_BYTES + TAIL_BYTES
    server.push(fact(phase="ended"))
    whole, at, pieces = text(size), 0, server.log()
    for cut, data in pieces:
        at += cut
        assert whole[at : at + len(data)] == data
        at += len(data)
    assert at == size, "the end is there"
    kept = sum(len(data) for _, data in pieces)
    assert kept >= min(size, HEAD_BYTES + TAIL_BYTES) or kept >= min(size, TAIL_BYTES)
    assert not pieces or pieces[0][0] == 0, "the beginning is there"
    if size > HEAD_BYTES:
        assert len(pieces[0][1]) == HEAD_BYTES or len(b"".join(data for _, data in pieces)) > HEAD_BYTES
    assert sum(cut for cut, _ in pieces) <= max(0, size - HEAD_BYTES - TAIL_BYTES)


def test_what_is_pinned_outlives_its_time() -> None:
    server = Server()
    server.runs.logs[KEY] = text(1000)
    server.push(fact(phase="ended"))
    later = NOW + timedelta(days=30)
    number = int(KEY.partition(".")[0])
    server.push(now=later, pinned=frozenset({number}))
    assert server.log() == [(0, text(1000))]
    server.push(now=later)
    assert server.log() == []


def test_a_push_carries_what_is_new_and_no_more() -> None:
    server = Server()
    server.runs.logs[KEY] = text(1000)
    server.push(fact())
    server.runs.logs[KEY] = text(1100)
    draft = server.push(fact())
    assert draft.files == {chunk_path(KEY, 1000): text(1100)[1000:]}
    assert server.push(fact()).files == {}


def test_beyond_the_head_small_change_waits_until_it_is_worth_a_push_or_the_end() -> None:
    server = Server()
    server.runs.logs[KEY] = text(HEAD_BYTES + 4095)
    assert list(server.push(fact()).files) == [chunk_path(KEY, 0)]
    assert list(server.push(fact(phase="ended")).files) == [chunk_path(KEY, HEAD_BYTES)]


def test_a_talkative_run_keeps_its_tail_and_gives_up_older_chunks() -> None:
    server = Server()
    for n in range(1, 40):
        server.runs.logs[KEY] = text(n * 50_000)
        server.push(fact())
        held = server.sent.runs[KEY]
        assert held.bytes <= HEAD_BYTES + TAIL_BYTES + 50_000
        assert {path for path in server.tree() if path != "heartbeat.json"} == {
            chunk_path(KEY, int(o)) for o in held.chunks
        }


def test_an_ended_run_is_complete_and_not_looked_at_again() -> None:
    server = Server()
    server.runs.logs[KEY] = text(10)
    server.runs.left[KEY] = {"dist/a b.whl": b"wheel", "log.txt": b""}
    server.push(fact(phase="ended"))
    held = server.sent.runs[KEY]
    assert (held.complete, held.artifact_bytes, held.ended_at) == (True, 5, NOW)
    assert server.tree()[run_path(KEY) + "artifacts/dist/a b.whl"] == b"wheel"
    server.runs.logs[KEY] = text(999)
    assert server.push(fact(phase="ended")).files == {}


# -- what is over


def test_runs_past_their_time_leave_nothing_behind() -> None:
    server = Server()
    for key in ("1.1", "101.2"):
        server.runs.logs[key] = text(100)
        server.runs.left[key] = {"a": b"1"}
        server.push(fact(key, "ended", NOW if key == "1.1" else NOW + KEEP))
    server.push(now=NOW + KEEP + timedelta(seconds=1))
    assert list(server.sent.runs) == ["101.2"]
    assert {path.split("/artifacts")[0].split("/log")[0] for path in server.tree()} == {
        "heartbeat.json",
        "runs/0001/101.2",
    }


def test_the_oldest_go_when_it_is_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bnet.app.server.telemetry.MOST_BYTES", 250)
    server = Server()
    for n in range(1, 5):
        server.runs.logs[f"{n}.1"] = text(100)
        server.push(fact(f"{n}.1", "ended", NOW + timedelta(seconds=n)))
    assert list(server.sent.runs) == ["3.1", "4.1"]
    assert len(server.tree()) == 3


def test_a_run_that_goes_on_stays_whatever_it_weighs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bnet.app.server.telemetry.MOST_BYTES", 1)
    server = Server()
    server.runs.logs[KEY] = text(100)
    server.push(fact(), now=NOW + 9 * KEEP)
    assert list(server.sent.runs) == [KEY]


def test_a_run_that_died_without_a_word_leaves_too() -> None:
    server = Server()
    server.runs.logs[KEY] = text(100)
    server.push(fact(phase="died"))
    assert server.sent.runs[KEY].complete
    server.push(now=NOW + 2 * KEEP)
    assert (server.sent.runs, list(server.tree())) == ({}, ["heartbeat.json"])


def test_what_is_added_and_past_its_time_at_once_leaves_nothing_behind() -> None:
    server = Server()
    server.runs.logs[KEY] = text(100)
    server.runs.left[KEY] = {"a": b"1"}
    server.push(fact(phase="ended", at=NOW - 2 * KEEP))
    known = {KEY} if KEY in server.sent.runs else set()
    there = {path for path in server.tree() if path.startswith(run_path(KEY))}
    assert bool(there) == bool(known), f"nobody will ever remove {there}"


# -- history


def test_the_first_commit_begins_a_history_and_the_next_goes_on() -> None:
    server = Server()
    server.push()
    first = server.sent
    server.push()
    assert (first.length, server.sent.length, first.begun_at, server.sent.begun_at) == (1, 2, NOW, NOW)
    assert server.hub.repository.commits[server.sent.tip].parent == first.tip


@pytest.mark.parametrize(
    ("length", "age", "anew"),
    [(LONGEST - 1, OLDEST - timedelta(seconds=1), False), (LONGEST, timedelta(), True), (1, OLDEST, True)],
)
def test_a_history_that_is_long_or_old_is_begun_anew_with_what_it_holds(
    length: int, age: timedelta, anew: bool
) -> None:
    server = Server()
    server.runs.logs[KEY] = text(100)
    server.push(fact())
    server.sent = Sent(tip=server.sent.tip, length=length, begun_at=NOW, runs=server.sent.runs)
    server.push(now=NOW + age)
    commit = server.hub.repository.commits[server.sent.tip]
    assert (commit.parent is None) is anew
    assert server.sent.length == (1 if anew else length + 1)
    assert chunk_path(KEY, 0) in server.tree()


# -- what became of it

MINE = Sent(
    tip="a",
    written=("a", "b", "c"),
    runs={KEY: SentLog(next=5)},
    pending=Sent(tip="b", runs={KEY: SentLog(next=9)}),
)
OUTCOMES: dict[str, tuple[str, str | None, int | None]] = {
    "it is as it was": ("a", "a", 5),
    "what was pending landed": ("b", "b", 9),
    "an older push landed late": ("c", "c", 5),
    "the ref was deleted": ("", "", None),
    "a stranger's commit": ("x", None, None),
}


@pytest.mark.parametrize(("tip", "now", "next_"), OUTCOMES.values(), ids=OUTCOMES.keys())
def test_what_the_hub_holds_decides(tip: str, now: str | None, next_: int | None) -> None:
    found = settled(MINE, tip)
    if now is None:
        assert found is None
        return
    assert found is not None
    assert (found.tip, found.pending, found.written) == (now, None, MINE.written)
    assert (found.runs[KEY].next if found.runs else None) == next_


def test_own_commits_are_remembered_and_not_for_ever() -> None:
    server = Server()
    for n in range(REMEMBERED + 5):
        server.push(now=NOW + timedelta(seconds=n))
    assert (len(server.sent.written), server.sent.written[-1]) == (REMEMBERED, server.sent.tip)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 30)), max_size=12))
def test_chunks_that_overlap_are_joined_once(spans: list[tuple[int, int]]) -> None:
    whole = bytes(range(100))
    chunks = {start: whole[start : start + size] for start, size in spans}
    covered = sorted({n for start, data in chunks.items() for n in range(start, start + len(data))})
    pieces = join_chunks(chunks)
    assert b"".join(data for _, data in pieces) == bytes(covered)
    assert sum(cut + len(data) for cut, data in pieces) == (covered[-1] + 1 if covered else 0)
