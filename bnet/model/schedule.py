"""Schedules: what people write of jobs that come by the clock, what that means, and what was fired so far."""

from typing import Annotated, Literal

import msgspec

from bnet.model.base import Moment, Name, Record
from bnet.model.command import Duration, Strict, Submit

Missed = Literal["skip", "once", "all"]


class Schedule(Strict, frozen=True, kw_only=True):
    """A job that comes by the clock.

    Attributes:
        cron: minute, hour, day of the month, month, weekday; or @hourly, @daily, @weekly, @monthly, @yearly.
        submit: the job, as in the inbox.
        timezone: whose clocks count, such as Europe/Berlin.
        missed: what happens where no server was awake in time: nothing, one job for all, or a job for each.
        missed_within: how late a missed one may still be made up for: seconds, or for instance 12h.
        spread: up to how long after its time it comes, always the same for one name: seconds, or for instance 10m.
        paused: why it does not fire at present.
        description: for people.
    """

    cron: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    submit: Submit
    timezone: Annotated[str, msgspec.Meta(min_length=1, max_length=100)] = "UTC"
    missed: Missed = "once"
    missed_within: Duration = 86400.0
    spread: Duration = 0.0
    paused: str | None = None
    description: str = ""


class NamedSchedule(Schedule, frozen=True, kw_only=True):
    """A schedule of a list, which says its name.

    Attributes:
        name: unique in its file.
    """

    name: Name


class Times(Record, frozen=True, kw_only=True):
    """A cron expression, taken apart.

    Attributes:
        minutes, hours: of a day, in order.
        days: the other three fields, as croniter takes them.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: str

    @property
    def by_interval(self) -> bool:
        """Whether it means every hour that passes, rather than times of the day."""
        return len(self.hours) == 24


class Entry(Record, frozen=True, kw_only=True):
    """One schedule of a table, with everything made exact.

    Attributes:
        name: `<file>`, or `<file>/<name>` where a file has several.
        cron: as written.
        times: what that means.
        timezone: of the IANA database.
        missed, within: what is done about missed firings; seconds.
        delay: seconds after each time at which it comes.
        paused, description: as written.
        version: a digest of all this but the words for people; a schedule with another one has been edited.
        submit: the job.
    """

    name: str
    cron: str
    times: Times
    timezone: str
    missed: Missed
    within: float
    delay: int
    version: str
    submit: Submit
    paused: str | None = None
    description: str = ""


class Table(Record, frozen=True, kw_only=True):
    """A file of schedules: by its stem, who wrote it, and the schedules by name."""

    stem: str
    entries: dict[str, Entry]
    by: str = ""


class Pause(Record, frozen=True, kw_only=True):
    """Who has paused a schedule, when, and why."""

    by: str
    at: Moment
    reason: str = ""


class Trouble(Record, frozen=True, kw_only=True):
    """The newest firing of a schedule that could not become a job, and why."""

    at: Moment
    reason: str


class Cursor(Record, frozen=True, kw_only=True):
    """`schedules/<name>.state.json`: how far the schedules of a file were fired."""

    until: Moment
    upto: str = ""
    seen: Moment | None = None
    known: dict[str, str] = {}
    paused: dict[str, Pause] = {}
    owed: dict[str, tuple[Moment, ...]] = {}
    trouble: dict[str, Trouble] = {}
