"""`bnet audit verify`: what the rules do not allow is found in the history, by whom and in which commit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace
from worlds import ALICE, NOON, World, claim, finish, in_memory, register, submit

from bnet.app.audit import Audit, audit
from bnet.codec import layout
from bnet.model.command import Submit
from bnet.model.job import Group, Job, JobResult
from bnet.rules import jobs, servers
from bnet.rules.admit import admit
from bnet.rules.change import Change
from bnet.rules.specs import Facts
from bnet.rules.transaction import Transaction, archive_line

Decide = Callable[[Transaction], None]
ENDED = JobResult(result="success", reason="exit", finished_at=NOON, attempt=1, server="s1", run="r")


def verdict(world: World) -> Audit:
    hub, tip = world.hub("auditor"), world.tip()
    hub.fetch(tip)
    return audit(hub, tip)


def does(world: World, *decisions: Decide, by: str = "s1") -> None:
    """Make a transaction of each decision, under one name."""
    for decide in decisions:
        world.machine(f"of {by}", actor=by).ledger.transact(decide)


def asks(**fields: Any) -> Decide:
    def decide(tx: Transaction) -> None:
        admit(tx, [Submit(command="true", name="job", **fields)], by=ALICE, facts=Facts())

    return decide


def lost(number: int) -> Decide:
    def decide(tx: Transaction) -> None:
        tx.apply(jobs.lost(tx.jobs[number], now=tx.now, why="it was not seen to move"))

    return decide


def makes(number: int, change: Callable[[Job], Job]) -> Decide:
    """Make something else of a job, as no rule does."""

    def decide(tx: Transaction) -> None:
        tx.apply(Change(verb="forge", target=f"#{number}", jobs=(change(tx.jobs[number]),)))

    return decide


def cancels(number: int) -> Decide:
    return lambda tx: tx.apply(jobs.cancel(tx.jobs[number], by=ALICE, reason="", now=tx.now))


def archives(number: int, change: Callable[[Job], Job] = lambda job: job) -> Decide:
    def decide(tx: Transaction) -> None:
        line = archive_line(change(tx.jobs[number]))
        path = layout.archive_path(NOON, 1)
        tx.apply(Change(verb="archive", target=f"#{number}", gone=(number,), files={path: line}))

    return decide


def goes(number: int) -> Decide:
    return lambda tx: tx.apply(Change(verb="forge", target=f"#{number}", gone=(number,)))


def counts(**numbers: int) -> Decide:
    """Shift numbers of the ledger itself."""

    def decide(tx: Transaction) -> None:
        for name, by in numbers.items():
            setattr(tx, name, getattr(tx, name) + by)
        tx.apply(Change(verb="forge", target="numbers"))

    return decide


def pauses(name: str) -> Decide:
    return lambda tx: tx.apply(servers.wish(tx.servers[name], "paused", by=ALICE, why="repairs"))


def as_number(number: int) -> Decide:
    """Let job #1 appear once more, under another number that is not the next."""

    def decide(tx: Transaction) -> None:
        job = Job(spec=replace(tx.jobs[1].spec, number=number))
        tx.apply(Change(verb="forge", target=f"#{number}", jobs=(job,)))

    return decide


@pytest.fixture
def two(world: World) -> World:
    """A ledger with two servers of one slot."""
    does(world, register("s1"), by="s1")
    does(world, register("s2"), by="s2")
    return world


def test_a_day_as_it_should_be_is_legal(two: World) -> None:
    does(two, submit("a", "b", "c"), by=ALICE)
    does(two, claim(1), finish(1), claim(2))
    does(two, claim(3, "s2"), finish(3, "s2", code=1), lost(2), by="s2")
    does(two, cancels(2), asks(), by=ALICE)
    does(two, archives(1))
    found = verdict(two)
    assert found.wrong == ()
    assert (found.transactions, found.by_hand) == (13, 0)
    assert (found.verbs["claim"], found.verbs["finish"], found.verbs["requeue"]) == (3, 2, 1)


def test_what_people_do_by_hand_is_legal_and_so_is_its_repair(two: World) -> None:
    does(two, submit("a", "b"), by=ALICE)
    does(two, claim(1))
    before = two.tip()
    does(two, finish(1))
    spoilt = {layout.job_dir(1) + "result.json": b"{", layout.job_dir(2) + "job.json": None}
    two.person(spoilt)
    does(two, claim(2))
    hub = two.hub("auditor")
    hub.fetch(two.tip())
    taken_back = hub.read(before, [layout.job_dir(1) + "claim.json", layout.HEAD])
    message = 'Revert "s1: finish #1"\n\nBnet-Seq: 4\nBnet-Next-Job: 3\nBnet-Nonce: 0\n'
    two.person({**taken_back, layout.job_dir(1) + "result.json": None}, message=message)
    does(two, finish(2))
    found = verdict(two)
    assert found.wrong == ()
    assert found.by_hand == 1


Step = Decide | tuple[str, Decide]
FORGERIES: dict[str, tuple[list[Step], Decide, str, str]] = {
    "a result that nobody worked for": (
        [submit("a")],
        makes(1, lambda job: replace(job, result=ENDED)),
        "s1",
        "#1 has become what no rule makes of it",
    ),
    "a claim over another's": (
        [submit("a"), claim(1)],
        makes(
            1,
            lambda job: replace(job, claim=replace(job.claim, server="s2", instance="instance-s2", run="x")),
        ),
        "s2",
        "#1 has become what no rule makes of it",
    ),
    "a claim that is prolonged in place": (
        [submit("a"), claim(1)],
        makes(1, lambda job: replace(job, claim=replace(job.claim, ttl_s=9999.0))),
        "s1",
        "#1 has become what no rule makes of it",
    ),
    "another's end": ([submit("a"), claim(1)], finish(1), "s2", "#1 attempt 1 of s1 was ended by s2 (exit)"),
    "a claim for another": ([submit("a")], claim(1), "s2", "#1 was claimed for s1 by s2"),
    "a claim by nobody": (
        [submit("a")],
        claim(1, "s3"),
        "s3",
        "#1 was claimed by s3, which was not a server with that instance",
    ),
    "an end taken back": (
        [submit("a"), claim(1), finish(1)],
        makes(1, lambda job: replace(job, result=None, attempts=())),
        "s1",
        "#1 has changed after it had finished",
    ),
    "another end": (
        [submit("a"), claim(1), finish(1)],
        makes(1, lambda job: replace(job, result=replace(job.result, result="failure"))),
        "s1",
        "#1 has changed after it had finished",
    ),
    "an attempt that never was": (
        [submit("a"), claim(1), lost(1)],
        makes(1, lambda job: replace(job, attempts=())),
        "s1",
        "#1 an attempt that had ended has changed",
    ),
    "another command": (
        [submit("a")],
        makes(1, lambda job: replace(job, spec=replace(job.spec, command="false"))),
        "s1",
        "#1 what was asked for has changed",
    ),
    "a job that vanishes": ([submit("a")], goes(1), "s1", "#1 has left without a line in the archive"),
    "another job in the archive": (
        [submit("a"), claim(1), finish(1)],
        archives(1, lambda job: replace(job, attempts=())),
        "s1",
        "#1 has changed after it had finished",
    ),
    "a number used twice": (
        [submit("a", "b"), claim(2), finish(2), archives(2)],
        as_number(2),
        "s1",
        "#2 is new under a number that was not free (the next was 3)",
    ),
    "numbers that go back": (
        [submit("a")],
        counts(next_job=-1),
        "s1",
        "ledger.json the next job's number goes back to 1",
    ),
    "a gap between transactions": ([], counts(seq=3), "s1", "ledger.json transaction 6 of epoch 0 follows 2"),
    "an epoch of one's own": ([], counts(epoch=1), "s1", "ledger.json transaction 3 of epoch 1 follows 2"),
    "more than a group's limit": (
        [asks(group=Group(name="g")), asks(group=Group(name="g")), ("s2", claim(1, "s2"))],
        claim(2),
        "s1",
        "#2 was claimed although s1: group g: 1 running, at most 1 may",
    ),
    "a lock that is held": (
        [asks(locks=("l",)), asks(locks=("l",)), ("s2", claim(1, "s2"))],
        claim(2),
        "s1",
        "#2 was claimed although s1: lock l is held by #1",
    ),
    "a job before what it needs": (
        [asks(), asks(needs=(1,))],
        claim(2),
        "s1",
        "#2 was claimed although s1: needs #1 to end with success: it is pending",
    ),
    "a job before its time": (
        [asks(not_before="2026-11-20T13:00:00Z")],
        claim(1),
        "s1",
        "#1 was claimed although s1: not before 2026-11-20T13:00:00Z",
    ),
    "more than there are slots": (
        [submit("a", "b"), claim(1)],
        claim(2),
        "s1",
        "#2 was claimed although s1: 0 of 1 slots free",
    ),
    "a claim of a paused server": (
        [submit("a"), pauses("s1")],
        claim(1),
        "s1",
        "#1 was claimed although s1: is paused: repairs",
    ),
    "an expiry before its time": (
        [submit("a")],
        lambda tx: tx.apply(jobs.end_unclaimed(tx.jobs[1], "cancelled", "expired", now=tx.now)),
        "s1",
        "#1 was ended as expired, which was not so",
    ),
    "a dependency that did not fail": (
        [asks(), asks(needs=(1,))],
        lambda tx: tx.apply(jobs.end_unclaimed(tx.jobs[2], "skipped", "dependency", now=tx.now)),
        "s1",
        "#2 was ended as dependency, which was not so",
    ),
}


@in_memory
@pytest.mark.parametrize(("before", "forged", "by", "said"), FORGERIES.values(), ids=FORGERIES)
def test_a_forgery_is_named(two: World, before: list[Step], forged: Decide, by: str, said: str) -> None:
    for step in before:
        actor, decide = step if isinstance(step, tuple) else ("s1", step)
        does(two, decide, by=actor)
    assert verdict(two).wrong == ()
    does(two, forged, by=by)
    told = [f"{each.fault.target} {each.fault.text}" for each in verdict(two).wrong]
    assert told == [said]
    assert {(each.stamp.commit, each.stamp.actor) for each in verdict(two).wrong} == {(two.tip(), by)}
