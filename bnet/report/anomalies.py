"""What is out of the ordinary: each with the figure, what it usually is, and the rule that tells the two apart.

What is usual is what the periods before had; with too little of that, nothing is said.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import quantiles

from bnet.model.history import Past
from bnet.model.report import Anomaly, OfServer, Tally
from bnet.report.rows import by_name
from bnet.report.tally import judged, middle, share_of, took
from bnet.report.words import percent, plural, span

MOST = 12
FEWEST_NOW = 3  # runs of a name, for a judgement on it ...
FEWEST_BEFORE = 8  # ... and before, for what is usual
DROP = 0.2  # of the share that succeeds
FENCE = 1.5  # times the middle half's width above it: Tukey's fence
TIMES = 1.5  # as long, at least
WAIT_TIMES, LEAST_WAIT_S = 2.0, 60.0
MANY_TIMES, FEWEST_MORE = 2.0, 10
FEWEST_ATTEMPTS = 5
WORSE = 0.3


def anomalies(
    rows: Sequence[Sequence[Past]], tallies: Sequence[Tally], servers: Sequence[OfServer]
) -> list[Anomaly]:
    """Return what is out of the ordinary.

    Args:
        rows: the jobs that ended in each period, the oldest period first.
        tallies: of these.
        servers: what they did in the last.
    """
    now = by_name(rows[-1])
    before = by_name(past for row in rows[:-1] for past in row)
    found = [
        *_number(tallies),
        *_waiting(tallies),
        *_servers(servers),  # before names: one that breaks all of them is why they are here
        *(each for name in sorted(now) for each in _of_name(name, now[name], before.get(name, []))),
        *_missing(rows),
    ]
    return found[:MOST]


def _of_name(name: str, now: Sequence[Past], before: Sequence[Past]) -> Iterator[Anomaly]:
    share, usual, count, earlier = share_of(now), share_of(before), judged(now), judged(before)
    enough = count >= FEWEST_NOW and earlier >= FEWEST_BEFORE
    if enough and share is not None and usual is not None and round(usual - share, 4) >= DROP:
        yield Anomaly(
            about=name,
            figure=f"{percent(share)} of {plural(count, 'job')} succeeded",
            usual=f"{percent(usual)} of {earlier} before",
            rule=f"{DROP * 100:.0f} points or more below the periods before",
        )
    new, old = took(now), took(before)
    if len(new) < FEWEST_NOW or len(old) < FEWEST_BEFORE:
        return
    low, usually, high = quantiles(old, n=4, method="inclusive")
    limit = max(high + FENCE * (high - low), TIMES * usually)
    if middle(new) > limit:
        yield Anomaly(
            about=name,
            figure=f"takes {span(middle(new))} (median of {len(new)})",
            usual=f"{span(usually)}; three in four within {span(high)}",
            rule=f"above {span(limit)}: {FENCE} times the middle half's width above it, "
            f"and {TIMES} times the median",
        )


def _number(tallies: Sequence[Tally]) -> Iterator[Anomaly]:
    *before, now = tallies
    usual = [each.ended for each in before]
    if not before or not min(usual):
        return  # the network is younger than what it would be compared with
    about, told = "jobs", f"{min(usual)} to {max(usual)} in each of the {len(usual)} periods before"
    if now.ended >= MANY_TIMES * max(usual) and now.ended >= max(usual) + FEWEST_MORE:
        rule = f"at least {MANY_TIMES:g} times the most of them"
        yield Anomaly(about=about, figure=f"{plural(now.ended, 'job')} ended", usual=told, rule=rule)
    if now.ended * MANY_TIMES <= min(usual) and now.ended + FEWEST_MORE <= min(usual):
        rule = f"at most 1/{MANY_TIMES:g} of the fewest of them"
        yield Anomaly(about=about, figure=f"{plural(now.ended, 'job')} ended", usual=told, rule=rule)


def _waiting(tallies: Sequence[Tally]) -> Iterator[Anomaly]:
    *before, now = tallies
    known = [each.waited for each in before if each.waited is not None]
    if (
        now.waited is None
        or now.waited.count < FEWEST_NOW
        or sum(each.count for each in known) < FEWEST_BEFORE
    ):
        return
    usual = [each.p95 for each in known]
    limit = max(WAIT_TIMES * max(usual), LEAST_WAIT_S)
    if now.waited.p95 > limit:
        yield Anomaly(
            about="queue",
            figure=f"one job in twenty waited {span(now.waited.p95)} or longer",
            usual=f"{span(max(usual))} at most in the periods before",
            rule=f"more than {WAIT_TIMES:g} times that, and than {span(LEAST_WAIT_S)}",
        )


def _missing(rows: Sequence[Sequence[Past]]) -> Iterator[Anomaly]:
    *before, now = [Counter(past.name for past in row) for row in rows]
    always = set(before[0]).intersection(*before[1:]) if before else set()
    for name in sorted(always - now.keys()):
        counts = [each[name] for each in before]
        yield Anomaly(
            about=name,
            figure="no job of this name ended",
            usual=f"{min(counts)} to {max(counts)} in each of the {len(counts)} periods before",
            rule="some in each period before, and none in this one",
        )


def _servers(servers: Sequence[OfServer]) -> Iterator[Anomaly]:
    for each in servers:
        others = [other for other in servers if other.name != each.name]
        runs, failed = sum(other.runs for other in others), sum(other.failed for other in others)
        if each.runs < FEWEST_ATTEMPTS or runs < FEWEST_ATTEMPTS:
            continue
        share, usual = each.failed / each.runs, failed / runs
        if share >= usual + WORSE:
            yield Anomaly(
                about=each.name,
                figure=f"{each.failed} of {each.runs} attempts failed there",
                usual=f"{failed} of {runs} on the other servers",
                rule=f"{WORSE * 100:.0f} points or more above them",
            )
