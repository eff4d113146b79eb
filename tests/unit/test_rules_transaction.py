"""What a transaction makes of a snapshot, which files it writes, and what its commit says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from bnet.codec import layout
from bnet.codec.documents import decode, encode
from bnet.codec.view import View
from bnet.model.hub import Head
from bnet.model.job import Attempt, Job, JobResult, JobSpec
from bnet.model.server import Server
from bnet.model.state import KeyEntry, KeyFile, State
from bnet.rules import jobs, servers
from bnet.rules.change import Change
from bnet.rules.transaction import Transaction, archive_line

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SERVER = Server(name="s1", instance="i", joined_at=NOW)
OTHER = replace(SERVER, name="s2")
HEAD = Head(format=1, hub="h", epoch=2, seq=4, next_job=7)
JOB_1 = layout.job_dir(1)


def job(number: int = 1, **more: Any) -> Job:
    base = {"number": number, "name": "j", "command": "x", "submitted_by": "ann", "submitted_at": NOW}
    return Job(spec=JobSpec(**(base | more)))


def tx_of(*there: Job, **more: Any) -> Transaction:
    base: dict[str, Any] = {
        "tip": "t",
        "head": HEAD,
        "servers": {"s1": SERVER, "s2": OTHER},
        "jobs": {each.number: each for each in there},
    }
    return Transaction(State(**(base | more)), View(), NOW)


def claim(tx: Transaction, number: int = 1) -> Change:
    return jobs.claim(tx.jobs[number], SERVER, run="r", token=tx.seq, ttl_s=60.0, now=NOW)


# -- changes, one after the other


def test_each_change_sees_those_before_it() -> None:
    tx = tx_of(job())
    tx.apply(claim(tx))
    with pytest.raises(jobs.Illegal):
        claim(tx)
    tx.apply(
        servers.dismiss(OTHER, by="ann", holds=0),
        Change(verb="submit", target="#7", jobs=(job(7),), jobs_made=1),
        Change(verb="archive", target="#1", gone=(1,), files={"a": b"line"}),
        Change(verb="x", target="y", documents={"k": KeyFile()}),
    )
    assert (sorted(tx.servers), sorted(tx.jobs), tx.next_job) == (["s1"], [7], 8)
    assert (tx.files, tx.documents) == ({"a": b"line"}, {"k": KeyFile()})
    assert [each.verb for each in tx.changes] == ["claim", "leave", "submit", "archive", "x"]
    assert (sorted(tx.state.jobs), sorted(tx.state.servers)) == ([1], ["s1", "s2"]), "what was read stays"


def all_of(tx: Transaction) -> list[Any]:
    made = [dict(each) for each in (tx.jobs, tx.servers, tx.documents, tx.files)]
    return [*made, list(tx.changes), tx.next_job, tx.seq, tx.epoch, tx.format, tx.now]


def test_what_is_tried_on_a_fork_is_taken_over_whole_or_not_at_all() -> None:
    tx = tx_of(job())
    tx.epoch, tx.seq, tx.format = 3, 1_000, 2
    tx.apply(Change(verb="a", target="b", files={"f": b""}, documents={"d": KeyFile()}))
    before = all_of(tx)
    fork = tx.fork()
    assert all_of(fork) == before
    fork.apply(
        claim(fork),
        servers.dismiss(OTHER, by="ann", holds=0),
        Change(verb="c", target="d", files={"g": b""}, documents={"e": KeyFile()}, jobs_made=1),
    )
    assert all_of(tx) == before, "nothing of it shows"
    tx.join(fork)
    assert all_of(tx) == all_of(fork) != before


# -- what is written


def head_of(tx: Transaction) -> Head:
    data = tx.writes()[layout.HEAD]
    assert data is not None
    return decode(Head, data)


def test_a_claim_writes_a_claim_and_the_next_number_and_nothing_else() -> None:
    tx = tx_of(job(), job(2))
    tx.apply(claim(tx))
    files = tx.writes()
    assert files.keys() == {JOB_1 + "claim.json", layout.HEAD}
    assert tx.jobs[1].claim is not None
    assert files[JOB_1 + "claim.json"] == encode(tx.jobs[1].claim)
    assert head_of(tx) == replace(HEAD, seq=5)


def test_the_head_has_the_numbers_of_the_message() -> None:
    tx = tx_of()
    tx.apply(Change(verb="submit", target="#7", jobs=(job(7),), jobs_made=1))
    tx.epoch, tx.format, tx.seq = 3, 2, 1_000
    assert head_of(tx) == Head(format=2, hub="h", epoch=3, seq=1_000, next_job=8)
    trailers = tx.message("s1", "nonce").partition("\n\n")[2].splitlines()
    assert trailers[:3] == ["Bnet-Seq: 1000", "Bnet-Next-Job: 8", "Bnet-Nonce: nonce"]


def test_an_attempt_that_ended_takes_the_claim_along() -> None:
    tx = tx_of(job())
    tx.apply(claim(tx))
    held = tx_of(tx.jobs[1])
    held.apply(jobs.lost(held.jobs[1], now=NOW, why="gone"))
    files = held.writes()
    assert files.keys() == {JOB_1 + "claim.json", JOB_1 + "attempts/1.json", layout.HEAD}
    assert files[JOB_1 + "claim.json"] is None


WISHES = {
    "a priority": lambda one: jobs.set_priority(one, 1, by="a"),
    "a cancel": lambda one: jobs.cancel(one, by="a", reason="", now=NOW),
}


@pytest.mark.parametrize("wish", WISHES.values(), ids=WISHES.keys())
def test_a_wish_is_a_document_of_its_own(wish: Any) -> None:
    tx = tx_of(job())
    tx.apply(wish(tx.jobs[1]))
    assert tx.writes()[JOB_1 + "wanted.json"] == encode(tx.jobs[1].wanted)


def test_a_job_that_nobody_wishes_anything_of_has_no_such_document() -> None:
    tx = tx_of()
    tx.apply(Change(verb="submit", target="#7", jobs=(job(7),), jobs_made=1))
    assert tx.writes().keys() == {layout.job_dir(7) + "job.json", layout.HEAD}


def test_all_documents_of_a_job_that_left_are_removed() -> None:
    attempt = Attempt(
        attempt=1, server="s1", run="r", token=1, result="success", reason="exit", finished_at=NOW
    )
    result = JobResult(result="success", reason="exit", finished_at=NOW)
    tx = tx_of(replace(job(), attempts=(attempt,), result=result))
    tx.apply(Change(verb="archive", target="#1", gone=(1,)))
    gone = {path for path, data in tx.writes().items() if data is None}
    assert gone == {JOB_1 + name for name in ("job.json", "attempts/1.json", "result.json")}


def test_servers_are_written_where_they_changed_and_removed_where_they_left() -> None:
    tx = tx_of()
    tx.apply(servers.wish(SERVER, "paused", by="a", why=""), servers.dismiss(OTHER, by="a", holds=0))
    files = tx.writes()
    assert files.keys() == {layout.server_path("s1"), layout.server_path("s2"), layout.HEAD}
    assert files[layout.server_path("s1")] == encode(tx.servers["s1"])
    assert files[layout.server_path("s2")] is None


def test_other_documents_and_files_are_written_as_they_are() -> None:
    tx = tx_of(restore={"broken": b"as it was", "f": b"old"})
    keys = KeyFile(keys={"k": KeyEntry(jobs=(1,), at=NOW)})
    tx.apply(Change(verb="x", target="y", documents={"d": keys}, files={"f": b"new", "g": None}))
    files = tx.writes()
    assert (files["d"], files["f"], files["g"]) == (encode(keys), b"new", None)
    assert files["broken"] == b"as it was"


def test_fields_that_a_newer_bnet_wrote_stay_where_a_document_is_written_anew() -> None:
    path = layout.server_path("s1")
    data = encode(SERVER).rstrip()[:-1] + b', "later": 1}'
    tx = Transaction(tx_of().state, View(files={path: data}), NOW)
    tx.apply(servers.wish(SERVER, "paused", by="a", why=""))
    assert b'"later"' in (tx.writes()[path] or b"")


# -- what it says


def message_of(*changes: Change, **more: Any) -> str:
    tx = tx_of(**more)
    tx.apply(*changes)
    return tx.message("s1", "nonce")


def test_what_is_restored_is_said_beside_what_was_decided() -> None:
    said = message_of(Change(verb="claim", target="#1"), restore={layout.ROOT + "jobs/x": b""})
    assert said.startswith("s1: claim #1, restore jobs/x\n\n")
    assert said.splitlines()[-2:] == ["Bnet-Op: claim 1", "Bnet-Op: restore jobs/x"]


@pytest.mark.parametrize(
    ("count", "subject"),
    [
        (6, "s1: claim #1 #2 #3 #4 #5 #6"),
        (7, "s1: claim #1 #2 #3 #4 #5 and 2 more"),
        (99, "s1: claim #1 #2 #3 #4 #5 and 94 more"),
    ],
)
def test_a_subject_names_a_few_of_many_and_the_trailers_all(count: int, subject: str) -> None:
    said = message_of(*(Change(verb="claim", target=f"#{n}") for n in range(1, count + 1)))
    assert said.partition("\n")[0] == subject
    assert said.count("Bnet-Op: claim ") == count


ODD = "a b\nc\u2028d\u202ee\tf"


def test_no_text_of_anybodys_breaks_a_line_or_a_field_of_the_message() -> None:
    said = message_of(Change(verb="reject", target=ODD, note=ODD, fields={"by": ODD, "long": "x" * 300}))
    subject, empty, *trailers = said.splitlines()
    assert (subject, empty) == ("s1: reject a b c d e f (a b c d e f)", "")
    assert trailers[3:] == [f"Bnet-Op: reject a_b_c_d_e_f by=a_b_c_d_e_f long={'x' * 200}"]


def test_one_job_is_one_line_of_the_archive_in_whatever_order_its_fields_came() -> None:
    one, two = job(labels={"a": "1", "b": "2"}), job(labels={"b": "2", "a": "1"})
    assert archive_line(one) == archive_line(two)
    assert archive_line(one).count(b"\n") == 1
