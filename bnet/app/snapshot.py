"""The snapshot: the ledger as one commit has it, kept in memory and brought forward by what changed."""

from collections.abc import Callable, Mapping

import msgspec
from msgspec.structs import replace

from bnet.codec import layout
from bnet.codec.documents import BROKEN, Unreadable, decode
from bnet.codec.frozen import freeze, thaw
from bnet.codec.view import Changes, File, View, advance, author_of, overlay, state_of
from bnet.errors import BnetError
from bnet.model.base import Record
from bnet.model.hub import FORMAT, Head
from bnet.model.schedule import Table
from bnet.model.source import Followed
from bnet.model.state import State
from bnet.ports.hub import Hub, Stamp


class TooNew(BnetError):
    """The hub's format is newer than this bnet."""


class NoLedger(BnetError):
    """The repository holds no ledger."""


class Snapshot:
    """What one machine knows of the ledger.

    Attributes:
        view: the documents, as read.
        state: what they say.
        stamp: the newest transaction among them.
        moved: how many files changed since the snapshot was thawed.
    """

    def __init__(self, hub: Hub) -> None:
        """Begin with nothing known; commits are read from the hub's private copy."""
        self.hub = hub
        self.moved = 0
        self.stamp: Stamp | None = None
        self._base = View()
        self._base_commit: str | None = None
        self.view = View()
        self.state = State(tip="", head=Head(format=FORMAT, hub=""))

    @property
    def size(self) -> int:
        """How many documents the snapshot holds."""
        return len(self._base.files)

    def head_at(self, tip: str) -> Head:
        """Return what a commit's `ledger.json` says; format 0 where it is missing or unreadable."""
        found = self.hub.read(tip, [layout.HEAD]).get(layout.HEAD)
        try:
            return Head(format=0, hub="") if found is None else decode(Head, found)
        except Unreadable:
            return Head(format=0, hub="")

    def load(self, tip: str, stamp: Stamp | None = None) -> None:
        """Show the ledger as a commit of the private copy has it.

        Args:
            tip: the commit.
            stamp: the newest transaction in its ancestry, where that is known already.

        Raises:
            TooNew, NoLedger: all stays as it was.
        """
        stamp = stamp or self.hub.newest_transaction(tip)
        if stamp is None:
            raise NoLedger("the branch holds no ledger: it has no transaction in its history")
        changes = self.hub.changes(self._base_commit, stamp.commit)
        self._check_format(changes, self._base)
        self.moved += len(changes)
        base = advance(self._base, self._sourced(stamp.commit, changes), self._older(stamp.commit))
        view = base = self._signed(base, stamp.commit)
        if tip != stamp.commit:
            by_hand = self._sourced(tip, self.hub.changes(stamp.commit, tip))
            machines = [path for path in by_hand if layout.is_machine(path)]
            broken_by = {path: self.hub.origin(tip, path)[0] for path in machines}
            kept = self.hub.read(stamp.commit, machines)
            undone = self._undone(tip, by_hand, base, set(broken_by.values()))
            view = self._signed(overlay(base, by_hand, self._older(tip), kept, broken_by, undone), tip)
        self._base, self._base_commit, self.stamp = base, stamp.commit, stamp
        self._show(view, tip)

    def take(self, commit: str, stamp: Stamp, files: Mapping[str, bytes | None]) -> None:
        """Go on from a transaction of our own: what it changed is known, nothing is read back."""
        self.moved += len(files)
        changes = {path: None if data is None else File(data=data) for path, data in files.items()}
        self._base = advance(self.view, changes, self._older(commit))
        self._base_commit, self.stamp = commit, stamp
        self._show(self._base, commit)

    def forget(self) -> None:
        """Begin anew: whatever was known may have been damaged, and can be read again."""
        self._base, self._base_commit = View(), None
        self.state = replace(self.state, tip="")

    def _show(self, view: View, tip: str) -> None:
        assert self.stamp is not None
        self.view = view
        self.state = state_of(view, tip, self.stamp.seq, self.stamp.next_job)

    def _sourced(self, tip: str, changes: Changes) -> Changes:
        """Say of what people write which commit and author it is from; nobody asks that of machines."""
        told: dict[str, File | None] = {}
        for path, file in changes.items():
            people = (
                layout.INBOX,
                layout.SETTINGS,
                layout.SCHEDULES,
                layout.SOURCES,
                layout.REPLIES,
                layout.ENVIRONMENTS_FILE,
                layout.MONITORING,
                layout.NOTIFICATIONS,
                layout.REPORTS_FILE,
            )
            asked = path.startswith(people) or path + "/" in layout.DIRECTORIES
            if file is not None and (asked or file.note):
                commit, author = self.hub.origin(tip, path)
                file = replace(file, commit=commit, author=author)
            told[path] = file
        return told

    def _signed(self, view: View, tip: str) -> View:
        """Say who wrote schedules or a source whose last readable version has come back into force."""
        unsigned = {
            path: each
            for path, each in view.records.items()
            if isinstance(each, Table | Followed) and not each.by
        }
        signed: dict[str, Record] = {}
        for path, table in unsigned.items():
            commits = (commit for commit, data in self.hub.older(tip, path) if data == view.files[path])
            commit = next(commits, None)
            by = "" if commit is None else self.hub.origin(commit, path)[1]
            signed[path] = replace(table, by=author_of(by) or "unknown")
        return replace(view, records={**view.records, **signed}) if signed else view

    def _undone(self, tip: str, by_hand: Changes, base: View, breaking: set[str]) -> dict[str, bytes | None]:
        """Return what else is to be restored after somebody reverted a transaction that took in files of the inbox.

        They are there again, and were done then or refused, which now is restored with the rest; the refusals are
        gone. The same text that comes by itself is another matter: people reuse names.
        """
        found: dict[str, bytes | None] = {}
        for path, file in by_hand.items():
            if path.startswith(layout.INBOX) and file is not None and file.commit in breaking:
                if any(data == file.data for _, data in self.hub.older(tip, path)):
                    found[path] = None
            elif (
                path.startswith(layout.REJECTED)
                and file is None
                and self.hub.origin(tip, path)[0] in breaking
            ):
                found[path] = base.files.get(path)
        return found

    def _older(self, tip: str) -> Callable[[str], list[tuple[str, bytes]]]:
        return lambda path: list(self.hub.older(tip, path))

    @staticmethod
    def _check_format(changes: Changes, base: View) -> None:
        # The format is read before anything else is believed: a newer one may mean other things by our words.
        # (A base that a newer bnet kept, from before a downgrade, has it without any change.)
        head = changes.get(layout.HEAD)
        data = base.files.get(layout.HEAD) if head is None else head.data
        if data is None:
            return
        try:
            found = msgspec.json.decode(data, type=_FormatOnly).format
        except BROKEN:
            return
        if found > FORMAT:
            raise TooNew(
                f"this hub has format {found}; this bnet understands up to {FORMAT}",
                hint="upgrade bnet on this machine; what runs here goes on until then",
            )

    def freeze_dry(self) -> bytes:
        """Return the snapshot for `thaw` in a later process."""
        return freeze(self._base, self._base_commit)

    def thaw(self, data: bytes) -> None:
        """Begin with a snapshot that `freeze_dry` gave; anything wrong with it, and it is not used."""
        kept = thaw(data)
        if kept is not None:
            self._base, self._base_commit = kept


class _FormatOnly(msgspec.Struct):
    format: int = 0
