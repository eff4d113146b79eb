"""The dashboard: whether somebody still publishes it."""

from collections.abc import Iterable

from bnet.health.facts import Facts, Finding, after
from bnet.health.words import span


def stale(facts: Facts) -> Iterable[Finding]:
    """Tell whether the site that people look at shows the network as it was long ago, or cannot be had."""
    site, limit = facts.site, facts.monitoring.site.stale_after
    if site is None or not limit:
        return
    if site.built is None:
        yield Finding(
            rule="site-silent",
            severity="warning",
            text=site.said,
            sure="observed",
            advice="see whether it can be had elsewhere; site.url in monitoring.yaml says where it is",
        )
        return
    age = facts.site_age_s(site.built)
    if age > limit:
        yield Finding(
            rule="site-stale",
            severity="warning",
            text=f"{site.where} shows the network as it was {span(age)} ago",
            since=after(facts.time, limit - age),
            sure="observed" if site.least_s > limit else "clocks",
            evidence={"age_s": round(age, 1), "after_s": limit},
            advice="start again what runs `bnet site publish`, or see site.stale_after in monitoring.yaml",
        )
