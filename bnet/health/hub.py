"""The hub: what it is asked to take, what it holds, and what people wait for on it."""

from collections.abc import Iterable

from bnet.codec.shown import escaped
from bnet.health.facts import Facts, Finding
from bnet.health.words import amount

MOST_REFS = 5_000  # GitHub's limit for branches; every push is told of every ref
WINDOW_S = 3600.0  # over which pushes are counted


def diverged(facts: Facts) -> Iterable[Finding]:
    """Tell whether the hub's ledger went another way than the one known here: all else is then as it was known."""
    if facts.diverged:
        yield Finding(
            rule="hub-diverged",
            severity="critical",
            text=facts.diverged,
            advice="bnet hub adopt (shows both histories, and asks before it does anything)",
        )


def broken(facts: Facts) -> Iterable[Finding]:
    """Name the documents of the ledger that cannot be read."""
    for each in facts.state.problems:
        # A complaint about a person's document begins with its path and line already.
        placed = each.message.startswith(each.path)
        commit = f" (git show {each.commit[:10]})" if each.commit else ""
        mends = each.path.endswith(".json")  # a machine's document, of which the newest readable one is known
        yield Finding(
            rule="document-broken",
            about=escaped(each.path),  # a path in Git may be no text at all, and a key is written down
            severity="warning",
            text=escaped(each.message if placed else f"{each.path} {each.message}"),
            advice=f"nothing: the next transaction restores it{commit}"
            if mends
            else f"put it right and push{commit}; until then, what it said before stays in force",
        )


def unacknowledged(facts: Facts) -> Iterable[Finding]:
    """Name the messages that were not acknowledged in time."""
    for each in facts.overdue:
        yield Finding(
            rule="message-unacknowledged",
            about=each.id,
            severity="warning",
            text=each.text,
            since=each.due,
            advice=f"bnet message read {each.id}, then: bnet message ack {each.id}",
        )


def budget(facts: Facts) -> Iterable[Finding]:
    """Tell whether more is pushed than the hub takes."""
    allowed = facts.state.settings.push_budget
    if allowed is None or facts.pushes is None:
        return
    rate = facts.pushes * 60 / WINDOW_S
    if rate > allowed:
        yield Finding(
            rule="push-budget",
            severity="warning",
            text=f"at least {rate:.3g} pushes a minute in the last hour, and the hub takes {allowed:g}",
            sure="clocks",
            evidence={"pushes": facts.pushes, "rate": round(rate, 2), "budget": allowed},
            advice="fewer servers, `bnet sync` by cron instead of agents, or a larger push_budget in hub.yaml",
        )


def large(facts: Facts) -> Iterable[Finding]:
    """Tell whether the hub has become large, or has too many refs."""
    limits, size = facts.monitoring.hub, facts.hub_bytes
    if size is not None:
        for severity, limit in (("critical", limits.critical), ("warning", limits.warning)):
            if limit is not None and size >= limit:
                yield Finding(
                    rule="hub-large",
                    severity="critical" if severity == "critical" else "warning",
                    text=f"the hub takes at least {amount(size)}; {severity} is {amount(limit)}",
                    evidence={"bytes": size, "limit": limit},
                    advice="on the hub's machine: git gc (packs it; nothing that a ref needs is lost)",
                )
                break
    if facts.hub_refs > MOST_REFS:
        yield Finding(
            rule="hub-refs",
            severity="warning",
            text=f"the hub has {facts.hub_refs:,} refs, and every push is told of each",
            evidence={"refs": facts.hub_refs, "limit": MOST_REFS},
            advice="git ls-remote on the hub shows them; bnet doctor --repair deletes telemetry that is nobody's",
        )
