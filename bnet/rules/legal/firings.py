"""Whether schedules were fired as they may be: by whom they were known, when they come, and each time once."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import xxhash

from bnet.codec import layout
from bnet.model.schedule import Cursor, Entry
from bnet.model.state import State
from bnet.rules.firing import key_of
from bnet.rules.schedules import active_of
from bnet.rules.wallclock import comes_at, shown_at

BEFORE = timedelta(seconds=1)


def schedule_faults(
    before: State, after: State, fired: Sequence[tuple[str, str, str]], rewound: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a transaction's firings: the schedule, or its file, and the fault.

    Args:
        before, after: the ledger.
        fired: name, time on the wall, and time zone of each firing that became jobs.
        rewound: the files whose cursor was ahead of the time.
    """
    for name, wall, zone in fired:
        text = _wrong_firing(before, after, name, wall, zone, rewound)
        if text:
            yield name, text
    for stem, cursor in after.cursors.items():
        old = before.cursors.get(stem)
        if old is not None and cursor.until < old.until and stem not in rewound:
            yield layout.cursor_path(stem), "is set back, so that its schedules could fire again"


def _wrong_firing(
    before: State, after: State, name: str, wall: str, zone: str, rewound: Sequence[str]
) -> str:
    stem = name.partition("/")[0]
    table, cursor = before.schedules.get(stem), before.cursors.get(stem)
    if table is None or name not in table.entries:
        return "was fired and is no schedule"
    entry = table.entries[name]
    if cursor is None or cursor.known.get(name) != entry.version:
        return "was fired although it was new or edited"
    if name not in active_of(table, cursor):
        return "was fired although it is paused"
    at = shown_at(wall, zone)
    if at is None or zone != entry.timezone or not comes_at(entry.times, zone, at):
        return f"was fired for {wall} in {zone}, when it does not come"
    key = key_of(entry, at)
    path = layout.key_path(xxhash.xxh3_64_hexdigest(key.encode()))
    if path not in after.keys or key not in after.keys[path].keys:
        return f"was fired for {wall} without a key that makes it one job"
    if stem not in rewound and _is_over(entry, at, cursor):
        return f"was fired for {wall}, which was decided before"
    return ""


def _is_over(entry: Entry, at: datetime, cursor: Cursor) -> bool:
    if at in cursor.owed.get(entry.name, ()):
        return False
    due = at + timedelta(seconds=entry.delay)
    left = bool(cursor.upto) and entry.name > cursor.upto and due > cursor.until - BEFORE
    return due <= cursor.until and not left
