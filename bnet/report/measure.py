"""From facts to figures."""

from itertools import pairwise

from bnet.model.report import Figures
from bnet.report import rows
from bnet.report.anomalies import anomalies
from bnet.report.facts import Facts, by_period, stints_of
from bnet.report.tally import tally, usual_builds


def measured(facts: Facts) -> Figures:
    """Return the figures of a report."""
    periods = by_period(facts)
    stints = [each for past in facts.past for each in stints_of(past)]
    usual = usual_builds(facts.past)
    servers = [facts.servers[name] for name in sorted(facts.servers)]
    tallies = [
        tally(ended, stints, servers, usual, begin, end, min(end, facts.now))
        for ended, (begin, end) in zip(periods, pairwise(facts.edges), strict=True)
    ]
    begin, end = facts.edges[-2:]
    until = min(end, facts.now)
    ended, before = periods[-1], [past for row in periods[:-1] for past in row]
    last = periods[-2] if len(periods) > 1 else []
    named = rows.names(ended, last)
    at_work = rows.servers(stints, facts.servers, begin, end, until)
    return Figures(
        name=facts.name,
        kind=facts.kind,
        timezone=facts.timezone,
        network=facts.network,
        made_at=facts.now,
        by=facts.by,
        now=tallies[-1],
        earlier=tuple(tallies[:-1]),
        names=tuple(named[: rows.MOST_NAMES]),
        names_total=len(named),
        slowest=tuple(rows.slowest(ended, before)),
        failures=tuple(rows.failures(ended)),
        flaky=tuple(rows.flaky(ended)),
        servers=tuple(at_work),
        course=rows.course(ended, stints, sum(each.slots for each in servers), begin, end, until),
        anomalies=tuple(anomalies(periods, tallies, at_work)),
    )
