"""The hub: what is asked of it, and what it answers."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

import msgspec

from bnet.codec.layout import ROOT
from bnet.codec.view import Changes
from bnet.model.message import Ack, Brought


class Look(msgspec.Struct, frozen=True):
    """What the hub holds at one moment: the ledger's tip ("" if there is none), server -> telemetry tip."""

    ledger: str
    telemetry: Mapping[str, str]


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """A commit to be written.

    Attributes:
        parent: the commit that it follows; None begins a history.
        files: path -> content, or None for removal, on top of the parent's tree.
        message: as text.
        author: who made it.
        at: when.
        like: for a commit without parent: the commit whose tree it begins with.
        kind: `ledger` or `telemetry`; the newest of each kind is kept from being swept away.
    """

    parent: str | None
    files: Mapping[str, bytes | None]
    message: str
    author: str
    at: datetime
    like: str | None = None
    kind: str = "ledger"


class Update(msgspec.Struct, frozen=True):
    """A ref that shall move from one commit ("" for none) to another, or not at all."""

    ref: str
    old: str
    new: str


class Stamp(msgspec.Struct, frozen=True):
    """A transaction: its commit, its number, the next job's number, who made it, and when by their clock."""

    commit: str
    seq: int
    next_job: int
    actor: str
    at: datetime


class Acked(msgspec.Struct, frozen=True):
    """An acknowledgement where it stands: its path, and the key of its message."""

    path: str
    key: str
    ack: Ack


class Recorded(msgspec.Struct, frozen=True):
    """A commit that calls itself a transaction: its stamp, its parents, and what its message says was done."""

    stamp: Stamp
    parents: Sequence[str]
    ops: Sequence[str]


class Hub(Protocol):
    """A repository that everyone can push to, and this machine's private copy of its ledger.

    Every method that goes over the network raises `HubUnreachable` when no answer came; it may be retried.
    The others raise `Damaged` when the private copy is not sound; `remake` mends that.
    """

    ledger_ref: str
    telemetry_prefix: str

    def exclusive(self) -> AbstractContextManager[object]:
        """Keep this machine's other processes off the private copy meanwhile; may be nested."""

    def telemetry_ref(self, server: str) -> str:
        """Return the ref that a server alone writes."""

    def remake(self) -> None:
        """Begin with an empty private copy; what the old one held is on the hub."""

    def look(self) -> Look:
        """Ask the hub for its refs: one round trip, nothing is fetched."""

    def fetch(self, tip: str) -> None:
        """Bring the ledger's commits up to `tip` into the private copy."""

    def fetch_telemetry(self, servers: Sequence[str]) -> None:
        """Bring the telemetry of some servers into the private copy."""

    def known(self) -> str:
        """Return the ledger's tip that was accepted last, "" if none was."""

    def accept(self, tip: str) -> None:
        """Take a tip as the ledger's; from now on it may only grow from there."""

    def contains(self, tip: str, commit: str) -> bool:
        """Tell whether a commit is `tip` or an ancestor of it; both are in the private copy, or it is False."""

    def newest_transaction(self, tip: str) -> Stamp | None:
        """Return the newest transaction in the ancestry of a commit."""

    def recorded(self, tip: str, after: str = "") -> Sequence[Recorded]:
        """Return the commits in the ancestry of one that call themselves transactions, parents first.

        Args:
            tip: the newest commit.
            after: leave this one and its ancestry out.
        """

    def expand(self, word: str) -> str:
        """Return the commit in the private copy that an id, or the beginning of one, stands for; "" if none is."""

    def changes(self, old: str | None, new: str, under: str = ROOT) -> Changes:
        """Return what differs between two commits' documents under a directory; with None, all of them."""

    def origin(self, tip: str, path: str) -> tuple[str, str]:
        """Return the last commit that changed a path, and its author's address."""

    def brought(self, tip: str, paths: Sequence[str]) -> Mapping[str, Brought]:
        """Return for each of some paths the commit that brought it there last."""

    def older(self, tip: str, path: str) -> Iterable[tuple[str, bytes]]:
        """Yield the versions of a document before the one at `tip`: commit and content, newest first."""

    def read(self, tip: str, paths: Sequence[str]) -> Mapping[str, bytes]:
        """Return the contents of those of some paths that are files at a commit."""

    def names(self, tip: str, under: str) -> list[str]:
        """Return the paths of the files under a directory at a commit."""

    def blobs(self, tip: str, under: str) -> Mapping[str, str]:
        """Return the regular files under a directory at a commit: path -> id of its content."""

    def contents(self, oids: Sequence[str], limit: int = 1 << 30) -> Mapping[str, bytes]:
        """Return contents by their ids; those of more bytes than the limit are left out, unread."""

    def write(self, commits: Sequence[Commit]) -> list[str]:
        """Write commits into the private copy, and return their ids."""

    def push(self, updates: Sequence[Update]) -> str | None:
        """Ask the hub to move refs, each by compare-and-swap and independently of the others.

        Returns:
            None when the hub said that all moved. Otherwise what was said, for people alone: whether anything
            moved is told by a `look`, never by an error's text.
        """
