"""Reports: what people want to have counted, when and for whom, and the figures that come of it."""

from typing import Annotated, Literal

import msgspec

from bnet.model.base import Moment, Name, Record
from bnet.model.command import Strict
from bnet.model.schedule import Times

ReportKind = Literal["summary", "detailed", "analytics"]
ReportFormat = Literal["html", "markdown", "csv", "json", "pdf"]
Glob = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Text200 = Annotated[str, msgspec.Meta(max_length=200)]
FORMATS: tuple[ReportFormat, ...] = ("html", "markdown", "csv", "json", "pdf")
PERIODS = ("day", "week", "month")


class Report(Strict, frozen=True, kw_only=True):
    """A report, as people ask for it.

    Attributes:
        kind: how much is in it: `summary`, `detailed`, or `analytics`.
        period: what it looks back on: `day`, `week`, `month`, or a span of time.
        timezone: whose days and times count, such as Europe/Berlin.
        cron: when it is made, as in a schedule; without it, whenever somebody asks.
        names: only jobs of these names; `*` stands for anything, and one of a list is enough.
        queues: only jobs of these queues, likewise.
        deliver: the tags of the channels that it is sent to.
        attach: in which formats it is sent.
        keep: how many of those that were made by the clock are kept.
        description: for people.
    """

    kind: ReportKind = "summary"
    period: Annotated[float | str, msgspec.Meta(description="day, week, month, or a span as in 12h")] = "day"
    timezone: Annotated[str, msgspec.Meta(min_length=1, max_length=100)] = "UTC"
    cron: Annotated[str, msgspec.Meta(min_length=1, max_length=200)] | None = None
    names: tuple[Glob, ...] = ()
    queues: tuple[Glob, ...] = ()
    deliver: Annotated[tuple[Name, ...], msgspec.Meta(max_length=20)] = ()
    attach: Annotated[tuple[ReportFormat, ...], msgspec.Meta(min_length=1, max_length=5)] = ("html",)
    keep: Annotated[int, msgspec.Meta(ge=1, le=400)] = 30
    description: Text200 = ""


class Ordered(Record, frozen=True, kw_only=True):
    """A report as it is in force: `report` is what was written, the rest makes it exact.

    Attributes:
        span: the length of its period in seconds, where that is none of the calendar.
        times: when it is made.
        version: a digest of when that is; one with another version has been edited.
    """

    report: Report
    span: float | None = None
    times: Times | None = None
    version: str = ""


class Reports(Record, frozen=True, kw_only=True):
    """`reports.yaml`: the reports by their names."""

    reports: dict[str, Ordered] = {}


class Owed(Record, frozen=True, kw_only=True):
    """To which channels a kept report has yet to be sent.

    Attributes:
        to: their names or tags; `name:2` is one address of several.
        trouble: why that failed last.
        since: when it was made.
    """

    to: tuple[str, ...]
    trouble: str = ""
    since: Moment | None = None


class Turn(Record, frozen=True, kw_only=True):
    """How far a report was made.

    Attributes:
        version: of the report that this is of.
        until: all of its firings until then are done with.
        owed: kept report, by the time in its file's name -> where it has yet to be sent.
    """

    version: str
    until: Moment
    owed: dict[str, Owed] = {}


class Turns(Record, frozen=True, kw_only=True):
    """`reports.state.json`: how far each report was made, by its name."""

    turns: dict[str, Turn] = {}


# -- figures


class Spans(Record, frozen=True, kw_only=True):
    """How some spans of time are spread: how many, the median, what 90 and 95 of 100 stay within, the longest."""

    count: int
    median: float
    p90: float
    p95: float
    most: float


class Tally(Record, frozen=True, kw_only=True):
    """What a stretch of time comes to.

    Attributes:
        begin, end: of it.
        results: how many jobs ended how.
        share: of those that ended well or badly, how many ended well.
        took: seconds that successful runs took.
        waited: seconds from submission to the first start.
        packages, cached, spared: packages brought up to date by builds, how many of them from a cache, and the
            seconds that this is likely to have spared.
        busy: which share of all slots was at work; None without servers.
    """

    begin: Moment
    end: Moment
    results: dict[str, int] = {}
    share: float | None = None
    took: Spans | None = None
    waited: Spans | None = None
    packages: int = 0
    cached: int = 0
    spared: float = 0.0
    busy: float | None = None

    @property
    def ended(self) -> int:
        """How many jobs ended."""
        return sum(self.results.values())


class OfName(Record, frozen=True, kw_only=True):
    """The jobs of one name: how many ended, which share well, what they took, and the same before."""

    name: str
    runs: int
    share: float | None = None
    took: Spans | None = None
    share_before: float | None = None
    median_before: float | None = None


class OfServer(Record, frozen=True, kw_only=True):
    """A server: its slots, how many attempts ended there, how many badly, and how long its slots were at work."""

    name: str
    slots: int
    runs: int
    failed: int = 0
    seconds: float = 0.0
    busy: float | None = None


class Line(Record, frozen=True, kw_only=True):
    """One job: how it ended, when, after how many seconds; `usual` is what its name usually takes."""

    job: int
    name: str
    result: str
    why: str = ""
    server: str = ""
    at: Moment | None = None
    seconds: float | None = None
    usual: float | None = None


class Flaky(Record, frozen=True, kw_only=True):
    """Jobs of one name that failed and then passed without another commit."""

    name: str
    revision: str = ""
    failed: int = 0
    jobs: tuple[int, ...] = ()


class Anomaly(Record, frozen=True, kw_only=True):
    """Something out of the ordinary: about what, which figure, what it usually is, and by what rule that is told."""

    about: str
    figure: str
    usual: str
    rule: str


class Course(Record, frozen=True, kw_only=True):
    """The period in equal steps: when each begins, how many jobs ended in it well and not, how many slots worked."""

    begins: tuple[Moment, ...] = ()
    well: tuple[int, ...] = ()
    badly: tuple[int, ...] = ()
    busy: tuple[float, ...] = ()
    slots: int = 0

    def __post_init__(self) -> None:
        """Refuse steps of which not all is known."""
        if not len(self.begins) == len(self.well) == len(self.badly) == len(self.busy):
            raise ValueError("each step needs all of its figures")


class Figures(Record, frozen=True, kw_only=True):
    """`reports/<name>/<time>.json`: a report's figures, from which all formats of it are made.

    Attributes:
        name, kind, timezone: of the report.
        network: whose it is.
        made_at, by: when and by whom.
        now: the period.
        earlier: those before it, the oldest first.
        names: those with the most runs; `names_total` is how many there are.
        slowest, failures: the first of many.
    """

    name: str
    kind: ReportKind
    timezone: str
    network: str
    made_at: Moment
    by: str = ""
    now: Tally
    earlier: tuple[Tally, ...] = ()
    names: tuple[OfName, ...] = ()
    names_total: int = 0
    slowest: tuple[Line, ...] = ()
    failures: tuple[Line, ...] = ()
    flaky: tuple[Flaky, ...] = ()
    servers: tuple[OfServer, ...] = ()
    course: Course = Course()
    anomalies: tuple[Anomaly, ...] = ()
