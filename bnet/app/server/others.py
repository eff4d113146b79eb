"""What a server makes of the others when it chooses: who is awake, and who has let a job lie."""

from collections.abc import Sequence

from msgspec.structs import replace

from bnet.app.server.standing import alone_after
from bnet.model.job import Job
from bnet.model.state import State
from bnet.ports.hub import Look
from bnet.rules.leases import Lease, Observed, lapsed
from bnet.rules.transaction import Transaction
from bnet.rules.waiting import usage
from bnet.schedule.durations import Durations
from bnet.schedule.rivals import Rivals, faster, has_let_lie


def presences(state: State, me: str) -> list[Lease]:
    """Return what to watch of the other servers to know that they move: an idle one beats now and then."""
    return [
        Lease(run=f"server:{name}", server=name, ttl_s=alone_after(state))
        for name in state.servers
        if name != me
    ]


def rivals_of(
    state: State, me: str, observed: Observed, look: Look, known: Durations, looks_again_s: float
) -> Rivals:
    """Return what is known of the other servers.

    Args:
        state: the ledger.
        me: this server's name.
        observed: how long they were seen unmoved.
        look: of this sync.
        known: how long jobs took.
        looks_again_s: seconds until this server chooses again.
    """
    watched = presences(state, me)
    asleep = lapsed(observed, watched)
    awake = frozenset(
        each.server
        for each in watched
        if each.run not in asleep
        and look.telemetry.get(each.server)
        and observed.doubted.get(each.server) != look.telemetry[each.server]
    )
    return Rivals(awake=awake, known=known, looks_again_s=looks_again_s)


def doubting(
    observed: Observed, tx: Transaction, claimed: Sequence[Job], me: str, rivals: Rivals | None, look: Look
) -> Observed:
    """Write down who let a job lie that is claimed here now: nothing is left to it until it moves.

    Args:
        observed: what was seen.
        tx: the transaction that claims it.
        claimed: the jobs.
        me: this server's name.
        rivals: what was known of the others.
        look: of this sync.
    """
    still = {name: tip for name, tip in observed.doubted.items() if look.telemetry.get(name) == tip}
    if rivals is not None and me in tx.servers:
        taken = usage(tx.state.jobs.values(), tx.locks)
        for job in claimed:
            found = faster(replace(job, claim=None), tx.servers[me], tx.servers, taken, rivals)
            if found is not None and has_let_lie(job, found[1], rivals, tx.state.jobs, tx.now):
                still[found[0]] = look.telemetry[found[0]]
    return observed if still == observed.doubted else replace(observed, doubted=still)
