"""A server: a machine that runs jobs."""

from typing import Annotated

import msgspec

from bnet.model.base import Moment, Name, Record, Wish

Filled = Annotated[str, msgspec.Meta(min_length=1)]


class Accept(Record, frozen=True, kw_only=True):
    """Which work a machine takes, decided by the machine's owner; an empty list means any."""

    queues: tuple[str, ...] = ()
    submitters: tuple[str, ...] = ()


class Server(Record, frozen=True, kw_only=True):
    """`servers/<name>.json`: the registration, and what people want of the server since."""

    name: Name
    instance: str
    joined_at: Moment
    slots: Annotated[int, msgspec.Meta(ge=0)] = 1
    labels: dict[str, str] = {}
    accept: Accept = Accept()
    formats: int = 1
    version: str = ""
    wanted: Wish = "active"
    why: str = ""
    by: str = ""


class Held(Record, frozen=True, kw_only=True):
    """One run that a server holds, as its heartbeat tells it."""

    job: int
    attempt: int
    run: str
    phase: str
    seconds: float = 0.0


class Sample(Record, frozen=True, kw_only=True):
    """Figures of a machine at one moment, as they are compared with thresholds; what it could not tell is left out.

    Attributes:
        at: by its clock.
        cpu: percent of all cores, since the sample before.
        memory: percent that is not to be had without swapping.
        load: of five minutes, for each core.
        network: bytes a second, sent and received, since the sample before.
        disk: percent that is full, by path.
        silent: paths whose disk gave no answer.
        runs: how many jobs ran there.
    """

    at: Moment
    cpu: float | None = None
    memory: float | None = None
    load: float | None = None
    network: float | None = None
    disk: dict[str, float] = {}
    silent: tuple[str, ...] = ()
    runs: int = 0


class Return(Record, frozen=True, kw_only=True):
    """A time at which a server was heard again: after a silence that made it count as lost, or on another boot."""

    at: Moment
    boot: bool = False


class Heartbeat(Record, frozen=True, kw_only=True):
    """`heartbeat.json` on the telemetry ref; informs people, and its arrival keeps leases alive."""

    server: Name
    instance: str
    at: Moment
    boot_id: str
    nonce: str
    version: str
    slots: int
    runs: tuple[Held, ...] = ()
    metrics: dict[str, float | None] = {}
    samples: tuple[Sample, ...] = ()
    returns: tuple[Return, ...] = ()


class Identity(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`server.yaml` in BNET_HOME: who this machine is in which network.

    A misspelt `accept` may not let a machine take everybody's work, so an unknown field is refused.
    """

    hub: Filled
    branch: Filled
    name: Name
    instance: Filled
    slots: Annotated[int, msgspec.Meta(ge=0)] = 1
    labels: dict[str, str] = {}
    accept: Accept = Accept()
    path: str = ""
