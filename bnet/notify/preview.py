"""What would become of an event, and why."""

from datetime import datetime

import msgspec

from bnet.model.events import KINDS
from bnet.model.notices import Event, Notices
from bnet.model.notify import LEVELS, Level, Notifications
from bnet.notify.quiet import has_room, is_quiet
from bnet.notify.routes import channels_of, is_urgent, verdict


class Way(msgspec.Struct, frozen=True):
    """A route: the channels that it takes an event to, and why not, or what holds it there."""

    route: str
    channels: tuple[str, ...]
    why: str = ""


def ways(event: Event, config: Notifications, notices: Notices, now: datetime) -> list[Way]:
    """Say of each route what it does with an event."""
    found, told = [], set[str]()
    for route in config.routes:
        why = verdict(event, route, config, notices, now)
        channels = [] if why else [each for each in channels_of(route, config) if each not in told]
        if not why and not channels:
            why = (
                "its channels are told by a route before it"
                if channels_of(route, config)
                else "its channels are off"
            )
        told.update(channels)
        holds = [each for each in (_held(name, config, notices, now) for name in channels) if each]
        if channels and is_quiet(config.quiet, now) and not is_urgent(event, route, config):
            holds.insert(0, "held until the quiet hours are over")
        found.append(Way(route.name, tuple(channels), why or "; ".join(holds)))
    return found


def _held(channel: str, config: Notifications, notices: Notices, now: datetime) -> str:
    trouble = notices.troubles.get(channel)
    if trouble is not None:
        return f"{channel} does not work: {trouble.reason}"
    limits = config.channels[channel].limits or config.limits
    return (
        ""
        if has_room(notices.spent.get(channel), limits, now)
        else f"{channel} has had its limit of messages"
    )


def example(
    name: str,
    now: datetime,
    *,
    server: str = "",
    job: str = "",
    packages: tuple[str, ...] = (),
    labels: dict[str, str] | None = None,
    priority: Level | None = None,
) -> Event:
    """Return an event of a kind that has not happened."""
    kind = KINDS[name]
    return Event(
        name=name,
        at=now,
        priority=priority if priority in LEVELS else kind.priority,
        text=f"an example: {kind.what}",
        key=f"example:{name}",
        job=job,
        server=server,
        packages=packages,
        labels=labels or {},
    )
