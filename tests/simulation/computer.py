"""A machine: its clock, its disk, its processes; the program on it is bnet's own."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import weather
from disk import Disk
from linear import Traced
from scheduler import Actor, Crash
from wire import Wire

from bnet.app.ledger import Ledger
from bnet.app.lookup import Lookup
from bnet.app.messages.post import Post
from bnet.app.server.cycle import Node
from bnet.app.server.intent import BUILT, Builder
from bnet.app.server.service import Service
from bnet.app.submit import Outbox
from bnet.codec.documents import decode, encode
from bnet.errors import BnetError
from bnet.files import read_json, read_or_none, write_atomic, write_json
from bnet.host.letters import LetterIndex
from bnet.host.notes import LocalNotes
from bnet.host.runs import LocalRuns
from bnet.model.run import Intent, RunExit
from bnet.model.server import Identity
from bnet.rules.specs import Unresolved
from bnet.schedule.durations import Durations, gathered

if TYPE_CHECKING:
    from world import World

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
LOOK_EVERY = 1.0  # seconds between two looks of a supervisor at its directory
GRACE = 3.0  # the longest that a command takes to stop
FAILS = 0.15  # of the attempts


class Clock:
    """A machine's clock: it runs a little too fast or too slow, and the time of day may be anything."""

    def __init__(self, computer: Computer) -> None:
        self._computer = computer

    def now(self) -> datetime:
        computer = self._computer
        return NOON + timedelta(seconds=computer.world.now * computer.rate + computer.wall)

    def boot(self) -> float:
        return 10.0 + (self._computer.world.now - self._computer.booted) * self._computer.rate

    def boot_id(self) -> str:
        return f"{self._computer.host}-boot-{self._computer.boots}"

    def sleep(self, seconds: float) -> None:
        self._computer.wait(seconds / self._computer.rate)


class Computer:
    """One machine of the network.

    Attributes:
        known, damaged: of its private copy of the ledger: what was accepted, and whether it can be read.
        cut: whether it does not reach the hub; mute: whether that refuses its heartbeats; read_only: all it pushes.
        wall: seconds by which its time of day is ahead.
    """

    def __init__(self, world: World, name: str, identity: Identity | None, top: Path, host: str = "") -> None:
        self.world = world
        self.name = name
        self.host = host or name
        self.identity = identity
        self.chance = random.Random(f"{world.seed} {self.host}")
        self.disk = Disk(top)
        self.home = top
        self.clock = Clock(self)
        self.booted, self.boots = world.now, 1
        self.rate = self.chance.uniform(0.99, 1.01)
        self.wall = self.chance.uniform(-30, 30)
        self.known, self.damaged, self.cut = "", False, False
        self.mute, self.read_only = False, False
        self.processes: dict[int, Supervisor] = {}
        self.stays = self.chance.random() < 0.4  # as an agent does, instead of a process for each sync
        self.period = self.chance.uniform(4.0, 16.0)
        self.sync: Actor | None = None
        self._service: Service | None = None
        self._pids = 100
        for directory in ("runs", "outbox"):
            (top / directory).mkdir()
        self.disk.all_flushed()

    # -- what its processes go through

    def wait(self, seconds: float) -> None:
        """Let time pass for the process that runs now."""
        actor = self.world.scheduler.running
        assert actor is not None
        actor.wait(seconds)

    def effect(self) -> None:
        """Do something that can be seen from outside of the process: a moment passes, and it may be the last one."""
        self.wait(self.chance.uniform(0.0, 0.01))
        what = self.world.weather.effect(self.world.now, self.host)
        if what == weather.KILLED:
            assert self.world.scheduler.running is not None
            self.world.scheduler.running.dead = True  # what it still does on its way out is seen by nobody
            raise Crash
        if what == weather.STALLED:
            self.wait(self.chance.choice((5.0, 30.0, 70.0, 150.0)))

    # -- its server

    def begin(self) -> None:
        """Let cron begin."""
        self.world.scheduler.at(self.chance.uniform(0, self.period), self._tick)

    def _tick(self) -> None:
        self.world.scheduler.at(self.period * self.chance.uniform(0.7, 1.3), self._tick)
        if self.identity is not None and (self.sync is None or self.sync.done):
            if not self.stays:
                self._service = None
            self.sync = self.world.start(self, self._round, self._ended)

    def _round(self) -> None:
        if self._service is None:
            self._service = Service(Host(self))
        try:
            report = self._service.round()
            self.world.told(self, report)
            self._service.tidy()
        except BnetError as error:
            self.world.excused(self, error)

    def _ended(self, error: BaseException | None) -> None:
        if error is not None:
            self._service = None
        self.crashed(error)

    def crashed(self, error: BaseException | None) -> None:
        """Take note of how a process of this machine ended: killed or well, but never with a traceback."""
        if error is not None and not isinstance(error, Crash):
            self.world.blame(f"{self.host}: {type(error).__name__}: {error}", error)

    # -- as `join` knows it

    def traits(self) -> tuple[int, dict[str, str]]:
        """Return how many jobs it can run."""
        return 1, {}

    def keep_identity(self, identity: Identity) -> None:
        """Be that server."""
        self.effect()
        self.identity = identity

    def drop_identity(self) -> None:
        """Be none."""
        self.identity = None

    def kill_sync(self) -> None:
        """Kill what bnet does here now; runs go on."""
        self._service = None
        if self.sync is not None:
            self.sync.kill()

    def ledger(self, actor: str) -> Ledger:
        """Return a new process's hold of the ledger."""
        ledger = Traced(Wire(self), self.clock, actor, random.Random(self.chance.getrandbits(64)))
        ledger.time, ledger.note = lambda: self.world.now, self.world.witness.operations.append
        ledger.snapshot.thaw(read_or_none(self.home / "snapshot") or b"")
        return ledger

    def lookup(self, ledger: Ledger) -> Lookup:
        """Return what finds facts for commands; there are no repositories to ask."""
        return Lookup(ledger.hub, lambda repository, ref: Unresolved("there is none", again=False))

    # -- what happens to it

    def down(self) -> None:
        """End all processes at once; nobody writes anything any more."""
        self.kill_sync()
        for each in list(self.processes.values()):
            each.die()

    def up(self) -> None:
        """Boot."""
        self.booted, self.boots = self.world.now, self.boots + 1

    def lose_power(self) -> None:
        """Go down without a word to the disk, and come back."""
        self.down()
        self.disk.lose_power(self.chance)
        for directory in ("runs", "outbox"):
            (self.home / directory).mkdir(exist_ok=True)
        if self.chance.random() < 0.3:
            self.damaged = True
        self.up()

    def reboot(self) -> None:
        """Go down with all flushed, and come back."""
        self.down()
        self.disk.all_flushed()
        self.up()

    def jump(self) -> None:
        """Let somebody, or something, set the time of day."""
        self.wall += self.chance.choice((-86400.0, -600.0, 600.0, 86400.0))

    def damage(self) -> None:
        """Spoil the private copy of the ledger."""
        self.damaged = True

    def orphan_one(self) -> None:
        """Kill a supervisor, and it alone."""
        for each in list(self.processes.values())[:1]:
            each.orphan()

    def lose_home(self) -> None:
        """Have all of BNET_HOME deleted but who it is, which somebody writes again."""
        self.kill_sync()
        for path in list(self.home.iterdir()):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        for directory in ("runs", "outbox"):
            (self.home / directory).mkdir()
        self.disk.all_flushed()
        self.known = ""

    def spawn(self, key: str) -> None:
        """Start a supervisor, as `LocalRuns` asks for it."""
        self._pids += 1
        self.processes[self._pids] = Supervisor(self, self._pids, key)


class Host:
    """What `Service` needs of the machine."""

    def __init__(self, computer: Computer) -> None:
        self._computer = computer
        self.clock = computer.clock

    def enter(self) -> bool:
        return True

    def leave(self) -> None:
        """There is no lock: the machine starts no second sync."""

    def node(self) -> Node:
        computer = self._computer
        assert computer.identity is not None
        ledger = computer.ledger(computer.name)
        return Node(
            computer.identity,
            ledger,
            LocalRuns(computer.home / "runs", Path("supervisor"), BUILT, computer.clock, lambda asked: {}),
            Notes(computer.home),
            computer.clock,
            computer.lookup(ledger),
            lambda data: f"{len(data):064x}",
            computer.home / "runs",
            Builder(("bnet",), ""),
            post=Post(ledger.hub, LetterIndex(computer.home / "messages.db")),
            known=lambda state: gathered(Durations(), state.jobs.values()),
        )

    def keep_snapshot(self, node: Node) -> None:
        write_atomic(self._computer.home / "snapshot", node.ledger.snapshot.freeze_dry(), durable=False)

    def rest(self, node: Node, seconds: float | None) -> None:
        """Each sync asks the hub itself."""

    def hand_over(self, node: Node) -> float | None:
        """Nothing here acts outside the hub."""

    def sweep(self, node: Node) -> None:
        """What reported runs left stays."""

    def outbox(self) -> Outbox:
        return Outbox(self._computer.home / "outbox")

    def log(self, text: str) -> None:
        """Nobody reads it."""

    def stop_asked(self) -> bool:
        return False


class Notes(LocalNotes):
    """The notes, without a look at the machine that this runs on."""

    def measure(self) -> dict[str, float | None]:
        return {}


class Sessions:
    """Starts supervisors."""

    def __init__(self, computer: Computer) -> None:
        self._computer = computer

    def reap(self) -> None:
        """Actors leave nothing behind."""

    def start(self, argv: Sequence[str], env: object, stderr: Path) -> None:
        self._computer.effect()
        self._computer.spawn(Path(argv[-1]).name)
        self._computer.effect()


class Processes:
    """What `LocalRuns` asks of the machine's processes, told to whichever machine is at work."""

    def __init__(self, here: Callable[[], Computer]) -> None:
        self._here = here

    def Sessions(self) -> Sessions:
        """Return what starts supervisors on this machine."""
        return Sessions(self._here())

    def is_alive(self, pid: int, start: int, boot_id: str) -> bool:
        here = self._here()
        there = here.processes.get(pid)
        return boot_id == here.clock.boot_id() and there is not None and not there.orphaned

    def is_noted_alive(self, note: Mapping[str, object]) -> bool | None:
        pid, start, boot_id = note.get("pid"), note.get("start"), note.get("boot_id")
        if not (isinstance(pid, int) and isinstance(start, int) and isinstance(boot_id, str)):
            return None
        return self.is_alive(pid, start, boot_id)

    def find_run(self, run: str) -> list[int]:
        return [pid for pid, each in self._here().processes.items() if each.run == run]

    def end(self, pids: Iterable[int], grace_s: float) -> list[int]:
        here = self._here()
        for pid in pids:
            if pid in here.processes:
                here.wait(here.chance.uniform(0, grace_s))
            if pid in here.processes:
                here.processes[pid].die()
        return []


class Supervisor:
    """One run: takes its directory, works for a while, ends when it is asked to or its lease is gone.

    The real one is a program of its own, tried by tests of its own; this one keeps the same promises with the
    same files.
    """

    def __init__(self, computer: Computer, pid: int, key: str) -> None:
        self.computer = computer
        self.pid = pid
        self.run = ""
        self.orphaned = False
        self.place = computer.home / "runs" / key
        self._order, self._stop = f"{self.place}/run.json", f"{self.place}/stop.json"
        self._actor = computer.world.start(computer, self._work, self._ended)

    def die(self) -> None:
        """End with all that it has started."""
        self._actor.kill()
        self._gone()

    def orphan(self) -> None:
        """End without what it has started: that goes on, and nobody looks after it."""
        if self.run and not self._actor.done:
            self.orphaned = True
            self._actor.kill()

    def _ended(self, error: BaseException | None) -> None:
        if not self.orphaned:
            self._gone()
        if error is not None and not isinstance(error, (Crash, FileNotFoundError)):
            self.computer.world.blame(
                f"supervisor of {self.place.name}: {type(error).__name__}: {error}", error
            )

    def _gone(self) -> None:
        if self.computer.processes.pop(self.pid, None) is not None and self.run:
            self.computer.world.ended(self)

    def _work(self) -> None:
        computer, clock = self.computer, self.computer.clock
        computer.wait(computer.chance.uniform(0.01, 1.0))
        intent = decode(Intent, (self.place / "run.json").read_bytes())
        if (self.place / "pid.json").exists():
            return
        write_json(self.place / "pid.json", {"pid": self.pid, "start": 1, "boot_id": clock.boot_id()})
        self.run = intent.run
        begun, outcome = clock.now(), "lease"
        if not self._lease_is_gone(intent):  # asked in the last moment before a command begins
            computer.world.began(self, intent)
            outcome = self._until_end(intent, clock.boot() + computer.world.length_of(intent))
        if outcome == "gone":
            return
        code = None
        if outcome == "exit":
            code = int(computer.chance.random() < FAILS)
        ended = RunExit(
            run=intent.run,
            outcome=outcome,
            finished_at=clock.now(),
            started_at=begun,
            exit_code=code,
            log_size=0,
        )
        computer.world.ended(self)  # nothing of the command is left; what follows is the supervisor's own
        write_atomic(self.place / "exit.json", encode(ended))

    def _until_end(self, intent: Intent, until: float) -> str:
        computer, clock = self.computer, self.computer.clock
        while clock.boot() < until:
            computer.wait(min(LOOK_EVERY, max(0.01, until - clock.boot())))
            if not os.path.exists(self._order):
                return "gone"
            if self._lease_is_gone(intent):
                computer.wait(computer.chance.uniform(0, min(GRACE, intent.ttl_s / 6)))
                return "lease"
            if os.path.exists(self._stop):
                computer.wait(computer.chance.uniform(0, GRACE))
                return "stopped"
        return "exit"

    def _lease_is_gone(self, intent: Intent) -> bool:
        if intent.on_lost_lease != "stop":
            return False
        lease = read_json(self.place / "lease.json")
        clock = self.computer.clock
        return lease is not None and (lease["boot_id"] != clock.boot_id() or clock.boot() > lease["until"])
