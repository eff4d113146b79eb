"""When each schedule comes next, remembered by what the schedule says: a table costs a look at each of its rows."""

import marshal
from datetime import UTC, datetime, timedelta

import xxhash

from bnet.model.schedule import Cursor, Entry, Table
from bnet.rules.wallclock import moments

NEVER = float("inf")
EARLIEST, LATEST = 0.0, 200e9  # Unix seconds, the end of which is in the year 8307
MOST_KEPT = 100_000
FORMAT = 2


class Agenda:
    """A memory of computed times; what it has lost, it computes again."""

    def __init__(self) -> None:
        """Begin with nothing known."""
        self.moved = False
        self._spans: dict[str, tuple[float, float]] = {}
        self._resting: dict[str, tuple[Table, Cursor, float]] = {}

    def next_due(self, entry: Entry, after: float) -> float:
        """Return when a schedule is due next, its delay included.

        Args:
            entry: the schedule.
            after: Unix seconds, excluded.

        Returns:
            Unix seconds; `NEVER` where the calendar ends first.
        """
        if after >= LATEST:
            return NEVER
        after = max(after, EARLIEST)  # whatever a wrong clock has written
        span = self._spans.get(entry.version)
        if span is not None and span[0] <= after < span[1]:
            return span[1]
        due = _compute(entry, after)
        if len(self._spans) >= MOST_KEPT:
            self._spans.clear()
        self._spans[entry.version] = after, due
        self.moved = True
        return due

    def rest(self, table: Table, cursor: Cursor, until: float) -> None:
        """Remember that nothing is to be decided of a file before a time (Unix seconds) as long as it is as it is."""
        self._resting[table.stem] = table, cursor, until

    def rests(self, table: Table, cursor: Cursor | None, now: float) -> bool:
        """Tell whether that is known and still so: an agent asks each second."""
        known = self._resting.get(table.stem)
        return known is not None and known[0] is table and known[1] is cursor and now < known[2]

    def freeze(self, zones: str = "") -> bytes:
        """Return what is known as bytes that begin with their own digest.

        Args:
            zones: names the time zones that it was computed with.
        """
        body = marshal.dumps((FORMAT, zones, self._spans))
        return xxhash.xxh3_128_digest(body) + body

    def thaw(self, data: bytes, zones: str = "") -> None:
        """Begin with what `freeze` gave for the same time zones; anything else is passed over."""
        # marshal may be fed nothing but what it wrote itself: the digest is looked at first.
        if xxhash.xxh3_128_digest(data[16:]) != data[:16]:
            return
        try:
            kept = marshal.loads(data[16:])
        except (ValueError, EOFError, TypeError):
            return  # of another Python
        if kept[:2] == (FORMAT, zones):
            self._spans = kept[2]


def _compute(entry: Entry, after: float) -> float:
    since = datetime.fromtimestamp(after - entry.delay, UTC)
    found = next(moments(entry.times, entry.timezone, since), None)
    return NEVER if found is None else (found + timedelta(seconds=entry.delay)).timestamp()
