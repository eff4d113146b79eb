"""The past of a network: the jobs of the archive, and what the transactions did."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from bnet.app.ledger import Ledger
from bnet.app.snapshot import Snapshot
from bnet.codec import layout
from bnet.codec.moments import parse_moment
from bnet.errors import BnetError
from bnet.model.history import Moved, Past, Query
from bnet.model.job import Job
from bnet.model.state import State
from bnet.ports.hub import Hub, Recorded, Stamp
from bnet.ports.indexes import Index
from bnet.rules.past import past_of
from bnet.rules.transaction import read_archive

FILES_AT_ONCE = 64  # so much of the archive is held in memory: 16 MB
SHORTEST = 7  # digits of a commit's id


class Annals:
    """The archive and the transactions of a ledger, as its newest transaction left them.

    What people's commits have done to the archive since is not believed, and restored by the next one.
    """

    def __init__(self, hub: Hub, tip: str) -> None:
        """Keep where to read.

        Args:
            hub: whose private copy holds it.
            tip: the newest transaction.
        """
        self.tip = tip
        self._hub = hub

    def files(self) -> Sequence[str]:
        found = self._hub.blobs(self.tip, layout.ARCHIVE)
        return list(dict.fromkeys(found[path] for path in sorted(found, key=layout.archive_order)))

    def jobs(self, blobs: Sequence[str]) -> Iterator[Past]:
        for blob, data in self._contents(blobs):
            for job in read_archive(data):
                yield past_of(job, blob)

    def _contents(self, blobs: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        for start in range(0, len(blobs), FILES_AT_ONCE):
            yield from self._hub.contents(blobs[start : start + FILES_AT_ONCE]).items()

    def holds(self, commit: str) -> bool:
        return self._hub.contains(self.tip, commit)

    def transactions(self, after: str) -> Iterable[Recorded]:
        return self._hub.recorded(self.tip, after)

    def whole(self, found: Sequence[Past]) -> Mapping[int, Job]:
        """Return the jobs that a search found in the archive, by number."""
        wanted = {past.number for past in found if past.blob}
        blobs = list(dict.fromkeys(past.blob for past in found if past.blob))
        listed = (job for _, data in self._contents(blobs) for job in read_archive(data))
        return {job.number: job for job in listed if job.number in wanted}


def annals(ledger: Ledger) -> Annals:
    """Return the past of a ledger that has been refreshed."""
    stamp = ledger.snapshot.stamp
    return Annals(ledger.hub, ledger.state.tip if stamp is None else stamp.commit)


def search(ledger: Ledger, index: Index, query: Query) -> list[Past]:
    """Return the jobs that are asked for, archived or not: open ones first, then the newest end."""
    return index.search(annals(ledger), map(past_of, ledger.state.jobs.values()), query)


def moment_of(moves: Sequence[Moved], at: float) -> Moved | None:
    """Return the newest transaction at or before a time; None if there was none yet.

    Each has the date of its maker's clock, and their order is that of their numbers. Where the two disagree,
    some clock was wrong: the answer is where the fewest transactions stand on the wrong side of it.

    Args:
        moves: all of them, in their order.
        at: seconds since 1970.
    """
    best, score, most = None, 0, 0
    for move in moves:
        score += 1 if move.at <= at else -1
        if score >= most and (score > 0 or best is not None):
            best, most = move, score
    return best


def state_at(ledger: Ledger, index: Index, text: str, now: datetime) -> tuple[Stamp, State]:
    """Return the network as it was, and the transaction that had made it so.

    Args:
        ledger: refreshed.
        index: knows when each transaction was made.
        text: a commit of the ledger's history, or a time.
        now: what spans of time are counted from.

    Raises:
        BnetError: it is neither, or from before the ledger began.
    """
    past = annals(ledger)
    commit = _commit_of(ledger, text) or _commit_then(index.moves(past), _moment(text, now))
    stamp = ledger.hub.newest_transaction(commit)
    if stamp is None:
        raise BnetError(f"the ledger had no transaction yet at {commit[:12]}")
    snapshot = Snapshot(ledger.hub)
    snapshot.load(stamp.commit, stamp)
    return stamp, snapshot.state


def _commit_of(ledger: Ledger, text: str) -> str:
    commit = ledger.hub.expand(text) if len(text) >= SHORTEST else ""
    return commit if ledger.hub.contains(ledger.state.tip, commit) else ""


def _commit_then(moves: Sequence[Moved], at: datetime) -> str:
    found = moment_of(moves, at.timestamp())
    if found is None:
        begun = (
            ""
            if not moves
            else f": it begins at {datetime.fromtimestamp(moves[0].at, UTC):%Y-%m-%dT%H:%M:%SZ}"
        )
        raise BnetError(f"the ledger is younger than {at:%Y-%m-%dT%H:%M:%SZ}{begun}")
    return found.commit


def _moment(text: str, now: datetime) -> datetime:
    try:
        return parse_moment(text, now)
    except ValueError as error:
        raise BnetError(f"neither a commit of this ledger nor a time: {error}") from None
