"""What people do with messages: find one, compose one, file old ones away."""

import random
from collections.abc import Sequence
from datetime import datetime

import msgspec

from bnet.app.ledger import Ledger
from bnet.app.messages.entries import entry_of, path_of
from bnet.app.messages.post import Post
from bnet.codec import letter_paths, letters
from bnet.errors import BnetError, Invalid
from bnet.model.message import Ack, Attachment, Draft, Entry, Filed, Front
from bnet.model.state import State
from bnet.ports.hub import Hub
from bnet.rules.filing import file_away, read_filed
from bnet.rules.mail import Mail
from bnet.rules.transaction import Transaction

SIGNS = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's: none that is taken for another
LENGTH = 10
FILES_AT_ONCE = 16


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A message with all that belongs to it.

    Attributes:
        entry: what the index keeps of it.
        acks: who acknowledged it.
        text: its file; None where that is not kept.
        filed: its line in the archive, if it has gone there.
    """

    entry: Entry
    acks: tuple[Ack, ...]
    text: bytes | None
    filed: Filed | None = None


def find(ledger: Ledger, post: Post, reference: str) -> Found:
    """Return the message that a reference means: an id, the beginning of one, or a whole key.

    Raises:
        BnetError: there is none, or several.
    """
    state = ledger.state
    entries = post.ask(state.tip, lambda: _matching(post, reference))
    if entries:
        return whole(ledger, [_one(entries, reference)], post)[0]
    old = [each for each in filed(ledger.hub, state) if _fits(each.key, reference)]
    if not old:
        raise BnetError(
            f"there is no message {reference}", hint="`bnet message list --to all` lists every one"
        )
    entry = _one([entry_in(each) for each in old], reference)
    line = next(each for each in old if each.key == entry.key)
    return Found(entry=entry, acks=line.acks, text=line.text.encode(), filed=line)


def whole(ledger: Ledger, entries: Sequence[Entry], post: Post) -> list[Found]:
    """Return messages with their files, which are read at once."""
    told = post.ask(ledger.state.tip, lambda: post.index.acks([each.key for each in entries]))
    texts = ledger.hub.read(ledger.state.tip, [path_of(each.key) for each in entries])
    return [
        Found(entry=each, acks=tuple(told.get(each.key, ())), text=texts.get(path_of(each.key)))
        for each in entries
    ]


def archived(ledger: Ledger) -> list[Found]:
    """Return the messages in the archive, oldest first."""
    lines = filed(ledger.hub, ledger.state)
    found = [
        Found(entry=entry_in(each), acks=each.acks, text=each.text.encode(), filed=each) for each in lines
    ]
    return sorted(found, key=lambda each: each.entry.at)


def _matching(post: Post, reference: str) -> list[Entry]:
    if letter_paths.is_key(reference):
        return list(post.index.some([reference]).values())
    found = [each for each in post.index.named(reference) if letter_paths.is_key(each.key)]
    return [each for each in found if each.id == reference] or found


def _fits(key: str, reference: str) -> bool:
    return key == reference or (bool(reference) and key.rpartition("/")[2].startswith(reference))


def _one(entries: Sequence[Entry], reference: str) -> Entry:
    if len(entries) > 1:
        exact = [each for each in entries if each.id == reference]
        if len(exact) == 1:
            return exact[0]
        names = ", ".join(each.key for each in entries[:5]) + (" ..." if len(entries) > 5 else "")
        raise BnetError(f"{reference} may be any of {len(entries)} messages", hint=f"name one: {names}")
    return entries[0]


def filed(hub: Hub, state: State) -> list[Filed]:
    """Return the messages in the archive, newest day first."""
    paths = sorted(state.filed, key=_archive_order, reverse=True)
    found: list[Filed] = []
    for start in range(0, len(paths), FILES_AT_ONCE):
        part = paths[start : start + FILES_AT_ONCE]
        contents = hub.read(state.tip, part)
        found += [each for path in part for each in read_filed(contents.get(path, b"")) if each.text]
    return found


def _archive_order(path: str) -> tuple[str, int]:
    return letter_paths.filed_day(path) or "", int(path.rpartition(".")[0].rpartition(".")[2])


def entry_in(line: Filed) -> Entry:
    """Return what the index would keep of a message in the archive."""
    entry = entry_of(letter_paths.message_path(line.key), line.text.encode())
    sender = entry.sender or ("" if line.ask is None else line.ask.sender)
    return msgspec.structs.replace(entry, sender=sender, thread=entry.thread or entry.in_reply_to or entry.id)


# -- sending


def draft(
    *,
    front: Front,
    body: str,
    files: dict[str, bytes],
    digests: dict[str, str],
    now: datetime,
    chance: random.Random,
) -> Draft:
    """Return a message that is ready to be sent, under an id of its own.

    Args:
        front: what was said of it.
        body: its text.
        files: name -> content of its attachments.
        digests: name -> blake3 of these.
        now: the time.
        chance: where the id is from.
    """
    name = "".join(chance.choice(SIGNS) for _ in range(LENGTH))
    attached = tuple(
        Attachment(name=each, size=len(data), blake3=digests[each]) for each, data in files.items()
    )
    whole = msgspec.structs.replace(front, id=name, at=letters.stamp(now), attachments=attached)
    return Draft(key=letter_paths.key_of(now, name), front=whole, body=body, files=files)


def reply_to(front: Front, entry: Entry) -> Front:
    """Return the front matter of a reply: to whom it goes and what it is about, unless that was said."""
    subject = entry.subject if entry.subject.lower().startswith("re:") else f"Re: {entry.subject}"
    return msgspec.structs.replace(
        front,
        to=front.to or (entry.sender,),
        subject=front.subject or subject[: letters.LONGEST_SUBJECT],
        thread=entry.thread or entry.id,
        in_reply_to=entry.id,
    )


# -- filing away


def file_old(ledger: Ledger, post: Post, keep: float | None) -> tuple[int, str]:
    """File the messages of old days away, a transaction a day.

    Args:
        ledger, post: of the hub.
        keep: for how many seconds messages stay; otherwise as the settings have it.

    Returns:
        How many messages went, and the day that has to stay for an answer that is still to come, or "".
    """
    count = 0
    while True:
        filing: list[Mail] = []
        went = [False]

        def decide(tx: Transaction, filing: list[Mail] = filing, went: list[bool] = went) -> None:
            mail = post.mail(tx.state, tx.now, keep=keep)
            filing[:] = [mail]
            went[0] = file_away(tx, mail)

        ledger.transact(decide)
        if not went[0]:
            return count, filing[0].due
        count += sum(bool(each.text) for each in filing[0].stored)


def texts(hub: Hub, tip: str, entries: Sequence[Entry]) -> dict[str, str]:
    """Return what some messages say, by their keys; of one whose front matter cannot be read, the whole file."""
    found = hub.read(tip, [path_of(each.key) for each in entries])
    return {each.key: _body(found[path_of(each.key)]) for each in entries if path_of(each.key) in found}


def _body(data: bytes) -> str:
    try:
        return letters.read(data, "").body
    except Invalid:
        return data.decode(errors="replace")
