"""What a report is made of."""

import bisect
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from bnet.model.history import Brought, Past, Stint
from bnet.model.report import ReportKind
from bnet.model.server import Server

GOOD = "success"
BAD = ("failure", "error", "timeout")
_STINTS = msgspec.json.Decoder(list[Stint])
_BROUGHT = msgspec.json.Decoder(list[Brought])


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of some periods.

    Attributes:
        name, kind, timezone: of the report.
        network: its name.
        by, now: who makes it, and when.
        edges: where the periods begin, the oldest first, and the end of the last.
        past: the jobs that had been submitted by then and had not ended before the first.
        servers: those there are, by name.
    """

    name: str
    kind: ReportKind
    timezone: str
    network: str
    by: str
    now: datetime
    edges: Sequence[datetime]
    past: Sequence[Past]
    servers: Mapping[str, Server] = {}


def stints_of(past: Past) -> list[Stint]:
    """Return a job's attempts."""
    return _STINTS.decode(past.stints) if past.stints else []


def brought_by(past: Past) -> list[Brought]:
    """Return the packages that a job brought up to date, as far as they are listed."""
    return _BROUGHT.decode(past.brought) if past.brought else []


def by_period(facts: Facts) -> list[list[Past]]:
    """Return the jobs that ended in each period, the oldest period first."""
    begins = [each.timestamp() for each in facts.edges]
    rows: list[list[Past]] = [[] for _ in begins[1:]]
    for past in facts.past:
        if past.finished is not None and begins[0] <= past.finished < begins[-1]:
            rows[bisect.bisect_right(begins, past.finished) - 1].append(past)
    return rows
