"""Notifications: what people want to be told of and where, and what of that is under way."""

from typing import Annotated, Literal

import msgspec

from bnet.model.base import Moment, Name, Record
from bnet.model.command import Duration, Strict

Level = Literal["low", "medium", "high", "critical"]
Format = Literal["text", "markdown", "html"]
Part = Literal["event", "server", "job", "package", "key"]
Action = Literal["tell", "trigger", "resolve"]
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


class Event(Record, frozen=True, kw_only=True):
    """Something that happened, or that is so or no longer so.

    Attributes:
        name: one of the list.
        at: when.
        priority: how much it matters.
        text: in one line.
        key: of the trouble that it begins or ends; of anything else, what makes it the same again.
        action: whether it begins or ends a trouble.
        number: of the job.
        job: its name.
        server: where.
        labels, packages: of the job.
        seq: of the transaction that says so; 0 of what was found.
    """

    name: str
    at: Moment
    priority: Level
    text: str
    key: str
    action: Action = "tell"
    number: int | None = None
    job: str = ""
    server: str = ""
    labels: dict[str, str] = {}
    packages: tuple[str, ...] = ()
    seq: int = 0


class Alert(Record, frozen=True, kw_only=True):
    """A trouble that was told, or is about to be, and is not over.

    Attributes:
        event: the first one.
        routes: those that it took.
        count: how often it was said.
        told_at: when somebody was told.
        step: how many steps of escalation were taken.
        acked_by, acked_at: who has taken it on.
    """

    event: Event
    routes: tuple[str, ...] = ()
    count: int = 1
    told_at: Moment | None = None
    step: int = 0
    acked_by: str = ""
    acked_at: Moment | None = None


class Found(Record, frozen=True, kw_only=True):
    """What was found wrong at the last look: under which event, and where."""

    event: str
    server: str = ""


class Parcel(Record, frozen=True, kw_only=True):
    """A message that is not sent yet.

    Attributes:
        route, channel: of it.
        events: the first ones.
        count: of all.
        begun: when the first one came.
        due: when it is sent.
        urgent: whether quiet hours do not hold it.
        tries: how often that failed.
        left: of a channel with several addresses, those that did not take it; empty for all.
        step: of an escalation, which; 0 of anything else.
    """

    route: str
    channel: str
    events: tuple[Event, ...]
    count: int
    begun: Moment
    due: Moment
    urgent: bool = False
    tries: int = 0
    left: tuple[int, ...] = ()
    step: int = 0


class Delivery(Record, frozen=True, kw_only=True):
    """What became of a message: told, or given up."""

    at: Moment
    channel: str
    routes: tuple[str, ...]
    events: tuple[str, ...]
    count: int
    title: str
    by: str
    tries: int = 1
    failed: str = ""


class Silence(Record, frozen=True, kw_only=True):
    """Somebody wants to hear nothing of something for a while."""

    events: tuple[str, ...]
    until: Moment
    by: str
    reason: str
    server: str = ""
    job: str = ""
    package: str = ""


class Outage(Record, frozen=True, kw_only=True):
    """A channel that does not work.

    Attributes:
        reason: why.
        by: the servers that have found it so.
        since: when it began.
        failures: how often in a row.
        again: when it is tried again.
        lacks: whether it is only that a variable is not set on those servers.
    """

    reason: str
    by: tuple[str, ...]
    since: Moment
    failures: int
    again: Moment
    lacks: bool = False


class Spent(Record, frozen=True, kw_only=True):
    """How many messages a channel got in a minute and an hour, counted from 1970."""

    minute: int
    in_minute: int
    hour: int
    in_hour: int


class Notices(Record, frozen=True, kw_only=True):
    """`notify.state.json`: what was told, and what is still to be told.

    Attributes:
        seq: the transaction up to which everything was looked at.
        sent: how many messages got there since the beginning.
        alerts: troubles that are not over, by key.
        standing: what was found wrong at the last look, by key.
        outbox: what is not sent yet, by id.
        last: `route event key` -> when that was let through.
        silences: by id.
        troubles: of channels.
        spent: of channels.
        history: the newest messages, the newest last.
    """

    seq: int = 0
    sent: int = 0
    alerts: dict[str, Alert] = {}
    standing: dict[str, Found] = {}
    outbox: dict[str, Parcel] = {}
    last: dict[str, Moment] = {}
    silences: dict[str, Silence] = {}
    troubles: dict[str, Outage] = {}
    spent: dict[str, Spent] = {}
    history: tuple[Delivery, ...] = ()
