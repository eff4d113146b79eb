"""When a server leaves a job to a faster one: for a moment, never for ever (ADR 21).

Nothing is promised to the other and nothing is written on the hub: a job that was left is as free as before, for all.
"""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from bnet.model.job import Job
from bnet.model.server import Server
from bnet.rules.waiting import Usage, claimable_since, server_conditions
from bnet.schedule.durations import Durations, predict

LONGEST_WAIT = 75.0  # seconds: a minute of cron, and what its syncs are spread by
WAIT_SHARE = 0.5  # of what would be saved
FEWEST_RUNS = 3  # here and there, for a judgement
CLEARLY = 0.8  # of the duration here that it may take there at most


class Rivals(msgspec.Struct, frozen=True, kw_only=True):
    """What a server knows of the others when it chooses.

    Attributes:
        awake: the names of those that were seen to move lately, and have not let a job lie that was left for them.
        known: how long jobs took.
        looks_again_s: seconds until this server chooses again.
    """

    awake: frozenset[str]
    known: Durations
    looks_again_s: float


def left_to(
    job: Job,
    me: Server,
    servers: Mapping[str, Server],
    taken: Usage,
    rivals: Rivals,
    jobs: Mapping[int, Job],
    now: datetime,
) -> str | None:
    """Return the server for which a job is to be left now, if there is one.

    It is clearly faster, has a free slot, could take the job, and has had less time for that than the job would
    save by half. The time is counted from when the job could first be claimed, as its dates have it; where these
    are ahead of this machine's clock, nothing is left.
    """
    waited = (now - claimable_since(job, jobs)).total_seconds() + rivals.looks_again_s
    if not rivals.looks_again_s <= waited <= LONGEST_WAIT:
        return None  # the commonest answer, before anything is computed
    found = faster(job, me, servers, taken, rivals)
    return found[0] if found is not None and waited <= found[1] * WAIT_SHARE else None


def faster(
    job: Job, me: Server, servers: Mapping[str, Server], taken: Usage, rivals: Rivals
) -> tuple[str, float] | None:
    """Return the idle server that is fastest with a job, if it is clearly faster than this one, and what it saves."""
    here = predict(rivals.known, job, me.name)
    if here is None or here.server is None or here.runs < FEWEST_RUNS:
        return None
    best: tuple[str, float] | None = None
    for name in sorted(rivals.awake & servers.keys() - {me.name}):
        there = predict(rivals.known, job, name)
        if there is None or there.server is None or there.runs < FEWEST_RUNS:
            continue
        clear = there.high < here.low and there.seconds <= here.seconds * CLEARLY
        if not clear or not all(each.holds for each in server_conditions(job, servers[name], taken)):
            continue
        if best is None or here.seconds - there.seconds > best[1]:
            best = name, here.seconds - there.seconds
    return best


def has_let_lie(job: Job, saves_s: float, rivals: Rivals, jobs: Mapping[int, Job], now: datetime) -> bool:
    """Tell whether a faster server, that would save so many seconds, had its time to take a job and did not."""
    waited = (now - claimable_since(job, jobs)).total_seconds()
    allowed = min(LONGEST_WAIT, saves_s * WAIT_SHARE)
    return waited >= max(rivals.looks_again_s, allowed - rivals.looks_again_s)
