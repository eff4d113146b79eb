"""Commands from the command line: into the ledger by one transaction, never twice, never lost."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from bnet.app.ledger import Ledger
from bnet.app.lookup import Lookup
from bnet.app.snapshot import NoLedger
from bnet.codec.documents import Unreadable, decode
from bnet.errors import BnetError, HubUnreachable, Invalid
from bnet.files import read_or_none, set_aside, write_atomic
from bnet.model.base import Record
from bnet.model.command import Command, Submit
from bnet.rules.admit import admit
from bnet.rules.jobs import Illegal
from bnet.rules.specs import Unresolved
from bnet.rules.transaction import Transaction

KEPT = "the submission is kept here; the next `bnet submit` or `bnet sync` delivers it, once"


class Letter(Record, frozen=True, kw_only=True):
    """A submission in the outbox: for which hub, from whom, and what."""

    hub: str
    by: str
    jobs: tuple[Submit, ...]


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
        facts = lookup(tx.state, list(commands))
        silent = [each.why for each in facts.commits.values() if isinstance(each, Unresolved) and each.again]
        if silent:
            raise HubUnreachable(f"a source does not answer: {silent[0]}")
        numbers[:] = admit(tx, commands, by=by, facts=facts)

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
    path = outbox.put(letter)
    try:
        ledger.refresh()
        for refused in deliver(ledger, lookup, outbox, hub, before=path):
            told(refused)
        numbers = send(ledger, lookup, ready, by)
    except (Illegal, Invalid, NoLedger):
        path.unlink(missing_ok=True)
        raise
    except BnetError as error:
        error.hint = "; ".join(filter(None, [error.hint, KEPT]))
        raise
    path.unlink(missing_ok=True)
    return numbers


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
            send(ledger, lookup, letter.jobs, letter.by)
        except (Illegal, Invalid) as error:
            with suppress(FileNotFoundError):  # whoever submitted it was told first
                set_aside(path, ".refused")
            refused.append(f"a submission of {letter.by} was refused: {error}")
            continue
        except BnetError:
            continue  # of the hub or a source, not of the letter: it waits
        path.unlink(missing_ok=True)
    return refused
