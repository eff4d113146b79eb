"""Taking a hub's diverged ledger as the ledger: a person's decision, since something is given up by it."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from bnet.app.ledger import Ledger
from bnet.codec.resubmission import to_file
from bnet.errors import BnetError
from bnet.files import write_atomic
from bnet.model.command import Submit
from bnet.model.job import Job
from bnet.model.state import State
from bnet.rules import deployments, jobs
from bnet.rules.change import Change
from bnet.rules.resubmit import left_out, only_in, resubmissions
from bnet.rules.transaction import Transaction

RAISE = 1_000_000  # what no other machine's history, unknown here, can be ahead by


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """Two histories of one hub: the one known here, and the one that the hub has now.

    Attributes:
        ours, theirs: their newest states.
        lost: the jobs that only ours has.
        claims: the jobs that run in theirs.
    """

    ours: State
    theirs: State
    lost: tuple[Job, ...]
    claims: tuple[Job, ...]

    @property
    def epoch(self) -> int:
        """The epoch that an adoption would start."""
        return max(self.ours.head.epoch, self.theirs.head.epoch) + 1

    @property
    def unfinished(self) -> list[Submit]:
        """What asks again for the unfinished jobs that only our history has."""
        return resubmissions(self.lost, self.theirs.jobs, f"adopted-{self.epoch}")

    @property
    def left_out(self) -> list[Job]:
        """The unfinished jobs that are not asked for again, for what they depend on is not there."""
        return left_out(self.lost, self.theirs.jobs)


def survey(ours: Ledger, theirs: Ledger, tip: str) -> Survey:
    """Read both histories.

    Args:
        ours, theirs: two holds of one hub's ledger; each is left at its history's tip.
        tip: the hub's, in the private copy already.
    """
    ours.load(ours.hub.known())
    theirs.load(tip)
    running = [job for job in theirs.state.jobs.values() if job.state == "running"]
    return Survey(
        ours=ours.state,
        theirs=theirs.state,
        lost=tuple(only_in(ours.state.jobs, theirs.state.jobs)),
        claims=tuple(running),
    )


def adopt(ledger: Ledger, found: Survey) -> int:
    """Start a new epoch on the hub's ledger, above all numbers of both histories; return the epoch.

    Args:
        ledger: a hold of the ledger; it goes on from the new epoch.
        found: what a person has agreed to.

    Raises:
        BnetError: the hub's ledger went on to another epoch meanwhile; it is accepted by the next look.
    """

    def decide(tx: Transaction) -> None:
        head = tx.state.head
        if head.epoch >= found.epoch:
            raise BnetError(
                f"epoch {head.epoch} has begun meanwhile; somebody else adopted the hub's ledger",
                hint="there is nothing left to do: the next `bnet sync` accepts it",
            )
        tx.epoch = found.epoch
        tx.seq = max(found.ours.head.seq, head.seq) + RAISE
        tx.next_job = max(found.ours.head.next_job, head.next_job) + RAISE
        fields: dict[str, str | int] = {"instead_of": found.ours.tip, "on": tx.state.tip}
        tx.apply(Change(verb="adopt", target=f"epoch {tx.epoch}", fields=fields))
        for job in list(tx.jobs.values()):
            if job.state == "running":
                why = f"the hub's ledger was adopted with epoch {tx.epoch}"
                tx.apply(jobs.lost(job, now=tx.now, why=why))
        deployments.record(tx)

    ledger.adopt(decide)
    return found.epoch


def keep(commands: Sequence[Submit], home: Path, epoch: int) -> Path | None:
    """Write what asks again for lost jobs where a person finds it; None if there is nothing to ask for."""
    if not commands:
        return None
    path = home / f"adopted-{epoch}.yaml"
    write_atomic(path, to_file(commands), mode=0o600)
    return path
