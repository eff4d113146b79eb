"""A whole network in one process, for one schedule: the seed says all that happens in it."""

from __future__ import annotations

import contextlib
import functools
import os
import random
import shutil
import tempfile
import traceback
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import correspondents
import firings
import weather
from askers import LIMITS, Asker
from computer import NOON, Computer, Processes, Supervisor
from people import HUB, WHO, Person, by_hand, commit_by_hand
from scheduler import Actor, Scheduler
from weather import Injected, Weather
from wire import Wire
from witness import Witness

import bnet.host.runs
from bnet.app.hub.adopt import adopt, survey
from bnet.app.hub.join import Application, join
from bnet.app.hub.leave import remove
from bnet.app.ledger import Diverged, Ledger
from bnet.app.lookup import all_archived
from bnet.app.server.cycle import Report
from bnet.app.server.standing import registration
from bnet.codec import kinds, layout, view
from bnet.codec.documents import encode
from bnet.errors import BnetError
from bnet.memory import MemoryHub, Repository
from bnet.model.hub import FORMAT, Head
from bnet.model.run import Intent
from bnet.model.server import Identity
from bnet.ports.hub import Commit, Update
from bnet.rules import servers
from bnet.rules.transaction import Transaction

TTL = 60.0
STORM = 400.0  # seconds in which things go wrong
BOUND = 40 * TTL  # seconds after that in which every job has to end
TROUBLE_EVERY = 12.0
LOOK_EVERY = 10.0


class Outcome(NamedTuple):
    """What one schedule came to.

    Attributes:
        seed: of the schedule.
        blames: what did not hold; empty, if all is well.
        injected: the faults, in order.
        checks: how often each thing was looked at.
        jobs: how many there were; pushes: how many reached the hub; seconds: that passed in the simulation.
    """

    seed: int | str
    blames: list[str]
    injected: list[Injected]
    checks: Counter[str]
    jobs: int
    pushes: int
    seconds: float


class World:
    """One network."""

    def __init__(self, seed: int | str, top: Path, weather: Weather, budget: str = "") -> None:
        self.seed = seed
        self.chance = random.Random(f"world {seed}")
        self.weather = weather
        self.scheduler = Scheduler(random.Random(f"turns {seed}"))
        self.repository = Repository()
        self.ledger_ref = MemoryHub(self.repository).ledger_ref
        self.away = False
        self.budget = budget
        self.pushes = 0
        self.faults: Counter[str] = Counter()
        self._top = top
        self._owners: dict[Actor, Computer] = {}
        self._backups: list[dict[str, str]] = []
        self._diverged: Computer | None = None
        self._adopted = False
        self._over = False
        self._found()
        self.witness = Witness(self)
        self.witness.moved(self.tip())
        self.servers: list[Computer] = []
        laptops = [Computer(self, f"p{number}", None, top / f"p{number}") for number in (1, 2)]
        self.people = [Person(self, laptop, self.chance.randint(2, 6)) for laptop in laptops]
        agents = [Computer(self, f"a{number}", None, top / f"a{number}") for number in (1, 2, 3)]
        self.askers = [Asker(self, agent) for agent in agents]

    @property
    def now(self) -> float:
        """Seconds of simulated time."""
        return self.scheduler.now

    # -- beginnings

    def _found(self) -> None:
        head = Head(format=FORMAT, hub=str(uuid.UUID(int=1)))
        files = {layout.HEAD: encode(head), layout.SETTINGS: self.settings(f"ttl: {TTL:g}\n").encode()}
        files[firings.PATH] = firings.TABLE.encode()
        files[layout.REPLIES] = correspondents.RULES
        trailers = "Bnet-Seq: 0\nBnet-Next-Job: 1\nBnet-Nonce: 0\n"
        first = Commit(parent=None, files=files, message=f"bnet: init\n\n{trailers}", author="bnet", at=NOON)
        self.repository.refs[self.ledger_ref] = self.repository.put(first)

    def settings(self, text: str) -> str:
        """Return what `hub.yaml` says, with a line of its own."""
        locks = ", ".join(f"{name}: {{limit: {limit}}}" for name, limit in LIMITS.items())
        return f"{text}{self.budget}intervals: {{idle_heartbeat: 40}}\nlocks: {{{locks}}}\n"

    def add_server(self, name: str, slots: int) -> Computer:
        """Let a machine join, and its cron begin."""
        instance = str(uuid.UUID(int=self.chance.getrandbits(128)))
        identity = Identity(hub=HUB, branch="bnet", name=name, instance=instance, slots=slots)
        me = registration(identity, NOON)

        def enter(tx: Transaction) -> None:
            tx.apply(servers.register(me, tx.servers.get(name)))

        hub = MemoryHub(self.repository)
        ledger = Ledger(hub, Still(), name, random.Random(name))
        ledger.refresh()
        ledger.transact(enter)
        self.witness.moved(self.tip())
        self.servers.append(Computer(self, name, identity, self._top / name))
        self.servers[-1].begin()
        return self.servers[-1]

    # -- what machines ask of the world

    def start(
        self, owner: Computer, work: Callable[[], None], ended: Callable[[BaseException | None], None]
    ) -> Actor:
        """Begin a process on a machine."""

        def over(error: BaseException | None) -> None:
            self._owners.pop(actor, None)
            ended(error)

        actor = self.scheduler.start(work, over)
        self._owners[actor] = owner
        return actor

    def here(self) -> Computer | None:
        """Return the machine whose process runs now."""
        running = self.scheduler.running
        return None if running is None else self._owners.get(running)

    def take(self, updates: Sequence[Update], who: str) -> str | None:
        """Let a push arrive at the hub."""
        self.pushes += 1
        before = self.tip()
        said = MemoryHub(self.repository).push(updates)
        for each in updates:
            if each.ref != self.ledger_ref and self.repository.refs.get(each.ref) == each.new:
                self.witness.beat(each.ref, each.new)
        if self.tip() != before:
            self.witness.moved(self.tip())
        return said

    def tip(self) -> str:
        """Return the ledger's tip."""
        return self.repository.refs.get(self.ledger_ref, "")

    def line(self, tip: str) -> list[str]:
        """Return the commits up to one, oldest first."""
        found, at = [], tip
        while at:
            found.append(at)
            at = self.repository.commits[at].parent or ""
        return found[::-1]

    def numbers(self) -> set[int]:
        """Return the numbers of the jobs that the ledger holds."""
        parts = (layout.job_part(path) for path in self.repository.trees[self.tip()])
        return {part[0] for part in parts if part is not None and part[1] == "job"}

    def length_of(self, intent: Intent) -> float:
        """Return for how many seconds an attempt works."""
        return random.Random(f"{self.seed} {intent.job} {intent.attempt}").choice(
            (0.5, 5.0, 20.0, 60.0, 150.0, 250.0)
        )

    def told(self, computer: Computer, report: Report) -> None:
        """A sync went well."""
        self.witness.checks["syncs"] += 1

    def excused(self, computer: Computer, error: BnetError) -> None:
        """A command ended with an error for people: it may, as long as things go wrong."""
        self.faults[type(error).__name__] += 1
        if isinstance(error, Diverged):
            self._diverged = computer

    def refused(self, text: str) -> None:
        """A submission was refused: right only where the job that it needs went away with a part of the ledger."""
        if not self.witness.rewound:
            self.blame(text)

    def blame(self, text: str, error: BaseException | None = None) -> None:
        """Something happened that never may."""
        where = "" if error is None else "\n" + "".join(traceback.format_exception(error)[-6:])
        self.witness.blame(text + where)

    def began(self, run: Supervisor, intent: Intent) -> None:
        """A run begins."""
        self.witness.began(run, intent)

    def ended(self, run: Supervisor) -> None:
        """A run is gone."""
        self.witness.ended(run)

    # -- the story

    def play(self, storm: float) -> Outcome:
        """Let things go wrong for so many seconds, then let them settle, and look at what came of it."""
        for number in range(1, self.chance.randint(2, 4) + 1):
            self.add_server(f"s{number}", self.chance.randint(1, 3))
        for each in (*self.people, *self.askers):
            each.begin()
        self.scheduler.at(5.0, self._trouble)
        self.scheduler.run(storm)
        self._heal()
        self.scheduler.at(LOOK_EVERY, self._look_whether_it_is_over)
        self.scheduler.run(self.now + BOUND, lambda: self._over)
        self._judge()
        jobs = self.numbers()
        return Outcome(
            self.seed,
            self.witness.blames,
            self.weather.injected,
            self.witness.checks,
            len(jobs),
            self.pushes,
            self.now,
        )

    def _trouble(self) -> None:
        if self.weather.calm:
            return
        self.scheduler.at(self.chance.uniform(0, 2 * TROUBLE_EVERY), self._trouble)
        self._backups.append(dict(self.repository.refs))
        victim = self.chance.choice(self.servers)
        what = self.weather.event(self.now, victim.host)
        if what:
            self._happen(what, victim)

    def _happen(self, what: str, victim: Computer) -> None:
        does: dict[str, Callable[[Computer], object]] = {
            weather.POWER: Computer.lose_power,
            weather.REBOOT: Computer.reboot,
            weather.CLOCK: Computer.jump,
            weather.CUT: self.cut,
            weather.CUT_ALL: self._cut_all,
            weather.MUTE: self._mute,
            weather.READ_ONLY: self._refuse,
            weather.SUPERVISOR: Computer.orphan_one,
            weather.LOST_HOME: Computer.lose_home,
            weather.CLONE: self._clone,
            weather.DAMAGED: Computer.damage,
            weather.REMOVED: self._remove,
            weather.REPLACED: self.replace_server,
            weather.BACKUP: self._restore_backup,
        }
        if what in does:
            does[what](victim)
        else:
            by_hand(self, what)

    def _for_a_while(self, whom: Computer | World, what: str) -> None:
        setattr(whom, what, True)
        self.scheduler.at(self.chance.uniform(1, 3 * TTL), lambda: setattr(whom, what, False))

    def cut(self, victim: Computer) -> None:
        """Take a machine off the network for a while."""
        self._for_a_while(victim, "cut")

    def _cut_all(self, victim: Computer) -> None:
        self._for_a_while(self, "away")

    def _mute(self, victim: Computer) -> None:
        self._for_a_while(victim, "mute")

    def _refuse(self, victim: Computer) -> None:
        self._for_a_while(victim, "read_only")

    def _restore_backup(self, victim: Computer) -> None:
        self.repository.refs.clear()
        self.repository.refs.update(self.chance.choice(self._backups[-8:]))
        self.witness.rewound = True  # the hub lost what it had acknowledged, heartbeats too
        self.witness.moved(self.tip(), by_push=False)

    def _remove(self, victim: Computer) -> None:
        """Let a person take a server out of the network that may well be alive."""
        person = self.people[0].laptop
        ledger = person.ledger(WHO)
        self._busy(person, lambda: remove(ledger, victim.name, by=WHO, force=False, progress=_unseen))

    def replace_server(self, victim: Computer) -> None:
        """Let another machine join under the name of a server, whose machine was thought to be gone."""
        place = self._top / f"{victim.name}-next{len(self.servers)}"
        heir = Computer(self, victim.name, None, place, host=place.name)
        self.servers.append(heir)
        heir.begin()
        self._join(heir)

    def _join(self, computer: Computer) -> None:
        """Let a machine join under its name, in place of whoever has that and is silent."""
        before = computer.identity
        asked = Application(hub=HUB, branch="bnet", name=computer.name, slots=1)

        def work() -> None:
            ledger = computer.ledger(WHO)
            ledger.refresh()
            join(ledger, computer, before, asked, replace=True, progress=_unseen)

        self._busy(computer, work)

    def _busy(self, computer: Computer, command: Callable[[], object]) -> None:
        """Let somebody run a command on a machine, if nothing else is at work there."""

        def work() -> None:
            try:
                command()
            except BnetError as error:
                self.excused(computer, error)

        if computer.sync is None or computer.sync.done:
            computer.sync = self.start(computer, work, lambda error: computer.crashed(error))

    def _clone(self, victim: Computer) -> None:
        place = self._top / f"{victim.name}-clone{len(self.servers)}"
        clone = Computer(self, victim.name, victim.identity, place, host=place.name)
        shutil.rmtree(place)
        shutil.copytree(victim.home, place)
        clone.disk.all_flushed()
        clone.known = victim.known
        clone.begin()
        self.servers.append(clone)
        self.witness.copied.add(victim.name)

    def _heal(self) -> None:
        self.weather.calm = True
        self.witness.calm_since = self.now
        self.away = False
        laptops = [*(person.laptop for person in self.people), *(each.computer for each in self.askers)]
        for each in [*self.servers, *laptops]:
            each.cut, each.mute, each.read_only, each.wall = False, False, False, 0.0
        self._tidy_up()
        self.scheduler.at(2 * TTL, lambda: commit_by_hand(self, {firings.PATH: firings.PAUSED.encode()}))

    def _tidy_up(self) -> None:
        """Do what people do in the end: agree on a ledger, switch copies off, send what waits, let all work."""
        self.scheduler.at(TTL / 2, self._tidy_up)
        if self._diverged is not None:
            frozen, self._diverged = self._diverged, None
            self._busy(frozen, lambda: self._adopt(frozen))
        registered = self.witness.state.servers
        for name in sorted({each.name for each in self.servers}):
            mine = [each for each in self.servers if each.name == name and each.identity is not None]
            there = registered.get(name)
            right = [
                each for each in mine if there and each.identity and each.identity.instance == there.instance
            ]
            stays = (right or mine or [each for each in self.servers if each.name == name])[0]
            for each in mine:
                if each is not stays:
                    each.down()
                    each.identity = None
            if not right:
                self._join(stays)
        for person in self.people:
            self._busy(person.laptop, partial(self._last, person))

    def _last(self, person: Person) -> None:
        person.deliver()
        ledger = person.laptop.ledger(WHO)
        ledger.refresh()
        ledger.transact(_resume)

    def _adopt(self, frozen: Computer) -> None:
        ours, theirs = (Ledger(Wire(frozen), frozen.clock, WHO, random.Random(seed)) for seed in (1, 2))
        adopt(ours, survey(ours, theirs, ours.hub.look().ledger))
        self._adopted = True

    # -- how it ended

    def _state(self) -> Ledger:
        ledger = Ledger(MemoryHub(self.repository), Still(), "judge", random.Random(0))
        ledger.refresh()
        return ledger

    def _look_whether_it_is_over(self) -> None:
        self.scheduler.at(LOOK_EVERY, self._look_whether_it_is_over)
        waiting = any(any(each.laptop.home.glob("outbox/*.json")) for each in self.people)
        jobs = self.witness.state.jobs.values()
        state = self.witness.state
        held = state.locks or firings.are_active(state) or self._diverged is not None
        self._over = not held and not waiting and all(job.result is not None for job in jobs)

    def _judge(self) -> None:
        self.witness.check_order()
        self.witness.check_starts()
        ledger = self._state()
        jobs = [*ledger.state.jobs.values(), *all_archived(ledger.hub, ledger.state)]
        for job in jobs:
            self.witness.checks["results"] += 1
            if job.result is None:
                self.blame(f"#{job.number} {job.spec.name} has not ended in {BOUND:.0f} s: {job.state}")
        if ledger.state.locks:
            self.blame(f"locks that nobody holds are not free after {BOUND:.0f} s: {ledger.state.locks}")
        names = Counter(firings.what(job.spec) for job in jobs if job.spec.retry_of is None)
        if self._adopted or self.witness.rewound:
            return
        for name, count in names.items():
            if count > 1:  # each name is asked for once, by a command or by a commit
                self.blame(f"{name} was submitted once, and is there {count} times")
        correspondents.judge(self, ledger)
        for person in self.people:
            for name in person.asked:
                if name in person.kept and not names[name]:
                    self.blame(f"{name} was accepted, and is lost")


def _resume(tx: Transaction) -> None:
    for server in list(tx.servers.values()):
        if server.wanted != "active":
            tx.apply(servers.wish(server, "active", by=WHO, why=""))


def _unseen(seconds: float, of: float) -> None:
    """Nobody watches."""


class Still:
    """A clock for what takes no time."""

    def now(self) -> datetime:
        return NOON

    def boot(self) -> float:
        return 0.0

    def boot_id(self) -> str:
        return "still"

    def sleep(self, seconds: float) -> None:
        """Nothing moves."""


@contextlib.contextmanager
def simulated(top: Path) -> Iterator[Callable[[World], None]]:
    """Let the disk and the processes that bnet asks for be those of whichever world is entered."""
    world: list[World] = []
    fsync, replace = os.fsync, os.replace

    def here() -> Computer | None:
        return world[-1].here() if world else None

    def flush(handle: int) -> None:
        computer = here()
        if computer is None:
            return fsync(handle)
        computer.effect()
        computer.disk.flushed(handle)
        computer.effect()
        return None

    def rename(
        source: str | Path,
        target: str | Path,
        *,
        src_dir_fd: int | None = None,
        dst_dir_fd: int | None = None,
    ) -> None:
        computer = here()
        if computer is not None:
            computer.effect()
        replace(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    def at_work() -> Computer:
        computer = here()
        assert computer is not None
        return computer

    with (
        patch.object(os, "fsync", flush),
        patch.object(os, "replace", rename),
        patch.object(bnet.host.runs, "processes", Processes(at_work)),
        patch.object(view, "read", read),
    ):
        yield world.append


# Ten machines in one process read the same documents again and again; each by itself would read them once.
read = functools.lru_cache(maxsize=2000)(kinds.read)


def play(seed: int | str, *, without: Collection[int] = (), storm: float = STORM) -> Outcome:
    """Play one schedule, in which things go wrong for so many seconds."""
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(prefix="bnet-sim-", dir=memory) as directory:
        top = Path(directory)
        with simulated(top) as enter:
            budget = random.Random(f"budget {seed}").choice(("", "push_budget: 8\n"))
            world = World(seed, top / "machines", Weather(seed, without), budget)
            enter(world)
            return world.play(storm)
