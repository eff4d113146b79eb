"""An acknowledgement becomes part of the ledger: once, and in the name of whoever made it."""

from bnet.app.ledger import Ledger
from bnet.codec import letter_paths, letters
from bnet.errors import Invalid, RefusedByPolicy
from bnet.model.message import Nod
from bnet.rules import acks
from bnet.rules.jobs import Illegal
from bnet.rules.transaction import Transaction


class NotAddressed(RefusedByPolicy):
    """Somebody acknowledges a message that is not to them."""


def acknowledge(ledger: Ledger, nod: Nod) -> bool:
    """Acknowledge a message by one transaction; False if that was done before.

    Raises:
        NotAddressed: it is not to them.
        Illegal: it is not there any more, or what they say is too long.
        HubUnreachable: it is not known whether it was.
    """
    message, path = letter_paths.message_path(nod.key), letter_paths.ack_path(nod.key, nod.who)
    done = [False]

    def decide(tx: Transaction) -> None:
        there = ledger.hub.read(tx.state.tip, [message, path])
        found = acks.ack_of(path, there.get(path))
        if message not in there and found is None:
            raise Illegal(f"there is no message {nod.key} any more; what was filed away waits for nobody")
        to, ask = _addressed(there.get(message, b"")), tx.state.asks.get(nod.key)
        if found is None and not acks.may_acknowledge(to, ask, nod.who, tx):
            raise NotAddressed(
                f"{nod.key.rpartition('/')[2]} is addressed to {', '.join(to) or 'nobody'}, not to {nod.who}",
                hint="who you are: the server that this BNET_HOME has joined as, else BNET_USER",
            )
        # What a person has put there by hand and nobody can read is in the way of nobody.
        done[0] = acks.acknowledge(tx, nod.key, [] if found is None else [found], who=nod.who, note=nod.note)

    with ledger.acting_as(nod.who):
        ledger.transact(decide)
    return done[0]


def _addressed(data: bytes) -> tuple[str, ...]:
    try:
        return letters.read(data, "").front.addressed
    except Invalid:
        return ()
