"""Commands from the command line: into the ledger by one transaction, never twice, never lost."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from bnet.app.ledger import Ledger
from bnet.app.lookup import Lookup
from bnet.app.messages.acknowledge import NotAddressed, acknowledge
from bnet.app.snapshot import NoLedger
from bnet.codec import letter_paths, letters
from bnet.codec.documents import Unreadable, decode
from bnet.errors import BnetError, HubUnreachable, Invalid
from bnet.files import read_or_none, set_aside, write_atomic
from bnet.model.base import Record
from bnet.model.command import Command, Submit
from bnet.model.message import Draft, Nod
from bnet.rules import messages
from bnet.rules.admit import admit
from bnet.rules.jobs import Illegal
from bnet.rules.specs import Facts, Unresolved
from bnet.rules.transaction import Transaction

KEPT_ACK = "the acknowledgement is kept here; the next `bnet message` or `bnet sync` delivers it, once"
KEPT_MESSAGE = "the message is kept here; the next `bnet message send` or `bnet sync` delivers it, once"
KEPT = "the submission is kept here; the next `bnet submit` or `bnet sync` delivers it, once"


class Letter(Record, frozen=True, kw_only=True):
    """What waits in the outbox: for which hub, from whom, and what: jobs, messages, or acknowledgements."""

    hub: str
    by: str
    jobs: tuple[Submit, ...] = ()
    messages: tuple[Draft, ...] = ()
    acks: tuple[Nod, ...] = ()

    @property
    def kind(self) -> str:
        """What it is, in a word."""
        return "submission" if self.jobs else "message" if self.messages else "acknowledgement"


class Outbox:
    """The submissions of which it is not known yet whether they landed.

    Each has keys of its own, so that delivering it again makes no second job.
    """

    def __init__(self, directory: Path) -> None:
        """Keep the directory."""
        self._directory = directory

    def put(self, letter: Letter) -> Path:
        """Keep a submission, durably, and return its file."""
        path = self._directory / f"{uuid.uuid4().hex}.json"
        write_atomic(path, msgspec.json.encode(letter), mode=0o600)
        return path

    def letters(self, hub: str) -> list[tuple[Path, Letter]]:
        """Return what waits for a hub, oldest first: one may need the job of another."""
        return [(path, letter) for path, letter in self._all() if letter.hub == hub]

    def hubs(self) -> list[str]:
        """Return the hubs for which something waits."""
        return list(dict.fromkeys(letter.hub for _, letter in self._all()))

    def _all(self) -> Iterator[tuple[Path, Letter]]:
        for path in sorted(self._directory.glob("*.json"), key=_written_at):
            try:
                yield path, decode(Letter, read_or_none(path) or b"")
            except Unreadable:
                continue


def _written_at(path: Path) -> tuple[int, str]:
    try:
        return path.stat().st_mtime_ns, path.name
    except FileNotFoundError:  # delivered meanwhile, by another process
        return 0, path.name


def keyed(commands: Sequence[Command]) -> list[Command]:
    """Return commands of which each submission has a key."""
    batch = uuid.uuid4().hex
    return [
        msgspec.structs.replace(each, key=f"{batch}.{index}")
        if isinstance(each, Submit) and each.key is None
        else each
        for index, each in enumerate(commands)
    ]


def send(ledger: Ledger, lookup: Lookup, commands: Sequence[Command], by: str) -> list[int]:
    """Apply commands by one transaction; return the numbers of the jobs among them.

    Raises:
        Illegal: one of them cannot be done; none was.
        HubUnreachable: it is not known whether they were.
    """
    ledger.refresh()
    numbers: list[int] = []

    def decide(tx: Transaction) -> None:
        numbers[:] = admit(tx, commands, by=by, facts=_looked_up(lookup, tx, commands))

    ledger.transact(decide)
    return numbers


def submit(
    ledger: Ledger,
    lookup: Lookup,
    outbox: Outbox,
    hub: str,
    commands: Sequence[Command],
    by: str,
    told: Callable[[str], object] = str,
) -> list[int]:
    """Submit jobs, by way of the outbox and after what waits there; return their numbers.

    Args:
        ledger, lookup: to apply them with.
        outbox: where they are kept until it is known that they landed.
        hub: the ledger's.
        commands: the jobs.
        by: who asks.
        told: called with a sentence for each older letter that was refused.

    Raises:
        Illegal: it is refused, and forgotten.
        HubUnreachable: it is kept, and delivered by the next sync or submit from here.
    """
    ready = keyed(commands)
    letter = Letter(hub=hub, by=by, jobs=tuple(each for each in ready if isinstance(each, Submit)))
    outgoing = Outgoing(ledger, lookup, outbox, letter, told)
    return outgoing.go(lambda: send(ledger, lookup, ready, by), KEPT)


def send_message(
    ledger: Ledger,
    lookup: Lookup,
    outbox: Outbox,
    hub: str,
    draft: Draft,
    by: str,
    told: Callable[[str], object] = str,
) -> list[int]:
    """Send a message, as `submit` does it with jobs; return the numbers of the jobs that its command became."""
    outgoing = Outgoing(ledger, lookup, outbox, Letter(hub=hub, by=by, messages=(draft,)), told)
    return outgoing.go(lambda: send_draft(ledger, lookup, draft, by), KEPT_MESSAGE)


def send_draft(ledger: Ledger, lookup: Lookup, draft: Draft, by: str) -> list[int]:
    """Send a message by one transaction, unless it is there; return the numbers of the jobs that it asks for.

    Raises:
        Illegal: it cannot be sent, or its command cannot be done.
        HubUnreachable: it is not known whether it was.
    """
    ledger.refresh()
    path = letter_paths.message_path(draft.key)
    commands = list(letters.read(letters.write(draft.front, draft.body), path).commands)
    numbers: list[int] = []

    def decide(tx: Transaction) -> None:
        numbers.clear()
        if draft.key in tx.state.asks or ledger.hub.read(tx.state.tip, [path]):
            numbers.extend(tx.state.asks[draft.key].jobs if draft.key in tx.state.asks else ())
            return
        facts = _looked_up(lookup, tx, commands)
        numbers.extend(messages.send(tx, draft, commands, by=by, facts=facts))

    ledger.transact(decide)
    return numbers


def send_ack(
    ledger: Ledger,
    lookup: Lookup,
    outbox: Outbox,
    hub: str,
    nod: Nod,
    told: Callable[[str], object] = str,
) -> bool:
    """Acknowledge a message, as `submit` does it with jobs; False if that was done before."""
    outgoing = Outgoing(ledger, lookup, outbox, Letter(hub=hub, by=nod.who, acks=(nod,)), told)
    return bool(outgoing.go(lambda: [1] if acknowledge(ledger, nod) else [], KEPT_ACK))


class Outgoing(NamedTuple):
    """A letter on its way, with what it is sent by."""

    ledger: Ledger
    lookup: Lookup
    outbox: Outbox
    letter: Letter
    told: Callable[[str], object]

    def go(self, act: Callable[[], list[int]], kept: str) -> list[int]:
        """Do what the letter asks, after what waits in the outbox, and keep it there until it is known to be done."""
        path = self.outbox.put(self.letter)
        try:
            self.ledger.refresh()
            for refused in deliver(self.ledger, self.lookup, self.outbox, self.letter.hub, before=path):
                self.told(refused)
            numbers = act()
        except (Illegal, Invalid, NoLedger, NotAddressed):
            path.unlink(missing_ok=True)
            raise
        except BnetError as error:
            error.hint = "; ".join(filter(None, [error.hint, kept]))
            raise
        path.unlink(missing_ok=True)
        return numbers


def _looked_up(lookup: Lookup, tx: Transaction, commands: Sequence[Command]) -> Facts:
    facts = lookup(tx.state, list(commands))
    silent = [each.why for each in facts.commits.values() if isinstance(each, Unresolved) and each.again]
    if silent:
        raise HubUnreachable(f"a source does not answer: {silent[0]}")
    return facts


def deliver(
    ledger: Ledger, lookup: Lookup, outbox: Outbox, hub: str, *, before: Path | None = None
) -> list[str]:
    """Deliver what waits in the outbox; return a sentence for each that was refused.

    Args:
        ledger, lookup: to apply it with.
        outbox: where it waits.
        hub: whose letters.
        before: this letter and younger ones are left alone.
    """
    refused = []
    for path, letter in outbox.letters(hub):
        if path == before:
            break
        try:
            if letter.jobs:
                send(ledger, lookup, letter.jobs, letter.by)
            for draft in letter.messages:
                send_draft(ledger, lookup, draft, letter.by)
            for nod in letter.acks:
                ledger.refresh()
                acknowledge(ledger, nod)
        except (Illegal, Invalid, NotAddressed) as error:
            with suppress(FileNotFoundError):  # whoever submitted it was told first
                set_aside(path, ".refused")
            refused.append(f"the {letter.kind} of {letter.by} was refused: {error}")
            continue
        except BnetError:
            continue  # of the hub or a source, not of the letter: it waits
        path.unlink(missing_ok=True)
    return refused
