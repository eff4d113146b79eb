"""Commands: what people, agents and CI write into the inbox, one verb and its fields each."""

from typing import Annotated

import msgspec

from bnet.model.base import Name, NeedOn, OnLostLease, Record, Sandbox, Supersede
from bnet.model.job import USUAL_PRIORITY, ApprovalRule, Group, Part, Priority, Source

Duration = Annotated[
    float | str, msgspec.Meta(description="seconds, or a number with s, m, h, d or w: 90, 10m, 1h30m")
]
Text = Annotated[str | int | float, msgspec.Meta(description="a text; numbers are taken as written")]
SourceRef = Annotated[str, msgspec.Meta(min_length=1, max_length=64, description="a source's name")]
ScheduleRef = Annotated[str, msgspec.Meta(min_length=1, max_length=129, description="a schedule's name")]
Reproduce = Annotated[
    int, msgspec.Meta(ge=1, le=5, description="on how many servers it has to come out the same")
]
When = Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]
MessageRef = Annotated[
    str, msgspec.Meta(min_length=1, max_length=91, description="its key: <yyyy>/<mm>/<dd>/<id>")
]
JobRef = Annotated[int, msgspec.Meta(ge=1, description="a job's number")]


class Strict(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Part of a command; an unknown field is a spelling mistake, and refused."""


class NeedRef(Strict, frozen=True, kw_only=True):
    """A job to wait for, by number or by name, and how it has to end."""

    job: int | str
    on: NeedOn = "success"


class InputRef(Strict, frozen=True, kw_only=True):
    """A job, by number or by name, whose artifacts are put into a directory of the workspace."""

    job: int | str
    into: str = "."


class Retry(Strict, frozen=True, kw_only=True):
    """Try again after an attempt that ended with one of these exit codes (`"*"`: any but 0) or reasons."""

    limit: Annotated[int, msgspec.Meta(ge=0, le=100)]
    exit_code: int | str | tuple[int | str, ...] | None = None
    reason: str | tuple[str, ...] | None = None


class Work(Strict, frozen=True, kw_only=True):
    """What a job does and asks for, whether a submission or a step of a pipeline says so.

    Attributes:
        command: a text is run by sh, a list as it is.
        packages: packages of the tree to build, instead of a command.
        when: a condition; where it does not hold, the job is skipped.
        matrix: one job for each combination of values.
        inputs: jobs among those that are needed whose artifacts are put into the workspace, and where.
        environment: to which it deploys.
        approvals: how many people have to approve before it starts, and who may; an environment says that itself.
        artifacts: files to keep.
        reproduce: how many servers have to make the same files.
    """

    command: str | tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    queue: Name = "default"
    priority: Priority = USUAL_PRIORITY
    labels: dict[Name, Text] = {}
    env: dict[str, Text] = {}
    secrets: tuple[str, ...] = ()
    sandbox: Sandbox = "none"
    image: str | None = None
    timeout: Duration | None = None
    silence_timeout: Duration | None = None
    retry: Annotated[int, msgspec.Meta(ge=0, le=100)] | tuple[Retry, ...] | None = None
    group: str | Group | None = None
    supersede: Supersede = "none"
    locks: tuple[Name, ...] = ()
    artifacts: tuple[str, ...] = ()
    inputs: tuple[InputRef, ...] = ()
    reproduce: Reproduce = 1
    matrix: dict[Name, tuple[Text, ...]] = {}
    expires_after: Duration = 7 * 86400.0
    on_lost_lease: OnLostLease | None = None
    when: When | None = None
    approvals: Annotated[int, msgspec.Meta(ge=0, le=50)] | ApprovalRule | None = None
    environment: Name | None = None


class Submit(Work, frozen=True, kw_only=True):
    """Ask for a job that runs a command or builds packages; with `matrix`, for one job of each combination."""

    name: Name | None = None
    needs: tuple[int | str | NeedRef, ...] = ()
    source: str | Source | None = None
    not_before: str | None = None
    key: str | None = None
    pipeline: Part | None = None


class CancelJob(Strict, frozen=True, kw_only=True):
    """Ask for the end of a job."""

    job: JobRef
    reason: str = ""


class RetryJob(Strict, frozen=True, kw_only=True):
    """Ask for a finished job again, as a new one."""

    job: JobRef


class SetPriority(Strict, frozen=True, kw_only=True):
    """Move a waiting job forward or back."""

    job: JobRef
    priority: Priority


class ApproveJob(Strict, frozen=True, kw_only=True):
    """Let a job start that waits for approval; with `reject`, end it instead."""

    job: JobRef
    note: str = ""
    reject: Annotated[str, msgspec.Meta(min_length=1)] | None = None


class AckMessage(Strict, frozen=True, kw_only=True):
    """Acknowledge a message that is addressed to whoever asks."""

    message: MessageRef
    note: str = ""


class RollBack(Strict, frozen=True, kw_only=True):
    """Deploy again to an environment what a job has deployed there before."""

    environment: Name
    job: JobRef
    reason: str = ""


class PauseServer(Strict, frozen=True, kw_only=True):
    """A server claims nothing until it is resumed; what runs goes on."""

    server: Name
    reason: str = ""


class ResumeServer(Strict, frozen=True, kw_only=True):
    """A paused or draining server claims again."""

    server: Name


class DrainServer(Strict, frozen=True, kw_only=True):
    """A server finishes what it runs, claims nothing more, and its agent exits."""

    server: Name
    reason: str = ""


class PauseSchedule(Strict, frozen=True, kw_only=True):
    """A schedule fires no more until it is resumed; its name is that of its file, or `<file>/<name>`."""

    schedule: ScheduleRef
    reason: str = ""


class ResumeSchedule(Strict, frozen=True, kw_only=True):
    """A paused schedule fires again, from now on."""

    schedule: ScheduleRef


class PauseSource(Strict, frozen=True, kw_only=True):
    """A source is not looked at until it is resumed."""

    source: SourceRef
    reason: str = ""


class ResumeSource(Strict, frozen=True, kw_only=True):
    """A paused source is looked at again; what came meanwhile counts."""

    source: SourceRef


Command = (
    Submit
    | CancelJob
    | RetryJob
    | SetPriority
    | ApproveJob
    | AckMessage
    | RollBack
    | PauseServer
    | ResumeServer
    | DrainServer
    | PauseSchedule
    | ResumeSchedule
    | PauseSource
    | ResumeSource
)

VERBS: dict[str, type[Command]] = {
    "submit": Submit,
    "cancel": CancelJob,
    "retry": RetryJob,
    "priority": SetPriority,
    "approve": ApproveJob,
    "ack": AckMessage,
    "rollback": RollBack,
    "pause": PauseServer,
    "resume": ResumeServer,
    "drain": DrainServer,
    "pause_schedule": PauseSchedule,
    "resume_schedule": ResumeSchedule,
    "pause_source": PauseSource,
    "resume_source": ResumeSource,
}
