"""Notifications: what people want to be told of, where and when."""

from typing import Annotated, Literal

import msgspec

from bnet.model.base import Name
from bnet.model.command import Duration, Strict

Level = Literal["low", "medium", "high", "critical"]
Format = Literal["text", "markdown", "html"]
Part = Literal["event", "server", "job", "package", "key"]
FIGURES = ("cpu", "memory", "load", "network", "disk")
LEVELS: tuple[Level, ...] = ("low", "medium", "high", "critical")

Pattern = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Wall = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9](?!\n)$", description='a time of day, as in "22:00"'
    ),
]
Template = Annotated[str, msgspec.Meta(max_length=20_000)]
Count = Annotated[int, msgspec.Meta(ge=1, le=100_000)]


class Limits(Strict, frozen=True, kw_only=True):
    """How many messages a channel gets at most; what is more waits, and comes as one."""

    minute: Count = 10
    hour: Count = 100


class Channel(Strict, frozen=True, kw_only=True):
    """A way to reach somebody.

    Attributes:
        urls: one or several, as Apprise takes them; `${BNET_NOTIFY_...}` stands for a variable of the steward.
        tags: by which routes may name it, besides its name.
        enabled: false, and nothing is sent there.
        format: what the texts are.
        title: Jinja2; without it, what bnet says.
        body: likewise.
        limits: in place of those of the file.
        timeout: how long one message may take.
    """

    urls: str | tuple[str, ...]
    tags: tuple[Name, ...] = ()
    enabled: bool = True
    format: Format = "text"
    title: Template = ""
    body: Template = ""
    limits: Limits | None = None
    timeout: Duration = 20.0


class Escalation(Strict, frozen=True, kw_only=True):
    """Whom to tell if nobody has acknowledged for so long; without `to`, those who were told before."""

    after: Duration
    to: tuple[Name, ...] = ()


class Route(Strict, frozen=True, kw_only=True):
    """Which events are told where: those to which all of it applies; of a list, one has to.

    Attributes:
        name: of the route.
        to: tags or names of channels.
        events: names or patterns, as in `job.failed`, `server.*`, `*.critical`.
        priority: from this one on.
        labels: of the job.
        packages: patterns, of what the job builds.
        servers: patterns.
        jobs: patterns of jobs' names.
        group_by: what is alike in events that come in one message.
        group_wait: how long a message waits for more of its group.
        dedup: how long the same is not told again; without it, that of the file.
        quiet: false, and quiet hours do not hold it.
        escalate: what happens as long as nobody acknowledges.
    """

    name: Name
    to: Annotated[tuple[Name, ...], msgspec.Meta(min_length=1)]
    events: Annotated[tuple[Pattern, ...], msgspec.Meta(min_length=1)] = ("*",)
    priority: Level = "low"
    labels: dict[str, str] = {}
    packages: tuple[Pattern, ...] = ()
    servers: tuple[Pattern, ...] = ()
    jobs: tuple[Pattern, ...] = ()
    group_by: tuple[Part, ...] = ("event",)
    group_wait: Duration = 15.0
    dedup: Duration | None = None
    quiet: bool = True
    escalate: Annotated[tuple[Escalation, ...], msgspec.Meta(max_length=10)] = ()


class Quiet(Strict, frozen=True, kw_only=True):
    """Hours in which what can wait is held; it comes as one message when they are over.

    Attributes:
        start: by the clocks of the zone.
        end: likewise; before `start`, it is on the next day.
        zone: of the IANA database.
        exceptions: events that are not held.
    """

    start: Wall
    end: Wall
    zone: str = "UTC"
    exceptions: tuple[Pattern, ...] = ("*.critical",)


class Inhibition(Strict, frozen=True, kw_only=True):
    """As long as one trouble is there, others of the same server, job or package are not told."""

    when: Pattern
    mutes: Annotated[tuple[Pattern, ...], msgspec.Meta(min_length=1)]
    same: Literal["server", "job", "package"] = "server"


LOST = Inhibition(
    when="server.lost",
    mutes=("job.*", "server.slow", "server.steady", "clock.*", *(f"{each}.*" for each in FIGURES)),
)


class Notifications(Strict, frozen=True, kw_only=True):
    """`notifications.yaml`: everything has a default, so an empty file is a valid one.

    Attributes:
        channels: by name.
        routes: each event takes all that it fits.
        dedup: how long the same trouble is not told again.
        limits: of each channel.
        quiet: hours in which what can wait is held.
        inhibit: what silences what.
        give_up_after: for how long a message that does not get there is tried.
    """

    channels: dict[Name, Channel] = {}
    routes: tuple[Route, ...] = ()
    dedup: Duration = 300.0
    limits: Limits = Limits()
    quiet: Quiet | None = None
    inhibit: tuple[Inhibition, ...] = (LOST,)
    give_up_after: Duration = 86400.0
