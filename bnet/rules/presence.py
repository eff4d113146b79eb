"""How long a server may be silent before somebody should look for it; informs people, and decides no lease."""

from collections.abc import Callable
from datetime import datetime, timedelta

from bnet.model.hub import Settings
from bnet.model.server import Heartbeat, Return
from bnet.rules.leases import default_ttl

LATE = 1.5  # so many times the pause between two heartbeats, and a server counts as silent
RETURNS_KEPT = timedelta(days=1)
MOST_RETURNS = 50  # of those, the newest


def ttl_of(settings: Settings, servers: int) -> float:
    """Return the seconds for which new claims are honoured unseen."""
    return settings.ttl or default_ttl(servers, settings.push_budget)


def silent_after(settings: Settings, servers: int, *, holds: bool) -> float:
    """Return the seconds after its last heartbeat from which on a server should have been seen again.

    Args:
        settings: of the hub.
        servers: how many are registered.
        holds: whether it runs a job, and so has to be seen within the TTL.
    """
    ttl = ttl_of(settings, servers)
    return ttl if holds else max(ttl, settings.intervals.idle_heartbeat * LATE)


def returns(
    before: Heartbeat | None, at: datetime, boot_id: str, limit_s: Callable[[bool], float]
) -> tuple[Return, ...]:
    """Return when a server came back lately, the heartbeat that it is about to send included.

    All of it is by its own clock. It says so itself, for its ref forgets what it held: its history is begun anew.

    Args:
        before: its heartbeat before that one, if there is one that can be read.
        at: when it sends this one.
        boot_id: of the boot that it sends it on.
        limit_s: `silent_after`, by whether it held a run.
    """
    if before is None:
        return ()
    known = [each for each in before.returns if timedelta(0) <= at - each.at <= RETURNS_KEPT]
    anew = boot_id != before.boot_id
    if anew or (at - before.at).total_seconds() > limit_s(bool(before.runs)):
        known.append(Return(at=at, boot=anew))
    return tuple(known[-MOST_RETURNS:])
