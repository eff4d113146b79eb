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
from bnet.rules.waiting import accepts, expires_at, need_state, usage, waiting_for

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
    return waiting_for(one, there, by_name, usage(there.values()), settings or Settings(), NOW)


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
    "nothing, as the other is free": (job(), (running(1),), (LINUX, replace(LINUX, name="s2")), None),
}


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
        "settings": Settings(),
        "servers": {"s1": LINUX},
        "jobs": {each.number: each for each in there},
        "keys": {},
        "inbox": (),
        "rejected": {},
        "archive": frozenset(),
        "problems": (),
        "restore": {},
    }
    return Transaction(State(**(base | more)), View(), now)


def ends(tx: Transaction) -> dict[int, tuple[str, str]]:
    return {
        n: (each.result.result, each.result.reason) for n, each in tx.jobs.items() if each.result is not None
    }


def test_only_what_lapsed_is_expired() -> None:
    tx = tx_of(running(1), running(2), done(3), job(4))
    settle.expire_claims(tx, {"r1", "r3", "r4", "unknown"})
    assert (tx.jobs[1].state, tx.jobs[2].state) == ("pending", "running")
    assert [change.verb for change in tx.changes] == ["requeue"]
    settle.expire_claims(tx, {"r1"})
    assert len(tx.changes) == 1, "doing it twice is doing it once"


def test_a_chain_of_needs_is_skipped_in_one_go() -> None:
    chain = [job(n, needs=(Need(job=n - 1),)) for n in range(2, 6)]
    tx = tx_of(done(1, "failure"), *reversed(chain), job(7, needs=(Need(job=1, on="always"),)))
    settle.skip_hopeless(tx)
    assert {n: end for n, end in ends(tx).items() if n > 1} == dict.fromkeys(
        range(2, 6), ("skipped", "dependency")
    )
    assert tx.jobs[7].state == "pending"


REFUSALS = {
    "the only server": (("s1",), {"s1": LINUX}, True),
    "one of two": (("s1",), {"s1": LINUX, "s2": replace(LINUX, name="s2")}, False),
    "the only one that fits": (("s1",), {"s1": LINUX, "s2": replace(LINUX, name="s2", labels={})}, True),
    "one, and another is paused": (("s1",), {"s1": LINUX, "s2": replace(PAUSED, name="s2")}, False),
    "nobody": ((), {"s1": replace(LINUX, labels={})}, False),
}


@pytest.mark.parametrize(("by", "servers", "over"), REFUSALS.values(), ids=REFUSALS.keys())
def test_a_job_that_every_fitting_server_refused_is_over(
    by: tuple[str, ...], servers: Any, over: bool
) -> None:
    tx = tx_of(refused(1, *by, labels={"os": "linux"}), servers=servers)
    settle.skip_hopeless(tx)
    assert ends(tx) == ({1: ("error", "refused")} if over else {})


def test_a_job_expires_after_its_time_since_it_was_asked_for_or_last_tried() -> None:
    week = timedelta(days=7, seconds=1)
    later = job(4, not_before=NOW + DAY)
    tried = refused(3, "s1")
    tried = replace(tried, attempts=tuple(replace(each, finished_at=NOW + DAY) for each in tried.attempts))
    tx = tx_of(job(1), running(2), tried, later, now=NOW + week)
    settle.give_up_unclaimed(tx)
    assert ends(tx) == {1: ("cancelled", "expired")}
    assert expires_at(tried) == NOW + DAY + timedelta(days=7), "an attempt begins the wait anew"
    assert expires_at(later) == NOW + DAY + timedelta(days=7)


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
