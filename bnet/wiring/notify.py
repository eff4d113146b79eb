"""Notifications as this server tells them: what it asks of the network, and where it notes what it has sent."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from bnet.app.history import annals
from bnet.app.steward.telling import Telling
from bnet.codec.documents import Unreadable, decode
from bnet.codec.notifications import named, urls_of
from bnet.errors import BnetError
from bnet.files import read_or_none, write_atomic
from bnet.health.facts import Finding
from bnet.health.jobs import ENDS
from bnet.model.base import Result
from bnet.model.history import Event, EventQuery, Query
from bnet.notify.happened import Before
from bnet.notify.outbox import Outcome
from bnet.ports.outside import Attachment, Messenger, Sender
from bnet.senders.outgoing import AppriseMessenger
from bnet.wiring.health import examined
from bnet.wiring.machine import Machine

if TYPE_CHECKING:
    from bnet.app.ledger import Ledger

ROOM = 65536  # bytes that a note may take
NEWEST_ENDS = 20  # of a name, among which the one before a job is looked for


class LocalNetwork:
    """What the chore asks of a network besides its ledger."""

    def __init__(self, machine: Machine, url: str, ledger: "Ledger") -> None:
        """Keep the machine; nothing is opened yet."""
        self._machine, self._url, self._ledger = machine, url, ledger

    def events(self, after: int) -> Sequence[Event]:
        index = self._machine.index(self._url)
        return index.events(annals(self._ledger), EventQuery(after=after))

    def before(self) -> Before:
        ends: dict[str, list[tuple[int, Result]]] = {}
        for number, job in sorted(self._ledger.state.jobs.items()):
            if job.result is not None and job.result.result in ENDS:
                ends.setdefault(job.spec.name, []).append((number, job.result.result))

        def told(name: str, number: int) -> Result | None:
            known = [result for each, result in ends.get(name, ()) if each < number]
            return known[-1] if known else self._archived(name, number)

        return told

    def _archived(self, name: str, number: int) -> Result | None:
        if not self._ledger.state.archive:
            return None
        query = Query(name=name, results=ENDS, limit=NEWEST_ENDS)
        past = self._machine.index(self._url).search(annals(self._ledger), (), query)
        found = [each for each in past if each.number < number]
        newest = max(found, key=lambda each: each.number, default=None)
        results: Mapping[str, Result] = {
            "success": "success",
            "failure": "failure",
            "error": "error",
            "timeout": "timeout",
        }
        return None if newest is None else results.get(newest.result or "")

    def health(self) -> tuple[Sequence[Finding], float]:
        facts, findings = examined(self._machine, self._url)
        return findings, facts.ahead_s


class FileJournal:
    """A file for each channel, beside the mirror."""

    def __init__(self, directory: Path) -> None:
        """Keep where they are."""
        self._directory = directory

    def kept(self) -> list[Outcome]:
        found = []
        for path in sorted(self._directory.glob("*.json")) if self._directory.is_dir() else ():
            try:
                found.append(decode(Outcome, read_or_none(path) or b""))
            except Unreadable:
                path.unlink(missing_ok=True)
        return found

    def check(self) -> None:
        room = self._directory / "room"
        self._write(room, b" " * ROOM)
        room.unlink(missing_ok=True)

    def keep(self, outcome: Outcome) -> None:
        self._write(self._path(outcome), msgspec.json.encode(outcome))

    def _write(self, path: Path, data: bytes) -> None:
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            write_atomic(path, data)
        except OSError as error:
            raise BnetError(f"this server cannot note down what it sends: {error}") from None

    def forget(self, outcome: Outcome) -> None:
        self._path(outcome).unlink(missing_ok=True)

    def _path(self, outcome: Outcome) -> Path:
        return self._directory / f"{outcome.channel}.json"


class ChannelSender:
    """Reaches the channels of `notifications.yaml` at once: a target is one, or as `name:2` one of its addresses."""

    def __init__(self, ledger: "Ledger", messenger: Messenger) -> None:
        """Keep the parts."""
        self._ledger, self._messenger = ledger, messenger

    def targets(self, to: Sequence[str]) -> Sequence[str]:
        config = self._ledger.state.notifications
        found: list[str] = []
        for word in to:
            name, _, place = word.partition(":")
            channels = named(config, (name,))
            for each in channels:
                count = len(urls_of(config.channels[each])) if config.channels[each].enabled else 0
                places = [f"{each}:{at + 1}" for at in range(count)] if count > 1 else [each] * count
                found += [target for target in places if not place or target == word]
            if not channels:
                found.append(word)
        return list(dict.fromkeys(found))

    def send(self, target: str, title: str, body: str, attachments: Sequence[Attachment]) -> None:
        name, _, place = target.partition(":")
        channel = self._ledger.state.notifications.channels.get(name)
        if channel is None:
            raise BnetError(f"no channel of notifications.yaml has the name or the tag {name}")
        at = int(place) - 1 if place else 0
        if at >= len(urls_of(channel)):  # it was edited a moment ago
            raise BnetError(f"{name} has no address {place} any more")
        lacking = self._messenger.lacks(channel)
        if lacking:
            raise BnetError(f"{name}: {', '.join(lacking)} is not set on this server")
        as_markdown = replace(channel, format="markdown")
        refused = self._messenger.send(as_markdown, [at], title, body, attachments)
        if refused:
            raise BnetError(f"{target}: {refused[at]}")


def messenger(machine: Machine) -> AppriseMessenger:
    """Return what reaches people from here, with the secrets of this machine."""
    return AppriseMessenger(machine.own_environment)


def sender(machine: Machine, ledger: "Ledger") -> Sender | None:
    """Return what sends reports from here; None where nobody has named a channel."""
    return ChannelSender(ledger, messenger(machine)) if ledger.state.notifications.channels else None


def telling(machine: Machine, url: str, who: str, ledger: "Ledger") -> Telling:
    """Return the chore."""
    journal = FileJournal(machine.home.hub_dir(url) / "told")
    network = LocalNetwork(machine, url, ledger)
    return Telling(ledger, network, messenger(machine), journal, machine.clock, who)
