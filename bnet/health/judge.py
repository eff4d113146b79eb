"""All rules, and what they come to."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from bnet.health import clocks, figures, hub, jobs, servers, site
from bnet.health.facts import Facts, Finding

Rule = Callable[[Facts], Iterable[Finding]]

RULES: Sequence[Rule] = (
    servers.lost,
    servers.slow,
    servers.flapping,
    clocks.skewed,
    figures.thresholds,
    jobs.stuck,
    jobs.stalled,
    jobs.failing,
    hub.diverged,
    hub.broken,
    hub.unacknowledged,
    hub.budget,
    hub.large,
    site.stale,
)
_ORDER: Mapping[str, int] = {"critical": 0, "warning": 1}


def judge(facts: Facts, rules: Iterable[Rule] = RULES) -> list[Finding]:
    """Return what is wrong, the worst first; each finding has a key of its own."""
    found = {each.key: each for rule in rules for each in rule(facts)}
    return sorted(found.values(), key=lambda each: (_ORDER[each.severity], each.key))
