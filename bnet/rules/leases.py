"""Leases: who has been seen to move, counted on the observer's own clock, with nobody's clocks compared.

A holder proves that it lives by pushing a new telemetry commit. An observer writes down which commit it saw
beside each claim and adds up the time for which the pair stayed the same; after the claim's TTL it may say
that the holder is lost. The holder counts too, from before the push that was later accepted, and gives up at
two thirds of the TTL, so it has stopped before any observer may go on (ADR 2).
"""

from collections.abc import Iterable, Mapping

import msgspec
from msgspec.structs import replace

from bnet.model.base import Record
from bnet.model.job import Job
from bnet.rules.clocks import Skew

HOLDER_SHARE = 2 / 3  # of the TTL: where the holder acts on a lost lease
GRACE_SHARE = 1 / 6  # of the TTL: how long it may take to stop then
CREDIT_SHARE = 1 / 3  # of the TTL: the most that two successive looks count, whatever lies between them
BEAT_SHARE = 1 / 3  # of the TTL: how often a holder moves
LONGEST_GAP = 365 * 86400.0  # seconds: a budget may be so small that its reciprocal is no number


class Sighting(Record, frozen=True, kw_only=True):
    """A claim beside the telemetry commit seen with it, and the seconds for which both stayed the same."""

    telemetry: str
    unmoved_s: float = 0.0


class Observed(Record, frozen=True, kw_only=True):
    """What this machine has seen so far; kept on disk, since a cron job remembers nothing.

    Attributes:
        boot_id: the boot that `looked_at` was counted on.
        looked_at: boot-clock seconds of the last look.
        claims: run -> sighting.
        beat_at: boot-clock seconds before our last telemetry push that was accepted, on this boot.
        seq: the newest transaction seen.
        skews: server -> how far its clock was from ours when we saw it commit.
        doubted: server -> its telemetry when it had let a job lie that was left for it.
    """

    boot_id: str = ""
    looked_at: float = 0.0
    claims: dict[str, Sighting] = {}
    beat_at: float | None = None
    seq: int = 0
    skews: dict[str, Skew] = {}
    doubted: dict[str, str] = {}


class Lease(msgspec.Struct, frozen=True):
    """Something held: by whose telemetry it is kept alive, under which run, for how many seconds."""

    run: str
    server: str
    ttl_s: float


def leases_of(jobs: Iterable[Job]) -> list[Lease]:
    """Return the leases of the live claims among some jobs."""
    return [
        Lease(run=job.claim.run, server=job.claim.server, ttl_s=job.claim.ttl_s)
        for job in jobs
        if job.claim is not None and job.result is None
    ]


def observe(
    before: Observed, leases: Iterable[Lease], telemetry: Mapping[str, str], *, boot_id: str, now: float
) -> Observed:
    """Take in one look at the hub.

    Args:
        before: what was seen until now.
        leases: the live ones, of the same look.
        telemetry: server -> commit of its telemetry; a server without one counts like any commit.
        boot_id: of this boot; a reboot starts every count anew.
        now: seconds on this machine's boot-time clock.

    Returns:
        What has been seen now. A claim or commit that is new begins at zero.
    """
    elapsed = max(0.0, now - before.looked_at) if boot_id == before.boot_id else None
    claims = {}
    for lease in leases:
        seen = telemetry.get(lease.server, "")
        last = before.claims.get(lease.run)
        if last is None or last.telemetry != seen or elapsed is None:
            claims[lease.run] = Sighting(telemetry=seen)
        else:
            credit = min(elapsed, lease.ttl_s * CREDIT_SHARE)
            claims[lease.run] = Sighting(telemetry=seen, unmoved_s=last.unmoved_s + credit)
    if elapsed is None:
        return Observed(boot_id=boot_id, looked_at=now, claims=claims, seq=before.seq)
    return replace(before, looked_at=now, claims=claims)


def lapsed(observed: Observed, leases: Iterable[Lease]) -> set[str]:
    """Return the runs whose holders were seen unmoved for the whole of their TTL."""
    return {
        lease.run
        for lease in leases
        if lease.run in observed.claims and observed.claims[lease.run].unmoved_s >= lease.ttl_s
    }


def default_ttl(servers: int, push_budget: float | None) -> float:
    """Return the TTL in seconds that a fleet's size and the hub's push budget allow.

    Args:
        servers: how many are registered.
        push_budget: pushes a minute that the hub takes from all of them, or None for any number.

    Five minutes, unless a third of it is less than the pause that the budget asks of each server.
    """
    return max(300.0, round(beat_gap(servers, push_budget) / BEAT_SHARE))


def beat_gap(servers: int, push_budget: float | None) -> float:
    """Return the seconds between two pushes of one server, when all of them push evenly within the budget."""
    return 0.0 if push_budget is None else min(LONGEST_GAP, 60.0 * max(1, servers) / push_budget)
