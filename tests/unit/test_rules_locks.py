"""Named locks: who holds one, who is next, whose part has ended, and what jobs have to do with it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from bnet.codec import layout
from bnet.codec.documents import decode, encode
from bnet.codec.view import View
from bnet.model.hub import Head, LockRule, Settings
from bnet.model.job import Job, JobSpec
from bnet.model.lock import Lock, Stake
from bnet.model.server import Server
from bnet.model.state import State
from bnet.rules import jobs, locks, settle
from bnet.rules.jobs import Illegal
from bnet.rules.legal.transitions import Made, faults
from bnet.rules.transaction import Transaction
from bnet.rules.waiting import shared_conditions, usage

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
S1 = Server(name="s1", instance="i1", joined_at=NOW)
FREE = Lock(name="db")


def stake(who: str, token: int = 2, **more: Any) -> Stake:
    base: dict[str, Any] = {
        "id": who,
        "by": f"{who}@x",
        "token": token,
        "ttl_s": 60.0,
        "beats": f"_hold-{who}",
    }
    return Stake(**(base | {"at": NOW} | more))


ANN, BOB, EVE = stake("ann"), stake("bob"), stake("eve")


def held(*holders: Stake, row: tuple[Stake, ...] = ()) -> Lock:
    return Lock(name="db", holders=holders, waiters=row)


def running(number: int) -> Job:
    spec = JobSpec(number=number, name="j", command="x", submitted_by="a", submitted_at=NOW, locks=("db",))
    return jobs.claim(Job(spec=spec), S1, run=f"r{number}", token=2, ttl_s=60.0, now=NOW).jobs[0]


def state(*there: Lock, seq: int = 4, limit: int = 1, running: tuple[Job, ...] = ()) -> State:
    return State(
        tip="t",
        head=Head(format=1, hub="h", seq=seq, next_job=9),
        settings=Settings(locks={"db": LockRule(limit=limit)}),
        servers={"s1": S1},
        jobs={each.number: each for each in running},
        locks={each.name: each for each in there},
    )


def granted(lock: Lock, who: Stake, *, taken: int = 0, limit: int = 1) -> Lock:
    [after] = locks.grant(lock, who, taken=taken, limit=limit, token=5, now=NOW).locks
    return after


# -- the row


def test_a_free_lock_goes_to_whoever_asks_under_a_new_token() -> None:
    after = granted(FREE, ANN)
    assert [(each.id, each.token) for each in after.holders] == [("ann", 5)] and not after.waiters


def test_those_who_ask_stand_in_the_order_of_asking() -> None:
    [once] = locks.ask(held(ANN), BOB).locks
    [twice] = locks.ask(once, EVE).locks
    assert [each.id for each in twice.waiters] == ["bob", "eve"]


@pytest.mark.parametrize(
    ("lock", "taken", "limit"),
    [
        (held(ANN), 0, 1),
        (held(ANN, EVE), 0, 2),
        (FREE, 1, 1),
        (held(ANN), 1, 2),
        (held(row=(EVE, BOB)), 0, 1),
        (held(row=(EVE,)), 0, 2),
    ],
    ids=["held", "held by two", "a job has it", "one and a job", "another is first", "another waits"],
)
def test_no_lock_is_given_without_room_or_out_of_turn(lock: Lock, taken: int, limit: int) -> None:
    with pytest.raises(Illegal):
        granted(lock, BOB, taken=taken, limit=limit)


def test_the_first_of_the_row_gets_it_and_the_others_move_up() -> None:
    after = granted(held(row=(BOB, EVE)), BOB)
    assert [each.id for each in after.holders] == ["bob"] and [each.id for each in after.waiters] == ["eve"]


def test_a_counting_lock_has_as_many_holders_as_it_may() -> None:
    after = granted(held(ANN), BOB, limit=2)
    assert [each.id for each in after.holders] == ["ann", "bob"]


# -- the end


def test_a_lock_stays_a_document_that_can_be_read() -> None:
    text = "\x1b" * locks.LONGEST_TEXT  # the dearest sign of all, once it is written
    one = Stake(id="0" * 32, by=text, token=10**9, ttl_s=1.5, beats="_hold-" + "0" * 16, at=NOW, note=text)
    row = tuple(replace(one, id=f"{number:032x}") for number in range(locks.MOST_STAKES // 2))
    full = Lock(name="db", holders=row, waiters=row)
    assert len(encode(full)) < layout.DOCUMENT_LIMIT
    assert not locks.has_room(full, 0, 10**6)
    with pytest.raises(Illegal, match="it takes no more"):
        locks.ask(full, one)


def test_one_who_leaves_takes_nobody_along() -> None:
    [after] = locks.leave(held(ANN, BOB, row=(EVE,)), ANN).locks
    assert ([each.id for each in after.holders], [each.id for each in after.waiters]) == (["bob"], ["eve"])
    [after] = locks.leave(held(ANN, row=(BOB, EVE)), BOB, "withdraw").locks
    assert ([each.id for each in after.holders], [each.id for each in after.waiters]) == (["ann"], ["eve"])


def test_a_lock_that_nobody_has_is_a_document_no_more() -> None:
    tx = Transaction(state(held(ANN)), View(), NOW)
    tx.apply(locks.leave(tx.locks["db"], ANN))
    assert tx.locks == {} and tx.writes()[layout.lock_path("db")] is None


def test_a_lock_is_written_where_it_is_read() -> None:
    tx = Transaction(state(), View(), NOW)
    tx.apply(locks.ask(FREE, ANN))
    data = tx.writes()[layout.lock_path("db")]
    assert data is not None and decode(Lock, data) == held(row=(ANN,))


@pytest.mark.parametrize(
    "lock", [held(ANN, BOB, row=(EVE,)), held(BOB, row=(EVE, ANN))], ids=["holds", "waits"]
)
def test_one_without_a_sign_of_life_is_out_and_the_others_stay(lock: Lock) -> None:
    tx = Transaction(state(lock, limit=2), View(), NOW)
    settle.expire_stakes(tx, {locks.lease_of(ANN), "another's"})
    left = tx.locks["db"]
    assert "ann" not in {each.id for each in (*left.holders, *left.waiters)}
    assert len(left.holders) + len(left.waiters) == 2
    assert "ann@x gave no sign of life for 60 s" in tx.message("s1", "n")


def test_all_of_them_at_once() -> None:
    tx = Transaction(state(held(ANN, row=(BOB,))), View(), NOW)
    settle.expire_stakes(tx, {locks.lease_of(ANN), locks.lease_of(BOB)})
    assert tx.locks == {}


# -- signs of life


def test_a_lease_counts_from_the_last_renewal() -> None:
    quiet = stake("ann", token=7, beats="")
    again = locks.renew(held(quiet), quiet, ttl_s=90.0, token=9).locks[0]
    [before], [after] = locks.leases_of({"db": held(quiet)}), locks.leases_of({"db": again})
    assert before.run != after.run and (after.server, after.ttl_s) == ("", 90.0)
    assert again.holders[0].token == 7, "the token is whose turn it was; it stays"


def test_those_who_wait_are_watched_as_well() -> None:
    assert {each.server for each in locks.leases_of({"db": held(ANN, row=(BOB,))})} == {
        "_hold-ann",
        "_hold-bob",
    }


# -- jobs


@pytest.mark.parametrize(
    ("lock", "limit", "free", "text"),
    [
        (None, 1, True, "lock db is free"),
        (held(ANN), 1, False, "lock db is held by ann@x"),
        (held(ANN), 2, True, "lock db is free: 1 of 2"),
        (held(row=(BOB,)), 1, False, "lock db: bob@x waits for it"),
        (held(ANN, row=(BOB,)), 2, False, "lock db: bob@x waits for it"),
    ],
)
def test_a_job_waits_for_those_who_hold_it_or_asked_by_name(
    lock: Lock | None, limit: int, free: bool, text: str
) -> None:
    there = state(*([] if lock is None else [lock]), limit=limit)
    one = replace(running(1), claim=None)
    found = shared_conditions(one, {1: one}, usage([], there.locks), there.settings, NOW)
    assert [(each.kind, each.holds, each.text) for each in found] == [("lock", free, text)]


def test_a_job_and_a_holder_count_together() -> None:
    one = replace(running(2), claim=None)
    taken = usage([running(1)], {"db": held(ANN)})
    [found] = shared_conditions(one, {}, taken, state(limit=2).settings, NOW)
    assert (found.holds, found.text) == (False, "lock db is held by ann@x, #1")


# -- the audit


def blamed(before: State, after: State) -> list[str]:
    made = Made(actor="s1", seq=5, next_job=9, adopts=False, claimed=[])
    return [f"{each.target} {each.text}" for each in faults(before, after, made, {})]


NEW = replace(BOB, token=5)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (FREE, held(NEW)),
        (held(row=(BOB, EVE)), held(NEW, row=(EVE,))),
        (held(ANN), held(ANN, row=(BOB,))),
        (held(ANN, row=(EVE, BOB)), held(NEW)),
        (held(ANN), held(replace(ANN, renewed=5, ttl_s=9.0))),
        (held(ANN), FREE),
    ],
    ids=["free", "first in the row", "asks", "those before it are gone", "renewed", "unlocked"],
)
def test_what_the_rules_make_of_a_lock_is_legal(before: Lock, after: Lock) -> None:
    assert blamed(state(before), state(after, seq=5)) == []


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        (FREE, held(BOB), "was given to bob@x with the token 2, not this transaction's 5"),
        (held(ANN), held(ANN, NEW), "was given to bob@x although it had no room"),
        (
            held(row=(EVE, BOB)),
            held(NEW, row=(EVE,)),
            "was given to bob@x before others who had asked earlier",
        ),
        (held(row=(EVE,)), held(NEW, row=(EVE,)), "was given to bob@x before others who had asked earlier"),
        (held(ANN), held(replace(ANN, token=4)), "the token of ann@x has changed from 2 to 4"),
        (held(ANN, row=(BOB, EVE)), held(ANN, row=(EVE, BOB)), "the order of those who wait has changed"),
    ],
    ids=["token", "room", "turn", "turn of a newcomer", "another token", "order"],
)
def test_the_audit_names_what_they_do_not(before: Lock, after: Lock, fault: str) -> None:
    assert blamed(state(before), state(after, seq=5)) == [f"lock db {fault}"]


def test_the_audit_counts_jobs_that_run() -> None:
    there = (running(1),)
    before, after = state(running=there), state(held(NEW), seq=5, running=there)
    assert blamed(before, after) == ["lock db was given to bob@x although it had no room"]
