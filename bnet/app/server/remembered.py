"""Durations of archived jobs, kept on this machine from one process to the next; disposable."""

from heapq import nlargest

from bnet.app.ledger import Ledger
from bnet.codec.documents import Unreadable, decode
from bnet.codec.layout import archive_order
from bnet.model.base import Record
from bnet.rules.transaction import read_archive
from bnet.schedule.durations import Durations, gathered

VERSION = 1
MOST_FILES = (
    20  # of the archive that are read: some 7,000 jobs; what is older counts as long as it is remembered
)


class Remembered(Record, frozen=True, kw_only=True):
    """What was taken from the archive, and which of its newest files that were."""

    version: int = VERSION
    files: tuple[str, ...] = ()
    durations: Durations = Durations()


def remembered(data: bytes | None) -> Remembered:
    """Return what is kept; nothing, where it is damaged or of another version."""
    try:
        kept = Remembered() if data is None else decode(Remembered, data)
    except Unreadable:
        return Remembered()
    return kept if kept.version == VERSION else Remembered()


def brought_up(before: Remembered, ledger: Ledger) -> Remembered:
    """Return what is known once the archive's new files are read.

    Where one that had been read is gone, the hub went back or another one was adopted: it begins anew.
    """
    archive = ledger.state.archive
    if len(archive) == 0 or not archive.issuperset(before.files):
        before = Remembered()
    # By their plain texts first: of a hub's hundred thousand files, few are worth the finer order.
    newest = tuple(sorted(nlargest(2 * MOST_FILES, archive), key=archive_order)[-MOST_FILES:])
    new = [path for path in newest if path not in before.files]
    if not new:
        return before
    stamp = ledger.snapshot.stamp
    contents = ledger.hub.read(ledger.state.tip if stamp is None else stamp.commit, new)
    jobs = (job for path in new for job in read_archive(contents.get(path, b"")))
    return Remembered(files=newest, durations=gathered(before.durations, jobs))
