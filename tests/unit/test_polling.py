"""What a look at a source makes of the ledger: decided again on what is so then, and in bounds."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from bnet.codec import layout
from bnet.codec.sources import read_source
from bnet.codec.view import View
from bnet.errors import Invalid
from bnet.model.hub import Head
from bnet.model.source import Seen
from bnet.model.state import KeyFile, State
from bnet.rules import polling
from bnet.rules.arrivals import Move
from bnet.rules.polling import Sight, poll
from bnet.rules.reserved import commit_key, source_and_commit
from bnet.rules.specs import Facts
from bnet.rules.transaction import Transaction

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
SOURCE = replace(read_source(b"repository: /x\nsubmit: {command: make}", "f", "w"), by="ann@example.org")
MAIN, NEXT = "refs/heads/main", "refs/heads/next"
A, B, C = "a" * 40, "b" * 40, "c" * 40
BASE = Seen(repository="/x", patterns=SOURCE.refs, refs={MAIN: A})


def begun(seen: Seen = BASE, keys: dict[str, KeyFile] | None = None) -> Transaction:
    head = Head(format=1, hub="h", next_job=1)
    state = State(tip="t", head=head, sources={"w": SOURCE}, seen={"w": seen}, keys=keys or {})
    return Transaction(state, View(), NOON)


def sight(*moves: Move, base: Seen = BASE) -> Sight:
    refs = {**base.refs, **{move.ref: move.new for move in moves}}
    return Sight(source=SOURCE, base=base, refs=refs, moves=moves)


def move(ref: str, new: str, *commits: str) -> Move:
    return Move(ref=ref, new=new, commits=commits or (new,), upto=new)


def seen(tx: Transaction) -> Seen:
    found = tx.documents[layout.seen_path("w")]
    assert isinstance(found, Seen)
    return found


def test_a_look_that_others_have_overtaken_changes_nothing() -> None:
    tx = begun(replace(BASE, refs={MAIN: B}))
    poll(tx, [sight(move(MAIN, C))], Facts(), "s1")
    assert tx.changes == [] and tx.documents == {}


def test_a_commit_whose_key_is_there_is_dealt_with_and_no_job_of_its_own() -> None:
    first = begun()
    poll(first, [sight(move(MAIN, B))], Facts(), "s1")
    keys = {path: each for path, each in first.documents.items() if isinstance(each, KeyFile)}
    tx = begun(keys=keys)
    poll(tx, [sight(move(MAIN, B))], Facts(), "s1")
    assert [change.verb for change in tx.changes] == ["look"]
    assert seen(tx).refs == {MAIN: B}


def test_two_branches_that_bring_one_commit_make_one_job_of_the_first() -> None:
    tx = begun()
    poll(tx, [sight(move(MAIN, B), move(NEXT, B))], Facts(), "s1")
    assert [job.spec.env["BNET_BRANCH"] for job in tx.jobs.values()] == ["main"]
    assert seen(tx).refs == {MAIN: B, NEXT: B}


def test_what_does_not_fit_into_a_transaction_is_as_it_was_for_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(polling, "MOST_ARRIVED", 1)
    tx = begun()
    poll(tx, [sight(move(MAIN, B), move(NEXT, C))], Facts(), "s1")
    assert len(tx.jobs) == 1
    assert seen(tx).refs == {MAIN: B}


def test_a_row_of_commits_with_a_matrix_goes_on_in_the_next_transaction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(polling, "MOST_ARRIVED", 5)
    wide = replace(
        SOURCE.asked, submit=replace(SOURCE.asked.submit, matrix={"os": ("a", "b")}), coalesce="all"
    )
    monkeypatch.setattr("test_polling.SOURCE", replace(SOURCE, asked=wide))
    tx = begun()
    poll(tx, [sight(Move(ref=MAIN, new=C, commits=(B, C, "d" * 40), upto="d" * 40))], Facts(), "s1")
    assert len(tx.jobs) == 4
    assert seen(tx).refs == {MAIN: C}


def test_more_refs_than_a_document_holds_are_named_and_nothing_is_forgotten() -> None:
    refs = {f"refs/heads/{number:0200}": A for number in range(4000)}
    tx = begun()
    poll(tx, [Sight(source=SOURCE, base=BASE, refs=refs)], Facts(), "s1")
    after = seen(tx)
    assert after.obstacle is not None and "4,000 branches and tags are too many" in after.obstacle.reason
    assert after.refs == BASE.refs


def test_a_key_says_whose_it_is() -> None:
    assert source_and_commit(commit_key("w", A)) == ("w", A)
    assert source_and_commit("schedule:x") is None


WRONG = [
    ("repository: https://u:p@h/x", "repository", "user or password"),
    ("repository: https://token@h/x", "repository", "user or password"),
    ("repository: ssh://git:p@h/x", "repository", "user or password"),
    ("repository: ext::sh", "repository", "no address"),
    ("repository: ../x", "repository", "no address"),
    ("repository: /x\nevery: 1s", "every", "between 5 seconds and 7 days"),
    ("repository: /x\nevery: often", "every", "no span of time"),
    ("repository: /x\nbranches: [refs/heads/main]", "branches[0]", "write main"),
    ("repository: /x\nbranches: ['!']", "branches[0]", "no pattern"),
    ("repository: /x\nbranches: main", "branches", "must be a list"),
    ("repository: /x\npriority: {main: 0}", "priority.main", "at least 1"),
    ("repository: /x\npaths: {includes: [a]}", "paths.includes", "did you mean include"),
    ("repository: /x\nskipp: [a]", "skipp", "did you mean skip"),
    ("repository: /x\nnotes: sometimes", "notes", "true or false"),
]


@pytest.mark.parametrize(("text", "field", "said"), WRONG)
def test_what_is_wrong_with_a_file_is_said_with_line_and_field(text: str, field: str, said: str) -> None:
    with pytest.raises(Invalid, match=said) as caught:
        read_source(f"{text}\nsubmit: {{command: make}}\n".encode(), "w.yaml", "w")
    assert (caught.value.field, caught.value.line) == (field, len(text.splitlines()))


SUBMITS = [("key: x", "key"), ("source: /x@main", "source"), ("not_before: x", "not_before")]


@pytest.mark.parametrize(("more", "field"), SUBMITS)
def test_what_a_source_itself_decides_is_not_in_its_template(more: str, field: str) -> None:
    with pytest.raises(Invalid, match=r"leave it out|comes when") as caught:
        read_source(f"repository: /x\nsubmit: {{command: make, {more}}}".encode(), "w.yaml", "w")
    assert (caught.value.field, caught.value.line) == (f"submit.{field}", 2)
