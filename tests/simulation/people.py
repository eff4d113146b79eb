"""People at their laptops: they submit, cancel, edit by hand, revert, and pause."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import TYPE_CHECKING

import weather
from computer import NOON, Computer
from correspondents import Correspondent
from scheduler import Crash

from bnet.app.submit import Outbox, deliver, send, submit
from bnet.codec import layout
from bnet.errors import BnetError
from bnet.model.command import (
    CancelJob,
    Command,
    PauseServer,
    ResumeServer,
    Retry,
    RetryJob,
    SetPriority,
    Submit,
)
from bnet.model.job import Group
from bnet.ports.hub import Commit, Update
from bnet.rules.jobs import Illegal

if TYPE_CHECKING:
    from world import World

HUB = "hub"
BY_HAND = "by-hand-"
WHO = "ada@example.invalid"


class Person:
    """Somebody with a laptop."""

    def __init__(self, world: World, laptop: Computer, jobs: int) -> None:
        self.world = world
        self.laptop = laptop
        self.chance = random.Random(f"{world.seed} person {laptop.name}")
        self.kept: set[str] = set()  # jobs that are the hub's now, or wait in the outbox
        self.asked: list[str] = []
        self.letters = Correspondent(self)
        self._left = jobs

    def begin(self) -> None:
        """Let them come to work."""
        self.world.scheduler.at(self.chance.uniform(0, 20), self._tick)

    def _tick(self) -> None:
        if self.world.weather.calm:
            return
        self.world.scheduler.at(self.chance.uniform(2, 25), self._tick)
        if self.laptop.sync is None or self.laptop.sync.done:
            self.laptop.sync = self.world.start(self.laptop, self._act, self._ended)

    def _ended(self, error: BaseException | None) -> None:
        if error is not None and not isinstance(error, Crash):
            self.world.blame(f"{self.laptop.name}: {type(error).__name__}: {error}", error)

    def _act(self) -> None:
        if self.chance.random() < 0.3:
            self.letters.act()
        elif self._left > 0 and self.chance.random() < 0.7:
            self._left -= 1
            self._submit()
        else:
            self._ask()

    def _ask(self) -> None:
        try:
            self._command()
        except Illegal:
            pass  # it came too late
        except BnetError as error:
            self.world.excused(self.laptop, error)

    def _submit(self) -> None:
        name = f"{self.laptop.name}-{self._left}"
        self.asked.append(name)
        ledger = self.laptop.ledger(WHO)
        outbox = Outbox(self.laptop.home / "outbox")
        try:
            submit(ledger, self.laptop.lookup(ledger), outbox, HUB, [self._job(name)], WHO)
        except Illegal as error:
            self.world.refused(f"{name}: {error}")
        except BnetError as error:
            self.world.excused(self.laptop, error)
        self.kept.add(name)

    def _job(self, name: str) -> Submit:
        chance = self.chance
        numbers = sorted(self.world.numbers())
        return Submit(
            command="make",
            name=name,
            priority=chance.randint(1, 10),
            needs=(chance.choice(numbers),) if numbers and chance.random() < 0.25 else (),
            group=Group(name=chance.choice("ab"), limit=chance.randint(1, 2))
            if chance.random() < 0.3
            else None,
            locks=(chance.choice(("x", "y")),) if chance.random() < 0.3 else (),
            retry=(Retry(limit=2, reason="lost"), Retry(limit=1, exit_code="*"))
            if chance.random() < 0.5
            else None,
            supersede=chance.choice(("none", "none", "waiting", "running")),
            on_lost_lease=chance.choice(("finish", "stop")),
        )

    def _command(self) -> None:
        chance, numbers = self.chance, sorted(self.world.numbers())
        server = chance.choice([each.name for each in self.world.servers])
        choices: list[Command] = [PauseServer(server=server), ResumeServer(server=server)]
        if numbers:
            number = chance.choice(numbers)
            choices += [CancelJob(job=number)] * 3
            choices += [RetryJob(job=number), SetPriority(job=number, priority=chance.randint(1, 10))]
        ledger = self.laptop.ledger(WHO)
        send(ledger, self.laptop.lookup(ledger), [chance.choice(choices)], WHO)

    def deliver(self) -> None:
        """Send what still waits."""
        ledger = self.laptop.ledger(WHO)
        try:
            ledger.refresh()
            for refused in deliver(
                ledger, self.laptop.lookup(ledger), Outbox(self.laptop.home / "outbox"), HUB
            ):
                if refused.startswith("the submission"):  # the day of a message may have been filed away
                    self.world.refused(f"{self.laptop.name}: {refused}")
        except BnetError as error:
            self.world.excused(self.laptop, error)


def by_hand(world: World, what: str) -> None:
    """Do with the ledger what only a person does, with a clone and an editor."""
    chance, repository = world.chance, world.repository
    tip = world.tip()
    tree = repository.trees[tip]
    files: dict[str, bytes | None] = {}
    message = "by hand"
    if what == weather.SETTINGS:
        text = chance.choice(["ttl: 45\n", "ttl: 90\n", "ttl: [\n", "colour: blue\n", "ttl: 60\n"])
        files[layout.SETTINGS] = world.settings(text).encode()
    elif what == weather.BROKEN:
        machines = sorted(path for path in tree if layout.is_machine(path))
        path = chance.choice(machines)
        files[path] = chance.choice([None, b"", b"{", tree[path][: len(tree[path]) // 2], b"[]", b'{"a": 1}'])
    elif what == weather.INBOX:
        number, name = chance.randint(1, 12), f"{BY_HAND}{chance.getrandbits(32):x}"
        text = chance.choice(
            [
                f"- submit: {{command: make, name: {name}, needs: [{number}]}}\n",
                f"submit: {{command: make, name: {name}, on_lost_lease: stop}}\n",
                f"cancel: {{job: {number}}}\n",
                f"retry: {{job: {number}}}\n",
                "submit: {commnd: make}\n",
                "- submit: [\n",
            ]
        )
        files[f"{layout.INBOX}{name}.yaml"] = text.encode()
    else:
        recent = [oid for oid in world.line(tip)[-6:] if repository.commits[oid].parent]
        if not recent:
            return
        undone = repository.commits[chance.choice(recent)]
        before = repository.trees[undone.parent or ""]
        files = {path: before.get(path) for path in undone.files}
        message = f'Revert "{undone.message}"' if chance.random() < 0.5 else undone.message
    commit_by_hand(world, files, message)


def commit_by_hand(world: World, files: Mapping[str, bytes | None], message: str = "by hand") -> None:
    """Push a commit on top of what the hub has."""
    tip = world.tip()
    oid = world.repository.put(Commit(parent=tip, files=files, message=message, author=WHO, at=NOON))
    world.take([Update(world.ledger_ref, tip, oid)], "a person")
