"""People who write to each other: they send, acknowledge, and file away; and what has to be there in the end."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from computer import NOON

from bnet.app.ledger import Ledger
from bnet.app.messages.correspond import draft, file_old, filed
from bnet.app.messages.post import Post
from bnet.app.submit import Letter, Outbox, send_ack, send_message
from bnet.codec import letter_paths, letters
from bnet.codec.documents import decode
from bnet.errors import BnetError, HubUnreachable
from bnet.host.letters import LetterIndex
from bnet.memory import MemoryHub
from bnet.model.message import Draft, Front, Nod
from bnet.rules.mail import closed_days

if TYPE_CHECKING:
    from people import Person
    from world import World

HUB = "hub"
WHO = "ada@example.invalid"
LONG_AGO = timedelta(days=3)  # of a message that may be filed away at once
RULES = b"all:\n  match: {subject: '*'}\n  reply: So it is.\n"


class Correspondent:
    """The part of a person that writes and reads messages.

    Attributes:
        sent: the keys of the messages that the hub has taken, or that wait in the outbox.
        acked: likewise of those that they have acknowledged.
    """

    def __init__(self, person: Person) -> None:
        self.sent: set[str] = set()
        self.acked: set[str] = set()
        self._person = person
        self._chance = random.Random(f"{person.world.seed} letters {person.laptop.name}")

    def act(self) -> None:
        """Do something about messages."""
        ledger = self._person.laptop.ledger(WHO)
        does: Callable[[Ledger], None] = self._chance.choice(
            (self._send, self._send, self._acknowledge, self._acknowledge, self._file)
        )
        try:
            does(ledger)
        except BnetError as error:
            self._person.world.excused(self._person.laptop, error)

    @property
    def _outbox(self) -> Outbox:
        return Outbox(self._person.laptop.home / "outbox")

    def _post(self, ledger: Ledger) -> Post:
        return Post(ledger.hub, LetterIndex(self._person.laptop.home / "messages.db"))

    def _send(self, ledger: Ledger) -> None:
        ready = self._draft()
        self._kept(
            self.sent,
            ready.key,
            lambda: send_message(ledger, self._person.laptop.lookup(ledger), self._outbox, HUB, ready, WHO),
        )

    def _draft(self) -> Draft:
        chance, name = self._chance, f"{self._person.laptop.name}-by-message-{self._chance.getrandbits(32):x}"
        asks = chance.random() < 0.3
        front = Front(
            sender=WHO,
            to=chance.choice((("all",), ("s1", WHO))),
            subject=name,
            requires_ack=chance.choice((False, "20s")),
            command={"submit": {"command": "make", "name": name}} if asks else None,
        )
        now = NOON - chance.choice((timedelta(0), LONG_AGO))
        return draft(front=front, body="", files={}, digests={}, now=now, chance=chance)

    def _acknowledge(self, ledger: Ledger) -> None:
        tree = self._person.world.repository.trees[self._person.world.tip()]
        keys = [key for path in sorted(tree) if (key := letter_paths.message_key(path)) is not None]
        if keys:
            nod = Nod(key=self._chance.choice(keys), who=WHO)
            lookup = self._person.laptop.lookup(ledger)
            self._kept(self.acked, nod.key, lambda: send_ack(ledger, lookup, self._outbox, HUB, nod))

    @staticmethod
    def _kept(known: set[str], key: str, act: Callable[[], object]) -> None:
        try:
            act()
        except HubUnreachable:
            known.add(key)  # it waits in the outbox, or has landed
            raise
        known.add(key)

    def _file(self, ledger: Ledger) -> None:
        ledger.refresh()
        file_old(ledger, self._post(ledger), 0.0)

    def refused(self) -> list[Letter]:
        """Return what was kept in the outbox, and refused when it arrived."""
        places = self._person.laptop.home.glob("outbox/*.refused")
        return [decode(Letter, path.read_bytes()) for path in places]


def judge(world: World, ledger: Ledger) -> None:
    """See that each message and each acknowledgement that was taken is there: once, or taken away by a person."""
    lines = filed(ledger.hub, ledger.state)
    count = Counter(each.key for each in lines)
    for key, times in count.items():
        if times > 1 and len({each.text for each in lines if each.key == key}) < times:
            world.blame(f"the message {key} was filed away {times} times")
    for what, times in _said_by_themselves(world).items():
        world.witness.checks["answers"] += 1
        if times > 1:
            world.blame(f"there are {times} answers {what}")
    for key in _unanswered(world, ledger):
        world.blame(f"nobody has answered {key}")
    told = {(each.key, ack.who) for each in lines for ack in each.acks}
    for person in world.people:
        theirs = person.letters
        gone = {draft.key for each in theirs.refused() for draft in each.messages}
        late = {nod.key for each in theirs.refused() for nod in each.acks}
        for key in theirs.sent - gone - count.keys():
            _look_for(world, f"message {key}", letter_paths.message_path(key))
        for key in theirs.acked - late - {key for key, who in told if who == WHO}:
            _look_for(world, f"acknowledgement of {key}", letter_paths.ack_path(key, WHO))


def _look_for(world: World, what: str, path: str) -> None:
    world.witness.checks["messages"] += 1
    if path not in world.repository.trees[world.tip()] and not _taken_away(world, path):
        world.blame(f"the {what} was accepted, and is lost")


def _unanswered(world: World, ledger: Ledger) -> list[str]:
    """Return the messages with which no rule has dealt, though one is for all."""
    closed, state = closed_days(ledger.state.filed), ledger.state
    tree = world.repository.trees[world.tip()]
    found = {key: path for path in tree if (key := letter_paths.message_key(path)) is not None}
    return [
        key
        for key, path in found.items()
        if key not in state.asks
        and letter_paths.day_of(key) not in closed
        and not letters.read(tree[path], path).front.auto
    ]


def _said_by_themselves(world: World) -> Counter[str]:
    """Return how often machines have answered each message, by a rule and with the end of its command."""
    ops = [
        op.split(" ")
        for oid in world.line(world.tip())
        if (each := world.repository.recorded[oid]) is not None and _is_transaction(world, oid)
        for op in each.ops
    ]
    kinds = ("auto", "answer")
    return Counter(
        f"{kind} {word}"
        for verb, target, *words in ops
        for kind in kinds
        for word in words
        if verb == "message" and f".{kind}-" in target and word.startswith("about=")
    )


def _taken_away(world: World, path: str) -> bool:
    """Tell whether a person has removed a file, with a revert perhaps: it is theirs."""
    repository, line = world.repository, world.line(world.tip())
    return any(
        not _is_transaction(world, oid)
        for oid in line
        if path in repository.trees[repository.commits[oid].parent or oid]
        and path not in repository.trees[oid]
    )


def _is_transaction(world: World, oid: str) -> bool:
    newest = MemoryHub(world.repository).newest_transaction(oid)
    return newest is not None and newest.commit == oid
