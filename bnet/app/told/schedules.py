"""Schedules as plain objects: what `bnet schedule` prints."""

import heapq
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import msgspec

from bnet.codec import layout
from bnet.codec.crons import zone_of
from bnet.model.job import Job
from bnet.model.schedule import Cursor, Entry, Table
from bnet.model.state import State
from bnet.rules import reserved
from bnet.rules.schedules import active_of
from bnet.rules.wallclock import moments, on_the_wall

NOTHING = Cursor(until=datetime.fromisoformat("1970-01-01T00:00:00Z"))


def describe(state: State, now: datetime, *, count: int = 1) -> list[dict[str, Any]]:
    """Return every schedule, by name.

    Args:
        state: the ledger.
        now: the time.
        count: how many of the next firings are told.
    """
    newest = newest_jobs(state)
    told = [
        describe_one(table, entry, state, newest, now, count)
        for table in state.schedules.values()
        for entry in table.entries.values()
    ]
    return sorted(told, key=lambda each: str(each["name"]))


def describe_one(
    table: Table, entry: Entry, state: State, newest: Mapping[str, Job], now: datetime, count: int
) -> dict[str, Any]:
    """Return a schedule as one flat object."""
    cursor = state.cursors.get(table.stem, NOTHING)
    by_command = cursor.paused.get(entry.name)
    paused = entry.paused if by_command is None else by_command.reason
    trouble = cursor.trouble.get(entry.name)
    job = newest.get(entry.name)
    return {
        "name": entry.name,
        "file": f"{layout.SCHEDULES}{table.stem}.yaml",
        "by": table.by,
        "cron": entry.cron,
        "timezone": entry.timezone,
        "missed": entry.missed,
        "missed_within": entry.within,
        "delay": entry.delay,
        "description": entry.description,
        "paused": paused,
        "paused_by": None if by_command is None else by_command.by,
        "known": cursor.known.get(entry.name) == entry.version,
        "next": [] if paused is not None else list(islice(firings(entry, now), count)),
        "job": None if job is None else job.number,
        "job_state": None if job is None else (job.result.result if job.result else job.state),
        "trouble": None if trouble is None else {"at": _time(trouble.at), "reason": trouble.reason},
    }


def firings(entry: Entry, now: datetime) -> Iterator[dict[str, Any]]:
    """Yield when a schedule comes after a time: `at` in UTC with its delay, `local` as the clocks show it there."""
    delay = timedelta(seconds=entry.delay)
    for moment in moments(entry.times, entry.timezone, now - delay):
        local = (moment + delay).astimezone(zone_of(entry.timezone))
        wall = on_the_wall(moment, entry.timezone)
        yield {"schedule": entry.name, "at": _time(moment + delay), "local": local.isoformat(), "time": wall}


def all_firings(state: State, now: datetime) -> Iterator[dict[str, Any]]:
    """Yield when any schedule comes that is not paused, in order."""
    rows = [
        firings(entry, now)
        for table in state.schedules.values()
        for entry in active_of(table, state.cursors.get(table.stem, NOTHING)).values()
    ]
    return heapq.merge(*rows, key=lambda each: (each["at"], each["schedule"]))


def newest_jobs(state: State) -> dict[str, Job]:
    """Return the newest job of each schedule, of those that are open or finished lately."""
    found: dict[str, Job] = {}
    for number in sorted(state.jobs):
        key = state.jobs[number].spec.key or ""
        if key.startswith(reserved.SCHEDULES):
            found[key.split(":", 2)[1]] = state.jobs[number]
    return found


def asked(entry: Entry) -> dict[str, Any]:
    """Return the job of a schedule as it is written."""
    plain: dict[str, Any] = msgspec.to_builtins(entry.submit)
    return plain


def troubles(state: State) -> Iterator[str]:
    """Yield a sentence for each schedule whose newest firing could not become a job, or waits to."""
    for cursor in state.cursors.values():
        for name, each in cursor.trouble.items():
            yield f"schedule {name} could not fire at {_time(each.at)}: {each.reason}"
        for name, row in cursor.owed.items():
            if row:
                yield f"schedule {name} waits since {_time(row[0])} for its source to answer"


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
