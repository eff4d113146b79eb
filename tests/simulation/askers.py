"""Agents on machines of their own: they ask for named locks, wait, work under them, leave, die, and come back."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import weather
from computer import Computer
from scheduler import Crash

from bnet.app.locks.guard import LOOK_S, WAKE_S
from bnet.app.locks.hold import Hold, Lost
from bnet.errors import BnetError

if TYPE_CHECKING:
    from world import World

LIMITS = {"x": 1, "m": 2}  # the first one is held by jobs as well
TTL = 60.0
UNSEEN = (
    TTL * 5 / 6 * 1.02 + 2 * WAKE_S
)  # seconds for which a command may go on after the hub saw its holder move


class Asker:
    """An agent."""

    def __init__(self, world: World, computer: Computer) -> None:
        self.world = world
        self.computer = computer
        self.chance = random.Random(f"{world.seed} asker {computer.name}")
        self._works: Work | None = None

    def begin(self) -> None:
        """Let it come to work."""
        self.world.scheduler.at(self.chance.uniform(0, 20), self._tick)

    def _tick(self) -> None:
        if self.world.weather.calm:
            return
        self.world.scheduler.at(self.chance.uniform(5, 40), self._tick)
        busy = self.computer.sync is not None and not self.computer.sync.done
        if not busy and self._works is None:
            self.computer.sync = self.world.start(self.computer, self._ask, self._ended)

    def _ended(self, error: BaseException | None) -> None:
        if self._works is not None:
            self._works.told = True  # somebody beside ends the command of a holder that was killed
        self.computer.crashed(error)

    def _ask(self) -> None:
        name, chance = self.chance.choice(list(LIMITS)), self.chance
        ledger = self.computer.ledger(self.computer.name)
        hold = Hold(ledger, self.computer.clock, name, self.computer.name, ttl_s=TTL)
        try:
            hold.acquire(chance.choice((0.0, 20.0, 120.0)))
            self._works = Work(self, hold, chance.choice((1.0, 10.0, 40.0, 120.0)))
            if weather.CUT in self.world.weather.rates and chance.random() < 0.3:
                self.world.cut(self.computer)
            if weather.KILLED in self.world.weather.rates and chance.random() < 0.2:
                self.computer.wait(chance.uniform(0, 30))
                raise Crash
            self._guard(hold)
            hold.give_back()
        except BnetError as error:
            self.world.excused(self.computer, error)

    def _guard(self, hold: Hold) -> None:
        """Do what `guard` does, whose thread is an actor here."""
        try:
            while self._works is not None:
                self.computer.wait(min(LOOK_S, hold.grace_s))
                hold.keep()
        except Lost:
            if self._works is not None:
                self._works.told = True
            raise

    def left(self) -> None:
        """The command has ended."""
        self._works = None


class Work:
    """A command under a lock, and the wait for its end."""

    def __init__(self, asker: Asker, hold: Hold, seconds: float) -> None:
        self.told = False
        self.hold = hold
        self.asker = asker
        self._seconds = seconds
        asker.world.witness.entered(self)
        asker.world.start(asker.computer, self._work, self._ended)

    def _work(self) -> None:
        computer = self.asker.computer
        until = computer.clock.boot() + self._seconds
        while not self.told and computer.clock.boot() < until:
            computer.wait(WAKE_S)
            self.asker.world.witness.works(self)
            try:
                self.hold.check()
            except Lost:
                self.told = True
        if self.told:
            computer.wait(self.asker.chance.uniform(0, self.hold.grace_s))

    def _ended(self, error: BaseException | None) -> None:
        self.asker.world.witness.left(self)
        self.asker.left()
        self.asker.computer.crashed(error)
