"""Making sure that a server is gone: its telemetry, seen unmoved for a TTL on this machine's own clock."""

from collections.abc import Callable, Collection

from bnet.errors import Taken
from bnet.model.state import State
from bnet.ports.hub import Hub
from bnet.ports.machine import Clock
from bnet.rules import deployments, jobs
from bnet.rules.leases import Lease, Observed, lapsed, leases_of, observe
from bnet.rules.presence import ttl_of
from bnet.rules.transaction import Transaction

LOOKS = 30  # in one TTL, at most ...
LEAST_PAUSE, MOST_PAUSE = 0.2, 10.0  # ... seconds apart

Progress = Callable[[float, float], None]
"""Told the seconds for which a server was seen unmoved, and how many it takes."""


def wait_for_silence(hub: Hub, clock: Clock, state: State, name: str, progress: Progress) -> frozenset[str]:
    """Return the runs that a server holds, once it was seen unmoved for as long as they are honoured.

    An idle server beats only every half hour, so that silence proves nothing of it but this: it holds
    nothing that could be lost. If it lives after all, it stops by itself when it finds its name gone.

    Raises:
        Taken: it moved, so it lives.
        HubUnreachable: no answer.
    """
    held = [lease for lease in leases_of(state.jobs.values()) if lease.server == name]
    ttl = max([ttl_of(state.settings, len(state.servers)), *(lease.ttl_s for lease in held)])
    lease = Lease(run=f"silence of {name}", server=name, ttl_s=ttl)
    observed, first = Observed(), None
    while True:
        look = hub.look()
        observed = observe(observed, [lease], look.telemetry, boot_id=clock.boot_id(), now=clock.boot())
        seen = observed.claims[lease.run]
        if first is not None and seen.telemetry != first:
            raise _lives(name)
        if lapsed(observed, [lease]):
            return frozenset(each.run for each in held)
        first = seen.telemetry
        progress(seen.unmoved_s, ttl)
        pause = min(MOST_PAUSE, max(LEAST_PAUSE, ttl / LOOKS))
        clock.sleep(min(pause, ttl - seen.unmoved_s))


def _lives(name: str) -> Taken:
    return Taken(
        f"server {name} lives: it was seen to move just now",
        hint="choose another name; or stop that server, `bnet server leave` there, and try again",
    )


def end_claims(
    tx: Transaction, name: str, why: str, *, but: str = "", silent: Collection[str] | None = None
) -> list[int]:
    """End what a server holds, as lost; return the jobs' numbers.

    Args:
        tx: takes the changes.
        name: the server's.
        why: for people.
        but: an instance whose claims stay.
        silent: the runs for whose time it was seen unmoved; None if nobody has looked.

    Raises:
        Taken: it holds a run beside these. Its heartbeats may be refused, but it claims: so it lives.
    """
    ended = []
    for job in list(tx.jobs.values()):
        held = job.claim
        if held is not None and job.result is None and held.server == name and held.instance != but:
            if silent is not None and held.run not in silent:
                raise _lives(name)
            tx.apply(jobs.lost(job, now=tx.now, why=why))
            ended.append(job.number)
    deployments.record(tx)
    return ended
