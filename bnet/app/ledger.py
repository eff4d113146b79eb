"""The ledger: a snapshot to decide on, and transactions by compare-and-swap."""

import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
from msgspec.structs import replace

from bnet.app.snapshot import NoLedger, Snapshot
from bnet.errors import AnswerNo, BnetError, Damaged, HubUnreachable, RefusedByPolicy
from bnet.model.state import State
from bnet.ports.hub import Commit, Hub, Look, Stamp, Update
from bnet.ports.machine import Clock
from bnet.rules.transaction import Transaction

TRIES = 12
FIRST_PAUSE = 0.5  # seconds; doubled with each try, and drawn from nothing to all of it (full jitter)
LONGEST_PAUSE = 5.0
PATIENT_TRIES = 3  # with a look before the push; after that it goes out, and the beat with it
STALE = 2  # so many times the time that a look takes: after that, another one comes before a push
REFUSALS = 2  # so many refused pushes without anyone else's move, and it is the hub that does not want it

_REFUSING = re.compile(
    r"reject|denied|declined|not allowed|forbidden|40[13]|protect|read-only", re.IGNORECASE
)

Decide = Callable[[Transaction], None]


class Diverged(AnswerNo):
    """The hub's ledger is not a continuation of the one that this machine knows."""


class Beat(msgspec.Struct, frozen=True):
    """A telemetry commit of a server that goes out with whatever push comes next."""

    server: str
    update: Update


class Landed(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a transaction.

    Attributes:
        tx: the decision that landed, or that had nothing to say.
        commit: its commit; None where there was nothing to say.
        since: boot-clock seconds before the push that brought it; new claims count from there.
        beat_since: likewise before the first push that may have brought the telemetry commit; None if none did.
        unheard: why the hub did not take the telemetry commit, in its words; "" if it did, or there was none.
        tries: how often it was decided.
    """

    tx: Transaction
    commit: str | None
    since: float
    beat_since: float | None
    unheard: str
    tries: int


class Ledger:
    """One machine's hold of the ledger."""

    def __init__(self, hub: Hub, clock: Clock, actor: str, chance: random.Random) -> None:
        """Keep the ports, the name that commits are made under, and where the jitter comes from."""
        self.hub = hub
        self.clock = clock
        self.actor = actor
        self.chance = chance
        self.landed = 0
        self.conflicts = 0
        self.pushes = 0
        self._looked_at = 0.0
        self._look_cost = 0.0
        self._adopting = False
        self.snapshot = Snapshot(hub)

    @property
    def state(self) -> State:
        """What the ledger says, as far as it is known here."""
        return self.snapshot.state

    def refresh(self, look: Look | None = None) -> Look:
        """Bring the snapshot up to the hub.

        Args:
            look: a look just taken; without it, one is taken.

        Raises:
            HubUnreachable: no answer; the snapshot stays as it was.
            Diverged, TooNew, NoLedger: the snapshot stays as it was, and no transaction is possible.
        """
        with self.hub.exclusive():
            try:
                look = self._refresh(look or self._look())
            except Damaged:
                self._begin_anew()
                look = self._refresh(look or self._look())
            prefix = self.state.settings.telemetry_prefix
            if prefix != self.hub.telemetry_prefix:
                self.hub.telemetry_prefix = prefix
                look = self.hub.look()
        return look

    def _begin_anew(self) -> None:
        """Forget a damaged mirror and the snapshot, which can both be had again.

        Call it once for each thing that is tried, in case it is the disk that fails.
        """
        self.hub.remake()
        self.snapshot.forget()

    def _refresh(self, look: Look) -> Look:
        if look.ledger and look.ledger == self.state.tip:
            return look
        known = self.hub.known()
        tip = look.ledger
        if tip and tip != known:
            self.hub.fetch(tip)
        if known and tip != known and not self.hub.contains(tip, known):
            tip = self._grown(known, tip)
        if not tip:
            raise NoLedger("the hub has no ledger yet", hint="make one with `bnet init`")
        self.snapshot.load(tip)
        if tip != known and not self._adopting:
            self.hub.accept(tip)
        return replace(look, ledger=tip)

    def _grown(self, known: str, tip: str) -> str:
        """Answer a hub whose tip is no continuation of what we know.

        One that was restored from a backup is an ancestor: what it lacks is given back. One that went another
        way freezes us, unless a person has adopted that way: then its epoch is greater than ours.
        """
        if not tip or self.hub.contains(known, tip):
            self.hub.push([Update(self.hub.ledger_ref, tip, known)])
            if self.hub.look().ledger != known:
                raise HubUnreachable(
                    "the hub lost part of its ledger and did not take it back; it is tried again"
                )
            return known
        ours = self.snapshot.head_at(known)
        if self._adopting or self.snapshot.head_at(tip).epoch > ours.epoch:
            return tip
        raise Diverged(
            f"the hub's ledger has diverged from the one known here ({tip[:10]} does not contain {known[:10]}); "
            "jobs go on, nothing new is decided",
            hint="look at both histories, then let `bnet hub adopt` take the hub's as the ledger",
        )

    def load(self, tip: str) -> None:
        """Show the ledger as a commit of the private copy has it, whatever the hub has; nothing is accepted.

        Raises:
            TooNew, NoLedger: the snapshot stays as it was.
        """
        with self.hub.exclusive():
            self.snapshot.load(tip)

    @contextmanager
    def acting_as(self, actor: str) -> Iterator[None]:
        """Make transactions under another name meanwhile: of somebody whose wish has waited on this machine."""
        before, self.actor = self.actor, actor
        try:
            yield
        finally:
            self.actor = before

    def adopt(self, decide: Decide) -> Landed:
        """Make a transaction on the hub's ledger although it has diverged; from then on it is ours.

        Args:
            decide: starts a new epoch, by which other machines know that a person has agreed.

        Raises:
            BnetError: what `refresh` and `transact` raise; nothing was accepted.
        """
        self._adopting = True
        try:
            self.refresh()
            return self.transact(decide)
        finally:
            self._adopting = False

    def transact(
        self,
        decide: Decide,
        *,
        beat_for: Callable[[Transaction], Beat | None] | None = None,
        prepare: Callable[[Transaction], None] | None = None,
    ) -> Landed:
        """Decide on the snapshot, and make it so; on a conflict, decide again on what is there then.

        Args:
            decide: applies changes to a transaction; pure, called once per try.
            beat_for: asked once, with the first decision, for a telemetry commit to push along; that may land
                without the transaction.
            prepare: called with each decision before its push, for what must be on disk first.

        Raises:
            HubUnreachable: no answer; whether it landed shows at the next refresh.
            RefusedByPolicy: the hub refuses the push, and nobody else has moved the ledger.
            BnetError: what `decide` raises.
        """
        with self.hub.exclusive():
            try:
                return self._transact(decide, beat_for, prepare)
            except Damaged:
                self._begin_anew()
                self.refresh()
                return self._transact(decide, beat_for, prepare)

    def _transact(
        self,
        decide: Decide,
        beat_for: Callable[[Transaction], Beat | None] | None,
        prepare: Callable[[Transaction], None] | None,
    ) -> Landed:
        refusals, beat, beat_since = 0, None, None
        beat_pushed: float | None = (
            None  # it is one commit for all tries, and any of them may have brought it
        )
        for tries in range(1, TRIES + 1):
            tx = Transaction(self.state, self.snapshot.view, self.clock.now())
            decide(tx)
            commit = self._write(tx)
            if tries == 1 and beat_for is not None:
                beat = beat_for(tx)
            if commit is not None and prepare is not None:
                prepare(tx)
            if commit is not None and tries <= PATIENT_TRIES and self._overtaken():
                continue
            since = self.clock.boot()
            if beat is not None and beat_pushed is None:
                beat_pushed = since
            said = self._push(commit, beat)
            look = None if said is None else self._look_again()
            if beat is not None and (look is None or look.telemetry.get(beat.server) == beat.update.new):
                beat, beat_since = None, beat_pushed
            if commit is None or look is None or self._holds(look, commit):
                if commit is not None:
                    self._take(tx, commit)
                unheard = said or "" if beat is not None else ""
                return Landed(
                    tx=tx, commit=commit, since=since, beat_since=beat_since, unheard=unheard, tries=tries
                )
            refusals = refusals + 1 if look.ledger == self.state.tip else 0
            if refusals >= REFUSALS:
                raise _unwanted(said or "")
            self.conflicts += 1
            self._pause(tries)
            self.refresh()
        raise HubUnreachable(f"others moved the ledger {TRIES} times while we tried to; it is tried again")

    def _overtaken(self) -> bool:
        """Look once more before a push, where a look is cheap beside the time since the last one.

        Pushes are the scarce resource: a race that is seen to be lost costs none. Over a slow line, where a
        look takes as long as deciding did, the push itself is the better question.
        """
        if self.clock.boot() - self._looked_at <= STALE * self._look_cost:
            return False
        look = self._look()
        if look.ledger == self.state.tip:
            return False
        self.refresh(look)
        return True

    def _look(self) -> Look:
        begun = self.clock.boot()
        look = self.hub.look()
        self._looked_at = self.clock.boot()
        self._look_cost = self._looked_at - begun
        return look

    def _write(self, tx: Transaction) -> str | None:
        if not tx.changes and not self.state.restore:
            return None
        message = tx.message(self.actor, f"{self.chance.getrandbits(128):032x}")
        commit = Commit(
            parent=self.state.tip, files=tx.writes(), message=message, author=self.actor, at=tx.now
        )
        return self.hub.write([commit])[0]

    def _push(self, commit: str | None, beat: Beat | None) -> str | None:
        updates = [] if commit is None else [Update(self.hub.ledger_ref, self.state.tip, commit)]
        updates += [] if beat is None else [beat.update]
        if not updates:
            return None
        self.pushes += 1
        return self.hub.push(updates)

    def _look_again(self) -> Look:
        """Ask what became of a push; the answer decides, so it is worth some patience."""
        for tries in range(1, 4):
            try:
                return self.hub.look()
            except HubUnreachable:
                self._pause(tries)
        return self.hub.look()

    def _holds(self, look: Look, commit: str) -> bool:
        if look.ledger and look.ledger != commit:
            self.hub.fetch(look.ledger)
        return self.hub.contains(look.ledger, commit)

    def _take(self, tx: Transaction, commit: str) -> None:
        """Go on from our own commit: what it changed is known, nothing is read back."""
        self.hub.accept(commit)
        self.landed += 1
        stamp = Stamp(commit, tx.seq, tx.next_job, self.actor, tx.now)
        self.snapshot.take(commit, stamp, tx.writes())

    def _pause(self, tries: int) -> None:
        longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2**tries)
        self.clock.sleep(self.chance.uniform(0, longest))


def _unwanted(said: str) -> BnetError:
    """Return the error for pushes that changed nothing while nobody else moved the ledger.

    That much the look has shown; the hub's words only tell which of two things a person has to mend.
    """
    if _REFUSING.search(said):
        # Git's words for the one cause, that it cannot write what it got, name neither permissions nor disks.
        storing = "the hub's files may not be written by this user, or its disk is full"
        hint = storing if "unpack" in said else "`bnet doctor` tries what it allows"
        return RefusedByPolicy(f"the hub refuses the push: {said}", hint=hint)
    return HubUnreachable(f"the hub can be read, but pushes do not arrive: {said}", hint="it is tried again")
