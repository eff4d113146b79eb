"""The telemetry commit of one sync: made when the decision is known, noted when it is known to be on the hub."""

import uuid

from msgspec.structs import replace

from bnet import __version__
from bnet.app.ledger import Beat, Landed, Ledger
from bnet.app.server.decide import Here
from bnet.app.server.telemetry import HEARTBEAT, Draft
from bnet.codec.documents import Unreadable, decode
from bnet.errors import Damaged
from bnet.model.job import Job
from bnet.model.run import RunFact
from bnet.model.server import Heartbeat, Held
from bnet.model.telemetry import Sampled, Sent
from bnet.ports.hub import Update
from bnet.ports.machine import Clock, Notes, Runs
from bnet.rules import rollup
from bnet.rules.keeping import kept_now, pinned
from bnet.rules.leases import Observed
from bnet.rules.pace import beat_due, progress_due
from bnet.rules.presence import returns, silent_after
from bnet.rules.sampling import told as levels
from bnet.rules.transaction import Transaction


class Outgoing:
    """What a server sends of itself beside one decision."""

    def __init__(self, ledger: Ledger, runs: Runs, notes: Notes, clock: Clock) -> None:
        """Keep the parts; `Node` has one for all its syncs."""
        self._ledger = ledger
        self._runs = runs
        self._notes = notes
        self._clock = clock

    def beat(self, tx: Transaction, here: Here, sent: Sent, observed: Observed) -> Beat | None:
        """Return the commit, where there is something to say or a beat is due.

        What will have been sent is noted as pending before anything is pushed, so that whatever becomes of the
        push, the next sync knows the commit for its own.
        """
        now, settings = self._clock.now(), self._ledger.state.settings
        draft = Draft(sent)
        for fact in here.runs.values():
            left = here.left.get(fact.intent.run)
            draft.add_run(fact, self._runs, now, {} if left is None else left.papers)
            if not was_reported(tx.jobs.get(fact.intent.job), fact):
                draft.add_late(fact)
        told = tx.changes or draft.ended or (draft.files and progress_due(settings, observed)) or self._news()
        if not told and not beat_due(settings, observed, here.runs.values()):
            return None
        stay, gone = _listed(tx, here.me.name)
        draft.prune(now, stay=stay, gone=gone, pinned=pinned(tx))
        days = rollup.untold(self._notes.rolled())
        if days:
            draft.add_hours(days, rollup.past(self._days(sent.tip), now))
        commit, anew = draft.commit(self._heartbeat(tx, here, self._last(sent.tip)), now)
        oid = self._ledger.hub.write([commit])[0]
        pending = draft.landed(oid, anew, now)
        self._notes.keep_sent(replace(sent, written=pending.written, pending=pending))
        ref = self._ledger.hub.telemetry_ref(here.me.name)
        return Beat(here.me.name, Update(ref, sent.tip, oid))

    def note(self, landed: Landed, observed: Observed) -> Observed:
        """Write down what is known to be on the hub."""
        sent = self._notes.sent()
        if landed.beat_since is None or sent.pending is None:
            return observed
        known = self._notes.rolled()
        if rollup.untold(known):
            self._notes.keep_rolled(rollup.told(known))
        if self._news():
            sampled = self._notes.sampled()
            self._notes.keep_sampled(replace(sampled, told=self._levels(sampled)))
        self._notes.keep_sent(replace(sent.pending, written=sent.written))
        return replace(observed, beat_at=landed.beat_since)

    def _days(self, tip: str) -> list[str]:
        """Return the files of days that are on the ref; a private copy that lacks them has them another time."""
        try:
            return self._ledger.hub.names(tip, rollup.FOLDER) if tip else []
        except Damaged:
            return []

    def _news(self) -> bool:
        """Tell whether a figure of this machine has come to a threshold, or left it, and nobody was told."""
        sampled = self._notes.sampled()
        return self._levels(sampled) != sampled.told

    def _levels(self, sampled: Sampled) -> tuple[str, ...]:
        return levels(sampled, self._ledger.state.monitoring)

    def _last(self, tip: str) -> Heartbeat | None:
        """Return this server's heartbeat on the hub; None if there is none, or the private copy lacks it."""
        try:
            data = self._ledger.hub.read(tip, [HEARTBEAT]).get(HEARTBEAT) if tip else None
            return None if data is None else decode(Heartbeat, data)
        except (Damaged, Unreadable):
            return None

    def _heartbeat(self, tx: Transaction, here: Here, before: Heartbeat | None) -> Heartbeat:
        name, state, boot_id = here.me.name, self._ledger.state, self._clock.boot_id()
        mine = [job for job in tx.jobs.values() if job.claim is not None and job.claim.server == name]
        return Heartbeat(
            server=name,
            instance=here.me.instance,
            at=tx.now,
            boot_id=boot_id,
            nonce=uuid.UUID(int=self._ledger.chance.getrandbits(128)).hex,
            version=__version__,
            slots=here.me.slots,
            runs=tuple(_held(job, tx, here) for job in mine if job.result is None),
            metrics=self._notes.measure(),
            samples=self._notes.sampled().samples,
            returns=returns(
                before,
                tx.now,
                boot_id,
                lambda holds: silent_after(state.settings, len(state.servers), holds=holds),
            ),
        )


def _listed(tx: Transaction, server: str) -> tuple[set[str], set[str]]:
    """Return which of a server's runs have artifacts that are kept, and which had some that were given up."""
    stay, gone = set[str](), set[str]()
    for kept in kept_now(tx).values():
        keys = (f"{kept.job}.{run.attempt}" for run in kept.runs if run.server == server)
        (stay if kept.gone is None else gone).update(keys)
    return stay, gone


def was_reported(job: Job | None, fact: RunFact) -> bool:
    """Tell whether the ledger has the end of a run, or still waits for it."""
    if job is None:
        return False
    held = job.claim is not None and job.claim.run == fact.intent.run
    return held or any(attempt.run == fact.intent.run for attempt in job.attempts)


def _held(job: Job, tx: Transaction, here: Here) -> Held:
    assert job.claim is not None
    fact = here.runs.get(job.claim.run)
    return Held(
        job=job.number,
        attempt=job.claim.attempt,
        run=job.claim.run,
        phase="starting" if fact is None else fact.step or fact.phase,
        seconds=round((tx.now - job.claim.claimed_at).total_seconds(), 1),
    )
