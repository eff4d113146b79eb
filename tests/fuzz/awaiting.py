"""Targets of what comes by the clock and by turns: files of schedules, their cursors, named locks."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice, pairwise

from reading import check_error, check_times
from target import Target, must

from bnet.app.describe import describe_locks
from bnet.app.schedules import describe, troubles
from bnet.codec.documents import Unreadable, decode, encode, rewrite
from bnet.codec.schedules import read_table
from bnet.errors import Invalid
from bnet.model.base import Record
from bnet.model.hub import Head
from bnet.model.lock import Lock, Stake
from bnet.model.schedule import Cursor, Pause, Trouble
from bnet.model.state import State
from bnet.rules.agenda import Agenda
from bnet.rules.firing import next_due, plan
from bnet.rules.leases import Observed, lapsed, observe
from bnet.rules.locks import leases_of
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


TARGETS = (
    Target("schedules", "yaml", schedules, lambda: FILES, 0.4),
    Target("cursor", "json", cursor, lambda: [encode(each) for each in CURSORS], 3.0),
    Target("lock", "json", lock, lambda: [encode(each) for each in LOCKS], 6.0),
)
