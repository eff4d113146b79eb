"""A job: what was asked, what was asked since, who holds it, how its attempts and the whole ended."""

from typing import Annotated

import msgspec

from bnet.model.base import (
    Moment,
    Name,
    NeedOn,
    OnLostLease,
    Record,
    Result,
    Sandbox,
    Seconds,
    State,
    Supersede,
)

Priority = Annotated[int, msgspec.Meta(ge=1, le=10, description="1 is first, 10 is last")]
USUAL_PRIORITY = 5


class Need(Record, frozen=True, kw_only=True):
    """Another job that has to end first; `result` is filled at admission when that one is archived."""

    job: int
    on: NeedOn = "success"
    result: Result | None = None
    name: str = ""


class ApprovalRule(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many people have to approve before a job starts, and who may; without names, everybody."""

    count: Annotated[int, msgspec.Meta(ge=0, le=50)] = 1
    by: tuple[Annotated[str, msgspec.Meta(min_length=1, max_length=200)], ...] = ()


class Part(Record, frozen=True, kw_only=True):
    """Which step of which pipeline a job is; `run` is the number of the first job of that run."""

    name: Name
    step: Name
    run: int = 0
    branch: str = ""
    tag: str = ""
    labels: dict[str, str] = {}


class Input(Record, frozen=True, kw_only=True):
    """Another job whose artifacts are put into the workspace, verified, before the command runs."""

    job: int
    into: str = "."


class Source(Record, frozen=True, kw_only=True):
    """The tree to run in: a commit of a repository, or a snapshot that the hub holds."""

    repository: str | None = None
    ref: str | None = None
    commit: str | None = None
    snapshot: str | None = None


class Group(Record, frozen=True, kw_only=True):
    """At most `limit` jobs of one group run at a time, network-wide."""

    name: Name
    limit: Annotated[int, msgspec.Meta(ge=1)] = 1


class RetryRule(Record, frozen=True, kw_only=True):
    """Try again, at most `limit` times, after an attempt that ended with one of these codes or reasons."""

    limit: Annotated[int, msgspec.Meta(ge=0, le=100)]
    exit_codes: tuple[int, ...] | None = None
    reasons: tuple[str, ...] | None = None


class JobSpec(Record, frozen=True, kw_only=True):
    """`job.json`: what was asked; never changed once admitted."""

    number: int
    name: Name
    command: str | tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    submitted_by: str
    submitted_at: Moment
    queue: Name = "default"
    priority: Priority = USUAL_PRIORITY
    labels: dict[str, str] = {}
    needs: tuple[Need, ...] = ()
    source: Source | None = None
    env: dict[str, str] = {}
    secrets: tuple[str, ...] = ()
    sandbox: Sandbox = "none"
    image: str | None = None
    timeout: Seconds | None = None
    silence_timeout: Seconds | None = None
    retry: tuple[RetryRule, ...] = (RetryRule(limit=2, reasons=("lost",)),)
    group: Group | None = None
    supersede: Supersede = "none"
    locks: tuple[Name, ...] = ()
    artifacts: tuple[str, ...] = ()
    inputs: tuple[Input, ...] = ()
    reproduce: int = 1
    matrix: dict[str, str] = {}
    not_before: Moment | None = None
    expires_after: Seconds = 7 * 86400.0
    on_lost_lease: OnLostLease = "finish"
    key: str | None = None
    retry_of: int | None = None
    when: str | None = None
    approval: ApprovalRule | None = None
    environment: Name | None = None
    pipeline: Part | None = None
    rollback_of: int | None = None
    note: str = ""


class Cancel(Record, frozen=True, kw_only=True):
    """Someone asked for the end of a job."""

    by: str
    at: Moment
    reason: str = ""
    superseded: bool = False


class Verdict(Record, frozen=True, kw_only=True):
    """What somebody who was asked said of a job's start."""

    by: str
    at: Moment
    note: str = ""


class Wanted(Record, frozen=True, kw_only=True):
    """`wanted.json`: what was asked since the job was admitted."""

    cancel: Cancel | None = None
    priority: Priority | None = None
    approvals: tuple[Verdict, ...] = ()
    rejected: Verdict | None = None


class Claim(Record, frozen=True, kw_only=True):
    """`claim.json`: the lock on a job while one attempt of it is under way."""

    server: Name
    instance: str
    attempt: int
    run: str
    token: int
    ttl_s: Seconds
    claimed_at: Moment


class Artifact(Record, frozen=True, kw_only=True):
    """A file that a run left: its path in the workspace, its digest, and where the bytes are kept."""

    path: str
    size: int
    mode: str
    blake3: str
    place: str


class Built(Record, frozen=True, kw_only=True):
    """A package that an attempt brought up to date, or could not: its tier, key, and how long it took.

    Attributes:
        needs: what it depends on itself; left out where that would be too much for the document.
        saved: seconds that its command took when it last ran, where it did not have to.
    """

    name: str
    tier: str | None = None
    result: str = "success"
    key: str = ""
    seconds: float = 0.0
    needs: tuple[str, ...] = ()
    saved: float = 0.0


class BuildReport(Record, frozen=True, kw_only=True):
    """What the build engine did in an attempt; of many packages those that took longest are listed."""

    total: int
    cached: int
    failed: int = 0
    seconds: float = 0.0
    saved: float = 0.0
    packages: tuple[Built, ...] = ()


class Attempt(Record, frozen=True, kw_only=True):
    """`attempts/<n>.json`: how attempt n ended, wherever that left the job."""

    attempt: int
    server: Name
    run: str
    token: int
    result: Result
    reason: str
    exit_code: int | None = None
    message: str | None = None
    started_at: Moment | None = None
    finished_at: Moment
    seconds: float | None = None
    artifacts: tuple[Artifact, ...] = ()
    manifest: str | None = None
    build: BuildReport | None = None


class JobResult(Record, frozen=True, kw_only=True):
    """`result.json`: how the job ended; its existence is what `finished` means."""

    result: Result
    reason: str
    finished_at: Moment
    attempt: int | None = None
    server: Name | None = None
    run: str | None = None
    exit_code: int | None = None
    message: str | None = None
    started_at: Moment | None = None
    seconds: float | None = None
    artifacts: tuple[Artifact, ...] = ()
    manifest: str | None = None
    build: BuildReport | None = None


class Job(Record, frozen=True, kw_only=True):
    """All the documents of one job."""

    spec: JobSpec
    wanted: Wanted = Wanted()
    claim: Claim | None = None
    attempts: tuple[Attempt, ...] = ()
    result: JobResult | None = None

    @property
    def number(self) -> int:
        """The job's number, unique in its hub."""
        return self.spec.number

    @property
    def state(self) -> State:
        """`finished` once there is a result, `running` while there is a claim, else `pending`."""
        if self.result is not None:
            return "finished"
        return "running" if self.claim is not None else "pending"

    @property
    def priority(self) -> int:
        """The priority that counts now."""
        return self.wanted.priority or self.spec.priority
