"""Why a pending job waits, and when a waiting one is given up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from bnet.codec.view import View
from bnet.model.hub import Head, Queue, Retention, Settings
from bnet.model.job import Attempt, Group, Job, JobResult, JobSpec, Need
from bnet.model.server import Accept, Server
from bnet.model.state import KeyEntry, KeyFile, Rejection, State
from bnet.rules import jobs, settle
from bnet.rules.transaction import Transaction, read_archive
from bnet.rules.waiting import (
    accepts,
    expires_at,
    need_state,
    server_conditions,
    shared_conditions,
    usage,
    waiting_for,
)

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LINUX = Server(name="s1", instance="i", joined_at=NOW, labels={"os": "linux"}, slots=1)
DAY = timedelta(days=1)


def job(number: int = 9, **more: Any) -> Job:
    base = {
        "number": number,
        "name": f"j{number}",
        "command": "x",
        "submitted_by": "ann",
        "submitted_at": NOW,
    }
    return Job(spec=JobSpec(**(base | more)))


def running(number: int, server: Server = LINUX, **more: Any) -> Job:
    [after] = jobs.claim(job(number, **more), server, run=f"r{number}", token=1, ttl_s=60.0, now=NOW).jobs
    return after


def done(number: int, result: Any = "success", at: datetime = NOW, **more: Any) -> Job:
    return replace(job(number, **more), result=JobResult(result=result, reason="exit", finished_at=at))


def refused(number: int, *servers: str, **more: Any) -> Job:
    attempts = tuple(
        Attempt(
            attempt=n,
            server=name,
            run=f"r{n}",
            token=n,
            result="error",
            reason="refused",
            finished_at=NOW,
            message="no image",
        )
        for n, name in enumerate(servers, 1)
    )
    return replace(job(number, **more), attempts=attempts)


def word(
    one: Job, *others: Job, servers: tuple[Server, ...] = (LINUX,), settings: Settings | None = None
) -> str | None:
    there = {each.number: each for each in (one, *others)}
    by_name = {server.name: server for server in servers}
    return waiting_for(one, there, by_name, usage(there.values(), {}), settings or Settings(), NOW)


PAUSED = replace(LINUX, wanted="paused", why="disk")
PICKY = replace(LINUX, accept=Accept(queues=("gpu",)))
DEPLOY = Group(name="deploy", limit=1)
WAITS: dict[str, tuple[Job, tuple[Job, ...], tuple[Server, ...], str | None]] = {
    "nothing": (job(), (), (LINUX,), None),
    "a dependency that runs": (job(needs=(Need(job=1),)), (running(1),), (), "dependencies"),
    "a time": (job(not_before=NOW + timedelta(seconds=1)), (), (LINUX,), "time"),
    "a time that has come": (job(not_before=NOW), (), (LINUX,), None),
    "its group": (job(group=DEPLOY), (running(1, group=DEPLOY),), (LINUX,), "group"),
    "another group": (
        job(group=DEPLOY),
        (running(1, replace(LINUX, name="s2"), group=Group(name="x")),),
        (LINUX,),
        None,
    ),
    "a lock": (job(locks=("db",)), (running(1, locks=("db", "x")),), (LINUX,), "lock"),
    "a slot": (job(), (running(1),), (LINUX,), "slots"),
    "a server that resumes": (job(), (), (PAUSED,), "slots"),
    "a server with its labels": (job(labels={"os": "mac"}), (), (LINUX,), "labels"),
    "any server": (job(), (), (), "slots"),
    "a server that accepts it": (job(), (), (PICKY,), "labels"),
    "a server that has not refused it": (refused(9, "s1"), (), (LINUX,), "labels"),
    "the one of two that is busy": (job(), (running(1),), (LINUX, replace(PICKY, name="s2")), "slots"),
    "a server with its labels, though the others are busy too": (
        job(labels={"os": "mac"}),
        (running(1),),
        (LINUX,),
        "labels",
    ),
    "nothing, as the other is free": (job(), (running(1),), (LINUX, replace(LINUX, name="s2")), None),
}


def test_what_runs_is_counted_once_for_each_thing_that_is_shared() -> None:
    other = replace(LINUX, name="s2")
    over = replace(running(4, group=DEPLOY, locks=("x",)), result=done(4).result)
    taken = usage(
        [
            running(1, group=DEPLOY, locks=("db", "web"), queue="q"),
            running(2, other, group=DEPLOY, queue="q", submitted_by="bob"),
            running(3),
            over,
            done(5),
            job(6, group=DEPLOY, locks=("y",)),
        ],
        {},
    )
    assert taken.groups == {"deploy": 2}
    assert taken.holders == {"db": ["#1"], "web": ["#1"]}
    assert taken.queues == {"q": 2, "default": 1}
    assert taken.servers == {"s1": 2, "s2": 1}
    assert taken.submitters == {"ann": 2, "bob": 1}


def told(one: Job, *others: Job, settings: Settings | None = None) -> list[tuple[str, bool, str]]:
    there = {each.number: each for each in (one, *others)}
    found = shared_conditions(one, there, usage(there.values(), {}), settings or Settings(), NOW)
    return [(each.kind, each.holds, each.text) for each in found]


def test_each_condition_that_all_servers_share_says_how_it_is() -> None:
    needs = (
        Need(job=1),
        Need(job=2),
        Need(job=3, on="failure", result="timeout"),
        Need(job=4),
        Need(job=5),
    )
    asked = job(needs=needs, not_before=NOW + DAY, group=DEPLOY, locks=("db", "web"), queue="q")
    others = (done(1), running(2, group=DEPLOY, locks=("db",), queue="q"), job(5))
    settings = Settings(queues={"q": Queue(limit=1, paused="move")})
    assert told(asked, *others, settings=settings) == [
        ("needs", True, "needs #1 to end with success: it is success"),
        ("needs", False, "needs #2 to end with success: it is running"),
        ("needs", True, "needs #3 to end with failure: it is timeout"),
        ("needs", False, "needs #4 to end with success: it is gone"),
        ("needs", False, "needs #5 to end with success: it is pending"),
        ("time", False, "not before 2026-11-21T12:00:00Z"),
        ("group", False, "group deploy: 1 running, at most 1 may"),
        ("lock", False, "lock db is held by #2"),
        ("lock", True, "lock web is free"),
        ("queue", False, "queue q is paused: move"),
        ("queue", False, "queue q: 1 running, at most 1 may"),
    ]


FITS = [
    ("labels", True, "has the labels"),
    ("accept", True, "accepts it"),
    ("refused", True, "has not refused it"),
    ("server", True, "is active"),
    ("slots", True, "1 of 1 slots free"),
]
FITS_NOT = [
    ("labels", False, "lacks cpu=9, disk=ssd"),
    ("accept", False, "does not accept it"),
    ("refused", False, "could not start it"),
    ("server", False, "is paused: disk"),
    ("slots", False, "0 of 1 slots free"),
]


def test_each_condition_on_a_server_says_how_it_is() -> None:
    picky = replace(PICKY, wanted="paused", why="disk")
    asked = refused(9, "s1", labels={"os": "linux", "cpu": "9", "disk": "ssd"})
    for one, server, busy, expected in (
        (job(labels={"os": "linux"}), LINUX, (), FITS),
        (asked, picky, (running(1), running(2)), FITS_NOT),
    ):
        found = server_conditions(one, server, usage(busy, {}))
        assert [(each.kind, each.holds, each.text) for each in found] == expected


@pytest.mark.parametrize(("one", "others", "servers", "what"), WAITS.values(), ids=WAITS.keys())
def test_a_job_waits_for(
    one: Job, others: tuple[Job, ...], servers: tuple[Server, ...], what: str | None
) -> None:
    assert word(one, *others, servers=servers) == what


@pytest.mark.parametrize(
    ("queue", "others", "what"),
    [
        (Queue(paused="x"), (), "queue"),
        (Queue(limit=1), (running(1, replace(LINUX, name="s2")),), "queue"),
        (Queue(limit=2), (running(1, replace(LINUX, name="s2")),), None),
    ],
)
def test_a_queue_has_rules_of_its_own(queue: Queue, others: tuple[Job, ...], what: str | None) -> None:
    assert word(job(), *others, settings=Settings(queues={"default": queue})) == what


NEEDS = {
    "success": {
        "success": True,
        "failure": False,
        "error": False,
        "timeout": False,
        "cancelled": False,
        "skipped": False,
    },
    "failure": {
        "success": False,
        "failure": True,
        "error": True,
        "timeout": True,
        "cancelled": False,
        "skipped": False,
    },
    "always": dict.fromkeys(("success", "failure", "error", "timeout", "cancelled", "skipped"), True),
}


@pytest.mark.parametrize(
    ("on", "result", "met"), [(on, result, met) for on, row in NEEDS.items() for result, met in row.items()]
)
def test_a_need_is_met(on: Any, result: Any, met: bool) -> None:
    assert need_state(Need(job=1, on=on), {1: done(1, result)}) is met
    assert need_state(Need(job=1, on=on, result=result), {}) is met


def test_a_need_is_open_until_the_other_ends_and_never_met_when_that_is_gone() -> None:
    assert need_state(Need(job=1), {1: running(1)}) is None
    assert need_state(Need(job=1), {}) is False


@pytest.mark.parametrize(
    ("queues", "submitters", "by", "taken"),
    [
        ((), (), "ann@x.org", True),
        (("default",), (), "ann@x.org", True),
        (("gpu",), (), "ann@x.org", False),
        ((), ("ann@x.org",), "ann@x.org", True),
        ((), ("*@x.org",), "ann@x.org", True),
        ((), ("*@x.org",), "ann@x.org.evil", False),
        ((), ("*@x.org",), "ann@evilx.org", False),
        ((), ("bob@y.org", "*@x.org"), "ann@x.org", True),
        ((), ("xann@x.org",), "ann@x.org", False),
        ((), ("bob@x.org",), "ann@x.org", False),
        (("gpu",), ("*",), "ann@x.org", False),
    ],
)
def test_an_owner_decides_what_a_machine_takes(queues: Any, submitters: Any, by: str, taken: bool) -> None:
    server = replace(LINUX, accept=Accept(queues=queues, submitters=submitters))
    assert accepts(server, job(submitted_by=by)) is taken


# -- what is due by itself


def tx_of(*there: Job, now: datetime = NOW, **more: Any) -> Transaction:
    base: dict[str, Any] = {
        "tip": "t",
        "head": Head(format=1, hub="h", seq=4, next_job=99),
        "servers": {"s1": LINUX},
        "jobs": {each.number: each for each in there},
    }
    return Transaction(State(**(base | more)), View(), now)


def ends(tx: Transaction) -> dict[int, tuple[str, str]]:
    return {
        n: (each.result.result, each.result.reason) for n, each in tx.jobs.items() if each.result is not None
    }


def said(tx: Transaction, number: int) -> str | None:
    result = tx.jobs[number].result
    assert result is not None
    return result.message


def test_only_what_lapsed_is_expired() -> None:
    tx = tx_of(running(1), running(2), done(3), job(4))
    settle.expire_claims(tx, {"r1", "r3", "r4", "unknown"})
    assert (tx.jobs[1].state, tx.jobs[2].state) == ("pending", "running")
    assert [change.verb for change in tx.changes] == ["requeue"]
    settle.expire_claims(tx, {"r1"})
    assert len(tx.changes) == 1, "doing it twice is doing it once"


def test_a_lost_claim_says_for_how_long_its_holder_was_not_seen_to_move() -> None:
    tx = tx_of(running(1))
    settle.expire_claims(tx, {"r1"})
    [attempt] = tx.jobs[1].attempts
    assert (attempt.reason, attempt.run, attempt.finished_at) == ("lost", "r1", NOW)
    assert attempt.message == "s1 was not seen to move for 60 s"


def test_a_job_that_has_its_result_is_not_ended_again_whatever_else_lies_beside_it() -> None:
    over = replace(
        running(1, needs=(Need(job=2),)), result=JobResult(result="success", reason="exit", finished_at=NOW)
    )
    old = NOW - 30 * DAY
    tx = tx_of(
        over,
        done(2, "failure"),
        done(3, needs=(Need(job=2),), submitted_at=old),
        running(4, needs=(Need(job=2),), submitted_at=old),
    )
    settle.expire_claims(tx, {"r1"})
    settle.skip_hopeless(tx)
    settle.give_up_unclaimed(tx)
    assert tx.changes == []


def test_a_chain_of_needs_is_skipped_in_one_go() -> None:
    chain = [job(n, needs=(Need(job=n - 1),)) for n in range(2, 6)]
    tx = tx_of(done(1, "failure"), *reversed(chain), job(7, needs=(Need(job=1, on="always"),)))
    settle.skip_hopeless(tx)
    assert {n: end for n, end in ends(tx).items() if n > 1} == dict.fromkeys(
        range(2, 6), ("skipped", "dependency")
    )
    assert tx.jobs[7].state == "pending"
    assert [said(tx, n) for n in (2, 5)] == [f"#{n} did not end with success" for n in (1, 4)]


REFUSALS = {
    "the only server": (("s1",), {"s1": LINUX}, True),
    "one of two": (("s1",), {"s1": LINUX, "s2": replace(LINUX, name="s2")}, False),
    "the only one that fits": (("s1",), {"s1": LINUX, "s2": replace(LINUX, name="s2", labels={})}, True),
    "one, and another is paused": (("s1",), {"s1": LINUX, "s2": replace(PAUSED, name="s2")}, False),
    "the only one that accepts it": (("s1",), {"s1": LINUX, "s2": replace(PICKY, name="s2")}, True),
    "nobody": ((), {"s1": replace(LINUX, labels={})}, False),
}


@pytest.mark.parametrize(("by", "servers", "over"), REFUSALS.values(), ids=REFUSALS.keys())
def test_a_job_that_every_fitting_server_refused_is_over(
    by: tuple[str, ...], servers: Any, over: bool
) -> None:
    tx = tx_of(refused(1, *by, labels={"os": "linux"}), servers=servers)
    settle.skip_hopeless(tx)
    assert ends(tx) == ({1: ("error", "refused")} if over else {})


@pytest.mark.parametrize(("last", "why"), [("disk full", "disk full"), (None, "no server could start it")])
def test_a_job_that_nobody_could_start_says_what_the_last_one_lacked(last: str | None, why: str) -> None:
    tried = refused(1, "s1", "s2")
    first, second = tried.attempts
    both = {"s1": LINUX, "s2": replace(LINUX, name="s2")}
    tx = tx_of(replace(tried, attempts=(first, replace(second, message=last))), servers=both)
    settle.skip_hopeless(tx)
    assert said(tx, 1) == why


def test_a_job_expires_after_its_time_since_it_was_asked_for_or_last_tried() -> None:
    week = timedelta(days=7, seconds=1)
    later = job(4, not_before=NOW + DAY)
    tried = refused(3, "s1")
    tried = replace(tried, attempts=tuple(replace(each, finished_at=NOW + DAY) for each in tried.attempts))
    tx = tx_of(job(1), running(2), tried, later, now=NOW + week)
    settle.give_up_unclaimed(tx)
    assert ends(tx) == {1: ("cancelled", "expired")}
    assert said(tx, 1) == "not claimed within 604800 s"
    assert expires_at(tried) == NOW + DAY + timedelta(days=7), "an attempt begins the wait anew"
    assert expires_at(later) == NOW + DAY + timedelta(days=7)


def test_it_is_the_last_attempt_from_which_a_job_waits_anew() -> None:
    tried = refused(3, "s1", "s2")
    times = zip(tried.attempts, (NOW + DAY, NOW + 2 * DAY), strict=True)
    tried = replace(tried, attempts=tuple(replace(each, finished_at=at) for each, at in times))
    assert expires_at(tried) == NOW + 9 * DAY


def test_a_job_may_wait_for_longer_than_there_are_dates() -> None:
    assert expires_at(job(expires_after=1e12)) == datetime.max.replace(tzinfo=UTC)
    tx = tx_of(job(1, expires_after=1e12), now=NOW + 9 * DAY)
    settle.give_up_unclaimed(tx)
    assert tx.changes == []


def test_what_is_not_yet_past_its_time_waits() -> None:
    tx = tx_of(job(1), now=NOW + timedelta(days=7))
    settle.give_up_unclaimed(tx)
    assert tx.changes == []


# -- the archive

LATE = NOW + DAY + settle.SLACK + timedelta(seconds=1)


def test_finished_jobs_go_into_the_archive_of_their_day_and_can_be_read_there() -> None:
    there = [done(1), done(2, at=NOW + DAY), done(3, "failure"), job(4)]
    tx = tx_of(*there, now=NOW + 2 * DAY + timedelta(hours=2))
    settle.archive(tx)
    assert sorted(tx.jobs) == [4]
    files = {path: data for path, data in tx.files.items() if data is not None}
    assert sorted(files) == [
        "coordination/archive/2026/11/20.1.jsonl",
        "coordination/archive/2026/11/21.1.jsonl",
    ]
    assert [each for data in files.values() for each in read_archive(data)] == [there[0], there[2], there[1]]


def test_a_job_that_an_open_one_needs_stays() -> None:
    tx = tx_of(done(1), done(2), job(3, needs=(Need(job=1),)), now=LATE)
    settle.archive(tx)
    assert sorted(tx.jobs) == [1, 3]


def test_a_job_that_only_finished_ones_need_goes() -> None:
    tx = tx_of(done(1), done(2, needs=(Need(job=1),)), now=LATE)
    settle.archive(tx)
    assert not tx.jobs


def test_the_one_that_waited_longest_takes_the_others_along() -> None:
    tx = tx_of(done(1), done(2, at=NOW + settle.SLACK / 2), now=LATE)
    settle.archive(tx)
    assert not tx.jobs


def test_jobs_are_archived_in_the_order_of_their_numbers_and_the_history_says_which() -> None:
    there = [
        done(3),
        done(1),
        done(2),
        done(7, at=NOW - DAY),
        done(9, at=NOW - 2 * DAY),
        done(8, at=NOW - 2 * DAY),
    ]
    tx = tx_of(*there, now=LATE)
    settle.archive(tx)
    [first] = [data for path, data in tx.files.items() if "11/20" in path and data is not None]
    assert [each.number for each in read_archive(first)] == [1, 2, 3]
    told = [(each.verb, each.target, each.gone, each.fields) for each in tx.changes]
    assert told == [
        ("archive", "#1-3", (1, 2, 3), {"jobs": 3}),
        ("archive", "#7", (7,), {"jobs": 1}),
        ("archive", "#8-9", (8, 9), {"jobs": 2}),
    ]


def test_a_job_that_is_larger_than_an_archive_file_has_one_for_itself() -> None:
    tx = tx_of(done(1), done(2, command="x" * (settle.ARCHIVE_FILE + 1)), done(3), now=LATE)
    settle.archive(tx)
    files = [[each.number for each in read_archive(data)] for data in tx.files.values() if data is not None]
    assert files == [[1], [2], [3]]
    alone = tx_of(done(1, command="x" * (settle.ARCHIVE_FILE + 1)), now=LATE)
    settle.archive(alone)
    assert not alone.jobs


@pytest.mark.parametrize(
    ("count", "age", "moved"),
    [
        (1, DAY, False),
        (1, DAY + settle.SLACK / 2, False),
        (1, DAY + settle.SLACK, True),
        (199, DAY + timedelta(seconds=1), False),
        (200, DAY + timedelta(seconds=1), True),
        (200, DAY, False),
    ],
)
def test_a_few_wait_for_company(count: int, age: timedelta, moved: bool) -> None:
    tx = tx_of(*(done(n) for n in range(1, count + 1)), now=NOW + age)
    settle.archive(tx)
    assert bool(tx.changes) is moved


def test_an_archive_file_is_never_written_over_and_never_too_large() -> None:
    taken = frozenset({"coordination/archive/2026/11/20.1.jsonl"})
    big = [done(n, command="x" * 100_000) for n in range(1, 6)]
    tx = tx_of(*big, now=LATE, archive=taken)
    settle.archive(tx)
    files = {path: data for path, data in tx.files.items() if data is not None}
    assert sorted(files) == [f"coordination/archive/2026/11/20.{n}.jsonl" for n in (2, 3, 4)]
    assert all(len(data) <= settle.ARCHIVE_FILE for data in files.values())
    assert sum(len(read_archive(data)) for data in files.values()) == 5


def test_a_line_of_the_archive_that_cannot_be_read_is_passed_over() -> None:
    from bnet.rules.transaction import archive_line

    data = archive_line(done(1)) + b"{\n\xff\n\n" + archive_line(done(2))
    assert [each.number for each in read_archive(data)] == [1, 2]


# -- pruning


def test_rejections_and_keys_past_their_time_are_forgotten() -> None:
    keep = Retention()
    old, new = NOW - timedelta(seconds=keep.keys + 1), NOW
    keys = {
        "a": KeyFile(keys={"old": KeyEntry(jobs=(1,), at=old), "new": KeyEntry(jobs=(2,), at=new)}),
        "b": KeyFile(keys={"new": KeyEntry(jobs=(3,), at=new)}),
    }
    stale = Rejection(
        file="f", reason="r", by="b", commit="c", at=NOW - timedelta(seconds=keep.rejected + 1), text=""
    )
    tx = tx_of(keys=keys, rejected={"r/old": stale, "r/new": replace(stale, at=NOW)})
    settle.prune(tx)
    assert tx.files == {"r/old": None}
    assert tx.documents == {"a": KeyFile(keys={"new": KeyEntry(jobs=(2,), at=new)})}


def test_rejections_and_keys_are_kept_until_their_time_is_over() -> None:
    keep = Retention()
    keys = {"a": KeyFile(keys={"k": KeyEntry(jobs=(1,), at=NOW - timedelta(seconds=keep.keys))})}
    at = NOW - timedelta(seconds=keep.rejected)
    tx = tx_of(keys=keys, rejected={"r": Rejection(file="f", reason="r", by="b", commit="c", at=at, text="")})
    settle.prune(tx)
    assert (tx.files, tx.documents) == ({}, {})


def test_a_key_that_was_just_taken_is_not_forgotten_with_the_old_ones_beside_it() -> None:
    old = KeyEntry(jobs=(1,), at=NOW - timedelta(seconds=Retention().keys + 1))
    tx = tx_of(keys={"a": KeyFile(keys={"old": old})})
    with_new = KeyFile(keys={"old": old, "new": KeyEntry(jobs=(2,), at=NOW)})
    tx.documents["a"] = with_new
    settle.prune(tx)
    assert tx.documents == {"a": with_new}
