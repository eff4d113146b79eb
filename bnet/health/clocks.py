"""Whose clock is wrong, by the times in heartbeats: as bounds, since nobody knows how old a heartbeat is.

A heartbeat that this machine has seen for s seconds is at least so old, so its server's clock was ahead of ours by
at least (its time - ours + s). If the ref was at another commit m seconds ago, it is at most about m seconds old,
which bounds the same from above. Without an earlier look there is no upper bound: a clock that is behind and a
server that is silent look alike (ADR 30).
"""

import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from statistics import median_high, median_low

from bnet.health.facts import Facts, Finding, Seen
from bnet.rules.clocks import TOLERANCE_S

SLACK_S = 120.0  # a push may take that long, and its heartbeat was made before it


def ahead(seen: Seen, now: datetime) -> tuple[float, float]:
    """Return by how many seconds a server's clock is ahead of ours, at least and at most."""
    if seen.beat is None:
        return -math.inf, math.inf
    apart = (seen.beat.at - now).total_seconds()
    most = math.inf if seen.most_s is None or not seen.current else apart + seen.most_s + SLACK_S
    return apart + seen.least_s, most


def correction(seen: Mapping[str, Seen], now: datetime) -> float:
    """Return by how many seconds most servers' clocks are surely ahead of ours; 0 where they may be right with us."""
    shifts = [surely_ahead(each, now) for each in seen.values() if each.beat is not None]
    if not shifts:
        return 0.0
    shift = min(median_low(shifts), median_high(shifts), key=abs)
    return shift if abs(shift) > TOLERANCE_S else 0.0


def surely_ahead(seen: Seen, now: datetime) -> float:
    """Return by how many seconds a server's clock is ahead of ours for certain; below 0 where it is behind."""
    least, most = ahead(seen, now)
    return least if least > 0 else min(most, 0.0)


def skewed(facts: Facts) -> Iterable[Finding]:
    """Name the clocks that are wrong: this machine's, where most others agree against it, else theirs."""
    beating = [name for name, each in facts.seen.items() if each.beat is not None]
    if facts.ahead_s:
        way = "behind" if facts.ahead_s > 0 else "ahead of"
        alone = len(beating) == 1
        others = f"that of {beating[0]}; which of the two is wrong is not known" if alone else "the servers'"
        yield Finding(
            rule="clock-here",
            severity="warning",
            text=f"this machine's clock is at least {abs(facts.ahead_s):.0f} s {way} {others}",
            sure="clocks",
            evidence={"ahead_s": round(facts.ahead_s, 1), "servers": len(beating)},
            advice="timedatectl set-ntp true (and `date -u` on each machine shows which one is wrong)",
        )
    for name in beating:
        off = surely_ahead(facts.seen[name], facts.time)
        if abs(off) > TOLERANCE_S:
            way = "ahead of" if off > 0 else "behind"
            yield Finding(
                rule="clock-skewed",
                about=name,
                severity="warning",
                text=f"the clock of {name} is at least {abs(off):.0f} s {way} the others'",
                sure="clocks",
                evidence={"ahead_s": round(off, 1)},
                advice=f"on {name}: timedatectl set-ntp true (until then it leaves to others what the clock decides)",
            )
