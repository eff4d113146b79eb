"""Whether the ledger behaves as one thing at one place: each operation as if at one moment of its time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from bnet.app.ledger import Beat, Decide, Landed, Ledger
from bnet.ports.hub import Look
from bnet.rules.transaction import Transaction


class Operation(NamedTuple):
    """Something that somebody did with the ledger.

    Attributes:
        who: did it.
        begun, ended: when, on one clock for all.
        seq: of the transaction that it made, or of the newest one that it saw.
        wrote: whether it made it.
    """

    who: str
    begun: float
    ended: float
    seq: int
    wrote: bool

    def __str__(self) -> str:
        return f"{self.who} {'made' if self.wrote else 'saw'} {self.seq} from {self.begun:.2f} to {self.ended:.2f}"


def disorder(history: Iterable[Operation]) -> list[str]:
    """Return what no order of the operations explains; nothing, if the history is linearizable.

    In general all orders would have to be tried (Herlihy and Wing 1990). Here the commits are in a line already,
    which leaves one: the transactions by their numbers, each look after the transaction that it saw. It explains the
    history if whatever had ended before something else began also comes first.
    """
    found: list[str] = []
    done = sorted(history, key=lambda each: each.begun)
    ending = sorted(done, key=lambda each: each.ended)
    newest, at = None, 0
    writers: dict[int, Operation] = {}
    for each in done:
        while at < len(ending) and ending[at].ended < each.begun:
            if newest is None or ending[at].seq > newest.seq:
                newest = ending[at]
            at += 1
        if newest is not None and (each.seq < newest.seq or (each.wrote and each.seq == newest.seq)):
            found.append(f"{each}, after {newest}")
        if each.wrote and each.seq in writers:
            found.append(f"{each}, and {writers[each.seq]}")
        if each.wrote:
            writers[each.seq] = each
    return found


class Traced(Ledger):
    """A ledger that writes down what is done with it.

    Attributes:
        time: the clock of all.
        note: takes each operation.
    """

    time: Callable[[], float]
    note: Callable[[Operation], None]

    def refresh(self, look: Look | None = None) -> Look:
        begun = self.time()
        found = super().refresh(look)
        if look is None:  # one that was taken before is of a time that nobody wrote down
            self.note(Operation(self.actor, begun, self.time(), self.state.head.seq, False))
        return found

    def transact(
        self,
        decide: Decide,
        *,
        beat_for: Callable[[Transaction], Beat | None] | None = None,
        prepare: Callable[[Transaction], None] | None = None,
    ) -> Landed:
        begun = self.time()
        landed = super().transact(decide, beat_for=beat_for, prepare=prepare)
        if landed.commit is not None:
            self.note(Operation(self.actor, begun, self.time(), landed.tx.seq, True))
        return landed
