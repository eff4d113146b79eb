"""What can happen to a named lock, from the asking to the end of a holding.

A process that holds a lock, or waits for it, gives signs of life by moving a ref of its own; one that cannot, holds
for a time. Others count that on their own clocks, as they count leases (ADR 2, ADR 19).
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from msgspec.structs import replace

from bnet.model.hub import LockRule, Settings
from bnet.model.job import Job
from bnet.model.lock import Lock, Stake
from bnet.rules.change import Change
from bnet.rules.jobs import Illegal
from bnet.rules.leases import Lease

MOST_STAKES = 300  # of one lock, half of them at most holders: a document holds a million bytes
LONGEST_TEXT = 200  # characters of what is written by somebody, or for somebody


def limit_of(name: str, settings: Settings) -> int:
    """Return how many may hold a lock at a time."""
    return settings.locks.get(name, LockRule()).limit


def jobs_with(name: str, jobs: Iterable[Job]) -> list[Job]:
    """Return the running jobs that hold a lock."""
    return [job for job in jobs if name in job.spec.locks and job.claim is not None and job.result is None]


def stake_of(lock: Lock | None, stake_id: str) -> tuple[Stake | None, bool]:
    """Return somebody's part in a lock, and whether it is that of a holder."""
    for stakes, holds in (
        (() if lock is None else lock.holders, True),
        (() if lock is None else lock.waiters, False),
    ):
        for each in stakes:
            if each.id == stake_id:
                return each, holds
    return None, False


def has_room(lock: Lock, taken: int, limit: int) -> bool:
    """Tell whether one more may hold a lock, of which running jobs have `taken` already."""
    return len(lock.holders) + taken < limit and len(lock.holders) < MOST_STAKES // 2


def ask(lock: Lock, stake: Stake) -> Change:
    """Put somebody at the end of the row.

    Raises:
        Illegal: the row is too long.
    """
    if len(lock.waiters) >= MOST_STAKES // 2:
        raise Illegal(f"{len(lock.waiters)} wait for lock {lock.name} already; it takes no more")
    after = replace(lock, waiters=(*lock.waiters, stake))
    return _change("ask", after, stake, note=f"by {stake.by}", by=stake.by)


def grant(lock: Lock, stake: Stake, *, taken: int, limit: int, token: int, now: datetime) -> Change:
    """Give a lock to somebody who is first in the row, or has come when nobody waited.

    Args:
        lock: as it is.
        stake: whose turn it is.
        taken: how many running jobs hold it.
        limit: how many may.
        token: the transaction's number.
        now: for people.

    Raises:
        Illegal: there is no room, or others come first.
    """
    if not has_room(lock, taken, limit):
        raise Illegal(f"lock {lock.name} is held by {limit} of {limit}")
    if lock.waiters and lock.waiters[0].id != stake.id:
        raise Illegal(f"lock {lock.name}: {lock.waiters[0].by} asked earlier")
    held = replace(stake, token=token, renewed=0, at=now)
    after = replace(lock, holders=(*lock.holders, held), waiters=lock.waiters[1:])
    return _change("lock", after, held, note=f"by {held.by}", by=held.by)


def renew(lock: Lock, stake: Stake, *, ttl_s: float, token: int) -> Change:
    """Begin a holder's time anew."""
    held = replace(stake, ttl_s=ttl_s, renewed=token)
    after = replace(lock, holders=tuple(held if each.id == held.id else each for each in lock.holders))
    return _change("renew", after, held)


def leave(lock: Lock, stake: Stake, verb: str = "unlock", why: str = "", by: str = "") -> Change:
    """End somebody's part: they `unlock` it or `withdraw` from the row, others `expire` or `break` it."""
    after = replace(
        lock,
        holders=tuple(each for each in lock.holders if each.id != stake.id),
        waiters=tuple(each for each in lock.waiters if each.id != stake.id),
    )
    return _change(verb, after, stake, note=why, by=by)


def leases_of(locks: Mapping[str, Lock]) -> list[Lease]:
    """Return what counts of those who hold or wait: each is alive as long as its ref moves, or for its time."""
    return [
        Lease(run=lease_of(each), server=each.beats, ttl_s=each.ttl_s)
        for lock in locks.values()
        for each in (*lock.holders, *lock.waiters)
    ]


def lease_of(stake: Stake) -> str:
    """Return under which name a stake's lease is counted."""
    return f"lock:{stake.id}:{max(stake.token, stake.renewed)}"


def _change(verb: str, after: Lock, stake: Stake, *, note: str = "", by: str = "") -> Change:
    fields: dict[str, str | int] = {"id": stake.id, "token": stake.token}
    if by:
        fields["by"] = by
    if verb == "break":
        fields["reason"] = note
    return Change(verb=verb, target=after.name, note=note, fields=fields, locks=(after,))
