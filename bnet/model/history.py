"""What is asked of the past, and what is found there."""

from collections.abc import Mapping, Sequence

import msgspec

# What may happen to a job. The targets of other verbs are servers, locks, schedules, messages: one may be called 12.
JOB_VERBS = (
    *("submit", "approve", "claim", "requeue", "finish", "cancel", "prioritize", "archive"),
    *("disapprove", "prune", "forget"),
)


class Stint(msgspec.Struct, frozen=True, array_like=True):
    """An attempt: on which server, from when to when (seconds since 1970; None where that is not known, or not yet
    so), and how it ended."""

    server: str
    begun: float | None
    ended: float | None = None
    result: str = ""
    reason: str = ""


class Brought(msgspec.Struct, frozen=True, array_like=True):
    """A package that a job brought up to date: by which tier, in how many seconds."""

    name: str
    tier: str
    seconds: float


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """A job as a search knows it: enough for a line of a list.

    Attributes:
        key: orders jobs by their end, and is unlike that of any other job.
        submitted, finished: seconds since 1970; `finished` is None of an open job.
        labels, packages: each between line ends, as in `"\\nos=linux\\n"`.
        source, branch, revision: of the repository that it ran in, without secrets; "" of one that ran in none.
        built, cached, saved: packages that it brought up to date, those of them whose commands did not run, and the
            seconds that these would have taken.
        blob: the archive file that holds the whole job, by its content's id; "" of one that is not archived.
        begun: when its first attempt began, in seconds since 1970.
        stints, brought: its attempts and what it built, as JSON: a list of `Stint` and one of `Brought`.
        text: what words are looked for in; empty in what a search returns.
    """

    key: int
    number: int
    name: str
    queue: str
    state: str
    result: str | None
    reason: str | None
    server: str | None
    submitted_by: str
    submitted: float
    finished: float | None
    seconds: float | None
    exit_code: int | None
    attempts: int
    labels: str
    packages: str
    source: str = ""
    branch: str = ""
    revision: str = ""  # the commit; SQLite has that word for itself
    built: int = 0
    cached: int = 0
    saved: float = 0.0
    blob: str = ""
    begun: float | None = None
    stints: str = ""
    brought: str = ""
    text: str = ""


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """Which jobs are looked for; what is not named lets all pass.

    Attributes:
        words: each has to occur; several in one text have to follow each other, and `*` at the end stands for any
            ending.
        name, server, submitted_by, queue, reason: patterns, in which `*`, `?` and `[...]` are what they are in a
            shell.
        results: one of these.
        labels, packages: each of these.
        since, until: when it ended, or was submitted if it has not ended; seconds since 1970.
        asked_until: only what had been submitted by then, or had ended by another clock; likewise.
        limit: the newest so many; None for all.
    """

    words: Sequence[str] = ()
    name: str | None = None
    server: str | None = None
    submitted_by: str | None = None
    queue: str | None = None
    reason: str | None = None
    results: Sequence[str] = ()
    labels: Mapping[str, str] = {}
    packages: Sequence[str] = ()
    since: float | None = None
    until: float | None = None
    asked_until: float | None = None
    limit: int | None = None


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a transaction did, as its message says.

    Attributes:
        seq, commit, at, actor: of the transaction; `at` is in seconds since 1970, by the actor's clock.
        verb, target: as in `claim` and `12`.
        fields: the rest, by name.
    """

    seq: int
    commit: str
    at: float
    actor: str
    verb: str
    target: str
    fields: Mapping[str, str] = {}


class EventQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which events are looked for.

    Attributes:
        job: only what happened to it.
        server: only what it did, or what was done to it.
        verb: only this.
        since, until: in seconds since 1970.
        after: only of later transactions than that of this number.
        limit: the newest so many; None for all.
    """

    job: int | None = None
    server: str | None = None
    verb: str | None = None
    since: float | None = None
    until: float | None = None
    after: int | None = None
    limit: int | None = None


class Moved(msgspec.Struct, frozen=True):
    """A transaction, as far as it takes to find the one of a time: its number, commit, and date in seconds."""

    seq: int
    commit: str
    at: float
