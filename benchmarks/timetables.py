"""What schedules cost: a table of 10,000 in ten files, read, kept, decided at rest, at a firing and after a day."""

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from common import Row
from msgspec.structs import replace

from bnet.codec import layout
from bnet.codec.frozen import freeze, thaw
from bnet.codec.view import File, View, advance, state_of
from bnet.model.hub import Head
from bnet.model.schedule import Cursor
from bnet.model.state import KeyFile, State
from bnet.rules.agenda import Agenda
from bnet.rules.firing import fire
from bnet.rules.specs import Facts
from bnet.rules.transaction import Transaction

FILES, ROWS, TRIES = 10, 1000, 5
ZONES = ("Europe/Berlin", "America/New_York", "UTC", "Asia/Tokyo")
T = TypeVar("T")
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def schedules(_: Path) -> list[Row]:
    """Decide a table of 10,000 entries."""
    files = {f"{layout.SCHEDULES}t{n}.yaml": File(data=_text(n), author="a") for n in range(FILES)}
    parsed, view = _timed(lambda: advance(View(), files, lambda path: []))
    kept = freeze(view, "1" * 40)
    thawed, again = _timed(lambda: thaw(kept))
    assert again is not None and not view.problems
    state = replace(state_of(again[0], "t", 1, 1), head=Head(format=1, hub="h"))
    agenda = Agenda()
    _, state = _decided(state, agenda, NOON)
    cold, state = _decided(state, agenda, NOON + timedelta(seconds=1))
    rest, _ = _decided(state, _kept(agenda), NOON + timedelta(seconds=2))
    spent, fired = [], []
    for minute in range(1, 1 + TRIES):
        before = len(state.jobs)
        seconds, state = _decided(state, _kept(agenda), NOON + timedelta(minutes=15 * minute))
        spent.append(seconds)
        fired.append(len(state.jobs) - before)
    late, state = _decided(state, _kept(agenda), NOON + timedelta(days=1))
    return [
        Row(
            "10,000 schedules: decided, nothing due",
            f"{rest:.3f} s",
            "0.1 s",
            "what was computed is kept on disk",
        ),
        Row(
            "the same where some are due",
            f"{statistics.median(spent):.3f} s",
            "0.1 s",
            f"{statistics.median(fired)} of them",
        ),
        Row("the same, computed for the first time", f"{cold:.3f} s"),
        Row("the same after a day without servers", f"{late:.3f} s", "", "1,000 jobs at a time"),
        Row("read from YAML, when a file has changed", f"{parsed:.2f} s", "", f"{FILES} files"),
        Row("read from what is kept on disk, each sync", f"{thawed:.2f} s"),
    ]


def _text(file: int) -> bytes:
    rows = (
        f"p{n}: {{cron: {n % 60} {(n // 60 + file * 5) % 24} * * {'*' if n % 3 else '1-5'}, "
        f"timezone: {ZONES[n % 4]}, spread: 10m, submit: {{command: make p{file}.{n}}}}}\n"
        for n in range(ROWS)
    )
    return "".join(rows).encode()


def _kept(agenda: Agenda) -> Agenda:
    """Return an agenda as the next process finds it."""
    other = Agenda()
    other.thaw(agenda.freeze())
    return other


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    begun = time.perf_counter()
    made = work()
    return time.perf_counter() - begun, made


def _decided(state: State, agenda: Agenda, now: datetime) -> tuple[float, State]:
    """Decide, and return the seconds that it took and the state after it."""
    tx = Transaction(state, View(), now)
    seconds, _ = _timed(lambda: fire(tx, agenda, Facts()))
    cursors, keys = dict(state.cursors), dict(state.keys)
    for path, record in tx.documents.items():
        stem = layout.cursor_file(path)
        if isinstance(record, Cursor) and stem is not None:
            cursors[stem] = record
        elif isinstance(record, KeyFile):
            keys[path] = record
    head = replace(state.head, seq=tx.seq, next_job=tx.next_job)
    return seconds, replace(state, cursors=cursors, keys=keys, jobs=tx.jobs, head=head)
