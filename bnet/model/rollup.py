"""Hourly roll-ups of a server's figures, on its telemetry ref."""

from typing import Annotated

import msgspec

from bnet.model.base import Moment, Record


class Spread(Record, frozen=True, kw_only=True):
    """A figure in one hour: its mean, the most it was, and how many samples told it."""

    mean: float
    most: float
    samples: Annotated[int, msgspec.Meta(ge=1)] = 1


class Hour(Record, frozen=True, kw_only=True):
    """What a server's samples of one hour come to; a figure that none of them told is left out.

    Attributes:
        hour: its beginning, by the server's clock.
        samples: how many there were.
        cpu: percent of all cores.
        memory: percent.
        load: of five minutes, for each core.
        network: bytes a second, sent and received.
        runs: how many jobs ran there.
        disk: percent that is full, by path.
    """

    hour: Moment
    samples: int = 0
    cpu: Spread | None = None
    memory: Spread | None = None
    load: Spread | None = None
    network: Spread | None = None
    runs: Spread | None = None
    disk: dict[str, Spread] = {}


class Hours(Record, frozen=True, kw_only=True):
    """`metrics/<yyyy>-<mm>-<dd>.json`: the hours of one day, the oldest first."""

    hours: tuple[Hour, ...] = ()


class Rolled(Record, frozen=True, kw_only=True):
    """What a server remembers of its roll-ups.

    Attributes:
        hours: those of the last two days, the oldest first.
        told: the hour of the newest one that is known to be on the ref.
    """

    hours: tuple[Hour, ...] = ()
    told: Moment | None = None
