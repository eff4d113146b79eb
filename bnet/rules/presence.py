"""How long a server may be silent before somebody should look for it; informs people, and decides no lease."""

from bnet.model.hub import Settings
from bnet.rules.leases import default_ttl

LATE = 1.5  # so many times the pause between two heartbeats, and a server counts as silent


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
