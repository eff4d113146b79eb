"""Which job next, and on whom."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from bnet.model.hub import Queue, Settings
from bnet.model.job import Attempt, Cancel, Group, Job, JobResult, JobSpec, Need, Wanted
from bnet.model.server import Accept, Server
from bnet.rules import jobs
from bnet.schedule.choose import choose

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SERVER = Server(name="s1", instance="i", joined_at=NOW, slots=9)
OTHER = replace(SERVER, name="s2")


def job(number: int, by: str = "ann", **more: Any) -> Job:
    base = {"number": number, "name": f"j{number}", "command": "x", "submitted_by": by, "submitted_at": NOW}
    return Job(spec=JobSpec(**(base | more)))


def on(number: int, server: Server = OTHER, **more: Any) -> Job:
    [after] = jobs.claim(job(number, **more), server, run="r", token=1, ttl_s=1.0, now=NOW).jobs
    return after


def chosen(
    *there: Job, server: Server = SERVER, room: int = 9, settings: Settings | None = None
) -> list[int]:
    by_number = {each.number: each for each in there}
    return [each.number for each in choose(by_number, {}, server, settings or Settings(), NOW, room=room)]


DONE = replace(job(1), result=JobResult(result="failure", reason="exit", finished_at=NOW))
HURRIED = replace(job(3, priority=9), wanted=Wanted(priority=1))
REFUSAL = Attempt(attempt=1, server="s1", run="r", token=1, result="error", reason="refused", finished_at=NOW)
REFUSED = replace(job(1), attempts=(REFUSAL,))
G1 = Group(name="g")
G2 = Group(name="g", limit=2)

CHOICES: dict[str, tuple[list[Job], list[int]]] = {
    "nothing of nothing": ([], []),
    "the oldest first": ([job(2), job(1), job(3)], [1, 2, 3]),
    "priority before age": ([job(1), job(2, priority=1), job(3, priority=10)], [2, 1, 3]),
    "a changed priority counts": ([job(1), HURRIED], [3, 1]),
    "submitters in turn": ([job(1), job(2), job(3), job(4, "bob")], [1, 4, 2, 3]),
    "whoever has least running first": ([on(1), on(2), job(3), job(4, "bob"), job(5, "bob")], [4, 5, 3]),
    "turns within one priority": ([job(1), job(2), job(3, "bob", priority=6)], [1, 2, 3]),
    "no running, no finished": ([on(1), DONE, job(2)], [2]),
    "one of a group": ([job(1, group=G1), job(2, group=G1), job(3)], [1, 3]),
    "as many of a group as it takes": ([job(n, group=G2) for n in (1, 2, 3)], [1, 2]),
    "none of a full group": ([on(1, group=G1), job(2, group=G1)], []),
    "one of a lock": ([job(1, locks=("a", "b")), job(2, locks=("b",)), job(3, locks=("c",))], [1, 3]),
    "what needs nothing open": ([on(1), job(2, needs=(Need(job=1),)), job(3)], [3]),
    "not before its time": ([job(1, not_before=NOW + timedelta(seconds=1)), job(2, not_before=NOW)], [2]),
    "what fits the labels": ([job(1, labels={"os": "mac"}), job(2)], [2]),
    "what it has not refused": ([REFUSED, job(2)], [2]),
}


@pytest.mark.parametrize(("there", "numbers"), CHOICES.values(), ids=CHOICES.keys())
def test_a_server_takes(there: list[Job], numbers: list[int]) -> None:
    assert chosen(*there) == numbers


def test_a_thousand_jobs_of_one_do_not_keep_out_the_one_of_another() -> None:
    there = [job(n) for n in range(1, 1001)]
    assert chosen(*there, job(2000, "bob"), room=2) == [1, 2000]


@pytest.mark.parametrize(("room", "numbers"), [(-1, []), (0, []), (1, [1]), (2, [1, 2])])
def test_no_more_than_there_is_room_for(room: int, numbers: list[int]) -> None:
    assert chosen(job(1), job(2), job(3), room=room) == numbers


def test_no_more_than_its_slots_whatever_room_it_claims() -> None:
    assert chosen(job(1), job(2), on(5, SERVER), server=replace(SERVER, slots=2)) == [1]


@pytest.mark.parametrize("wanted", ["paused", "draining"])
def test_a_server_that_is_not_active_takes_nothing(wanted: Any) -> None:
    assert chosen(job(1), server=replace(SERVER, wanted=wanted)) == []


@pytest.mark.parametrize(
    ("queue", "numbers"), [(Queue(paused="x"), [3]), (Queue(limit=1), [1, 3]), (Queue(), [1, 2, 3])]
)
def test_a_queues_rules_hold(queue: Queue, numbers: list[int]) -> None:
    there = (job(1, queue="gpu"), job(2, queue="gpu"), job(3))
    assert chosen(*there, settings=Settings(queues={"gpu": queue})) == numbers


def test_an_owner_keeps_others_out() -> None:
    server = replace(SERVER, accept=Accept(submitters=("bob",)))
    assert chosen(job(1), job(2, "bob"), server=server) == [2]


def test_a_cancelled_running_job_still_takes_its_place() -> None:
    held = replace(on(1, group=G1), wanted=Wanted(cancel=Cancel(by="a", at=NOW)))
    assert chosen(held, job(2, group=G1)) == []


def test_choosing_changes_nothing() -> None:
    there = {each.number: each for each in (job(1), job(2, group=G1), job(3, group=G1))}
    before = dict(there)
    first = list(choose(there, {}, SERVER, Settings(), NOW, room=3))
    assert first == list(choose(there, {}, SERVER, Settings(), NOW, room=3))
    assert there == before
