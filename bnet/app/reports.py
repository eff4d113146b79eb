"""Reports made from a ledger: now for whoever asks, and those that were kept."""

from collections.abc import Sequence
from datetime import datetime
from fnmatch import fnmatchcase

from bnet.app.history import annals, search
from bnet.app.ledger import Ledger
from bnet.codec import layout
from bnet.codec.documents import Unreadable, decode
from bnet.codec.reports import USUAL, usual
from bnet.errors import BnetError
from bnet.model.history import Past, Query
from bnet.model.report import Figures, Ordered, Report
from bnet.model.state import State
from bnet.ports.indexes import Index
from bnet.report.facts import Facts
from bnet.report.measure import measured
from bnet.report.periods import edges
from bnet.rules.past import past_of
from bnet.rules.reports import kept_of


class NoReport(BnetError):
    """There is no report of that name, or none was kept."""


def named(state: State, name: str) -> Ordered:
    """Return a report by its name.

    Raises:
        NoReport: it is none of `reports.yaml` and not one of the usual.
    """
    found = state.reports.get(name) or usual(name)
    if found is None:
        known = ", ".join(sorted({*USUAL, *state.reports}))
        raise NoReport(f"there is no report {name!r}", hint=f"there are {known}; reports.yaml names others")
    return found


def figures(
    ledger: Ledger,
    index: Index,
    name: str,
    ordered: Ordered,
    ends: Sequence[datetime],
    now: datetime,
    by: str,
) -> Figures:
    """Return the figures of a report.

    Args:
        ledger: refreshed.
        index: of its past.
        name, ordered: of the report.
        ends: where the periods begin, the oldest first, and the end of the last.
        now, by: when, and who makes it.
    """
    report, state = ordered.report, ledger.state
    query = Query(since=ends[0].timestamp(), asked_until=ends[-1].timestamp())
    past = search(ledger, index, query)
    there = {each.number for each in past}
    # Of one that was submitted long ago and is open still, no index says when its attempts were.
    past += [
        past_of(job)
        for number, job in state.jobs.items()
        if job.result is None and (job.claim or job.attempts) and number not in there
    ]
    facts = Facts(
        name=name,
        kind=report.kind,
        timezone=report.timezone,
        network=state.settings.name,
        by=by,
        now=now,
        edges=ends,
        past=[each for each in past if _is_meant(each, report)],
        servers=state.servers,
    )
    return measured(facts)


def _is_meant(past: Past, report: Report) -> bool:
    return all(
        not patterns or any(fnmatchcase(word, pattern) for pattern in patterns)
        for word, patterns in ((past.name, report.names), (past.queue, report.queues))
    )


def edges_of(ordered: Ordered, end: datetime) -> tuple[datetime, ...]:
    """Return the periods of a report, the last of which ends then."""
    return edges(end, str(ordered.report.period), ordered.span, ordered.report.timezone)


def kept(ledger: Ledger, name: str, until: datetime) -> Figures:
    """Return the newest report of a name that was kept until a time.

    Raises:
        NoReport: there is none.
    """
    times = kept_of(ledger.state, name)
    at = next((each for each in reversed(times) if each <= until), None)
    if at is None:
        since = (
            f" until {until:%Y-%m-%dT%H:%MZ}; the oldest is of {times[0]:%Y-%m-%dT%H:%MZ}" if times else ""
        )
        raise NoReport(
            f"no report {name} was kept{since}", hint="`cron` in reports.yaml makes one by the clock"
        )
    return read_kept(ledger, name, at)


def kept_blobs(ledger: Ledger) -> dict[tuple[str, datetime], str]:
    """Return the reports that were kept: name and time -> the id of their content."""
    if not ledger.state.reported:
        return {}
    found = ledger.hub.blobs(annals(ledger).tip, layout.REPORTS)
    named = ((layout.report_of(path), blob) for path, blob in found.items())
    return {each: blob for each, blob in named if each is not None}


def read_kept(ledger: Ledger, name: str, at: datetime) -> Figures:
    """Return a report that was kept.

    Raises:
        NoReport: it cannot be read.
    """
    path = layout.report_path(name, at)
    data = ledger.hub.read(annals(ledger).tip, [path]).get(path)
    try:
        return decode(Figures, data or b"")
    except Unreadable:
        raise NoReport(f"{path} cannot be read; `bnet report {name} --at` makes it anew") from None
