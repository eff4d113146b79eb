"""Why results do not reach the repositories of sources, and since when: what is older than that has been told."""

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec
from msgspec.structs import replace

from bnet.codec import layout
from bnet.model.job import Job
from bnet.model.source import Obstacle, Seen
from bnet.rules.change import Change
from bnet.rules.reserved import source_and_commit
from bnet.rules.sources import LONGEST_REASON, seen_of
from bnet.rules.transaction import Transaction

STEWARD = "steward"  # the lock of the one who tells


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How the telling of a source's results went.

    Attributes:
        before: what stood in their way until now.
        reason: what does now; "" if all of them are told.
        since: the earliest end among those that are not told.
    """

    before: Obstacle | None
    reason: str = ""
    since: datetime | None = None


def deliver(tx: Transaction, outcomes: Mapping[str, Outcome], who: str) -> None:
    """Write down why results do not reach the repositories of sources, and where they do again."""
    for name, outcome in outcomes.items():
        before = seen_of(tx, name).undelivered
        # What went to the archive meanwhile is no part of a look at what was there before.
        if name in tx.state.sources and (outcome.reason or before == outcome.before):
            _note(tx, name, outcome.reason, outcome.since, who)


def note_untold(tx: Transaction, archived: Iterable[Job]) -> None:
    """Write down that results go to the archive while nobody is there to tell them."""
    lock = tx.locks.get(STEWARD)
    if lock is not None and lock.holders:
        return
    since: dict[str, datetime] = {}
    for job in archived:
        of = source_and_commit(job.spec.key or "")
        source = None if of is None else tx.state.sources.get(of[0])
        if source is None or job.result is None:
            continue
        # Only what has a host may be a forge's.
        if source.asked.notes or (source.asked.status and ":" in source.asked.repository):
            at = job.result.finished_at
            since[source.name] = min(at, since.get(source.name, at))
    for name, at in since.items():
        _note(tx, name, "results do not get there: nobody was the steward", at, "")


def _note(tx: Transaction, name: str, reason: str, since: datetime | None, who: str) -> None:
    seen: Seen = seen_of(tx, name)
    before, reason = seen.undelivered, reason[:LONGEST_REASON]
    at = min(each for each in (since, before.at if before else None, tx.now) if each is not None)
    found = Obstacle(at=at, by=who, reason=reason) if reason else None
    if before == (replace(found, by=before.by) if found and before else found):
        return
    after = {layout.seen_path(name): replace(seen, undelivered=found)}
    tx.apply(Change(verb="look", target=name, note=reason[:120], documents=dict(after)))
