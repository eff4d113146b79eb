"""Messages: what servers, people and agents tell each other, what they ask by it, and what became of that."""

from typing import Any, Literal

import msgspec

from bnet.model.base import Moment, Record, Seconds

Importance = Literal["low", "normal", "high", "urgent"]

IMPORTANCES: tuple[Importance, ...] = ("low", "normal", "high", "urgent")


class Attachment(Record, frozen=True, kw_only=True):
    """A file that stands beside a message, and its digest.

    Attributes:
        name: in `<id>.files/`.
        size: bytes.
        blake3: of the content, in hex.
    """

    name: str
    size: int
    blake3: str


class Front(Record, frozen=True, kw_only=True, rename={"sender": "from"}):
    """The front matter of a message; everything may be left out.

    Attributes:
        id: the file's name without its ending, and nothing else.
        from, sender: who says so; otherwise the author of the commit that brought it.
        to: names of servers, addresses, labels such as os=linux, or all.
        at: when, RFC 3339; otherwise the date of that commit.
        subject: otherwise the first line of the text.
        priority: how much it matters.
        thread: the id of the first message of the conversation.
        in_reply_to: the id of the message that this one answers.
        requires_ack: true, or for instance 4h: until when everyone addressed has to acknowledge it.
        command: as in the inbox, one or a list; the answer comes as a reply.
        attachments: files beside it.
        auto: whether a machine sent it by itself; no rule answers it.
    """

    id: str = ""
    sender: str = ""
    to: str | tuple[str, ...] = "all"
    at: str = ""
    subject: str = ""
    priority: Importance = "normal"
    thread: str = ""
    in_reply_to: str = ""
    requires_ack: bool | float | str = False
    command: dict[str, Any] | tuple[dict[str, Any], ...] | None = None
    attachments: tuple[Attachment, ...] = ()
    auto: bool = False

    @property
    def addressed(self) -> tuple[str, ...]:
        """Whom it is to, as a row."""
        return (self.to,) if isinstance(self.to, str) else self.to


class Ack(Record, frozen=True, kw_only=True):
    """`<id>.acks/<who>.json`: somebody has taken note of a message."""

    who: str
    at: Moment
    note: str = ""


class Nod(Record, frozen=True, kw_only=True):
    """An acknowledgement that is to be made: of which message, by whom, and what they say along with it."""

    key: str
    who: str
    note: str = ""


class Ask(Record, frozen=True, kw_only=True):
    """What a message asks of those it is addressed to, and what became of it; its existence is "taken in".

    Attributes:
        sender: who gets the answer.
        by: in whose name its command was admitted.
        at: when it was taken in.
        subject: of the message.
        thread: of the message.
        expects: who has to acknowledge it.
        within: for how long they may take, in seconds.
        due: when that is over.
        raised: how often it was raised again.
        command: whether it carries one.
        jobs: what its command became.
        refused: why its command was refused.
        answered: whether the reply has been sent.
        rule: by which of the rules for automatic answers it was dealt with.
    """

    sender: str
    by: str
    at: Moment
    subject: str = ""
    thread: str = ""
    expects: tuple[str, ...] = ()
    within: Seconds = 0.0
    due: Moment | None = None
    raised: int = 0
    command: bool = False
    jobs: tuple[int, ...] = ()
    refused: str = ""
    answered: bool = False
    rule: str = ""


class Filed(Record, frozen=True, kw_only=True):
    """A line of the archive of messages.

    Attributes:
        key: the message's path below messages/, without its ending.
        text: the whole file.
        acks: who acknowledged it.
        ask: what it asked for, and what became of that.
        commit: in whose tree it still stood, with its attachments.
    """

    key: str
    text: str
    acks: tuple[Ack, ...] = ()
    ask: Ask | None = None
    commit: str = ""


class Entry(Record, frozen=True, kw_only=True):
    """What a machine's index keeps of a message.

    Attributes:
        key: its path below messages/, without its ending; of a file that is none, its path.
        sender, to, at, subject, priority, thread, in_reply_to: as in the front matter, with what was missing there.
        within: for how many seconds it waits for acknowledgements; 0 if it asks for none.
        command: whether it carries one.
        attachments: how many.
        problem: why it, or a part of it, cannot be read.
        readable: whether it counts as a message all the same.
        auto: whether a machine sent it by itself.
    """

    key: str
    sender: str
    to: tuple[str, ...]
    at: Moment
    subject: str = ""
    priority: Importance = "normal"
    thread: str = ""
    in_reply_to: str = ""
    within: float = 0.0
    command: bool = False
    attachments: int = 0
    problem: str = ""
    readable: bool = True
    auto: bool = False

    @property
    def id(self) -> str:
        """The message's id."""
        return self.key.rpartition("/")[2]

    @property
    def asks(self) -> bool:
        """Whether something is asked by it."""
        return self.readable and bool(self.within or self.command)


class Draft(Record, frozen=True, kw_only=True):
    """A message that is to be sent: where it will stand, what it says, and the contents of its attachments."""

    key: str
    front: Front
    body: str = ""
    files: dict[str, bytes] = {}


class Brought(msgspec.Struct, frozen=True):
    """The commit that brought a file, its author's address, and its date."""

    commit: str
    author: str
    at: Moment
