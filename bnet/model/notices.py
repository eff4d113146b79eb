"""What was told of a network, and what is still to be told."""

from typing import Literal

from bnet.model.base import Moment, Record
from bnet.model.notify import Level

Action = Literal["tell", "trigger", "resolve"]


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


class Wrong(Record, frozen=True, kw_only=True):
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
        seq: the transaction up to which everything was looked at; 0 where nobody has.
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
    standing: dict[str, Wrong] = {}
    outbox: dict[str, Parcel] = {}
    last: dict[str, Moment] = {}
    silences: dict[str, Silence] = {}
    troubles: dict[str, Outage] = {}
    spent: dict[str, Spent] = {}
    history: tuple[Delivery, ...] = ()
