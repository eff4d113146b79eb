"""What the pages are made of."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import msgspec

from bnet.app.told.telemetry import Chunk
from bnet.model.history import Event, Past
from bnet.model.message import Ack
from bnet.model.message import Entry as Letter
from bnet.model.server import Heartbeat
from bnet.model.state import State
from bnet.schedule.durations import Durations


def _nowhere(path: str, text: str) -> str:
    return ""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """A network as it is known at one moment.

    Attributes:
        state: the ledger.
        hub: its URL, as anybody may see it.
        now: when it was looked at, by this machine's clock.
        every: seconds between two looks, if whoever publishes has said so; otherwise 0.
        beats: server -> its newest heartbeat.
        past: all jobs there ever were, open ones first, then the newest end.
        logs: server -> `<job>.<attempt>` -> the pieces of its log, in order.
        days: server -> day -> the id of what holds the figures of its hours.
        durations: how long jobs took.
        letters: the messages, oldest first.
        acks: who acknowledged which, by its key.
        bodies: the texts of the newest of them, by their keys.
        events: the newest transactions' deeds, oldest first.
        new_file: makes of a path and a text the address at which the hub's forge adds that file; "" where none does.
        reports: those that were kept, by name and time -> the id of their content.
    """

    state: State
    hub: str
    now: datetime
    every: int = 0
    beats: Mapping[str, Heartbeat] = {}
    past: Sequence[Past] = ()
    logs: Mapping[str, Mapping[str, Sequence[Chunk]]] = {}
    days: Mapping[str, Mapping[str, str]] = {}
    durations: Durations = Durations()
    letters: Sequence[Letter] = ()
    acks: Mapping[str, Sequence[Ack]] = {}
    bodies: Mapping[str, str] = {}
    events: Sequence[Event] = ()
    new_file: Callable[[str, str], str] = _nowhere
    reports: Mapping[tuple[str, datetime], str] = {}
