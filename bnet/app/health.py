"""The facts that verdicts on a network rest on, gathered by one look at the hub."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import chain, islice

import msgspec
from msgspec.structs import replace

from bnet.app.history import annals, search
from bnet.app.ledger import Diverged, Ledger
from bnet.app.messages.post import Post
from bnet.app.told.messages import overdue_line
from bnet.app.told.overview import HEARTBEAT
from bnet.codec.documents import Unreadable, decode
from bnet.errors import HubUnreachable
from bnet.health import memory as memories
from bnet.health.facts import Beat, End, Expected, Facts, Overdue, Seen, Site
from bnet.health.hub import WINDOW_S
from bnet.health.jobs import ENDS, wanting
from bnet.health.memory import SITE, Memory, Published
from bnet.model.base import Result
from bnet.model.history import EventQuery, Query
from bnet.model.server import Heartbeat
from bnet.model.state import State
from bnet.ports.hub import Hub, Look
from bnet.ports.indexes import Index
from bnet.ports.machine import Clock
from bnet.schedule.durations import Durations, predict

DAY = timedelta(days=1)
MOST_BEATS = 400  # of a server that are looked at


class Sources(msgspec.Struct, frozen=True, kw_only=True):
    """Where facts come from.

    Attributes:
        ledger: not looked at yet.
        clock: of this machine.
        post: the messages on the hub.
        index: of the past; opened only where the ledger's tree does not hold enough.
        durations: how long jobs took, by the ledger's state.
        site: tells of the dashboard that is published, by the ledger's state and what was remembered of it; and what
            to remember.
        size: tells the bytes that the hub takes, or at least takes, and how many refs it has.
    """

    ledger: Ledger
    clock: Clock
    post: Post
    index: Callable[[], Index]
    durations: Callable[[State], Durations]
    size: Callable[[], tuple[int | None, int]]
    site: Callable[[State, Published | None], tuple[Site | None, Published | None]]


class Row(msgspec.Struct, frozen=True):
    """The heartbeats on a ref that can be read, the newest first; whether that is the one that the ref has now."""

    beats: list[Heartbeat] = []
    current: bool = True


def gather(sources: Sources, before: Memory) -> tuple[Facts, Memory]:
    """Look at the hub; return what is so, and what this machine has seen by now.

    Raises:
        BnetError: what `Ledger.refresh` raises.
    """
    ledger, clock = sources.ledger, sources.clock
    asked_s = clock.boot()
    look, beats, diverged = _beats(ledger)
    state = ledger.state
    tips = {name: look.telemetry.get(name, "") for name in state.servers}
    site, published = sources.site(state, before.published)
    if site is not None and site.built is not None:
        tips[SITE] = f"{site.where} {site.tip}"
    memory = memories.look(before, tips, boot_id=clock.boot_id(), now_s=asked_s)
    seen = {
        name: _seen(beats.get(name, Row()), memory.least_s(name), memory.most_s(name))
        for name in state.servers
    }
    now = clock.now()
    size, refs = sources.size()
    facts = Facts(
        state=state,
        now=now,
        seen=seen,
        expected=dict(_expected(state, sources.durations(state))),
        archived=_archived(sources),
        overdue=[
            Overdue(key.rpartition("/")[2], ask.due, overdue_line(key, ask, names, now))
            for key, ask, names in sources.post.overdue(state, now)
        ],
        pushes=None if state.settings.push_budget is None else _pushes(sources, beats, now),
        hub_bytes=size,
        hub_refs=refs,
        diverged=diverged,
        site=site and replace(site, least_s=memory.least_s(SITE), most_s=memory.most_s(SITE)),
    )
    return facts, replace(memory, published=published)


def _beats(ledger: Ledger) -> tuple[Look, Mapping[str, Row], str]:
    """Return a look, each server's heartbeats of the last day, the newest first, and whether the hub has diverged."""
    look, diverged = _look(ledger)
    try:
        return look, _read(ledger.hub, look, ledger.state), diverged
    except HubUnreachable:
        # A server began its telemetry anew between the two questions; if it was not that, this fails too.
        look, diverged = _look(ledger)
        return look, _read(ledger.hub, look, ledger.state), diverged


def _look(ledger: Ledger) -> tuple[Look, str]:
    try:
        return ledger.refresh(), ""
    except Diverged as error:
        # The servers go on with the ledger that they know until a person has decided; that one is judged.
        ledger.load(ledger.hub.known())
        return ledger.hub.look(), str(error)


def _read(hub: Hub, look: Look, state: State) -> dict[str, Row]:
    present = [name for name in sorted(state.servers) if name in look.telemetry]
    with hub.exclusive():
        hub.fetch_telemetry(present)
        return {name: _row(hub, look.telemetry[name]) for name in present}


def _row(hub: Hub, tip: str) -> Row:
    """Return a server's heartbeats, back to a day before the newest."""
    beats: list[Heartbeat] = []
    current = True
    data = hub.read(tip, [HEARTBEAT]).get(HEARTBEAT)
    versions = chain([] if data is None else [data], (each for _, each in hub.older(tip, HEARTBEAT)))
    for version in islice(versions, MOST_BEATS):
        try:
            beat = decode(Heartbeat, version)
        except Unreadable:
            current = current and bool(beats)
            continue
        if beats and beats[0].at - beat.at > DAY:
            break
        beats.append(beat)
    return Row(beats, current and data is not None)


def _seen(row: Row, least_s: float, most_s: float | None) -> Seen:
    earlier = [Beat(each.at, each.boot_id, bool(each.runs)) for each in row.beats[1:]]
    newest = row.beats[0] if row.beats else None
    return Seen(beat=newest, earlier=earlier, least_s=least_s, most_s=most_s, current=row.current)


def _expected(state: State, known: Durations) -> Iterator[tuple[int, Expected]]:
    for job in state.jobs.values():
        if job.claim is not None and job.result is None:
            estimate = predict(known, job, job.claim.server)
            if estimate is not None:
                yield job.number, Expected(estimate.high, estimate.runs)


def _archived(sources: Sources) -> dict[str, list[End]]:
    """Return how the older jobs ended of those names whose newest ones all failed."""
    state = sources.ledger.state
    failures = state.monitoring.failures
    names = wanting(state.jobs, failures)
    if not names or not state.archive:
        return {}
    index, found = sources.index(), {}
    for name in names:
        query = Query(name=name, results=ENDS, limit=failures)
        past = search(sources.ledger, index, query)
        found[name] = [
            End(each.number, msgspec.convert(each.result, Result), datetime.fromtimestamp(each.finished, UTC))
            for each in past
            if each.finished is not None
        ]
    return found


def _pushes(sources: Sources, beats: Mapping[str, Row], now: datetime) -> int:
    """Return how many pushes of the last hour left a trace; those that came too late left none.

    A server's transactions land in the push of a heartbeat, those of people by themselves.
    """
    since = now - timedelta(seconds=WINDOW_S)
    heartbeats = 0
    for row in beats.values():
        # The newest was pushed by now, so a clock that says otherwise is ahead by so much at least.
        ahead = max(timedelta(0), row.beats[0].at - now) if row.beats else timedelta(0)
        heartbeats += sum(each.at - since > ahead for each in row.beats)
    query = EventQuery(since=since.timestamp())
    servers = sources.ledger.state.servers
    events = sources.index().events(annals(sources.ledger), query)
    return heartbeats + len({each.seq for each in events if each.actor not in servers})
