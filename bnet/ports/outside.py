"""What lies outside of hub and machine: watched repositories, forges, stores."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from bnet.model.notify import Channel


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

    def files(self, address: str, path: str, commits: Sequence[str]) -> Mapping[str, bytes | None]:
        """Return a file of each of these commits, None where there is none; asks only the copy."""

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


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """A file that goes with a message: its name, its media type, and its content."""

    name: str
    kind: str
    data: bytes


class Messenger(Protocol):
    """Reaches people by the channels of `notifications.yaml`."""

    def lacks(self, channel: Channel) -> Sequence[str]:
        """Return the variables that the addresses of a channel name and this server does not have."""

    def send(
        self,
        channel: Channel,
        urls: Sequence[int],
        title: str,
        body: str,
        attachments: Sequence[Attachment] = (),
    ) -> Mapping[int, str]:
        """Send a message to some of a channel's addresses, by their places; it may take a while, but not for ever.

        Returns:
            For each that did not take it, why, without anything of the address. It may have come all the same.
        """


class Sender(Protocol):
    """Sends something to the channels of people."""

    def targets(self, to: Sequence[str]) -> Sequence[str]:
        """Return what names and tags mean at present: each address once, so that one that fails is tried alone.

        A word that means no channel is in it as it is, and cannot be sent to.
        """

    def send(self, target: str, title: str, body: str, attachments: Sequence[Attachment]) -> None:
        """Send it to one of the targets; `body` is Markdown.

        Raises:
            BnetError: it is not known to have come, or there is no such channel.
        """
