"""Schedules become jobs: which firings are due, which of them count, and how each becomes a job exactly once.

A firing is one moment of one schedule. The cursor of a file says until when its firings were decided; a
transaction that decides more moves it, so that of two servers one is told to decide again. Should a cursor ever say
less than happened, the key of each job, which names schedule and firing, still makes it one job.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from bnet.codec import layout
from bnet.model.base import is_name
from bnet.model.command import Submit
from bnet.model.schedule import Cursor, Entry, Table, Trouble
from bnet.model.state import State
from bnet.rules.admit import admit, sources_of
from bnet.rules.agenda import NEVER, Agenda
from bnet.rules.change import Change
from bnet.rules.jobs import Illegal
from bnet.rules.reserved import SCHEDULE, SCHEDULED_AT, firing_key
from bnet.rules.schedules import active_of, cursor_of
from bnet.rules.specs import Facts, Unresolved
from bnet.rules.transaction import Transaction
from bnet.rules.wallclock import moments, on_the_wall

GRACE = 600.0  # seconds by which a firing may come late before it counts as missed
AHEAD = timedelta(minutes=15)  # a cursor further in the future was written by a wrong clock
MOST_FIRED = 1000  # jobs of one transaction; the next one goes on
MOST_MADE_UP = 100  # missed firings of one schedule that become a job each
MOST_OWED = 1000  # firings of one file that wait for a repository: its cursor holds a million bytes
MOST_TROUBLED = 100  # schedules of one file whose trouble is told


class Due(msgspec.Struct, frozen=True):
    """A firing that counts: of which schedule, when it comes, and when that was to be with its delay."""

    entry: Entry
    at: datetime
    due: datetime


class Plan(msgspec.Struct, frozen=True):
    """What is due of one file.

    Attributes:
        table: the file.
        cursor: as it was.
        active: the schedules that fire, by name.
        fires: firings that become jobs now, in order.
        missed: how many were missed, and are passed over.
        rewound: whether the cursor was ahead of the time.
        whole: whether nothing is left for the next transaction.
    """

    table: Table
    cursor: Cursor
    active: Mapping[str, Entry]
    fires: Sequence[Due]
    missed: int
    rewound: bool
    whole: bool


def next_due(state: State, agenda: Agenda) -> float | None:
    """Return when something is due next, in Unix seconds; None if there is something to decide already."""
    if state.cursors.keys() - state.schedules.keys():
        return None
    soonest = NEVER
    for stem, table in state.schedules.items():
        due = _file_due(table, state.cursors.get(stem), agenda)
        if due is None:
            return None
        soonest = min(soonest, due)
    return soonest


def _file_due(table: Table, cursor: Cursor | None, agenda: Agenda) -> float | None:
    if cursor is None:
        return None if table.entries else NEVER
    active = active_of(table, cursor)
    if cursor.owed or cursor.seen or not _is_known(active, cursor):
        return None
    floor = cursor.until.timestamp()
    return min((agenda.next_due(each, floor) for each in active.values()), default=NEVER)


def fired_submissions(state: State, agenda: Agenda, now: datetime) -> list[Submit]:
    """Return what would be submitted now, for its sources to be looked up."""
    found = []
    for stem, table in state.schedules.items():
        cursor = state.cursors.get(stem)
        if cursor is not None and not _rests(table, cursor, agenda, now):
            found += [each.entry.submit for each in plan(table, cursor, agenda, now, MOST_FIRED).fires]
    return found


def plan(table: Table, cursor: Cursor, agenda: Agenda, now: datetime, room: int) -> Plan:
    """Return what is due of a file.

    Args:
        table, cursor: of the file.
        agenda: knows when each schedule is due next.
        now: the time, by a clock that can be trusted.
        room: how many jobs may be made.
    """
    active = active_of(table, cursor)
    rewound = cursor.until > now + AHEAD
    if rewound:
        cursor = replace(cursor, until=now, upto="", seen=None, owed={})
    fires: list[Due] = [
        _due(active[name], at) for name, row in cursor.owed.items() if name in active for at in row
    ]
    missed = 0
    floor, late = cursor.until.timestamp(), now.timestamp()
    for name, entry in active.items():
        if cursor.known.get(name) != entry.version:
            continue  # new, edited or resumed: it counts from when that is written down
        # Of those due exactly then, a transaction that was full has left the ones behind `upto`.
        since = floor - 0.5 if cursor.upto and name > cursor.upto else floor
        if agenda.next_due(entry, since) <= late:
            chosen, passed = _chosen(entry, _between(entry, since, now), now, cursor.seen)
            fires += chosen
            missed += passed
    fires.sort(key=lambda each: (each.due, each.entry.name))
    fit = _fitting(fires, room)
    return Plan(table, cursor, active, fires[:fit], missed, rewound, fit == len(fires))


def fire(tx: Transaction, agenda: Agenda, facts: Facts) -> None:
    """Let everything fire that is due, and take in new, edited and removed schedules."""
    room = MOST_FIRED
    for stem in sorted(tx.state.schedules.keys() | tx.state.cursors.keys()):
        table = tx.state.schedules.get(stem)
        path = layout.cursor_path(stem)
        if table is None:
            tx.apply(Change(verb="unschedule", target=stem, files={path: None}))
            continue
        there = cursor_of(tx, stem)
        if (there is None and not table.entries) or _rests(table, there, agenda, tx.now):
            continue
        said = len(tx.changes)
        due = plan(table, there or Cursor(until=tx.now), agenda, tx.now, room)
        room -= sum(_weight(each.entry.submit) for each in due.fires)
        after = _moved(tx, due, _admitted(tx, table, due, facts))
        if due.missed:
            tx.apply(Change(verb="miss", target=stem, fields={"firings": due.missed}))
        quiet = after != there and len(tx.changes) == said
        if quiet or due.rewound or there is None or after.known != there.known:
            told: dict[str, str | int] = {"active": len(due.active)}
            told |= {"rewound": 1} if due.rewound else {}
            tx.apply(Change(verb="schedule", target=stem, fields=told))
        if after != there:
            tx.documents[path] = after
        elif (until := _file_due(table, there, agenda)) is not None:
            agenda.rest(table, there, until)


def key_of(entry: Entry, at: datetime) -> str:
    """Return the key under which a firing becomes a job once."""
    return firing_key(entry.name, at, entry.timezone)


def submission(entry: Entry, at: datetime) -> Submit:
    """Return the job of a firing."""
    last = entry.name.rpartition("/")[2]
    told = {SCHEDULE: entry.name, SCHEDULED_AT: f"{at:%Y-%m-%dT%H:%M:%SZ}"}
    return replace(
        entry.submit,
        name=entry.submit.name or (last if is_name(last) else None),
        env={**entry.submit.env, **told},
        key=key_of(entry, at),
    )


# -- which firings count


def _fitting(fires: Sequence[Due], room: int) -> int:
    """Return how many firings fit into a transaction that may have so many jobs more."""
    for index, each in enumerate(fires):
        room -= _weight(each.entry.submit)
        if room < 0:
            return index
    return len(fires)


def _weight(asked: Submit) -> int:
    return min(MOST_FIRED, math.prod(len(values) for values in asked.matrix.values()))


def _rests(table: Table, cursor: Cursor | None, agenda: Agenda, now: datetime) -> bool:
    """Tell whether nothing is to be decided of a file, without a look at its schedules."""
    ahead = cursor is not None and cursor.until > now + AHEAD
    return not ahead and agenda.rests(table, cursor, now.timestamp())


def _is_known(active: Mapping[str, Entry], cursor: Cursor) -> bool:
    return cursor.known == {name: entry.version for name, entry in active.items()}


def _due(entry: Entry, at: datetime) -> Due:
    return Due(entry, at, at + timedelta(seconds=entry.delay))


def _between(entry: Entry, since: float, now: datetime) -> Iterator[Due]:
    """Yield the firings that became due after one time and until another; none older than may be made up for."""
    oldest = now.timestamp() - max(GRACE, entry.within) - 1
    begin = datetime.fromtimestamp(max(since, oldest) - entry.delay, now.tzinfo)
    for at in moments(entry.times, entry.timezone, begin):
        each = _due(entry, at)
        if each.due > now:
            return
        yield each


def _chosen(
    entry: Entry, firings: Iterable[Due], now: datetime, seen: datetime | None
) -> tuple[list[Due], int]:
    """Return the firings of a schedule that become jobs, and how many are passed over."""
    found = list(firings)
    bound = GRACE if entry.missed == "skip" else max(GRACE, entry.within)
    # One that a full transaction has left was noticed in time: what it waited for was us.
    count = [each for each in found if ((_noticed(each, now, seen)) - each.due).total_seconds() <= bound]
    count = count[-MOST_MADE_UP:] if entry.missed == "all" else count[-1:]
    # With none in reach, the one that is due is older than what may be made up for.
    return count, len(found) - len(count) if found else 1


def _noticed(each: Due, now: datetime, seen: datetime | None) -> datetime:
    return seen if seen is not None and each.due <= seen else now


# -- what becomes of them


class _Outcome(msgspec.Struct):
    """What became of a file's firings."""

    owed: dict[str, tuple[datetime, ...]] = {}
    trouble: dict[str, Trouble] = {}
    fired: set[str] = set()


def _admitted(tx: Transaction, table: Table, due: Plan, facts: Facts) -> _Outcome:
    outcome, waiting = _Outcome(), 0
    for each in due.fires:
        name = each.entry.name
        asked = submission(each.entry, each.at)
        waits = _silent(asked, facts)
        late = (tx.now - each.due).total_seconds() > max(GRACE, each.entry.within)
        row = outcome.owed.get(name, ())
        if waits and not late and waiting < MOST_OWED:
            waiting += 1
            outcome.owed[name] = (*row, each.at)
            if each.at not in due.cursor.owed.get(name, ()):
                tx.apply(_told("wait", each, note=waits[:120]))
            continue
        try:
            if waits:
                raise Illegal(f"its source does not answer: {waits}")
            numbers = admit(tx, [asked], by=table.by or "unknown", facts=facts)
        except Illegal as error:
            outcome.trouble[name] = Trouble(at=each.at, reason=error.message[:500])
            tx.apply(_told("refuse", each, note=error.message[:120]))
            continue
        outcome.fired.add(name)
        shown = " ".join(f"#{number}" for number in numbers[:10])
        tx.apply(_told("fire", each, note=shown, jobs=",".join(map(str, numbers[:20]))))
    return outcome


def _told(verb: str, each: Due, *, note: str, **more: str) -> Change:
    entry = each.entry
    fields: dict[str, str | int] = {
        "at": on_the_wall(each.at, entry.timezone),
        "zone": entry.timezone,
        **more,
    }
    return Change(verb=verb, target=entry.name, note=note, fields=fields)


def _silent(asked: Submit, facts: Facts) -> str:
    for pair in sources_of([asked]):
        found = facts.commits.get(pair)
        if isinstance(found, Unresolved) and found.again:
            return found.why
    return ""


def _moved(tx: Transaction, due: Plan, outcome: _Outcome) -> Cursor:
    """Return the cursor after a transaction; the same one where nothing happened."""
    before, active = due.cursor, due.active
    known = {name: entry.version for name, entry in active.items()}
    trouble = {
        name: each
        for name, each in (before.trouble | outcome.trouble).items()
        if name in outcome.trouble
        or (name not in outcome.fired and name in known and before.known.get(name) == known[name])
    }
    newest = sorted(trouble.items(), key=lambda each: each[1].at)[-MOST_TROUBLED:]
    still = replace(before, owed=_owed(due, outcome), trouble=dict(newest))
    fresh = [each for each in due.fires if each.at not in before.owed.get(each.entry.name, ())]
    if not due.whole:
        # What is left was noticed in time, and is not late because of us.
        still = replace(still, seen=before.seen or tx.now)
        return replace(still, until=fresh[-1].due, upto=fresh[-1].entry.name) if fresh else still
    if not fresh and not due.missed and before.seen is None and known == before.known:
        return still
    paused = {name: each for name, each in before.paused.items() if name in due.table.entries}
    # One whose clock is behind by minutes takes back nothing that was decided.
    until = max(before.until, tx.now)
    return replace(still, until=until, upto="", seen=None, known=known, paused=paused)


def _owed(due: Plan, outcome: _Outcome) -> dict[str, tuple[datetime, ...]]:
    """Return the firings that wait for a repository: those that still do, and those there was no room for."""
    tried = {(each.entry.name, each.at) for each in due.fires}
    owed = dict(outcome.owed)
    for name, row in due.cursor.owed.items():
        left = tuple(at for at in row if (name, at) not in tried)
        if name in due.active and left:
            owed[name] = (*left, *owed.get(name, ()))
    return owed
