"""What must hold, looked at after every step; whatever does not is written down."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise
from typing import TYPE_CHECKING

import firings
from askers import LIMITS, TTL, UNSEEN
from linear import Operation, disorder

from bnet.app.audit import Replay
from bnet.app.locks.hold import HOLDS
from bnet.codec import layout
from bnet.memory import MemoryHub
from bnet.model.run import Intent
from bnet.model.state import State

if TYPE_CHECKING:
    from askers import Work
    from computer import Computer, Supervisor
    from world import World

SETTLING = 150.0  # seconds after which no consequence of a fault is left
SLACK = 0.95  # clocks differ by two in a hundred
LEASE = (
    45.0 / 3
)  # seconds: a third of the shortest TTL that anybody sets, whether or not it holds anything then
UNDERWAY = 1.0  # seconds at most that a push takes to arrive, when all is well


class Witness:
    """Sees every move of the ledger and every run on every machine, whatever the machines know of it.

    Attributes:
        blames: what did not hold.
        checks: how often something was looked at.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.blames: list[str] = []
        self.checks: Counter[str] = Counter()
        self.rewound = False
        self.calm_since: float | None = None
        self.copied: set[str] = set()  # servers that are there twice: of these, one promise less is given
        self.operations: list[Operation] = []
        self._hub = MemoryHub(world.repository)
        self._replay = Replay(self._hub)
        self._tip = ""
        self._landed: dict[str, str] = {}
        self._started: Counter[str] = Counter()
        self._running: dict[int, list[Supervisor]] = defaultdict(list)
        self._numbers: set[int] = set()
        self._beats: dict[str, list[tuple[str, float]]] = {}
        self._spoke: dict[str, tuple[float, int]] = {}
        self._pushed: dict[str, float] = {}
        self._landed_at: dict[str, float] = {}
        self._expired: set[str] = set()
        self._cancels: dict[int, int] = {}
        self._inside: dict[str, list[Work]] = defaultdict(list)

    def blame(self, text: str) -> None:
        """Write down that something did not hold."""
        self.blames.append(f"{self.world.now:8.1f} s  {text}")

    # -- the ledger

    def accepted(self, host: str, known: str, tip: str) -> None:
        """A machine takes a commit for the ledger's tip: what it knew has to be in it, unless a person agreed."""
        self.checks["tips accepted"] += 1
        if known and not self._hub.contains(tip, known) and self._epoch(tip) <= self._epoch(known):
            self.blame(f"{host} accepts {tip[:8]}, which lacks {known[:8]} that it knew")

    def _epoch(self, tip: str) -> int:
        return int(json.loads(self.world.repository.trees[tip].get(layout.HEAD, b"{}")).get("epoch", 0))

    @property
    def state(self) -> State:
        """What the newest transaction says."""
        return self._replay.state

    def moved(self, tip: str, *, by_push: bool = True) -> None:
        """Look at each new transaction: it has to follow by the rules from what was there."""
        new = self._since(tip)
        if new is None and by_push:
            self.blame(f"a push took the ledger from {self._tip[:8]} to {tip[:8]}, which does not follow it")
        if new is None:
            self.rewound = True
            self._replay = Replay(self._hub)
            self._cancels.clear()  # what was asked for may be lost with the rest; all is looked at again
            new = self.world.line(tip)
        self._tip = tip
        for oid in new:
            each = self.world.repository.recorded[oid]
            if each is None:
                continue
            newest = self._hub.newest_transaction(oid)
            if newest is None or newest.commit != oid:
                continue  # an older one that somebody quotes
            self.checks["transactions"] += 1
            before = self._replay.state
            for fault in self._replay.step(each):
                if not self.rewound:
                    self.blame(f"{oid[:8]} by {each.stamp.actor}: {fault.target} {fault.text}")
            for text in () if self.rewound else firings.faults(before, self._replay.state, each.ops):
                self.blame(f"{oid[:8]} by {each.stamp.actor}: {text}")
            self.checks["firings"] += sum(op.startswith("fire ") for op in each.ops)
            self._note_claims(each.ops)
            self._check_shared(self._replay.state)
            self._check_expiry(self._replay.state, each.stamp.actor)

    def beat(self, ref: str, commit: str) -> None:
        """A server's telemetry is now this commit."""
        beats = self._beats.setdefault(ref, [])
        if not beats or beats[-1][0] != commit:
            beats.append((commit, self.world.now))

    def speaks(self, heartbeat: str) -> None:
        """A machine begins to push a heartbeat, for the first time or once more."""
        self._pushed.setdefault(heartbeat, self.world.now)

    def spoke(self, computer: Computer, heartbeat: str) -> None:
        """A machine's own push landed with its heartbeat: not before its turn in the budget, or a lease's."""
        settings, servers = self.state.settings, len(self.state.servers)
        before, fewest = self._spoke.get(computer.host, (-SETTLING, servers))
        # Its next turn counts from the first push that may have brought it: the machine knows no better.
        self._spoke[computer.host] = self._pushed[heartbeat], servers
        if settings.push_budget is None or self.calm_since is None or before < self.calm_since + SETTLING:
            return
        self.checks["turns in the budget"] += 1
        turn = 60.0 * min(fewest, servers) / settings.push_budget
        least = min(turn, LEASE, settings.intervals.idle_heartbeat) * SLACK - UNDERWAY
        if self.world.now - before < least:
            self.blame(f"{computer.host} pushes after {self.world.now - before:.1f} s, not {least:.1f} s")

    def _check_shared(self, state: State) -> None:
        """See that what excludes each other does not run at one time, counted by other means than the rules'."""
        running = [job for job in state.jobs.values() if job.claim is not None and job.result is None]
        held = Counter(name for job in running for name in job.spec.locks)
        held.update({name: len(lock.holders) for name, lock in state.locks.items()})
        if any(count > LIMITS.get(name, 1) for name, count in held.items()):
            self.blame(f"a lock is held more often than it may: {dict(held)}")
        for job in running:
            group = job.spec.group
            same = [each for each in running if each.spec.group is not None and group is not None]
            together = [
                each for each in same if each.spec.group and group and each.spec.group.name == group.name
            ]
            widest = max((each.spec.group.limit for each in together if each.spec.group), default=0)
            if len(together) > widest:
                self.blame(
                    f"{len(together)} of group {group.name if group else ''} run, at most {widest} may"
                )
            cancelled = job.wanted.cancel
            if (
                cancelled is not None
                and job.claim is not None
                and job.claim.token > self._cancelled_at(job.number)
            ):
                self.blame(f"#{job.number} was cancelled, and is claimed again")

    def _cancelled_at(self, number: int) -> int:
        """Return the number of the transaction since which a job is known to be cancelled."""
        return self._cancels.setdefault(number, self._replay.state.head.seq)

    def _check_expiry(self, state: State, actor: str) -> None:
        """See that whose claim ended unseen had not moved for as long as that was honoured, to the eye of the hub."""
        for job in state.jobs.values():
            if not job.attempts or job.attempts[-1].run in self._expired:
                continue
            last = job.attempts[-1]
            self._expired.add(last.run)
            if last.reason != "lost" or "was not seen to move" not in (last.message or ""):
                continue
            self.checks["expiries"] += 1
            # It was decided on a look that may be some time ago, so any gap that is long enough will do.
            beats = [] if actor == last.server else self._beats.get(self._hub.telemetry_ref(last.server), [])
            landed = self._landed_at.get(last.run, 0.0)
            moves = [landed, *(at for _, at in beats if at > landed), self.world.now]
            longest = max(later - sooner for sooner, later in pairwise(moves))
            ttl = float((last.message or "").rsplit(" ", 2)[1])
            if longest < ttl * SLACK and not self.rewound:
                self.blame(
                    f"#{job.number} was taken from {last.server}, never unmoved for over {longest:.0f} s"
                )

    def _since(self, tip: str) -> list[str] | None:
        new, at = [], tip
        while at and at != self._tip:
            new.append(at)
            at = self.world.repository.commits[at].parent or ""
        return new[::-1] if at == self._tip else None

    def _note_claims(self, ops: Iterable[str]) -> None:
        for op in ops:
            words = op.split(" ")
            if words[0] == "claim":
                fields = dict(word.split("=", 1) for word in words[2:] if "=" in word)
                self._landed[fields["run"]] = fields["server"]
                self._landed_at[fields["run"]] = self.world.now
            elif words[0] in ("ask", "lock"):
                self._landed_at[dict(word.split("=", 1) for word in words[2:] if "=" in word)["id"]] = (
                    self.world.now
                )
            elif words[0] == "expire":
                self._check_stake(dict(word.split("=", 1) for word in words[2:] if "=" in word)["id"])
            elif words[0] == "submit" and not self.rewound:
                number = int(words[1])
                if number in self._numbers:
                    self.blame(f"#{number} was given out twice")
                self._numbers.add(number)

    def check_order(self) -> None:
        """See that what everybody did with the ledger is in one order."""
        self.checks["operations"] += len(self.operations)
        if not self.rewound:
            for text in disorder(self.operations)[:3]:
                self.blame(text)

    def check_starts(self) -> None:
        """See that a claim that landed when all was well again was also started."""
        for run, at in self._landed_at.items():
            if self.calm_since is not None and at > self.calm_since + SETTLING and run not in self._started:
                job = next(
                    (job for job in self.state.jobs.values() if job.result and job.result.run == run), None
                )
                if job is not None and job.wanted.cancel is None:
                    self.blame(f"#{job.number} was claimed when all was well, and run {run[:8]} never began")

    # -- named locks

    def entered(self, work: Work) -> None:
        """A command begins under a lock."""
        self.checks["holdings"] += 1
        others = self._inside[work.hold.name]
        if len(others) >= LIMITS[work.hold.name] and not self.rewound:
            told = ", ".join(each.asker.computer.host for each in others)
            self.blame(f"{work.asker.computer.host} is under lock {work.hold.name} beside {told}")
        others.append(work)

    def works(self, work: Work) -> None:
        """See that a command does not go on after its holder was unseen for longer than it may be."""
        moves = [at for _, at in self._beats.get(self._ref(work.hold.id), [])]
        unseen = self.world.now - max([self._landed_at.get(work.hold.id, 0.0), *moves])
        if unseen > UNSEEN and not self.rewound:
            self.blame(
                f"{work.asker.computer.host} goes on under lock {work.hold.name}, unseen for {unseen:.0f} s"
            )

    def left(self, work: Work) -> None:
        """Nothing is left of it."""
        self._inside[work.hold.name].remove(work)

    def _check_stake(self, stake: str) -> None:
        """See that one who was taken out of a lock or its row had not moved for its time, to the eye of the hub."""
        self.checks["locks expired"] += 1
        begun = self._landed_at.get(stake, 0.0)
        moves = [
            begun,
            *(at for _, at in self._beats.get(self._ref(stake), []) if at > begun),
            self.world.now,
        ]
        longest = max(later - sooner for sooner, later in pairwise(moves))
        if longest < TTL * SLACK and not self.rewound:
            self.blame(f"somebody was taken out of a lock, never unmoved for over {longest:.0f} s")

    def _ref(self, stake: str) -> str:
        return self._hub.telemetry_ref(f"{HOLDS}{stake[:16]}")

    # -- the runs

    def began(self, run: Supervisor, intent: Intent) -> None:
        """A command begins to run."""
        self.checks["runs"] += 1
        self._started[intent.run] += 1
        where = f"#{intent.job} attempt {intent.attempt} on {run.computer.host}"
        if intent.run not in self._landed and not self.rewound:
            self.blame(f"{where} runs without a claim that landed")
        others = self._running[intent.job]
        copied = self.copied & {each.computer.name for each in (run, *others)}
        if self._started[intent.run] > 1 and not copied:
            self.blame(f"{where} was started {self._started[intent.run]} times")
        watched = [each for each in others if not each.orphaned]
        if watched and intent.on_lost_lease == "stop" and not self.rewound and not copied:
            told = ", ".join(f"{each.place.name} on {each.computer.host}" for each in watched)
            self.blame(f"{where} begins while {told} goes on, and may not")
        others.append(run)

    def ended(self, run: Supervisor) -> None:
        """All processes of a run are gone."""
        for listed in self._running.values():
            if run in listed:
                listed.remove(run)

    def running(self, number: int) -> list[Supervisor]:
        """Return the runs of a job that go on now."""
        return self._running[number]
