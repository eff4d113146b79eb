"""Targets of what comes by itself: files of schedules and sources, what is known of them, named locks."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice, pairwise

from msgspec.structs import replace
from reading import check_error, check_times
from target import Target, must

from bnet.app.steward.polling import matching
from bnet.app.told.jobs import describe_locks
from bnet.app.told.schedules import describe, troubles
from bnet.app.told.sources import describe_sources, obstacles
from bnet.codec.documents import Unreadable, decode, encode, rewrite
from bnet.codec.schedules import read_table
from bnet.codec.sources import LONGEST_EVERY, SHORTEST_EVERY, read_source
from bnet.codec.view import View
from bnet.errors import Invalid
from bnet.forges.tokens import project_of
from bnet.model.base import Record
from bnet.model.hub import Head
from bnet.model.lock import Lock, Stake
from bnet.model.schedule import Cursor, Pause, Trouble
from bnet.model.source import Followed, Obstacle, Seen
from bnet.model.state import State
from bnet.rules.agenda import Agenda
from bnet.rules.arrivals import Move
from bnet.rules.firing import next_due, plan
from bnet.rules.leases import Observed, lapsed, observe
from bnet.rules.locks import leases_of
from bnet.rules.polling import MOST_PAST, Sight, poll
from bnet.rules.sources import seen_of
from bnet.rules.specs import Facts
from bnet.rules.transaction import Transaction
from bnet.rules.wallclock import comes_at, moments, on_the_wall, shown_at

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
FILE = "coordination/schedules/s.yaml"
FILES = [
    b'cron: "*/5 2 * * 1-5"\ntimezone: Europe/Berlin\nmissed: all\nspread: 10m\nsubmit: {command: make}\n',
    b'a: {cron: "@daily", submit: {command: x}}\nb: {cron: "H H(0-7) l * *", submit: {command: x}}\n',
    b"- {name: a, cron: 0 0 * 2 fri#2, missed_within: 2d, paused: why, submit: {command: [a], matrix: {x: [1]}}}\n",
]
TABLE = read_table(FILES[1] + b'c: {cron: "0 * * * *", spread: 1h, submit: {command: x}}\n', FILE, "s")
KNOWN = {name: each.version for name, each in TABLE.entries.items()}
CURSORS: tuple[Cursor, ...] = (
    Cursor(until=NOON, known=KNOWN),
    Cursor(
        until=NOON,
        upto="s/a",
        seen=NOON,
        known=KNOWN,
        paused={"s/b": Pause(by="ada", at=NOON, reason="why")},
        owed={"s/a": (NOON,)},
        trouble={"s/c": Trouble(at=NOON, reason="none")},
    ),
)
SOURCE_FILE = "coordination/sources/w.yaml"
SOURCE_FILES = [
    b"repository: https://example.org/w\nbranches: [main, 'release/*', '!release/0*']\nevery: 10m\n"
    b"priority: {main: 2}\npaths: {exclude: ['docs/**']}\nsubmit: {command: make, env: {A: 1}}\n",
    b"repository: git@example.org:a/w.git\ntags: ['v*']\ncoalesce: all\nskip: ['[no]']\nfirst: build\nnotes: true\n"
    b"submit: {packages: [a], matrix: {os: [a, b]}, labels: {os: '{os}'}, group: g, supersede: waiting}\n",
    b"repository: /srv/w.git\npaused: why\nsubmit: {command: [a, b], needs: [1], name: x}\n",
]
A, B, ODD = "a" * 40, "b" * 40, "refs/heads/\u202e\u2028"
REFS = {
    "refs/heads/main": A,
    "refs/heads/release/1": B,
    "refs/tags/v1": "c" * 40,
    "refs/heads/\u202e\u2028": "d" * 40,
}
WATCHED = read_source(SOURCE_FILES[0], SOURCE_FILE, "w")
OBSTACLE = Obstacle(at=NOON, by="s1", reason="it \x1b[31m is away")
SEEN: tuple[Seen, ...] = (
    Seen(),
    Seen(
        repository="https://example.org/w",
        patterns=WATCHED.refs,
        refs={"refs/heads/main": B},
        past=(A, "c" * 40),
    ),
    Seen(paused=Pause(by="ada", at=NOON, reason="why"), obstacle=OBSTACLE, undelivered=OBSTACLE),
)
STAKE = Stake(id="e392", by="ada", token=3, ttl_s=60.0, beats="_hold-e392", renewed=4, at=NOON, note="why")
LOCKS = (Lock(name="db", holders=(STAKE,), waiters=(STAKE, STAKE)), Lock(name="db"))


def schedules(data: bytes) -> None:
    """A file of schedules is read, or `Invalid` says what would be right; each schedule comes in order, or never."""
    try:
        table = read_table(data, FILE, "s")
    except Invalid as error:
        check_error(error)
        return
    for entry in list(table.entries.values())[:3]:
        found = list(islice(moments(entry.times, entry.timezone, NOON), 4))
        must(all(sooner < later for sooner, later in pairwise([NOON, *found])), "moments out of order")
        for each in found:
            must(comes_at(entry.times, entry.timezone, each), "a moment at which it does not come")
            must(
                shown_at(on_the_wall(each, entry.timezone), entry.timezone) == each,
                "a wall that shows another",
            )


def _record(kind: type[Record], data: bytes) -> Record | None:
    try:
        record = decode(kind, data)
    except Unreadable as error:
        str(error)
        return None
    must(decode(kind, encode(record)) == record, "what was written is not what was read")
    must(decode(kind, rewrite(data, record)) == record, "a rewrite changed what it says")
    check_times(record)
    return record


def cursor(data: bytes) -> None:
    """A cursor that can be read can be gone on from, whatever it says."""
    found = _record(Cursor, data)
    if not isinstance(found, Cursor):
        return
    state = State(tip="t", head=Head(format=1, hub="h"), schedules={"s": TABLE}, cursors={"s": found})
    next_due(state, Agenda())
    due = plan(TABLE, found, Agenda(), NOON, 1000)
    must(len(due.fires) <= 1000, "more than there was room for")
    describe(state, NOON)
    list(troubles(state))


def lock(data: bytes) -> None:
    """A lock that can be read is shown and watched, whatever it says."""
    found = _record(Lock, data)
    if not isinstance(found, Lock):
        return
    state = State(tip="t", head=Head(format=1, hub="h"), locks={found.name: found})
    must(len(describe_locks(state)) == bool(found.holders or found.waiters), "a lock that is not shown")
    leases = leases_of(state.locks)
    lapsed(observe(Observed(), leases, {}, boot_id="b", now=1.0), leases)


def sources(data: bytes) -> None:
    """A file of a source is read, or `Invalid` says what would be right; a commit of it is a job, or never is."""
    try:
        source = read_source(data, SOURCE_FILE, "w")
    except Invalid as error:
        check_error(error)
        return
    address = source.asked.repository
    must(address.isprintable() and ":" not in address.rpartition("@")[0].partition("://")[2], "a password")
    must(SHORTEST_EVERY <= source.every <= LONGEST_EVERY, "it is looked at too often, or never")
    meant = matching(source, REFS)
    moves = [Move(ref=ref, new=oid, commits=(oid,), upto=oid) for ref, oid in meant.items()]
    _look(source, Seen(repository="x"), dict(meant), moves)
    project_of(address)


def seen(data: bytes) -> None:
    """What was seen of a source can be gone on from, whatever it says, and forgets nothing."""
    found = _record(Seen, data)
    if not isinstance(found, Seen):
        return
    moves = [Move(ref=ref, new=A, commits=(A,), upto=A, left=oid) for ref, oid in found.refs.items()]
    after = _look(WATCHED, found, dict.fromkeys(found.refs, A), moves)
    if found.paused is None and len(found.past) + len(found.refs) <= MOST_PAST:
        commits = {*found.past, *found.refs.values()} - {""}  # a ref without a commit, as no server writes it
        must(commits <= {*after.past, *after.refs.values()}, "a commit is forgotten")


def _look(source: Followed, base: Seen, refs: dict[str, str], moves: list[Move]) -> Seen:
    """Take in a look, show what came of it, and ask the audit."""
    state = State(
        tip="t", head=Head(format=1, hub="h"), sources={source.name: source}, seen={source.name: base}
    )
    tx = Transaction(state, View(), NOON)
    poll(tx, [Sight(source=source, base=base, refs=refs, moves=tuple(moves))], Facts(), "s1")
    after = seen_of(tx, source.name)
    shown = replace(state, seen={source.name: after})
    describe_sources(shown)
    must(all(text.isprintable() for text in obstacles(shown)), "what is said of it is not shown escaped")
    arrived = [(each.target, str(each.fields["commit"])) for each in tx.changes if each.verb == "arrive"]
    must(len(arrived) == len(set(arrived)), "a commit came twice")
    return after


TARGETS = (
    Target("schedules", "yaml", schedules, lambda: FILES, 0.4),
    Target("cursor", "json", cursor, lambda: [encode(each) for each in CURSORS], 3.0),
    Target("sources", "yaml", sources, lambda: SOURCE_FILES, 0.4),
    Target("seen", "json", seen, lambda: [encode(each) for each in SEEN], 2.0),
    Target("lock", "json", lock, lambda: [encode(each) for each in LOCKS], 6.0),
)
