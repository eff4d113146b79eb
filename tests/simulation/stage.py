"""A network in which only that goes wrong which a test says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from computer import Computer, Supervisor
from people import HUB, WHO, commit_by_hand
from weather import Weather
from world import World, simulated

from bnet.app.submit import Outbox, submit
from bnet.codec import layout
from bnet.model.command import Command, Submit
from bnet.model.job import Job
from bnet.model.run import Intent


class Script(Weather):
    """Faults on cue.

    Attributes:
        fates: `push of s1` -> what befalls such calls, in their order; then all goes well.
        strikes: asked at each effect of a process what happens to it there.
    """

    def __init__(self) -> None:
        super().__init__("script")
        self.rates = {}
        self.fates: dict[str, list[str]] = {}
        self.strikes: Callable[[str], str] = lambda whom: ""

    def call(self, now: float, whom: str) -> str:
        rest = self.fates.get(whom, [])
        return rest.pop(0) if rest else ""

    def effect(self, now: float, whom: str) -> str:
        return self.strikes(whom)


class Stage(World):
    """A world without surprises."""

    def __init__(self, top: Path, lengths: float) -> None:
        self.script = Script()
        super().__init__("stage", top, self.script)
        self.lengths = lengths
        self.starts: list[tuple[float, str, str]] = []

    def length_of(self, intent: Intent) -> float:
        return self.lengths

    def began(self, run: Supervisor, intent: Intent) -> None:
        self.starts.append((self.now, run.place.name, run.computer.host))
        super().began(run, intent)

    def server(self, name: str, slots: int = 2) -> Computer:
        """Add a server that is as quick as its cron allows."""
        computer = self.add_server(name, slots)
        computer.rate, computer.wall, computer.period = 1.0, 0.0, 5.0
        return computer

    def submit(self, **fields: Any) -> int:
        """Submit a job and return its number."""
        numbers: list[int] = []
        laptop = self.people[0].laptop

        def work() -> None:
            ledger = laptop.ledger(WHO)
            asked: list[Command] = [Submit(command="make", **fields)]
            numbers.extend(
                submit(ledger, laptop.lookup(ledger), Outbox(laptop.home / "outbox"), HUB, asked, WHO)
            )

        self.start(laptop, work, laptop.crashed)
        self.until(lambda: bool(numbers))
        return numbers[0]

    def edit_settings(self, text: str) -> None:
        """Let a person write `hub.yaml`."""
        commit_by_hand(self, {layout.SETTINGS: self.settings(text).encode()})

    def until(self, enough: Callable[[], bool], patience: float = 1000.0) -> None:
        """Let time pass until something is so."""
        self.scheduler.run(self.now + patience, enough)
        assert enough(), f"not within {patience:.0f} s"

    def past(self, seconds: float) -> None:
        """Let time pass."""
        self.scheduler.run(self.now + seconds)

    def job(self, number: int) -> Job:
        """Return a job as the ledger has it."""
        return self.witness.state.jobs[number]

    def is_running(self, number: int) -> bool:
        """Tell whether a job's command runs somewhere, whatever the ledger says."""
        return bool(self.witness.running(number))

    def ends(self, *numbers: int) -> list[Job]:
        """Wait for jobs, and see that nothing went wrong on the way."""
        self.until(lambda: all(self.job(each).result is not None for each in numbers))
        assert self.witness.blames == []
        return [self.job(each) for each in numbers]


@contextmanager
def stage(top: Path, lengths: float = 20.0) -> Iterator[Stage]:
    """Set a stage; each command takes so many seconds."""
    with simulated(top) as enter:
        world = Stage(top / "machines", lengths)
        enter(world)
        yield world
