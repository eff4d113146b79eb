"""What verdicts rest on, and what a verdict is."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from bnet.model.base import Record, Result
from bnet.model.monitoring import Monitoring
from bnet.model.server import Heartbeat, Server
from bnet.model.state import State
from bnet.rules.presence import silent_after

LONGEST_S = 100 * 365 * 86400.0  # of a correction: a clock may say the year 9999

Severity = Literal["warning", "critical"]
Certainty = Literal["certain", "observed", "clocks", "estimate"]


def after(at: datetime, seconds: float) -> datetime:
    """Return the time so many seconds after another; documents may hold the ends of what can be written down."""
    try:
        return at + timedelta(seconds=max(-LONGEST_S, min(seconds, LONGEST_S)))
    except OverflowError:
        return at


class Finding(Record, frozen=True, kw_only=True, omit_defaults=False):
    """Something that a person should know of.

    Attributes:
        rule: which kind of trouble.
        about: of what, so that `rule:about` names the trouble for as long as it lasts.
        severity: whether it can wait.
        text: what is so, in one line.
        since: when it began, where that is known.
        sure: `certain` where the ledger or the server itself says so; `observed` where this machine has seen it on
            its own clock; `clocks` where it rests on the times of two machines; `estimate` on what is usual.
        evidence: the facts behind it, for programs.
        advice: what to do, in one line.
    """

    rule: str
    about: str = ""
    severity: Severity
    text: str
    since: datetime | None = None
    sure: Certainty = "certain"
    evidence: dict[str, str | float | int | bool | None] = {}
    advice: str = ""

    @property
    def key(self) -> str:
        """What names the trouble, the same each time it is looked at."""
        return f"{self.rule}:{self.about}" if self.about else self.rule


class Beat(msgspec.Struct, frozen=True):
    """An earlier heartbeat: when by the server's clock, on which boot, whether it held a run."""

    at: datetime
    boot_id: str
    holds: bool


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What is on a server's telemetry ref, and for how long this machine has seen it there.

    Attributes:
        beat: the newest heartbeat; None if there never was one.
        earlier: those before it, the newest first, as far as the ref's history goes back.
        least_s: seconds for which this machine has seen the ref unmoved, on its own clock.
        most_s: seconds since it last saw the ref at another commit; None if it never did.
        current: whether that heartbeat is the one that the ref has now, and not one before it that could be read.
    """

    beat: Heartbeat | None = None
    earlier: Sequence[Beat] = ()
    least_s: float = 0.0
    most_s: float | None = None
    current: bool = True


class Expected(msgspec.Struct, frozen=True):
    """How long a job usually takes: seconds that three in four stay below, from so many runs."""

    high: float
    runs: int


class End(msgspec.Struct, frozen=True):
    """How a job ended, by its number."""

    number: int
    result: Result
    at: datetime


class Overdue(msgspec.Struct, frozen=True):
    """A message that was not acknowledged in time: its id, when that was due, and a sentence on it."""

    id: str
    due: datetime | None
    text: str


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """A published dashboard.

    Attributes:
        where: it is, for people.
        tip: what is unlike that of any other publication.
        built: when it was made, by its publisher's clock; None if it gave no answer.
        said: what there is to be said then.
        least_s, most_s: as in `Seen`.
    """

    where: str
    tip: str = ""
    built: datetime | None = None
    said: str = ""
    least_s: float = 0.0
    most_s: float | None = None


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is known.

    Attributes:
        state: the ledger.
        now: the time by this machine; `ahead_s` corrects it.
        seen: server -> its telemetry.
        ahead_s: by how many seconds most servers' clocks are ahead of this machine's, as far as that is certain.
        expected: running job -> how long such jobs take.
        archived: job name -> how its older jobs ended, where the ledger's tree does not hold enough of them.
        overdue: messages.
        pushes: how many were counted in the last hour; None where nobody asks.
        hub_bytes: what the hub takes, or at least takes; None if unknown.
        hub_refs: how many refs it has.
        diverged: what is to be said of a hub whose ledger is no continuation of `state`; "" of one whose is.
        site: the dashboard that is published; None if none is, as far as is known.
    """

    state: State
    now: datetime
    seen: Mapping[str, Seen] = {}
    ahead_s: float = 0.0
    expected: Mapping[int, Expected] = {}
    archived: Mapping[str, Sequence[End]] = {}
    overdue: Sequence[Overdue] = ()
    pushes: int | None = None
    hub_bytes: int | None = None
    hub_refs: int = 0
    diverged: str = ""
    site: Site | None = None

    @property
    def monitoring(self) -> Monitoring:
        """What people want to be told of."""
        return self.state.monitoring

    @property
    def time(self) -> datetime:
        """The time by most servers' clocks."""
        return after(self.now, self.ahead_s)

    def held(self, server: str) -> list[int]:
        """Return the numbers of the jobs that a server has claimed."""
        return [
            job.number
            for job in self.state.jobs.values()
            if job.claim is not None and job.result is None and job.claim.server == server
        ]

    def age_s(self, server: str) -> float | None:
        """Return the seconds since a server's last heartbeat; None if there never was one.

        What clocks say is corrected by what this machine has seen on its own.
        """
        seen = self.seen.get(server, Seen())
        if seen.beat is None:
            return None
        return self._age_s(seen.beat.at, seen)

    def site_age_s(self, built: datetime) -> float:
        """Return the seconds since the dashboard was published."""
        return self._age_s(built, self.site or Seen())

    def _age_s(self, at: datetime, seen: Seen | Site) -> float:
        by_clocks = max(0.0, (self.time - at).total_seconds())
        return max(seen.least_s, by_clocks if seen.most_s is None else min(by_clocks, seen.most_s))

    def silent_after(self, server: str) -> float:
        """Return the seconds of silence after which a server counts as lost."""
        return silent_after(self.state.settings, len(self.state.servers), holds=bool(self.held(server)))

    def is_lost(self, server: Server) -> bool:
        """Tell whether a server should have been seen since."""
        age = self.age_s(server.name)
        if age is None:
            joined = (self.time - server.joined_at).total_seconds()
            return joined > silent_after(self.state.settings, len(self.state.servers), holds=True)
        return age > self.silent_after(server.name)
