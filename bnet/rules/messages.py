"""Messages that are sent, and what they ask for: taken in once, whoever sends them, and however."""

from collections.abc import Sequence
from datetime import timedelta

from msgspec.structs import replace

from bnet.codec import letter_paths, letters
from bnet.codec.durations import parse_duration
from bnet.model.command import Command
from bnet.model.message import Ask, Draft, Front
from bnet.rules.addressing import expected
from bnet.rules.admit import admit
from bnet.rules.automatic import is_exhausted
from bnet.rules.change import Change
from bnet.rules.jobs import Illegal
from bnet.rules.mail import News, asks, closed_days, id_of, is_closed, put, say
from bnet.rules.specs import Facts
from bnet.rules.transaction import Transaction

LARGEST_TEXT = 256_000  # bytes of a message's text
LARGEST_FILES = 1_000_000  # bytes of a message's attachments


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
    put(tx, draft, to=" ".join(front.addressed))
    return numbers


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
        subject=letters.one_line(front.subject),
        thread=front.thread or id_of(key),
        expects=waits,
        within=within,
        due=tx.now + timedelta(seconds=within) if waits else None,
    )


def take_in(tx: Transaction, news: News, facts: Facts, me: str) -> None:
    """Take in what a message asks for that somebody has committed, and what a rule does about it.

    Its command is admitted once, or refused once; so is that of the rule, in the name of whoever wrote that.
    """
    automatic = news.automatic
    if automatic is not None and (is_closed(tx) or is_exhausted((ask for _, ask in asks(tx)), news.thread)):
        automatic = None
    if automatic is None and not news.letter.commands and not news.letter.within:
        return
    jobs, refused = _admitted(tx, news.letter.commands, news.by, facts)
    rule = ""
    fields: dict[str, str | int] = {"by": news.by}
    if automatic is not None:
        more, why = _admitted(tx, automatic.commands, automatic.by, facts)
        jobs, refused = jobs + more, refused or why
        rule, fields = automatic.rule, {**fields, "rule": automatic.rule}
    front = replace(news.letter.front, subject=news.subject, thread=news.thread)
    ask = _ask(tx, news.key, front, news.sender, news.by, news.letter.within)
    commands = news.letter.commands or (automatic is not None and automatic.commands)
    ask = replace(ask, command=bool(commands), jobs=jobs, refused=refused, rule=rule)
    note = "refused" if refused else " ".join(f"#{number}" for number in jobs[:10])
    tx.documents[letter_paths.ask_path(news.key)] = ask
    tx.apply(Change(verb="take-in", target=id_of(news.key), note=note, fields=fields))
    if automatic is not None and automatic.reply:
        say(tx, news.key, ask, "auto", f"Re: {ask.subject}", automatic.reply, me=me, to=(ask.sender,))


def _admitted(
    tx: Transaction, commands: Sequence[Command], by: str, facts: Facts
) -> tuple[tuple[int, ...], str]:
    try:
        return (tuple(admit(tx, commands, by=by, facts=facts)) if commands else ()), ""
    except Illegal as error:
        return (), error.message[:500]
