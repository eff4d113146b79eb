"""One process's part in a named lock: it asks, waits for its turn, shows that it lives, and gives back."""

import uuid
from collections.abc import Callable
from datetime import datetime

from msgspec.structs import replace

from bnet.app.ledger import Beat, Ledger
from bnet.errors import BnetError, HubUnreachable, Taken
from bnet.model.lock import Lock, Stake
from bnet.ports.hub import Commit, Look, Update
from bnet.ports.machine import Clock
from bnet.rules import locks, settle
from bnet.rules.leases import BEAT_SHARE, GRACE_SHARE, HOLDER_SHARE, Observed, lapsed, observe
from bnet.rules.transaction import Transaction

HOLDS = "_hold-"  # begins the names of telemetry refs that are no server's: no name of one begins with "_"
LOOK_S = 0.5  # seconds between two looks of one who waits
ROW_S = 5.0  # likewise while others are before it in the row

Told = Callable[[str], object]


class Lost(BnetError):
    """What was held is held no more."""


class Hold:
    """A part in a lock.

    Attributes:
        name: the lock's.
        id: this part's own.
        token: what it is held under; 0 while it is not.
        busy: whether the ledger is still waited for by another thread; it serves one at a time.
    """

    def __init__(
        self, ledger: Ledger, clock: Clock, name: str, by: str, *, ttl_s: float, note: str = ""
    ) -> None:
        """Say what is wanted; nothing is asked yet.

        Args:
            ledger: the hub's.
            clock: this machine's.
            name: the lock's.
            by: who asks.
            ttl_s: for how many seconds others shall honour it without a sign of life.
            note: what it is for.
        """
        self.name = name
        self.token = 0
        self._ledger = ledger
        self._clock = clock
        self._by = by[: locks.LONGEST_TEXT]
        self._ttl_s = ttl_s
        self._note = note[: locks.LONGEST_TEXT]
        self.id = uuid.UUID(int=ledger.chance.getrandbits(128), version=4).hex
        self._beats = f"{HOLDS}{self.id[:16]}"
        self._beat_tip = ""
        self._beat_at = clock.boot()
        self._observed = Observed()
        self._trouble = ""
        self.busy = False

    @property
    def grace_s(self) -> float:
        """How many seconds its command has to end, once the lock is lost."""
        return self._ttl_s * GRACE_SHARE

    # -- asking

    def acquire(self, patience_s: float | None, told: Told = str) -> int:
        """Wait for the lock, and return the token.

        Args:
            patience_s: seconds after which it is given up; None for never.
            told: called with a sentence when it has to wait, and when whoever is before it changes.

        Raises:
            Taken: it was not to be had in that time; nothing is left of the asking.
            Lost: it was, and the answer came too late.
            HubUnreachable: no answer to the first question, or until the time was over. What was asked lapses by
                itself.
        """
        deadline = None if patience_s is None else self._clock.boot() + patience_s
        asked, said = False, ""
        try:
            while True:
                over = deadline is not None and self._clock.boot() >= deadline
                try:
                    if self.step(waits=not over):
                        self.check()  # the answer may have come too late to begin on the strength of it
                        return self.token
                    asked, why = True, self._obstacle()
                except HubUnreachable as error:
                    if over or not asked:
                        raise
                    why = f"{error}; the wait goes on"
                if over:
                    raise Taken(why, hint="`bnet lock list` shows who holds what, and what for")
                if why != said:
                    told(why)
                    said = why
                self._clock.sleep(self._pause(deadline))
        except BaseException:
            self.give_back("withdraw")
            raise

    def step(self, *, waits: bool) -> bool:
        """Look once, and do what can be done now.

        Args:
            waits: whether to stand in the row, where it is not to be had at once.

        Returns:
            Whether the lock is held.
        """
        look = self._ledger.refresh()
        self._beat_tip = look.telemetry.get(self._beats, "")
        self._observe(look)
        landed = self._ledger.transact(lambda tx: self._decide(tx, waits=waits), beat_for=self._first_beat)
        if landed.beat_since is not None:
            self._beat_at = landed.beat_since
        stake, holds = locks.stake_of(self._ledger.state.locks.get(self.name), self.id)
        if holds and not self.token and landed.commit is not None:
            self._beat_at = max(self._beat_at, landed.since)  # others count anew from what granted it
        self.token = stake.token if stake is not None and holds else 0
        return holds

    def _decide(self, tx: Transaction, *, waits: bool) -> None:
        settle.expire_stakes(tx, self._lapsed())
        lock = tx.locks.get(self.name) or Lock(name=self.name)
        stake, holds = locks.stake_of(lock, self.id)
        if holds:
            return
        mine = stake or Stake(
            id=self.id,
            by=self._by,
            token=tx.seq,
            ttl_s=self._ttl_s,
            beats=self._beats,
            at=tx.now,
            note=self._note,
        )
        taken, limit = (
            len(locks.jobs_with(self.name, tx.jobs.values())),
            locks.limit_of(self.name, tx.state.settings),
        )
        first = not lock.waiters or lock.waiters[0].id == self.id
        if first and locks.has_room(lock, taken, limit):
            tx.apply(locks.grant(lock, mine, taken=taken, limit=limit, token=tx.seq, now=tx.now))
        elif stake is None and waits:
            tx.apply(locks.ask(lock, mine))

    def _pause(self, deadline: float | None) -> float:
        row = self._ledger.state.locks.get(self.name, Lock(name=self.name)).waiters
        pause = LOOK_S if not row or row[0].id == self.id else ROW_S
        pause = min(pause, max(LOOK_S, self._ttl_s * BEAT_SHARE / 2))
        return pause if deadline is None else max(0.0, min(pause, deadline - self._clock.boot()))

    def _obstacle(self) -> str:
        state = self._ledger.state
        lock = state.locks.get(self.name, Lock(name=self.name))
        holders = [each.by for each in lock.holders]
        holders += [f"job #{job.number}" for job in locks.jobs_with(self.name, state.jobs.values())]
        before = []
        for each in lock.waiters:
            if each.id == self.id:
                break
            before.append(each.by)
        text = f"lock {self.name} is held by {', '.join(holders)}" if holders else f"lock {self.name} is free"
        return text + (f"; {len(before)} asked earlier: {', '.join(before[:3])}" if before else "")

    # -- signs of life

    def _first_beat(self, tx: Transaction) -> Beat | None:
        """Return a sign of life to go along, unless nothing was asked: of one who does not wait."""
        stake, _ = locks.stake_of(tx.locks.get(self.name), self.id)
        return None if stake is None else self._beat(tx.now)

    def _beat(self, now: datetime) -> Beat | None:
        if self._clock.boot() - self._beat_at < self._ttl_s * BEAT_SHARE and self._beat_tip:
            return None
        nonce = uuid.UUID(int=self._ledger.chance.getrandbits(128)).hex
        told = f'{{"lock": "{self.name}", "nonce": "{nonce}"}}\n'.encode()
        commit = Commit(
            parent=None, files={"hold.json": told}, message="alive", author=self._by, at=now, kind="hold"
        )
        [oid] = self._ledger.hub.write([commit])
        update = Update(self._ledger.hub.telemetry_ref(self._beats), self._beat_tip, oid)
        return Beat(self._beats, update)

    def keep(self) -> None:
        """Show that the holder lives, where that is due, and see that the lock is still its own.

        Raises:
            Lost: it was broken, or taken for lost, or the hub was away for too long.
        """
        # A lease that has ended is not begun again: others may be about to go on.
        self.check()
        try:
            look = self._ledger.refresh()
            if not locks.stake_of(self._ledger.state.locks.get(self.name), self.id)[1]:
                raise Lost(f"lock {self.name} (token {self.token}) was taken away")
            self._beat_tip = look.telemetry.get(self._beats, "")
            self._trouble = ""
            self._move()
        except Lost:
            raise
        except (
            BnetError
        ) as error:  # away, diverged, newer than this bnet: in each case nobody sees that we live
            self._trouble = error.message
        self.check()

    def check(self) -> None:
        """See that the lease has not ended by this machine's own clock.

        Raises:
            Lost: it has.
        """
        if self._clock.boot() - self._beat_at > self._ttl_s * HOLDER_SHARE:
            why = f": {self._trouble}" if self._trouble else ""
            raise Lost(
                f"lock {self.name} (token {self.token}) is lost: the hub saw nothing of its holder for "
                f"{self._ttl_s * HOLDER_SHARE:.0f} s{why}"
            )

    def _move(self) -> None:
        since, hub = self._clock.boot(), self._ledger.hub
        with hub.exclusive():
            beat = self._beat(self._clock.now())
            if beat is None:
                return
            said = hub.push([beat.update])
            if said is None or hub.look().telemetry.get(self._beats) == beat.update.new:
                self._beat_at = since

    def leave_for(self, seconds: float) -> None:
        """Hold it for a time from now on, without signs of life: this process goes."""

        def decide(tx: Transaction) -> None:
            lock = tx.locks.get(self.name)
            stake, holds = locks.stake_of(lock, self.id)
            if lock is None or stake is None or not holds:
                raise Lost(f"lock {self.name} (token {self.token}) was taken away")
            tx.apply(locks.renew(lock, replace(stake, beats=""), ttl_s=seconds, token=tx.seq))

        self._ledger.transact(decide)
        self._forget_beats()

    def give_back(self, verb: str = "unlock") -> str:
        """End this part, whatever it is, and return what there is to say of that; "" if all went well."""
        if self.busy:
            return f"lock {self.name} was not given back, and ends by itself in {self._ttl_s:.0f} s"
        there = True

        def decide(tx: Transaction) -> None:
            nonlocal there
            lock = tx.locks.get(self.name)
            stake, holds = locks.stake_of(lock, self.id)
            there = holds
            if lock is not None and stake is not None:
                tx.apply(locks.leave(lock, stake, "unlock" if holds else verb))

        try:
            self._ledger.refresh()
            self._ledger.transact(decide)
            self._forget_beats()
        except BnetError as error:
            return f"lock {self.name} was not given back, and ends by itself in {self._ttl_s:.0f} s: {error}"
        return "" if there else f"lock {self.name} (token {self.token}) had been lost before its end"

    def _forget_beats(self) -> None:
        hub = self._ledger.hub
        tip = hub.look().telemetry.get(self._beats)
        if tip:
            hub.push([Update(hub.telemetry_ref(self._beats), tip, "")])

    # -- others

    def _observe(self, look: Look) -> None:
        leases = locks.leases_of(self._ledger.state.locks)
        others = {name: tip for name, tip in look.telemetry.items() if name != self._beats}
        self._observed = observe(
            self._observed, leases, others, boot_id=self._clock.boot_id(), now=self._clock.boot()
        )

    def _lapsed(self) -> set[str]:
        others = [each for each in locks.leases_of(self._ledger.state.locks) if each.server != self._beats]
        return lapsed(self._observed, others)
