"""What a server remembers of its telemetry ref: what it sent, so that it sends only what is new."""

from typing import Annotated

import msgspec

from bnet.model.base import Moment, Record
from bnet.model.rollup import Hour
from bnet.model.server import Sample

Offset = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,15}$")]
RunKey = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,15}\.-?[0-9]{1,15}$")]


class SentLog(Record, frozen=True, kw_only=True):
    """The chunks of one run's log on the ref: offset -> length, and where the next one begins.

    `recovered` stands for a run that was found on the ref when the notes were gone.
    """

    chunks: dict[Offset, int] = {}
    next: int = 0
    complete: bool = False
    artifact_bytes: int = 0
    ended_at: Moment | None = None
    recovered: bool = False

    @property
    def bytes(self) -> int:
        """What the run takes up on the ref."""
        return sum(self.chunks.values()) + self.artifact_bytes


class Sent(Record, frozen=True, kw_only=True):
    """The state of a server's own telemetry ref.

    Attributes:
        tip: the commit that is known to be there, "" for none.
        length: how many commits its history has.
        begun_at: when that history was begun.
        written: the commits that this server wrote lately, landed or not: all that is not a stranger's.
        runs: `<job>.<attempt>` -> what was sent of it.
        pending: the record as it will be if the commit that was pushed last has landed.
    """

    tip: str = ""
    length: int = 0
    begun_at: Moment | None = None
    written: tuple[str, ...] = ()
    runs: dict[RunKey, SentLog] = {}
    pending: "Sent | None" = None


class Sampled(Record, frozen=True, kw_only=True):
    """The samples that a server took of its figures.

    Attributes:
        boot_id: the boot that seconds and counters were counted on.
        taken_s: boot-clock seconds of the newest one.
        counters: as they stood then.
        samples: the oldest first.
        hour: what those of this hour come to.
        told: which figures were at which level in the heartbeat that landed last.
    """

    boot_id: str = ""
    taken_s: float = 0.0
    counters: dict[str, float] = {}
    samples: tuple[Sample, ...] = ()
    hour: Hour | None = None
    told: tuple[str, ...] = ()
