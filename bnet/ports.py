"""What the use cases need of the world; adapters satisfy these, fakes pass the same contract suites."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from bnet.codec.layout import ROOT
from bnet.codec.view import Changes
from bnet.errors import BnetError
from bnet.model.history import Event, EventQuery, Moved, Past, Query
from bnet.model.job import BuildReport
from bnet.model.message import Ack, Brought, Entry
from bnet.model.run import Intent, KeptFiles, RunFact
from bnet.model.telemetry import Sent
from bnet.rules.leases import Observed


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

    def contents(self, oids: Sequence[str]) -> Mapping[str, bytes]:
        """Return contents by their ids."""

    def write(self, commits: Sequence[Commit]) -> list[str]:
        """Write commits into the private copy, and return their ids."""

    def push(self, updates: Sequence[Update]) -> str | None:
        """Ask the hub to move refs, each by compare-and-swap and independently of the others.

        Returns:
            None when the hub said that all moved. Otherwise what was said, for people alone: whether anything
            moved is told by a `look`, never by an error's text.
        """


class Clock(Protocol):
    """The times that a machine knows."""

    def now(self) -> datetime:
        """Return the time of day in UTC: it informs people, and may jump."""

    def boot(self) -> float:
        """Return the seconds since the machine started, sleep included: it never jumps."""

    def boot_id(self) -> str:
        """Return what names this boot of the machine."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class Runs(Protocol):
    """The runs on this machine, each in a directory of its own; a key is `<job>.<attempt>`."""

    def collect(self) -> list[RunFact]:
        """Return the runs that have not been reported; of one that died, what it left running is ended first."""

    def intend(self, intents: Sequence[Intent]) -> None:
        """Write down, durably, what shall be run if the claims land."""

    def start(self, key: str, run: str) -> None:
        """Start an intended run; it starts once, however often this is called, and only under this id."""

    def built(self, key: str) -> BuildReport | None:
        """Return what the build engine did in a run; None if it had nothing to do with it, or said nothing."""

    def renew(self, key: str, until: float, grace: float, *, revive: bool) -> None:
        """Tell a run how long its lease holds, and how long it may take to stop then.

        Args:
            key: the run.
            until: seconds on the boot-time clock.
            grace: seconds.
            revive: whether a lease that has run out may begin anew.
        """

    def holds(self, key: str) -> bool:
        """Tell whether a run's lease holds now."""

    def stop(self, key: str, reason: str, message: str) -> None:
        """Ask a run's end: TERM, a pause, KILL, to the whole process tree."""

    def settle(self, key: str, note: str) -> None:
        """Take a run as reported, or as overtaken; it is not collected again."""

    def forget(self, key: str) -> None:
        """Remove an intended run that will not be started."""

    def log_size(self, key: str) -> int:
        """Return how many bytes a run has printed."""

    def read_log(self, key: str, start: int, end: int) -> bytes:
        """Return what is kept of a part of what a run printed, from the first kept byte at or after `start`."""

    def artifacts(self, key: str) -> dict[str, bytes]:
        """Return the files that an ended run left for Git, by path."""

    def kept(self, key: str) -> KeptFiles | None:
        """Return what an ended run left in the store; None where its files are for Git."""


class Notes(Protocol):
    """What a server writes down for its next sync; all of it can be lost without harm to the hub."""

    def observed(self) -> Observed:
        """Return what was seen of others."""

    def keep_observed(self, observed: Observed) -> None:
        """Keep it."""

    def sent(self) -> Sent:
        """Return what was sent of the telemetry."""

    def keep_sent(self, sent: Sent) -> None:
        """Keep it, durably: it tells our own commits from a stranger's."""

    def measure(self) -> dict[str, float | None]:
        """Return this machine's figures for the heartbeat."""


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


class Fresh(msgspec.Struct, frozen=True):
    """A commit that nobody has seen before: its id, its message, and the files that it touches, if that was asked."""

    commit: str
    message: str
    paths: Sequence[str] = ()


class News(msgspec.Struct, frozen=True):
    """What a ref brought.

    Attributes:
        fresh: its new commits, oldest first; of very many, as many as were asked for.
        whole: whether those are all of them.
        contains_old: whether the commit that it was on is in its history.
    """

    fresh: Sequence[Fresh]
    whole: bool = True
    contains_old: bool = True


class Upstreams(Protocol):
    """Repositories of sources, and this machine's copies of them, which can be lost and are made anew.

    Every method raises `RepositoryUnreachable` when no answer came, and another `BnetError` when there is no such
    repository or it may not be read.
    """

    def refs(self, address: str, *, tags: bool) -> Mapping[str, str]:
        """Return a repository's branches, and its tags if asked for, each with its commit: one round trip."""

    def bring(self, address: str, tips: Sequence[str]) -> None:
        """Bring commits with their history into this machine's copy, as far as they are there still."""

    def news(
        self,
        address: str,
        moves: Sequence[tuple[str, str]],
        known: Sequence[str],
        *,
        most: int,
        newest: bool,
        paths: bool,
    ) -> Sequence[News | None]:
        """Return for each ref that moved the commits that nobody has seen; asks only the copy.

        Args:
            address: of the repository.
            moves: the commit that each was on ("" for a new ref), and the one that it is on now.
            known: what has been seen, with all its history.
            most: so many commits of a ref at most: of more, the newest or the oldest ones.
            newest: which.
            paths: whether to say what each touches, compared with its first parent.

        Returns:
            One for each move; None where the commit has not come: the ref has moved on meanwhile.
        """

    def annotate(self, address: str, lines: Mapping[str, Mapping[str, str]]) -> None:
        """Push lines into the notes of commits, in place of those that begin as they do.

        Args:
            address: of the repository.
            lines: commit -> beginning of a line -> the line.
        """


class CommitStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What a forge is told of a commit: how its job stands, under which name, and a sentence."""

    state: Literal["pending", "running", "success", "failure", "error", "cancelled"]
    context: str
    description: str
    ref: str = ""


class Forges(Protocol):
    """The forges that this server may tell how jobs went."""

    def knows(self, address: str) -> bool:
        """Tell whether there is a token for the host of a repository."""

    def tell(self, address: str, commit: str, status: CommitStatus) -> None:
        """Set the status of a commit; to do it again does no harm.

        Raises:
            RepositoryUnreachable: no answer came; it may be tried again.
            BnetError: the forge refuses.
        """


class Store(Protocol):
    """Blobs by name, shared by a team: names are relative, with slashes, of letters, digits, `.`, `_` and `-`.

    Every method raises `StoreFailed` when the store is away, refuses, or is full; it may be called again.
    """

    def fetch(self, name: str, path: Path) -> bool:
        """Bring a blob into a file that is not there yet, whole or not at all; False if there is none."""

    def send(self, name: str, path: Path) -> None:
        """Put a file under a name: readers see it whole or not at all; to do it again does no harm."""

    def has(self, name: str) -> bool:
        """Tell whether there is a blob of this name."""

    def names(self, prefix: str) -> Iterator[str]:
        """Yield the names that begin with a prefix."""

    def delete(self, name: str) -> None:
        """Remove a blob; one that is not there is removed already."""


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
