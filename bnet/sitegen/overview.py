"""The first page: how the network is, at a glance."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from bnet.app.told.expect import outlook, roughly, start_of
from bnet.app.told.overview import overview, sentence
from bnet.model.job import Job
from bnet.model.message import Entry
from bnet.rules.past import past_of
from bnet.rules.waiting import usage, waiting_for
from bnet.schedule.choose import in_order
from bnet.schedule.forecast import Ahead, Forecast, forecast
from bnet.sitegen.facts import Facts
from bnet.sitegen.rows import BAD, Row, row_of

MOST_WAITING = 12  # lines of the queue
MOST_ENDED = 10
MOST_FAILURES = 8
ANNOUNCED_FOR = 7 * 86400.0  # seconds


class Tile(NamedTuple):
    """One figure, and how it is to be taken."""

    name: str
    figure: str
    kind: str = ""


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A job that runs: since when (RFC 3339), how long it is likely to take, which share of that has passed."""

    row: Row
    since: str
    expected: float | None
    share: float | None
    told: str


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A job that waits, and what for."""

    row: Row
    why: str


class ServerCard(msgspec.Struct, frozen=True, kw_only=True):
    """A server at a glance; percentages are None where it has not told them."""

    name: str
    kind: str
    slots: int
    jobs: Sequence[int]
    seen: datetime | None
    why: str
    cpu: float | None
    memory: float | None
    disk: float | None


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """What the first page shows."""

    now: datetime
    sentence: str
    outlook: str
    wrong: Sequence[str]
    tiles: Sequence[Tile]
    announcements: Sequence[Entry]
    servers: Sequence[ServerCard]
    running: Sequence[Running]
    waiting: int
    queue: Sequence[Waiting]
    failures: Sequence[Row]
    ended: Sequence[Row]
    finished: int


class Present(msgspec.Struct, frozen=True, kw_only=True):
    """What several pages need of the present: the network described, its open jobs in order, what is to come."""

    told: Mapping[str, Any]
    coming: Forecast
    running: Sequence[Running]
    pending: Sequence[Job]
    servers: Sequence[ServerCard]


def present(facts: Facts) -> Present:
    """Work out what several pages need."""
    state, now = facts.state, facts.now
    told = overview(state, facts.hub, facts.beats, now)
    coming = forecast(state, facts.durations, now)
    running = [job for _, job in sorted(state.jobs.items()) if job.state == "running"]
    pending = in_order(state.jobs, usage(state.jobs.values(), state.locks))
    return Present(
        told=told,
        coming=coming,
        running=[_running(job, coming.jobs.get(job.number), now) for job in running],
        pending=pending,
        servers=[_card(each, facts) for each in told["servers"]],
    )


def queue(facts: Facts, at: Present, most: int | None = None) -> list[Waiting]:
    """Return the first of the jobs that wait, in the order in which they are chosen."""
    state = facts.state
    taken = usage(state.jobs.values(), state.locks)
    found = []
    for job in at.pending[:most]:
        why = waiting_for(job, state.jobs, state.servers, taken, state.settings, facts.now)
        ahead = at.coming.jobs.get(job.number)
        # What should have started by this forecast waits for something that takes longer than it used to.
        late = ahead is None or ahead.starts is None or (ahead.starts - facts.now).total_seconds() < 1
        starts = "" if ahead is None or late else start_of(ahead, facts.now)
        told = ", ".join(each for each in (f"waits for {why}" if why else "", starts) if each)
        found.append(Waiting(row=row_of(past_of(job)), why=told))
    return found


def view(facts: Facts, at: Present) -> Overview:
    """Return what the first page shows."""
    ended = [past for past in facts.past if past.finished is not None]
    failed = [past for past in ended if past.result in BAD]
    day = facts.now.timestamp() - 86400
    lately = [past.result for past in ended if (past.finished or 0.0) > day]
    good = sum(result == "success" for result in lately)
    wrong = at.told["wrong"]
    return Overview(
        now=facts.now,
        sentence=sentence(at.told) + ".",
        outlook=outlook(at.coming, facts.now),
        wrong=wrong,
        tiles=[
            Tile("running", str(len(at.running)), "busy" if at.running else ""),
            Tile("waiting", str(len(at.pending))),
            Tile("succeeded in 24 h", f"{good:,}", "good" if good else ""),
            Tile("failed in 24 h", f"{(bad := sum(each in BAD for each in lately)):,}", "bad" if bad else ""),
        ],
        announcements=announced(facts),
        servers=at.servers,
        running=at.running,
        waiting=len(at.pending),
        queue=queue(facts, at, MOST_WAITING),
        failures=[row_of(past) for past in failed[:MOST_FAILURES]],
        ended=[row_of(past) for past in ended[:MOST_ENDED]],
        finished=len(ended),
    )


def announced(facts: Facts) -> list[Entry]:
    """Return what people have lately told everybody, the newest first."""
    return [
        each
        for each in reversed(facts.letters)
        if each.readable
        and not each.auto
        and "all" in each.to
        and (facts.now - each.at).total_seconds() < ANNOUNCED_FOR
    ][:4]


def _running(job: Job, ahead: Ahead | None, now: datetime) -> Running:
    assert job.claim is not None
    since = job.claim.claimed_at
    estimate = None if ahead is None else ahead.estimate
    passed = max(0.0, (now - since).total_seconds())
    expected = None if estimate is None else max(0.1, estimate.seconds)
    told = f"for {roughly(passed)}"
    if expected is not None and passed < expected:
        told = f"~{roughly(expected - passed)} left"
    return Running(
        row=row_of(past_of(job)),
        since=f"{since:%Y-%m-%dT%H:%M:%SZ}",
        expected=None if expected is None else round(expected, 1),
        share=None if expected is None else min(0.99, passed / expected),
        told=told,
    )


def _card(told: Mapping[str, Any], facts: Facts) -> ServerCard:
    beat = facts.beats.get(told["name"])
    metrics = {} if beat is None else beat.metrics
    return ServerCard(
        name=told["name"],
        kind="silent" if told["silent"] else told["wanted"],
        slots=told["slots"],
        jobs=told["jobs"],
        seen=None if beat is None else beat.at,
        why=told["why"],
        cpu=_busy(metrics),
        memory=metrics.get("memory_percent"),
        disk=metrics.get("disk_percent"),
    )


def _busy(metrics: Mapping[str, float | None]) -> float | None:
    """Return how busy the processors are, in percent; from the load where two looks are lacking."""
    percent, load, cores = (metrics.get(name) for name in ("cpu_percent", "load1", "cores"))
    if percent is not None:
        return percent
    return None if load is None or not cores else min(100.0, 100.0 * load / cores)
