"""Virtual time, and actors that take turns in it: who goes on is decided by a seed alone."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable

from greenlet import getcurrent, greenlet


class Crash(BaseException):
    """What a process meets that is killed: nothing catches it, and nothing that it still does counts."""


class Actor:
    """A process: real code, which goes on until it waits for something."""

    def __init__(
        self, scheduler: Scheduler, work: Callable[[], None], ended: Callable[[BaseException | None], None]
    ):
        self._scheduler = scheduler
        self._work = work
        self._ended = ended
        self._glet = greenlet(self._run, scheduler.home)
        self.dead = False
        self.done = False

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            self._work()
        except BaseException as raised:
            error = raised
        self.done = True
        self._ended(error)

    def go_on(self) -> None:
        """Let it run until it waits again."""
        if not self.done and not self.dead:
            self._scheduler.running = self
            self._glet.switch()
            self._scheduler.running = None

    def kill(self) -> None:
        """Let it unwind; the caller has kept aside what must not be changed by that."""
        if self.dead or self.done:
            return
        self.dead = True
        if self._glet:
            killer, self._scheduler.running = self._scheduler.running, self
            self._glet.parent = getcurrent()  # whoever kills it goes on afterwards
            self._glet.throw(Crash())
            self._scheduler.running = killer
        else:
            self.done = True

    def wait(self, seconds: float) -> None:
        """Let time pass for this actor."""
        if self.dead:
            raise Crash
        self._scheduler.at(seconds, self.go_on)
        self._scheduler.home.switch()


class Scheduler:
    """One line of virtual time."""

    def __init__(self, chance: random.Random) -> None:
        """Begin at zero; the chance decides between what is due at the same moment."""
        self.now = 0.0
        self.home = getcurrent()  # where actors are woken, whoever began them
        self.running: Actor | None = None
        self.steps = 0
        self._chance = chance
        self._due: list[tuple[float, float, int, Callable[[], None]]] = []
        self._count = 0

    def at(self, delay: float, call: Callable[[], None]) -> None:
        """Have something called after so many seconds."""
        self._count += 1
        heapq.heappush(self._due, (self.now + max(0.0, delay), self._chance.random(), self._count, call))

    def start(self, work: Callable[[], None], ended: Callable[[BaseException | None], None]) -> Actor:
        """Begin an actor."""
        actor = Actor(self, work, ended)
        self.at(0.0, actor.go_on)
        return actor

    def run(self, until: float, enough: Callable[[], bool] = lambda: False) -> None:
        """Let time pass until a moment, or until it is enough."""
        while self._due and self._due[0][0] <= until and not enough():
            self.now, _, _, call = heapq.heappop(self._due)
            self.steps += 1
            call()
        if not enough():
            self.now = max(self.now, until)
