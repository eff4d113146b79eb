"""What a decision knows of messages, and how it puts one into the tree."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from bnet.codec import letter_paths, letters
from bnet.model.command import Command
from bnet.model.message import Ack, Ask, Draft, Front, Importance
from bnet.rules.addressing import EVERYBODY
from bnet.rules.change import Change
from bnet.rules.transaction import Transaction


class Automatic(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule does about a message.

    Attributes:
        rule: its name.
        by: the author of the rules, in whose name its commands are admitted.
        reply: what is answered.
        commands: what is done.
    """

    rule: str
    by: str
    reply: str = ""
    commands: tuple[Command, ...] = ()


class News(msgspec.Struct, frozen=True, kw_only=True):
    """A message that asks for something, or that a rule answers, and that was not taken in yet.

    Attributes:
        key: where it stands.
        letter: what it says.
        sender: who says so.
        by: the author of the commit that wrote it, in whose name its command is admitted.
        subject, thread: of it.
        automatic: what a rule does about it, if one does.
    """

    key: str
    letter: letters.Letter
    sender: str
    by: str
    subject: str
    thread: str
    automatic: Automatic | None = None

    @property
    def commands(self) -> tuple[Command, ...]:
        """All that is to be done."""
        return self.letter.commands + (() if self.automatic is None else self.automatic.commands)


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it stands in the tree: its file, who acknowledged it, and the paths of all that is beside it."""

    key: str
    text: bytes
    acks: tuple[Ack, ...] = ()
    beside: tuple[str, ...] = ()


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """What a decision needs to know of the messages themselves, which the snapshot does not hold.

    Attributes:
        news: what asks for something and was not taken in yet.
        acked: key -> who acknowledged it, of the messages whose acknowledgements are waited for and that are there.
        due: the day whose messages are to be filed away, if there is one.
        stored: these messages.
        known: those of them that are in the archive as they stand here.
        since: since when the rules for automatic answers apply; None where that is written down.
    """

    news: tuple[News, ...] = ()
    acked: Mapping[str, frozenset[str]] = {}
    due: str = ""
    stored: tuple[Stored, ...] = ()
    known: frozenset[str] = frozenset()
    since: Mapping[str, str] | None = None


def asks(tx: Transaction) -> Iterator[tuple[str, Ask]]:
    """Yield what messages asked for, as it is after the changes so far."""
    for key, ask in tx.state.asks.items():
        path = letter_paths.ask_path(key)
        now = tx.documents.get(path, ask)
        if path not in tx.files and isinstance(now, Ask):
            yield key, now
    for path, record in tx.documents.items():
        found = letter_paths.ask_key(path)
        if found is not None and found not in tx.state.asks and isinstance(record, Ask):
            yield found, record


def closed_days(filed: Iterable[str]) -> frozenset[str]:
    """Return the days whose messages have been filed away: what is said under one of them comes too late."""
    return frozenset(day for path in filed if (day := letter_paths.filed_day(path)) is not None)


def put(tx: Transaction, draft: Draft, **fields: str) -> None:
    """Let a message stand in the tree."""
    text = letters.write(draft.front, draft.body)
    files: dict[str, bytes | None] = {letter_paths.message_path(draft.key): text}
    files |= {letter_paths.file_path(draft.key, name): data for name, data in draft.files.items()}
    tx.apply(
        Change(
            verb="message",
            target=id_of(draft.key),
            note=_short(draft.front.subject),
            fields={"by": draft.front.sender, **fields},
            files=files,
        )
    )


def say(
    tx: Transaction,
    key: str,
    ask: Ask,
    kind: str,
    subject: str,
    body: str,
    *,
    me: str,
    to: Sequence[str],
    priority: Importance = "normal",
) -> None:
    """Reply to a message by ourselves, in its thread.

    Args:
        tx: the transaction.
        key, ask: of the message.
        kind: what the reply is, as a part of its id.
        subject, body, priority: of it.
        me: who says so.
        to: whom it is for; whoever has no name that a message can be addressed to reads it with all.
    """
    place = _reply_key(tx, key, kind)
    front = Front(
        id=id_of(place),
        sender=me,
        to=tuple(each if 0 < len(each.strip()) <= letters.LONGEST_NAME else EVERYBODY for each in to),
        at=letters.stamp(tx.now),
        subject=subject[: letters.LONGEST_SUBJECT],
        priority=priority,
        thread=ask.thread,
        in_reply_to=id_of(key),
        auto=True,
    )
    put(tx, Draft(key=place, front=front, body=body), about=id_of(key))


def _reply_key(tx: Transaction, key: str, kind: str) -> str:
    """Return where a reply of ours will stand; no other transaction has this number."""
    name = f"{id_of(key)[:50].rstrip('.')}.{kind}-{tx.seq}"
    place, count = letter_paths.key_of(tx.now, name), 1
    while letter_paths.message_path(place) in tx.files:
        count += 1
        place = letter_paths.key_of(tx.now, f"{name}-{count}")
    return place


def is_closed(tx: Transaction) -> bool:
    """Tell whether today's messages have been filed away: a clock is wrong somewhere."""
    return f"{tx.now:%Y/%m/%d}" in closed_days(tx.state.filed)


def id_of(key: str) -> str:
    """Return the id in a key."""
    return key.rpartition("/")[2]


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
