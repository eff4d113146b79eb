"""What is kept at hand of messages and of the past, and can be made anew."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from bnet.errors import BnetError
from bnet.model.history import Event, EventQuery, Moved, Past, Query
from bnet.model.message import Ack, Entry
from bnet.ports.hub import Acked, Recorded


class LettersLost(BnetError):
    """The index of messages was lost, or is taken; it is made anew when it is asked again."""


class Letters(Protocol):
    """This machine's index of the messages on a hub; it can be lost, and is made anew from the hub.

    What it says is of one commit. Two processes may use it at once. Every method raises `LettersLost` if what was
    there cannot be used; after that it is empty.
    """

    def tip(self) -> str:
        """Return the commit that it shows; "" while it is empty."""

    def still(self) -> AbstractContextManager[str]:
        """Keep it as it is meanwhile, whatever other processes do, and tell the commit that it shows."""

    def alone(self) -> "Letters":
        """Return an empty one that no other process uses."""

    def advance(
        self, old: str, new: str, *, gone: Sequence[str], put: Sequence[Entry], acks: Sequence[Acked]
    ) -> bool:
        """Go on from one commit to another; False, and nothing happens, if another process has done so meanwhile.

        Args:
            old: the commit that it shows; "" to begin anew.
            new: the commit that it shows then.
            gone: paths of messages and acknowledgements that changed or are there no more.
            put: the messages that are there now.
            acks: likewise.
        """

    def every(self) -> list[Entry]:
        """Return all messages, oldest first."""

    def some(self, keys: Sequence[str]) -> dict[str, Entry]:
        """Return those of some messages that are there."""

    def named(self, beginning: str) -> list[Entry]:
        """Return the messages whose id begins so, oldest first."""

    def thread(self, thread: str) -> list[Entry]:
        """Return the messages of a conversation, oldest first."""

    def asking(self) -> list[str]:
        """Return the keys of the messages that ask for something."""

    def broken(self) -> list[Entry]:
        """Return what cannot be read, or not wholly."""

    def acks(self, keys: Sequence[str] | None = None) -> dict[str, list[Ack]]:
        """Return who acknowledged which of some messages, or of all."""

    def oldest_day(self) -> str | None:
        """Return the first day that has messages, as `2026/11/20`."""


class Chronicle(Protocol):
    """What an index of the past is made from: the archive and the transactions that one commit of the ledger has.

    Attributes:
        tip: that commit.
    """

    tip: str

    def files(self) -> Sequence[str]:
        """Return the archive's files, by the ids of their contents, oldest first."""

    def jobs(self, blobs: Sequence[str]) -> Iterable[Past]:
        """Return what is to be known of the jobs in some of these files."""

    def holds(self, commit: str) -> bool:
        """Tell whether a commit is in the ancestry of the tip."""

    def transactions(self, after: str) -> Iterable[Recorded]:
        """Return the transactions since a commit of the ancestry ("" for all), oldest first."""


class Index(Protocol):
    """Answers questions about the past quickly; brought up to date before each answer, and made anew at need."""

    def search(self, past: Chronicle, live: Iterable[Past], query: Query) -> list[Past]:
        """Return the jobs that are asked for, the newest end first; those still open come before them.

        Args:
            past: where the archive is.
            live: the jobs that are not in it.
            query: what is asked.
        """

    def events(self, past: Chronicle, query: EventQuery) -> list[Event]:
        """Return what the transactions did, oldest first."""

    def moves(self, past: Chronicle) -> list[Moved]:
        """Return the transactions, oldest first."""
