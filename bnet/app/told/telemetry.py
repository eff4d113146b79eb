"""What all servers have told of themselves: heartbeats, and which logs and figures of days their refs hold."""

import re
from collections.abc import Sequence

import msgspec

from bnet.app.told.overview import HEARTBEAT
from bnet.codec.documents import Unreadable, decode
from bnet.model.base import Record
from bnet.model.server import Heartbeat
from bnet.ports.hub import Hub, Look
from bnet.rules import rollup

VERSION = 2  # of what is read of a ref
_CHUNK = re.compile(r"runs/[0-9]{4,13}/([0-9]{1,15}\.[0-9]{1,15})/log/([0-9]{1,15})")


class Chunk(msgspec.Struct, frozen=True, array_like=True):
    """A piece of a run's log: where it begins, in bytes, and the id of its content."""

    offset: int
    blob: str


class Told(Record, frozen=True, kw_only=True):
    """What one commit of a server's ref holds.

    Attributes:
        tip: the commit.
        heartbeat: None if there is none that can be read.
        logs: `<job>.<attempt>` -> the pieces, in order.
        days: days, as in `2026-11-20` -> the id of what holds the figures of their hours, the oldest first.
    """

    tip: str
    heartbeat: Heartbeat | None = None
    logs: dict[str, list[Chunk]] = {}
    days: dict[str, str] = {}


class AllTold(Record, frozen=True, kw_only=True):
    """What is remembered of all servers, by their names: it can be had again.

    `version` says what was read of each ref; what another bnet has remembered may lack something.
    """

    version: int = 0
    servers: dict[str, Told] = {}


def all_told(hub: Hub, look: Look, servers: Sequence[str], known: AllTold) -> AllTold:
    """Return what servers have told, of those that have; refs that have not moved since are not read again.

    Raises:
        HubUnreachable: no answer.
    """
    present = [name for name in servers if name in look.telemetry]
    remembered = known.servers if known.version == VERSION else {}
    with hub.exclusive():
        hub.fetch_telemetry(present)
        found = {}
        for name in present:
            before, tip = remembered.get(name), look.telemetry[name]
            found[name] = before if before is not None and before.tip == tip else _told(hub, tip)
        return AllTold(version=VERSION, servers=found)


def _told(hub: Hub, tip: str) -> Told:
    """Read what a ref holds; whatever else anybody has put there is passed over."""
    logs: dict[str, dict[int, str]] = {}
    for path, blob in hub.blobs(tip, "runs/").items():
        match = _CHUNK.fullmatch(path)
        if match is not None:
            logs.setdefault(match[1], {})[int(match[2])] = blob
    whole = {key: [Chunk(*each) for each in sorted(chunks.items())] for key, chunks in logs.items()}
    files = hub.blobs(tip, rollup.FOLDER)
    days = {day: files[path] for path in sorted(files) if (day := rollup.day_of(path))}
    return Told(tip=tip, heartbeat=_heartbeat(hub, tip), logs=whole, days=days)


def _heartbeat(hub: Hub, tip: str) -> Heartbeat | None:
    data = hub.read(tip, [HEARTBEAT]).get(HEARTBEAT)
    try:
        return None if data is None else decode(Heartbeat, data)
    except Unreadable:
        return None
