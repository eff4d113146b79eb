"""Approving a job: by one transaction, which also writes down what was refused."""

from bnet.app.ledger import Ledger
from bnet.app.lookup import Lookup
from bnet.codec import layout, people
from bnet.model.command import ApproveJob
from bnet.model.state import Rejection
from bnet.rules.admit import admit
from bnet.rules.change import Change
from bnet.rules.jobs import Forbidden
from bnet.rules.transaction import Transaction


def approve(ledger: Ledger, lookup: Lookup, command: ApproveJob, by: str) -> bool:
    """Approve a job, or reject it; False where that was said before.

    Raises:
        Forbidden: they may not; that they tried is on the hub.
        Illegal: the job does not wait for any approval.
    """
    ledger.refresh()
    refused: list[Forbidden] = []

    def decide(tx: Transaction) -> None:
        refused.clear()
        try:
            admit(tx, [command], by=by, facts=lookup(tx.state, [command]))
        except Forbidden as error:
            refused.append(error)
            tx.apply(_refused(tx, command, by, error))

    landed = ledger.transact(decide)
    if refused:
        raise refused[0]
    return landed.commit is not None and any(
        each.verb in ("approve", "disapprove") for each in landed.tx.changes
    )


def _refused(tx: Transaction, command: ApproveJob, by: str, error: Forbidden) -> Change:
    """Return what keeps a refused approval where refused files of the inbox are kept."""
    path = f"{layout.REJECTED}approve-{command.job}.{tx.seq}.yaml"
    verb = "approve" if command.reject is None else "reject"
    rejection = Rejection(
        file=f"bnet approve {command.job}",
        reason=error.message,
        by=by,
        commit=tx.state.tip,
        at=tx.now,
        text=people.dumped({"approve": {"job": command.job, verb: command.reject or command.note}}).decode(),
    )
    note = f"{verb} by {by}"
    return Change(
        verb="reject",
        target=f"approve-{command.job}",
        note=note,
        fields={"by": by},
        files={path: people.write(rejection)},
    )
