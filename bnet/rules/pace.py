"""When a server has to be seen to move, and when the hub's push budget asks it to be silent."""

from collections.abc import Iterable

from bnet.model.hub import Settings
from bnet.model.run import RunFact
from bnet.rules.leases import BEAT_SHARE, Observed, beat_gap


def beat_due(settings: Settings, observed: Observed, facts: Iterable[RunFact]) -> bool:
    """Tell whether a beat is due: a third of the shortest TTL held has passed, or an idle server's time."""
    if observed.beat_at is None:
        return True
    pause = observed.looked_at - observed.beat_at
    held = [fact.intent.ttl_s for fact in facts if fact.phase in ("intended", "alive")]
    if held and pause >= min(held) * BEAT_SHARE:
        return True
    return pause >= settings.intervals.idle_heartbeat


def wait_for_turn(settings: Settings, servers: int, observed: Observed, facts: Iterable[RunFact]) -> float:
    """Return for how many seconds what there is to say has to wait for this server's turn in the budget.

    A lease never waits.
    """
    if settings.push_budget is None or observed.beat_at is None or beat_due(settings, observed, facts):
        return 0.0
    return max(0.0, observed.beat_at + beat_gap(servers, settings.push_budget) - observed.looked_at)


def progress_due(settings: Settings, observed: Observed) -> bool:
    """Tell whether what runs print is worth a push of its own: where pushes are free, every few seconds."""
    if settings.push_budget is not None or observed.beat_at is None:
        return False
    return observed.looked_at - observed.beat_at >= settings.intervals.progress
