"""A file of schedules in the simulated hub, and what has to become of each minute, counted by other means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from bnet.codec import layout
from bnet.model.job import JobSpec
from bnet.model.state import State

STEM = "t"
PATH = f"{layout.SCHEDULES}{STEM}.yaml"
EVERY = {"each": 1, "newest": 3}  # minutes
TABLE = """
each: {cron: "* * * * *", missed: all, missed_within: 10m, submit: {command: make}}
newest: {cron: "*/3 * * * *", timezone: Asia/Kolkata, missed_within: 10m, submit: {command: make}}
"""
PAUSED = TABLE.replace("cron:", "paused: it is over, cron:")
REACH = timedelta(minutes=10)  # what is later is missed
MINUTE = timedelta(minutes=1)


def what(spec: JobSpec) -> str:
    """Return what a job is asked for by, once: a firing, or whatever has its name."""
    key = spec.key or ""
    return key if key.startswith("schedule:") else spec.name


def are_active(state: State) -> bool:
    """Tell whether anything may still fire."""
    cursor = state.cursors.get(STEM)
    return cursor is None or bool(cursor.known)


def faults(before: State, after: State, ops: Iterable[str]) -> Iterator[str]:
    """Yield what is wrong with the firings of a transaction: each minute is one job, or was missed."""
    fired = [op.split(" ") for op in ops if op.startswith("fire ")]
    old, new = before.cursors.get(STEM), after.cursors.get(STEM)
    if old is None or new is None or new.until <= old.until:
        if fired and not any(op.startswith("schedule ") and "rewound" in op for op in ops):
            yield f"fired without a cursor that moves: {fired}"
        return
    for name, minutes in EVERY.items():
        full = f"{STEM}/{name}"
        if old.known.get(full) is None or new.known.get(full) != old.known[full]:
            continue  # it was new, or has been paused
        due = list(_due(old.until, new.until, minutes))
        made = [_moment(row[2]) - _zone(row[3]) for row in fired if row[1] == full]
        reach = [at for at in due if new.until - at <= REACH]
        wanted = reach if name == "each" else reach[-1:]
        if made != wanted:
            yield f"{full}: from {old.until} until {new.until} it fired for {made}, and not for {wanted}"


def _due(since: datetime, until: datetime, minutes: int) -> Iterator[datetime]:
    at = max(since, until - 2 * REACH).replace(second=0, microsecond=0)
    while (at := at + MINUTE) <= until:
        if at > since and at.minute % minutes == 0:
            yield at


def _moment(word: str) -> datetime:
    return datetime.fromisoformat(word.removeprefix("at=")).replace(tzinfo=UTC)


def _zone(word: str) -> timedelta:
    return timedelta(hours=5, minutes=30) if word == "zone=Asia/Kolkata" else timedelta()
