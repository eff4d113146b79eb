"""Taking a hub from one format to a newer one."""

from bnet.app.ledger import Ledger
from bnet.codec.formats import NEWEST, upgraded
from bnet.errors import BnetError, RefusedByPolicy
from bnet.rules.change import Change
from bnet.rules.transaction import Transaction


def upgrade(ledger: Ledger, to: int | None) -> tuple[int, int]:
    """Change a hub's format by one transaction; return the one that it had and the one that it has.

    Args:
        ledger: refreshed.
        to: the format wanted; None for the newest that is known here.

    Raises:
        RefusedByPolicy: a registered server does not speak it yet.
        BnetError: this bnet does not know it, or it is older than the hub's.
    """
    wanted = NEWEST if to is None else to
    before = ledger.state.head.format
    if wanted > NEWEST:
        raise BnetError(
            f"this bnet knows the formats up to {NEWEST}, not {wanted}", hint="upgrade bnet on this machine"
        )

    def decide(tx: Transaction) -> None:
        nonlocal before
        before = tx.format
        if tx.format > wanted:
            raise BnetError(f"the hub has format {tx.format} already; a hub's format only grows")
        if tx.format < wanted:
            _refuse_for_older(tx, wanted)
            files = upgraded(ledger.snapshot.view.files, tx.format, wanted)
            fields: dict[str, str | int] = {"from": tx.format}
            tx.apply(Change(verb="upgrade", target=f"format {wanted}", fields=fields, files=files))
            tx.format = wanted

    ledger.transact(decide)
    return before, wanted


def _refuse_for_older(tx: Transaction, wanted: int) -> None:
    older = {name: each.formats for name, each in sorted(tx.servers.items()) if each.formats < wanted}
    if older:
        named = ", ".join(f"{name} (up to {formats})" for name, formats in older.items())
        raise RefusedByPolicy(
            f"not every server understands format {wanted}: {named}",
            hint="upgrade bnet there; each server says what it understands at its next sync",
        )
