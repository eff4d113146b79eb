"""Deleting what nobody names any more from the store: what was given up, and what never came to be named."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from bnet.app.ledger import Ledger
from bnet.app.steward.office import Away
from bnet.model.artifact import Kept
from bnet.model.state import State
from bnet.ports.outside import Store
from bnet.rules.keeping import STORE, forget, give_up, give_up_job, in_store, kept_now, outlived, pinned
from bnet.rules.sharing import expire, unshare
from bnet.rules.transaction import Transaction

UNNAMED_FOR = (
    86400.0  # seconds after which what no list names is deleted; an upload takes less, or is tried again
)
GIVEN_UP, GIVEN_UP_EVERY = "clearing", 600.0  # seconds between two tries to delete what was given up
STRAY, STRAY_EVERY = "stray", 86400.0  # seconds between two looks at what nobody names
_FOLDER = re.compile(r"artifacts/[0-9a-f-]+/(files/)?[0-9a-f-]+")


def due(ledger: Ledger) -> list[tuple[int, str]]:
    """Return the jobs whose artifacts the rules keep no longer, each with the reason."""
    found: list[tuple[int, str]] = []

    def decide(tx: Transaction) -> None:
        rows = outlived(kept_now(tx), tx.state.settings.artifacts, pinned(tx), tx.now)
        found[:] = [(kept.job, why) for kept, why in rows]

    ledger.transact(decide)  # nothing is changed, so nothing is pushed
    return found


def give_up_now(ledger: Ledger, numbers: Sequence[int], names: Sequence[str], why: str, by: str) -> list[int]:
    """Give up what the rules keep no longer, or what is named instead; return the jobs.

    Args:
        ledger: the ledger.
        numbers: jobs whose artifacts are given up.
        names: shared files that are taken back.
        why: for the record.
        by: who says so.

    Raises:
        Illegal: something needs them.
    """
    done: list[int] = []

    def decide(tx: Transaction) -> None:
        for number in numbers:
            give_up_job(tx, number, why, by)
        for name in names:
            unshare(tx, name)
        if not numbers and not names:
            give_up(tx, by)
            expire(tx)
        done[:] = [
            int(each.target[1:]) for each in tx.changes if each.verb == "prune" and each.target[0] == "#"
        ]

    ledger.transact(decide)
    return done


def clear(ledger: Ledger, store: Store, away: Away) -> list[int]:
    """Delete in the store what was given up, and take it off the list; return the jobs. It may be done twice."""
    gone = leftovers(ledger.state)
    away([partial(_delete, store, gone)])
    numbers = [kept.job for kept in gone]
    if numbers:
        ledger.transact(lambda tx: forget(tx, numbers))
    return numbers


def leftovers(state: State) -> list[Kept]:
    """Return what was given up and still is in the store."""
    return [kept for kept in state.kept.values() if kept.gone is not None and in_store(kept)]


def _delete(store: Store, gone: Sequence[Kept]) -> None:
    for kept in gone:
        for run in in_store(kept):
            for name in list(store.names(run.place.removeprefix(STORE))):
                store.delete(name)


def sweep(
    store: Store, state: State, first_seen: Mapping[str, float], now: float
) -> tuple[int, dict[str, float]]:
    """Delete what lies in the store and is on no list: of runs that were overtaken, and of uploads that never ended.

    Args:
        store: the hub's.
        state: the ledger.
        first_seen: when each such thing was seen first; seconds on any clock that only grows here.
        now: on that clock.

    Returns:
        How many files were deleted, and what was seen this time.
    """
    base = f"artifacts/{state.head.hub}/"
    named = {run.place.removeprefix(STORE).rstrip("/") for kept in state.kept.values() for run in kept.runs}
    named |= {each.place.removeprefix(STORE) for each in state.shared.values()}
    named |= {base + job.claim.run for job in state.jobs.values() if job.claim is not None}
    seen: dict[str, float] = {}
    deleted = 0
    for name in list(store.names(base)):
        found = _FOLDER.match(name)
        if found is None or found[0] in named:
            continue
        since = seen[found[0]] = first_seen.get(found[0], now)
        if now - since >= UNNAMED_FOR:
            store.delete(name)
            deleted += 1
    return deleted, seen


class Clearing:
    """The chore of deleting in the store: what was given up, and now and then what nobody names."""

    def __init__(
        self,
        ledger: Ledger,
        who: str,
        store: Callable[[State], Store],
        is_due: Callable[[str, float], bool],
        sweep: Callable[[Store, State], object],
    ) -> None:
        """Keep the parts.

        Args:
            ledger: the hub's.
            who: this server's name.
            store: opens the store that a hub names.
            is_due: whether something was last done here so many seconds ago; if so, it counts as done now.
            sweep: deletes what has lain in a store for a day and is on no list.
        """
        self._ledger = ledger
        self._who = who
        self._store = store
        self._is_due = is_due
        self._sweep = sweep

    def do(self, away: Away) -> None:
        """Delete what is due; after a failure that is a while later, perhaps by another server.

        Raises:
            StoreFailed: the store does not do it.
        """
        stray = self._is_due(STRAY, STRAY_EVERY)
        if stray:
            give_up_now(self._ledger, (), (), "", self._who)
        if leftovers(self._ledger.state) and self._is_due(GIVEN_UP, GIVEN_UP_EVERY):
            clear(self._ledger, self._store(self._ledger.state), away)
        if stray:
            state = self._ledger.state
            away([lambda: self._sweep(self._store(state), state)])


def is_wanted(state: State, is_past: Callable[[str, float], bool]) -> bool:
    """Tell whether there is anything to delete, or it is time to look for what nobody names."""
    if state.settings.store is None:
        return False
    return is_past(STRAY, STRAY_EVERY) or (bool(leftovers(state)) and is_past(GIVEN_UP, GIVEN_UP_EVERY))
