"""Desks: machines that send, read and acknowledge messages on a hub, for the suites about them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from worlds import Machine, World

from bnet.app.audit import audit
from bnet.app.lookup import Lookup
from bnet.app.messages.acknowledge import acknowledge
from bnet.app.messages.correspond import draft, find
from bnet.app.messages.post import Post
from bnet.app.submit import send_draft
from bnet.host.letters import LetterIndex
from bnet.model.message import Draft, Front, Nod
from bnet.rules import automatic, filing, messages, replies
from bnet.rules.specs import Facts, Unresolved
from bnet.rules.transaction import Transaction

TODAY = "2026/11/20"
HELLO = f"messages/{TODAY}/hello.md"
ASK = b"---\nto: s1\ncommand:\n  submit: {name: greet, command: echo hi}\n---\nPlease.\n"
WAITS = b"---\nto: [s1, s2]\nsubject: Mind the gap\nrequires_ack: 10m\n---\n"
MONTH = 31 * 86400.0


class Desk:
    """One machine at its hub, with its own index of the messages."""

    def __init__(self, world: World, name: str = "s1", **more: Any) -> None:
        self.world, self.name = world, name
        self.machine: Machine = world.machine(name, **more)
        self.post = Post(self.machine.hub, LetterIndex(None))
        self.ledger = self.machine.ledger

    def decide(self, tx: Transaction) -> None:
        """Do what a sync does about messages, in its order."""
        mail = self.post.mail(tx.state, tx.now)
        automatic.take_up(tx, mail.since)
        for news in mail.news:
            messages.take_in(tx, news, Facts(), self.name)
        replies.answer(tx, self.name)
        replies.remind(tx, mail, self.name)
        filing.file_away(tx, mail)

    def sync(self, after: float = 0.0) -> Sequence[str]:
        """Make a transaction of what is due, and return what was done."""
        self.machine.clock.sleep(after)
        self.ledger.refresh()
        landed = self.ledger.transact(self.decide)
        return [f"{each.verb} {each.target}" for each in landed.tx.changes]

    def does(self, *decisions: Any) -> None:
        for decide in decisions:
            self.ledger.refresh()
            self.ledger.transact(decide)

    def send(self, to: Sequence[str] = ("s1",), body: str = "", **fields: Any) -> Draft:
        ready = self.draft(to, body, **fields)
        send_draft(self.ledger, lookup(self), ready, self.name)
        return ready

    def draft(self, to: Sequence[str] = ("s1",), body: str = "", **fields: Any) -> Draft:
        front = Front(sender=self.name, to=tuple(to), **({"subject": "S"} | fields))
        chance = random.Random(f"{self.name}{self.machine.clock.seconds}{fields}")
        return draft(
            front=front, body=body, files={}, digests={}, now=self.machine.clock.now(), chance=chance
        )

    def ack(self, reference: str, note: str = "") -> bool:
        self.ledger.refresh()
        return acknowledge(
            self.ledger, Nod(key=find(self.ledger, self.post, reference).entry.key, who=self.name, note=note)
        )

    def listed(self) -> list[str]:
        """Return the ids of all messages, with a mark at those that cannot be read."""
        self.ledger.refresh()
        entries = self.post.ask(self.ledger.state.tip, self.post.index.every)
        return [each.id + ("" if each.readable else "!") for each in entries]

    def thread(self, name: str) -> list[str]:
        self.ledger.refresh()
        return [
            each.subject
            for each in self.post.ask(self.ledger.state.tip, lambda: self.post.index.thread(name))
        ]

    def names(self) -> list[str]:
        return sorted(job.spec.name for job in self.ledger.state.jobs.values())


def lookup(desk: Desk) -> Lookup:
    return Lookup(desk.machine.hub, lambda repository, ref: Unresolved("no sources here"))


def wrong(world: World) -> list[str]:
    hub = world.hub("auditor")
    hub.fetch(world.tip())
    return [f"{each.fault.target} {each.fault.text}" for each in audit(hub, world.tip()).wrong]


def paths_of(world: World, *under: str) -> list[str]:
    hub, tip = world.hub("reader"), world.tip()
    hub.fetch(tip)
    return [path for each in under for path in hub.names(tip, each)]
