"""What describes the hub itself: its head document and the settings that people edit."""

from typing import Annotated

import msgspec

from bnet.model.base import Name, Record, Seconds

FORMAT = 1  # the newest format of a hub that this bnet reads and writes (docs/format.md)


# Of its own, so that a server's name makes no branch of it that is something else, not even the ledger; and as
# git-check-ref-format(1) has it, since one refspec that Git does not understand makes it refuse the whole push.
RefPrefix = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^refs/(?!(heads|tags)/$)(?!.*\.lock/)([A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*/)+(?!\n)$",
        description="the beginning of refs' names with a slash at its end, such as refs/bnet/servers/",
    ),
]

Budget = Annotated[float, msgspec.Meta(gt=0, le=1_000_000, description="a number above 0, at most a million")]


class Head(Record, frozen=True, kw_only=True):
    """`ledger.json`: which format, which hub, which epoch; `seq` and `next_job` repeat the newest trailers."""

    format: int
    hub: str
    epoch: int = 0
    seq: int = 0
    next_job: int = 1


class Intervals(Record, frozen=True, kw_only=True):
    """How often things look at the hub."""

    agent: Seconds = 1.0
    progress: Seconds = 5.0
    idle_heartbeat: Seconds = 1800.0


class Retention(Record, frozen=True, kw_only=True):
    """How long what is over stays where it is quick to reach."""

    finished: Seconds = 86400.0
    rejected: Seconds = 14 * 86400.0
    keys: Seconds = 30 * 86400.0
    sources: Seconds = 7 * 86400.0
    messages: Seconds = 30 * 86400.0
    workspaces: Seconds = 7 * 86400.0
    workspace_bytes: int = 5 * 10**9


class Queue(Record, frozen=True, kw_only=True):
    """A queue's own rules; a queue that is not listed has none."""

    limit: Annotated[int, msgspec.Meta(ge=1)] | None = None
    paused: str | None = None


class LockRule(Record, frozen=True, kw_only=True):
    """A named lock's own rules; a lock that is not listed has one holder at a time."""

    limit: Annotated[int, msgspec.Meta(ge=1)] = 1


StoreUrl = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(/|~|[a-z][a-z0-9+]*://(?![^/]*:[^/]*@))[^?\n]*$",
        description="an absolute directory, or a URL such as s3://bucket/prefix without password and query",
    ),
]


class ArtifactStore(Record, frozen=True, kw_only=True):
    """Where artifacts are kept that are too large for Git.

    Attributes:
        url: a directory that all servers have, or s3://, sftp://, webdavs://, ... as for the shared store of builds.
        small: bytes of a run's artifacts up to which they stay in Git.
        limit: bytes that all artifacts of a run may have.
        timeout: seconds for a single answer of the store.
        patience: seconds for which a run's upload is tried while the store does not answer.
    """

    url: StoreUrl
    small: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 1_000_000
    limit: Annotated[int, msgspec.Meta(ge=0)] = 10 * 10**9
    timeout: Seconds = 60.0
    patience: Seconds = 3600.0


class KeepRule(Record, frozen=True, kw_only=True):
    """How long artifacts of some jobs are kept: those that all of `name`, `queue` and `labels` fit.

    Attributes:
        name: a pattern of job names, such as `release-*`.
        queue: the job's queue.
        labels: labels that the job asks for.
        age: seconds since the run ended for which they are kept; for ever without it.
        newest: so many successful runs of a job's name are kept however old they are.
    """

    name: str = "*"
    queue: Name | None = None
    labels: dict[str, str] = {}
    age: Seconds | None = None
    newest: Annotated[int, msgspec.Meta(ge=0)] = 0


class Settings(Record, frozen=True, kw_only=True):
    """`hub.yaml`: everything has a default, so an empty file is a valid one.

    Attributes:
        name: of the network, for people.
        telemetry_prefix: where the servers' refs are.
        ttl: seconds for which a claim is honoured unseen; without it, five minutes or what the budget asks.
        push_budget: pushes a minute that the hub takes from all servers together.
        read_budget: reads a second likewise; agents stretch their interval.
        intervals, retention, queues, locks: see there.
        store: where artifacts go that are too large for Git; without it there are none such.
        artifacts: how long artifacts are kept: the first rule that fits a job; what none fits is kept.
    """

    name: str = "bnet"
    telemetry_prefix: RefPrefix = "refs/bnet/servers/"
    ttl: Seconds | None = None
    push_budget: Budget | None = None
    read_budget: Budget | None = None
    intervals: Intervals = Intervals()
    retention: Retention = Retention()
    queues: dict[Name, Queue] = {}
    locks: dict[Name, LockRule] = {}
    store: ArtifactStore | None = None
    artifacts: tuple[KeepRule, ...] = (KeepRule(age=30 * 86400.0, newest=1),)
