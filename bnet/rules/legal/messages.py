"""What a transaction may do to messages: derived once more from the rules, and compared."""

from collections.abc import Iterator, Mapping
from contextlib import suppress

from msgspec.structs import replace

from bnet.codec import letter_paths, letters
from bnet.errors import Invalid
from bnet.model.message import Ack, Ask
from bnet.model.state import State
from bnet.rules.acks import ack_of
from bnet.rules.addressing import is_addressed
from bnet.rules.automatic import is_exhausted
from bnet.rules.legal.transitions import Fault, Made
from bnet.rules.mail import closed_days


def ask_faults(before: State, after: State) -> Iterator[Fault]:
    """Yield what is wrong with what a transaction made of what messages asked for."""
    shut, shut_then = closed_days(before.filed), closed_days(after.filed)
    for path in sorted(before.filed - after.filed):
        yield Fault(path, "has left the archive")
    for key in sorted(before.asks.keys() | after.asks.keys()):
        old, new = before.asks.get(key), after.asks.get(key)
        if old is new or old == new:
            continue
        if new is None:
            if letter_paths.day_of(key) not in shut_then:
                yield Fault(key, "what it asked for is forgotten, and its day was not filed away")
        elif old is None and letter_paths.day_of(key) in shut:
            yield Fault(key, "was taken in although its day had been filed away")
        elif text := _changed(old, new, after) or _ruled(old, new, before, after):
            yield Fault(key, text)


def _changed(old: Ask | None, new: Ask, after: State) -> str:
    fresh = replace(new, raised=0, answered=False)
    before = fresh if old is None else old
    if replace(new, raised=before.raised, answered=before.answered) != before:
        return "what it asked for has changed"
    if not before.raised <= new.raised <= before.raised + 1 or (before.answered and not new.answered):
        return "was raised again, or answered, out of turn"
    jobs = [after.jobs.get(number) for number in new.jobs]
    early = any(job is not None and job.result is None for job in jobs)
    if new.answered and not before.answered and (early or not new.command):
        return "was answered before its command was done"
    return ""


def _ruled(old: Ask | None, new: Ask, before: State, after: State) -> str:
    if old is not None or not new.rule:
        return ""
    if new.rule not in before.replies.rules:
        return f"was answered by the rule {new.rule}, which there is not"
    others = [ask for key, ask in after.asks.items() if ask is not new]
    return "was answered although the rules had said enough" if is_exhausted(others, new.thread) else ""


def letter_faults(
    before: State,
    after: State,
    made: Made,
    old: Mapping[str, bytes],
    new: Mapping[str, bytes | None],
    texts: Mapping[str, bytes],
) -> Iterator[Fault]:
    """Yield what is wrong with what a transaction made of the files under messages/.

    Args:
        before, after, made: as for `legal.faults`.
        old: those of the changed files that were there before.
        new: path -> content of each changed file; None where it is gone, or not read.
        texts: key -> file, of the messages that were acknowledged.
    """
    shut = closed_days(after.filed)
    for path, data in new.items():
        key = letter_paths.message_key(path) or letter_paths.beside(path)
        acked = letter_paths.ack_key(path)
        if path in old and (acked is None or data is None or ack_of(path, old[path]) is not None):
            if key is None or letter_paths.day_of(key) not in shut or data is not None:
                yield Fault(path, "was changed or removed after it had been sent")
        elif acked is not None and data is not None:
            text = _wrong_ack(acked, ack_of(path, data), before, after, made, texts.get(acked, b""))
            if text:
                yield Fault(path, text)


def _wrong_ack(key: str, ack: Ack | None, before: State, after: State, made: Made, text: bytes) -> str:
    ask = after.asks.get(key)
    if ack is None:
        return "is no acknowledgement"
    who = ack.who
    if who != made.actor and not _asked(key, who, before, after):
        return f"was acknowledged for {who} by {made.actor}"
    to: tuple[str, ...] = ()
    with suppress(Invalid):  # somebody broke it since: it is still for those who had to acknowledge it
        to = letters.read(text, "").front.addressed
    if not is_addressed(to, who, before.servers) and (ask is None or who not in ask.expects):
        return f"was acknowledged by {who}, to whom it was not addressed"
    return ""


def _asked(key: str, who: str, before: State, after: State) -> bool:
    """Tell whether somebody asked for an acknowledgement by a file of the inbox, or by what a message carries."""
    taken = {file.path for file in before.inbox} - {file.path for file in after.inbox}
    files = (file for file in before.inbox if file.path in taken)
    carried = (ask for at, ask in after.asks.items() if at not in before.asks)
    return any(file.by == who and key.encode() in file.text for file in files) or any(
        ask.command and ask.by == who for ask in carried
    )
