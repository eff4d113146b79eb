"""One sync of one server: look, collect, observe, decide, push once, act on what landed."""

import uuid
from collections.abc import Callable, Mapping
from pathlib import PurePath

import msgspec
from msgspec.structs import replace

from bnet.app.ledger import Landed, Ledger
from bnet.app.lookup import Lookup
from bnet.app.messages.post import Post
from bnet.app.server.decide import Here, decide, readable_commands
from bnet.app.server.intent import Builder, intent_of
from bnet.app.server.left import left_by
from bnet.app.server.others import doubting, presences, rivals_of
from bnet.app.server.outgoing import Outgoing, was_reported
from bnet.app.server.standing import Telemetry, alone_after, check_registration, registration
from bnet.app.server.watch import watch, watched
from bnet.model.job import Job
from bnet.model.run import Intent, RunFact
from bnet.model.server import Identity
from bnet.model.state import State
from bnet.ports.hub import Look
from bnet.ports.machine import Clock, Notes, Runs
from bnet.rules import rollup, sampling
from bnet.rules.agenda import Agenda
from bnet.rules.clocks import trusted
from bnet.rules.deployments import pinned_snapshots
from bnet.rules.firing import fired_submissions, next_due
from bnet.rules.leases import GRACE_SHARE, HOLDER_SHARE, Observed, lapsed
from bnet.rules.pace import wait_for_turn
from bnet.rules.specs import Facts
from bnet.rules.transaction import Transaction
from bnet.schedule.durations import Durations
from bnet.schedule.rivals import Rivals

MINUTE = 60.0  # seconds between two syncs of cron

EARLY = 5.0  # seconds before a firing from which on a sync looks itself: clocks are slewed meanwhile


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a sync did, for the log and for an agent's decisions."""

    commit: str | None
    beat: bool
    unheard: str
    subject: str
    started: int
    wait_s: float
    held: int
    waiting: int
    draining: bool

    def lines(self) -> list[str]:
        """Return what there is to say of it, for a log or a terminal."""
        said = [self.subject] if self.subject else []
        if self.unheard:
            said.append(
                f"the hub refuses the push of this server's heartbeat: {self.unheard}; its claims run out without it"
            )
        return said


class Node:
    """A server, as far as it takes part in the network."""

    def __init__(
        self,
        identity: Identity,
        ledger: Ledger,
        runs: Runs,
        notes: Notes,
        clock: Clock,
        lookup: Lookup,
        digest: Callable[[bytes], str],
        workspaces: PurePath,
        builder: Builder,
        post: Post | None = None,
        known: Callable[[State], Durations] = lambda state: Durations(),
    ) -> None:
        """Keep the parts.

        Args:
            identity: who this server is.
            ledger: its hold of the ledger.
            runs: the runs on this machine.
            notes: what it writes down between two syncs.
            clock: its clock.
            lookup: finds what commands refer to and the snapshot does not hold.
            digest: of an artifact's content, in hex.
            workspaces: where run directories are, for sandboxes.
            builder: how packages are built here.
            post: the messages on the hub; without it, this server leaves them to others.
            known: tells how long jobs took.
        """
        self.identity = identity
        self.ledger = ledger
        self.runs = runs
        self.notes = notes
        self.clock = clock
        self.lookup = lookup
        self.digest = digest
        self.workspaces = workspaces
        self.builder = builder
        self.agenda = Agenda()
        self.post = post
        self.known = known
        self._run_ids: dict[tuple[int, int], str] = {}
        self._wait_s = 0.0
        self._telemetry = Telemetry(identity, ledger.hub, notes, clock)
        self._outgoing = Outgoing(ledger, runs, notes, clock)

    def cycle(self, *, most: int | None = None, claim: bool = True, looks_again_s: float = MINUTE) -> Report:
        """Do one sync.

        Args:
            most: how many jobs may be claimed at most.
            claim: whether any may.
            looks_again_s: seconds until the next one.

        Raises:
            HubUnreachable: nothing was decided; what runs goes on, what ended waits.
            Taken: this server was replaced, removed or cloned; nothing was touched.
            BnetError: what `Ledger.refresh` and `Ledger.transact` raise.
        """
        self.runs.collect()  # what a dead supervisor left running is ended, however long the hub takes to answer
        look = self.ledger.refresh()
        state, me = self.ledger.state, self.identity
        check_registration(me, state.servers)
        sent = self._telemetry.sent(look, alone_after(state))
        facts = {fact.intent.run: fact for fact in self.runs.collect()}
        leases = [*watched(self.ledger, facts), *presences(state, me.name)]
        observed = watch(self.notes.observed(), look, me.name, leases, self.ledger, self.clock)
        self._sample(state, sum(fact.phase == "alive" for fact in facts.values()))
        landed, wait_s = None, wait_for_turn(state.settings, len(state.servers), observed, facts.values())
        self._wait_s = wait_s
        if not wait_s:
            rivals = self._rivals(observed, look, looks_again_s)
            here = replace(self._here(facts, observed, most if claim else 0), rivals=rivals)
            landed = self.ledger.transact(
                lambda tx: decide(tx, self._told(here, tx)),
                beat_for=lambda tx: self._outgoing.beat(tx, here, sent, observed),
                prepare=self._intend,
            )
            observed = doubting(observed, landed.tx, _claimed(landed.tx), me.name, rivals, look)
        self.notes.keep_observed(observed if landed is None else self._outgoing.note(landed, observed))
        started = self._act(facts, landed)
        return self._report(landed, started, wait_s)

    # -- what is so

    def _sample(self, state: State, runs: int) -> None:
        """Take a sample of this machine's figures, where it is time and there are any."""
        before, boot_id, now_s = self.notes.sampled(), self.clock.boot_id(), self.clock.boot()
        figures = self.notes.measure() if sampling.due(before, boot_id, now_s) else {}
        if not figures:
            return
        disks = self.notes.disks(sorted(state.monitoring.disks))
        taken = sampling.sampled(
            before,
            figures,
            disks.full,
            at=self.clock.now(),
            boot_id=boot_id,
            now_s=now_s,
            silent=disks.silent,
            runs=runs,
        )
        hour, ended = rollup.added(before.hour, taken.samples[-1])
        if ended is not None:
            self.notes.keep_rolled(rollup.rolled(self.notes.rolled(), ended))
        self.notes.keep_sampled(replace(taken, hour=hour))

    def _here(self, facts: Mapping[str, RunFact], observed: Observed, most: int | None) -> Here:
        ended = [fact for fact in facts.values() if fact.phase == "ended"]
        return Here(
            me=registration(self.identity, self.clock.now()),
            runs=facts,
            left={fact.intent.run: left_by(fact, self.runs, self.digest) for fact in ended},
            lapsed=frozenset(lapsed(observed, watched(self.ledger, facts))),
            facts=Facts(),
            trust_clock=trusted(observed.skews, self.clock.now(), self.clock.boot()),
            most=most,
            run_of=self._run_of,
            agenda=self.agenda,
        )

    def _rivals(self, observed: Observed, look: Look, looks_again_s: float) -> Rivals | None:
        """Return what is known of the others, where there is anything to choose and anyone to leave it to."""
        state = self.ledger.state
        if len(state.servers) < 2 or all(job.state != "pending" for job in state.jobs.values()):
            return None
        return rivals_of(state, self.identity.name, observed, look, self.known(state), looks_again_s)

    def _told(self, here: Here, tx: Transaction) -> Here:
        """Add what the commands of a snapshot need to be looked up: each try may find others in the inbox."""
        commands = readable_commands(tx.state.inbox)
        if here.trust_clock:
            commands += fired_submissions(tx.state, self.agenda, tx.now)
        if self.post is not None:
            here = replace(
                here, mail=self.post.mail(tx.state, self.clock.now(), trust_clock=here.trust_clock)
            )
            commands += [each for news in here.mail.news for each in news.commands]
        return replace(here, facts=self.lookup(tx.state, commands)) if commands else here

    def _run_of(self, number: int, attempt: int) -> str:
        key = (number, attempt)
        if key not in self._run_ids:
            self._run_ids[key] = str(uuid.UUID(int=self.ledger.chance.getrandbits(128), version=4))
        return self._run_ids[key]

    # -- what is said

    def snapshots_named(self) -> set[str]:
        """Return the snapshots of working trees that open jobs will run in, or that environments may go back to."""
        sources = (job.spec.source for job in self.ledger.state.jobs.values() if job.result is None)
        open_ones = {each.snapshot for each in sources if each is not None and each.snapshot is not None}
        return open_ones | pinned_snapshots(self.ledger.state)

    def idle_for(self) -> float | None:
        """Return for how many seconds nothing is due here as long as the hub does not move; None if something is.

        That needs a network at rest: what is open has leases to watch, times to keep, or our own work in it.
        """
        state, observed = self.ledger.state, self.notes.observed()
        finished = [job.result.finished_at for job in state.jobs.values() if job.result is not None]
        busy = state.inbox or state.locks or state.restore or self._wait_s or self.runs.collect()
        if busy or len(finished) < len(state.jobs):
            return None
        if observed.beat_at is None or observed.boot_id != self.clock.boot_id():
            return None
        due = next_due(state, self.agenda)
        if due is None:
            return None
        now = self.clock.now()
        firing = due - now.timestamp() - EARLY
        beat = observed.beat_at + state.settings.intervals.idle_heartbeat - self.clock.boot()
        oldest = min(finished, default=now)
        archive = state.settings.retention.finished - (now - oldest).total_seconds()
        mail = beat if self.post is None else self.post.rests(state, now)
        sampled = self.notes.sampled()
        sample = sampling.rest_s(sampled, state.monitoring, self.clock.boot()) if sampled.samples else beat
        return None if mail is None else max(0.0, min(beat, archive, firing, mail, sample))

    def _intend(self, tx: Transaction) -> None:
        intents = [
            intent_of(
                job,
                self.identity.hub,
                str(self.workspaces / _key(job) / "workspace"),
                self.builder,
                tx.state.head.hub,
                tx.state.settings.store,
            )
            for job in _claimed(tx)
        ]
        self.runs.intend(intents)
        for intent in intents:
            self._renew(intent, self.clock.boot())

    # -- what is done

    def _act(self, facts: Mapping[str, RunFact], landed: Landed | None) -> int:
        """Do what follows from the ledger as it is now, whatever was wished."""
        beaten = None if landed is None else landed.beat_since
        jobs = self.ledger.state.jobs
        # A run is done with once the hub has its end and its whole log, which may land in different pushes.
        delivered = {key for key, log in self.notes.sent().runs.items() if log.complete}
        claimed = [] if landed is None or landed.commit is None else _claimed(landed.tx)
        # Where a killed sync has left an intent for a claim that never landed, its directory is by now that
        # of the new claim: what was found there may not be done to it.
        taken_over = {_key(job) for job in claimed}
        for fact in [fact for fact in facts.values() if fact.key not in taken_over]:
            job = jobs.get(fact.intent.job)
            held = job is not None and job.claim is not None and job.claim.run == fact.intent.run
            if held and beaten is not None:
                self._renew(fact.intent, beaten)
            if fact.phase in ("intended", "alive"):
                self._act_on(fact, job, held)
            elif not held and fact.key in delivered:
                self.runs.settle(fact.key, "reported" if was_reported(job, fact) else "superseded")
        if landed is None or landed.commit is None:
            return 0
        self._run_ids.clear()
        return sum(self._start(_key(job), job.claim.run) for job in claimed if job.claim)

    def _act_on(self, fact: RunFact, job: Job | None, held: bool) -> None:
        if fact.phase == "intended":
            if held:
                self._start(fact.key, fact.intent.run)
            else:
                self.runs.forget(fact.key)
        elif fact.phase == "alive":
            cancel = None if job is None else job.wanted.cancel
            if cancel is not None:
                self.runs.stop(fact.key, "cancel", cancel.reason)
            elif not held and fact.intent.on_lost_lease == "stop":
                self.runs.stop(fact.key, "lease", "the claim is not held any more")

    def _start(self, key: str, run: str) -> bool:
        """Start a run, unless the answer to its claim came too late to begin on the strength of it."""
        if not self.runs.holds(key):
            return False
        self.runs.start(key, run)
        return True

    def _renew(self, intent: Intent, since: float) -> None:
        """Extend a lease from before a push that was accepted; one of a `stop` job that ran out stays so."""
        self.runs.renew(
            f"{intent.job}.{intent.attempt}",
            since + intent.ttl_s * HOLDER_SHARE,
            intent.ttl_s * GRACE_SHARE,
            revive=intent.on_lost_lease == "finish",
        )

    def _report(self, landed: Landed | None, started: int, wait_s: float) -> Report:
        state = self.ledger.state
        me = state.servers.get(self.identity.name)
        held = sum(
            job.claim is not None and job.result is None and job.claim.server == self.identity.name
            for job in state.jobs.values()
        )
        said = landed is not None and landed.commit is not None
        return Report(
            commit=landed.commit if landed is not None else None,
            beat=landed is not None and landed.beat_since is not None,
            unheard=landed.unheard if landed is not None else "",
            subject=landed.tx.message(self.identity.name, "").partition("\n")[0] if said and landed else "",
            started=started,
            wait_s=wait_s,
            held=held,
            waiting=sum(job.state == "pending" for job in state.jobs.values()),
            draining=me is not None and me.wanted == "draining",
        )


def _key(job: Job) -> str:
    assert job.claim is not None
    return f"{job.number}.{job.claim.attempt}"


def _claimed(tx: Transaction) -> list[Job]:
    return [job for change in tx.changes if change.verb == "claim" for job in change.jobs]
