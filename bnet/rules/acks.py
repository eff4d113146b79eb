"""Acknowledgements: who may make one, and who has not."""

from collections.abc import Iterable, Sequence

from bnet.codec import letter_paths
from bnet.codec.documents import Unreadable, decode, encode
from bnet.model.message import Ack, Ask
from bnet.rules.addressing import is_addressed
from bnet.rules.change import Change
from bnet.rules.jobs import Illegal
from bnet.rules.mail import id_of
from bnet.rules.transaction import Transaction

MOST_NOTE = 1_000  # characters that somebody says along with an acknowledgement


def ack_of(path: str, data: bytes | None) -> Ack | None:
    """Return the acknowledgement that a file is; None if it cannot be read, or is not of whom its name says."""
    key = letter_paths.ack_key(path)
    try:
        ack = None if data is None or key is None else decode(Ack, data)
    except Unreadable:
        return None
    return None if ack is None or letter_paths.ack_path(key or "", ack.who) != path else ack


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
    tx.apply(Change(verb="ack", target=id_of(key), fields={"by": who}, files={path: ack}))
    return True


def may_acknowledge(to: Sequence[str], ask: Ask | None, who: str, tx: Transaction) -> bool:
    """Tell whether a message is somebody's to acknowledge: they are addressed, or were when it was sent."""
    return is_addressed(to, who, tx.servers) or (ask is not None and who in ask.expects)


def missing(ask: Ask, acked: Iterable[str]) -> list[str]:
    """Return who has not acknowledged a message that has to."""
    done = set(acked)
    return [name for name in ask.expects if name not in done]
