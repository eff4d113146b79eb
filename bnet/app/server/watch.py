"""What one look at the hub tells a server of the others."""

from collections.abc import Mapping

from msgspec.structs import replace

from bnet.app.ledger import Ledger
from bnet.model.run import RunFact
from bnet.ports.hub import Look
from bnet.ports.machine import Clock
from bnet.rules import locks
from bnet.rules.clocks import Skew, zero
from bnet.rules.leases import Lease, Observed, leases_of, observe

GAP_FOR_SKEW = 120.0  # seconds between two looks, above which a commit's age says nothing about clocks


def watch(
    before: Observed, look: Look, me: str, leases: list[Lease], ledger: Ledger, clock: Clock
) -> Observed:
    """Take in a look.

    Args:
        before: what was seen until now.
        look: what the hub holds.
        me: this server's name. Its own telemetry says nothing of claims that nothing here knows of: those
            are counted as if it never moved.
        leases: those to watch.
        ledger: for the newest transaction, whose date compares its maker's clock with ours.
        clock: ours.
    """
    others = {name: tip for name, tip in look.telemetry.items() if name != me}
    observed = observe(before, leases, others, boot_id=clock.boot_id(), now=clock.boot())
    stamp = ledger.snapshot.stamp
    if stamp is None or stamp.seq == before.seq:
        return observed
    skews = dict(observed.skews)
    recent = before.boot_id == observed.boot_id and observed.looked_at - before.looked_at <= GAP_FOR_SKEW
    if recent and stamp.actor != me and stamp.actor in ledger.state.servers:
        now = clock.now()
        ahead, booted = (stamp.at - now).total_seconds(), zero(now, clock.boot())
        skews[stamp.actor] = Skew(ahead_s=ahead, seen_at=observed.looked_at, zero_s=booted)
    return replace(observed, seq=stamp.seq, skews=skews)


def watched(ledger: Ledger, facts: Mapping[str, RunFact]) -> list[Lease]:
    """Return the leases to watch: all but those of runs that are known here."""
    claims = [lease for lease in leases_of(ledger.state.jobs.values()) if lease.run not in facts]
    return claims + locks.leases_of(ledger.state.locks)
