"""What happens to messages: sent, taken in, acknowledged, raised again, answered, filed away."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from bnet.codec import letter_paths, letters
from bnet.codec.documents import BROKEN, encode
from bnet.codec.durations import parse_duration
from bnet.model.command import Command
from bnet.model.job import Job
from bnet.model.message import Ack, Ask, Draft, Filed, Front, Importance
from bnet.rules.addressing import expected, is_addressed
from bnet.rules.admit import admit
from bnet.rules.change import Change
from bnet.rules.jobs import Illegal
from bnet.rules.specs import Facts
from bnet.rules.transaction import Transaction

MOST_RAISED = 5  # times that a message is raised again; each pause is twice the one before
LARGEST_TEXT = 256_000  # bytes of a message's text
LARGEST_FILES = 1_000_000  # bytes of a message's attachments
FILE_BYTES = 256_000  # of an archive file
MOST_NOTE = 1_000  # characters that somebody says along with an acknowledgement
MOST_TOLD = 50  # jobs that an answer lists


class News(msgspec.Struct, frozen=True, kw_only=True):
    """A message that a person has committed, which asks for something and was not taken in yet.

    Attributes:
        key: where it stands.
        letter: what it says.
        sender: who says so.
        by: the author of the commit that wrote it, in whose name its command is admitted.
        subject, thread: of it.
    """

    key: str
    letter: letters.Letter
    sender: str
    by: str
    subject: str
    thread: str


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
    """

    news: tuple[News, ...] = ()
    acked: Mapping[str, frozenset[str]] = {}
    due: str = ""
    stored: tuple[Stored, ...] = ()
    known: frozenset[str] = frozenset()


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


# -- sending


def send(tx: Transaction, draft: Draft, commands: Sequence[Command], *, by: str, facts: Facts) -> list[int]:
    """Put a message into the tree, and take in what it asks for.

    Args:
        tx: the transaction.
        draft: the message.
        commands: that it carries.
        by: in whose name they are admitted.
        facts: what was looked up for them.

    Returns:
        The numbers of the jobs among them.

    Raises:
        Illegal: it is too large, its day is over for good, or a command cannot be done; nothing was applied.
    """
    if letter_paths.day_of(draft.key) in closed_days(tx.state.filed):
        day = letter_paths.day_of(draft.key)
        raise Illegal(f"the messages of {day} have been filed away; is this machine's clock right?")
    text = letters.write(draft.front, draft.body)
    if len(text) > LARGEST_TEXT:
        raise Illegal(f"the message is {len(text):,} bytes long; at most {LARGEST_TEXT:,} are sent")
    size = sum(map(len, draft.files.values()))
    if size > LARGEST_FILES:
        raise Illegal(f"the attachments are {size:,} bytes; at most {LARGEST_FILES:,} stand beside a message")
    front = draft.front
    numbers: list[int] = []
    if front.requires_ack or commands:
        numbers = admit(tx, commands, by=by, facts=facts) if commands else []
        ask = _ask(tx, draft.key, front, front.sender, by, _within(front))
        ask = replace(ask, command=bool(commands), jobs=tuple(numbers))
        tx.documents[letter_paths.ask_path(draft.key)] = ask
    _put(tx, draft, to=" ".join(front.addressed))
    return numbers


def _put(tx: Transaction, draft: Draft, **fields: str) -> None:
    text = letters.write(draft.front, draft.body)
    files: dict[str, bytes | None] = {letter_paths.message_path(draft.key): text}
    files |= {letter_paths.file_path(draft.key, name): data for name, data in draft.files.items()}
    tx.apply(
        Change(
            verb="message",
            target=_id(draft.key),
            note=_short(draft.front.subject),
            fields={"by": draft.front.sender, **fields},
            files=files,
        )
    )


def _within(front: Front) -> float:
    wish = front.requires_ack
    if isinstance(wish, bool):
        return letters.ACK_WITHIN if wish else 0.0
    return max(1.0, parse_duration(wish))


def _ask(tx: Transaction, key: str, front: Front, sender: str, by: str, within: float) -> Ask:
    waits = expected(front.addressed, tx.servers, sender) if within else ()
    return Ask(
        sender=sender,
        by=by,
        at=tx.now,
        subject=front.subject,
        thread=front.thread or _id(key),
        expects=waits,
        within=within,
        due=tx.now + timedelta(seconds=within) if waits else None,
    )


def take_in(tx: Transaction, news: News, facts: Facts) -> None:
    """Take in what a message asks for that somebody has committed: its command is admitted once, or refused once."""
    commands, refused = news.letter.commands, ""
    jobs: tuple[int, ...] = ()
    try:
        if commands:
            jobs = tuple(admit(tx, commands, by=news.by, facts=facts))
    except Illegal as error:
        refused = error.message[:500]
    front = replace(news.letter.front, subject=news.subject, thread=news.thread)
    ask = _ask(tx, news.key, front, news.sender, news.by, news.letter.within)
    ask = replace(ask, command=bool(commands), jobs=jobs, refused=refused)
    note = "refused" if refused else " ".join(f"#{number}" for number in jobs[:10])
    tx.documents[letter_paths.ask_path(news.key)] = ask
    tx.apply(Change(verb="take-in", target=_id(news.key), note=note, fields={"by": news.by}))


# -- acknowledging


def acknowledge(tx: Transaction, key: str, there: Sequence[Ack], *, who: str, note: str) -> bool:
    """Let somebody acknowledge a message; False if that was done before.

    Args:
        tx: the transaction.
        key: the message.
        there: its acknowledgements.
        who: who acknowledges it.
        note: what they say along with it.

    Raises:
        Illegal: what they say is too long.
    """
    if any(each.who == who for each in there):
        return False
    if len(note) > MOST_NOTE:
        raise Illegal(
            f"the note has {len(note):,} characters; at most {MOST_NOTE:,} are kept, so send a reply"
        )
    path = letter_paths.ack_path(key, who)
    ack = encode(Ack(who=who, at=tx.now, note=note))
    tx.apply(Change(verb="ack", target=_id(key), fields={"by": who}, files={path: ack}))
    return True


def may_acknowledge(to: Sequence[str], ask: Ask | None, who: str, tx: Transaction) -> bool:
    """Tell whether a message is somebody's to acknowledge: they are addressed, or were when it was sent."""
    return is_addressed(to, who, tx.servers) or (ask is not None and who in ask.expects)


def missing(ask: Ask, acked: Iterable[str]) -> list[str]:
    """Return who has not acknowledged a message that has to."""
    done = set(acked)
    return [name for name in ask.expects if name not in done]


def raised_at(ask: Ask) -> datetime | None:
    """Return when a message is raised again, if nobody acknowledges it before; None if it never is (any more)."""
    if ask.due is None or ask.raised >= MOST_RAISED:
        return None
    # A span of years, doubled, would lead out of the calendar.
    return ask.due + timedelta(seconds=min(ask.within * (2**ask.raised - 1), 3_155_760_000.0))


def remind(tx: Transaction, mail: Mail, me: str) -> None:
    """Raise again what was not acknowledged in time: a reply to those who have not, of more weight each time."""
    for key, ask in list(asks(tx)):
        at = raised_at(ask)
        if at is None or tx.now < at or key not in mail.acked:
            continue
        names = missing(ask, mail.acked[key])
        if not names or _is_closed(tx):
            continue
        count = ask.raised + 1
        level: Importance = "urgent" if count > 1 else "high"
        place = _reply_key(tx, key, "again")
        front = Front(
            id=_id(place),
            sender=me,
            to=tuple(names),
            at=letters.stamp(tx.now),
            subject=f"Not acknowledged: {ask.subject}"[: letters.LONGEST_SUBJECT],
            priority=level,
            thread=ask.thread,
            in_reply_to=_id(key),
        )
        body = (
            f"{ask.sender} waits for {', '.join(names)} to acknowledge `{_id(key)}`. "
            f"That was due {letters.stamp(ask.due or at)}.\n\n    bnet message ack {_id(key)}\n"
        )
        tx.documents[letter_paths.ask_path(key)] = replace(ask, raised=count)
        _put(tx, Draft(key=place, front=front, body=body), about=_id(key))


def _reply_key(tx: Transaction, key: str, kind: str) -> str:
    """Return where a reply of ours will stand; no other transaction has this number."""
    name = f"{_id(key)[:50].rstrip('.')}.{kind}-{tx.seq}"
    place, count = letter_paths.key_of(tx.now, name), 1
    while letter_paths.message_path(place) in tx.files:
        count += 1
        place = letter_paths.key_of(tx.now, f"{name}-{count}")
    return place


def _is_closed(tx: Transaction) -> bool:
    return f"{tx.now:%Y/%m/%d}" in closed_days(tx.state.filed)


# -- answering


def answer(tx: Transaction, me: str) -> None:
    """Reply to each message whose command has been done, or was refused."""
    for key, ask in list(asks(tx)):
        if not ask.command or ask.answered or _is_closed(tx):
            continue
        jobs = [tx.jobs.get(number) for number in ask.jobs]
        if any(job is not None and job.result is None for job in jobs):
            continue
        word, body = _outcome(ask, jobs)
        place = _reply_key(tx, key, "answer")
        front = Front(
            id=_id(place),
            sender=me,
            to=(ask.sender,),
            at=letters.stamp(tx.now),
            subject=f"Re: {ask.subject} ({word})"[: letters.LONGEST_SUBJECT],
            thread=ask.thread,
            in_reply_to=_id(key),
        )
        tx.documents[letter_paths.ask_path(key)] = replace(ask, answered=True)
        _put(tx, Draft(key=place, front=front, body=body), about=_id(key))


def _outcome(ask: Ask, jobs: Sequence[Job | None]) -> tuple[str, str]:
    if ask.refused:
        return "refused", f"This was not done: {ask.refused}\n"
    if not ask.jobs:
        return "done", "This was done.\n"
    ended = [job.result for job in jobs if job is not None and job.result is not None]
    words = sorted({each.result for each in ended if each.result != "success"})
    rows = ["| job | name | result | server | seconds |", "|---|---|---|---|---|"]
    rows += [_row(number, job) for number, job in zip(ask.jobs[:MOST_TOLD], jobs, strict=False)]
    more = f"\nand {len(ask.jobs) - MOST_TOLD} more\n" if len(ask.jobs) > MOST_TOLD else ""
    return ", ".join(words) or "success", "\n".join(rows) + "\n" + more


def _row(number: int, job: Job | None) -> str:
    if job is None or job.result is None:
        return f"| #{number} |  | archived |  |  |"
    result = job.result
    why = result.reason if result.exit_code is None else f"exit {result.exit_code}"
    took = "" if result.seconds is None else f"{result.seconds:.1f}"
    how = f"{result.result} ({why})"
    return f"| #{number} | {job.spec.name} | {how} | {result.server or ''} | {took} |"


# -- filing away


def day_to_file(days: Iterable[str], keep: float, now: datetime) -> str:
    """Return the oldest of some days if it is over for so many seconds; "" if there is none."""
    before = f"{now - timedelta(days=1, seconds=min(keep, 3_155_760_000.0)):%Y/%m/%d}"
    oldest = min(days, default="")
    return oldest if oldest and oldest <= before else ""


def file_away(tx: Transaction, mail: Mail) -> bool:
    """Move a day's messages out of the tree into the archive, all at once; False if one still waits for its answer.

    Whatever comes under that day later is too late to ask for anything: by that, what was filed and comes back
    through a revert is not done again.
    """
    day = mail.due
    mine = {key: ask for key, ask in asks(tx) if letter_paths.day_of(key) == day}
    if not day or any(ask.command and not ask.answered for ask in mine.values()):
        return False
    lines = [_line(tx, each, mine) for each in mail.stored if each.text and each.key not in mail.known]
    there = {each.key for each in mail.stored if each.text}
    lines += [Filed(key=key, text="", ask=ask) for key, ask in mine.items() if key not in there]
    files: dict[str, bytes | None] = {}
    for each in mail.stored:
        files |= dict.fromkeys((letter_paths.message_path(each.key), *each.beside))
    files |= {letter_paths.ask_path(key): None for key in mine}
    for key in mine:
        tx.documents.pop(letter_paths.ask_path(key), None)
    if lines or day not in closed_days(tx.state.filed):
        files |= _archive_files(day, lines, tx.state.filed)
    fields: dict[str, str | int] = {"messages": len(there)}
    tx.apply(Change(verb="file", target=day, note=f"{len(there)} messages", fields=fields, files=files))
    return True


def _line(tx: Transaction, each: Stored, mine: Mapping[str, Ask]) -> Filed:
    text = each.text.decode(errors="replace")
    return Filed(key=each.key, text=text, acks=each.acks, ask=mine.get(each.key), commit=tx.state.tip)


def _archive_files(day: str, lines: Sequence[Filed], taken: Iterable[str]) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    there, number, batch = set(taken), 0, b""
    for line in [*(msgspec.json.encode(each, order="deterministic") + b"\n" for each in lines), b""]:
        if not line or (batch and len(batch) + len(line) > FILE_BYTES):
            number += 1
            while letter_paths.filed_path(day, number) in there:
                number += 1
            files[letter_paths.filed_path(day, number)] = batch
            batch = b""
        batch += line
    return files


def read_filed(data: bytes) -> list[Filed]:
    """Return the messages of an archive file; a line that cannot be read is passed over."""
    found = []
    for line in data.splitlines():
        try:
            found.append(msgspec.json.decode(line, type=Filed))
        except BROKEN:
            continue
    return found


def _id(key: str) -> str:
    return key.rpartition("/")[2]


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
