"""What a period comes to."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from statistics import median, median_low

from bnet.model.history import Past, Stint
from bnet.model.report import Spans, Tally
from bnet.model.server import Server
from bnet.report.facts import BAD, GOOD, brought_by

CACHED = ("instant", "fresh", "local", "remote")  # tiers in which the command was not run
Usual = Mapping[str, float]


def spread(values: Iterable[float]) -> Spans | None:
    """Return how values are spread, each figure one of them; None if there are none."""
    row = sorted(values)
    if not row:
        return None
    at = {share: round(row[math.ceil(share * len(row)) - 1], 3) for share in (0.5, 0.9, 0.95, 1.0)}
    return Spans(count=len(row), median=at[0.5], p90=at[0.9], p95=at[0.95], most=at[1.0])


def middle(row: Iterable[float]) -> float:
    """Return the median as a report tells it: one of the values, of which there is one at least."""
    return round(median_low(row), 3)


def share_of(ended: Iterable[Past]) -> float | None:
    """Return which share of what ended well or badly ended well."""
    found = Counter(past.result for past in ended)
    count = found[GOOD] + sum(found[each] for each in BAD)
    return round(found[GOOD] / count, 4) if count else None


def judged(ended: Iterable[Past]) -> int:
    """Return how many ended well or badly; what was cancelled or skipped says nothing of its name."""
    return sum(past.result == GOOD or past.result in BAD for past in ended)


def took(ended: Iterable[Past]) -> list[float]:
    """Return the seconds of the successful ones."""
    return [past.seconds for past in ended if past.result == GOOD and past.seconds is not None]


def usual_builds(ended: Iterable[Past]) -> Usual:
    """Return how long each package takes to build, by those times that it was."""
    found: dict[str, list[float]] = {}
    for past in ended:
        for each in brought_by(past):
            if each.tier not in CACHED:
                found.setdefault(each.name, []).append(each.seconds)
    return {name: median(row) for name, row in found.items()}


def slot_seconds(stints: Iterable[Stint], begin: float, end: float) -> float:
    """Return for how many seconds attempts were at work in a stretch of time."""
    return sum(overlap(each, begin, end) for each in stints)


def overlap(stint: Stint, begin: float, end: float) -> float:
    """Return for how many seconds an attempt was at work in a stretch of time; one that goes on, till its end."""
    if stint.begun is None:
        return 0.0
    return max(0.0, min(end, end if stint.ended is None else stint.ended) - max(begin, stint.begun))


def capacity(servers: Iterable[Server], begin: float, end: float) -> float:
    """Return how many seconds of slots there were, of the servers that there are; each counts since it joined."""
    return sum(each.slots * max(0.0, end - max(begin, each.joined_at.timestamp())) for each in servers)


def tally(
    ended: Sequence[Past],
    stints: Sequence[Stint],
    servers: Sequence[Server],
    usual: Usual,
    begin: datetime,
    end: datetime,
    until: datetime,
) -> Tally:
    """Return what a period comes to.

    Args:
        ended: the jobs that ended in it.
        stints: all attempts that may lie in it.
        servers: those there are.
        usual: how long packages take.
        begin, end: of the period.
        until: as far as it has come: nobody knows what slots will do.
    """
    there = capacity(servers, begin.timestamp(), until.timestamp())
    known = {each.name for each in servers}
    busy = slot_seconds(
        (each for each in stints if each.server in known), begin.timestamp(), until.timestamp()
    )
    cached = [each for past in ended for each in brought_by(past) if each.tier in CACHED]
    return Tally(
        begin=begin,
        end=end,
        results=dict(sorted(Counter(past.result or "" for past in ended).items())),
        share=share_of(ended),
        took=spread(took(ended)),
        waited=spread(max(0.0, past.begun - past.submitted) for past in ended if past.begun is not None),
        packages=sum(past.built for past in ended),
        cached=sum(past.cached for past in ended),
        spared=round(sum(max(0.0, usual.get(each.name, 0.0) - each.seconds) for each in cached), 1),
        busy=round(min(1.0, busy / there), 4) if there > 0 else None,
    )
