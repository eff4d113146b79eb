"""Pipelines: steps of a repository's `bnet.yaml` that become jobs."""

from typing import Annotated

import msgspec

from bnet.model.base import Name, NeedOn, OnLostLease, Sandbox, Supersede
from bnet.model.command import Duration, InputRef, Reproduce, Retry, Strict, Text
from bnet.model.job import ApprovalRule, Group, Priority

When = Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]


class StepNeed(Strict, frozen=True, kw_only=True):
    """A step that has to end first.

    Attributes:
        step: its name.
        on: how it has to end; without it, as the step's own `on` says.
    """

    step: Name
    on: NeedOn | None = None


class Step(Strict, frozen=True, kw_only=True):
    """One step of a pipeline: a job, or with `matrix` a job of each combination.

    Attributes:
        command: a text is run by sh, a list as it is.
        packages: packages of the tree to build, instead of a command.
        needs: steps that have to end first.
        on: how they have to end.
        when: a condition; where it does not hold, the step is skipped.
        matrix: one job for each combination of values.
        inputs: steps among `needs` whose artifacts are put into the workspace, and where.
        environment: to which it deploys.
        approvals: how many people have to approve before it starts, and who may; an environment says that itself.
        artifacts: files to keep.
        reproduce: how many servers have to make the same files.
        description: for people.
    """

    command: str | tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    needs: tuple[Name | StepNeed, ...] = ()
    on: NeedOn = "success"
    when: When | None = None
    matrix: dict[Name, tuple[Text, ...]] = {}
    inputs: tuple[InputRef, ...] = ()
    environment: Name | None = None
    approvals: Annotated[int, msgspec.Meta(ge=0, le=50)] | ApprovalRule | None = None
    artifacts: tuple[str, ...] = ()
    reproduce: Reproduce = 1
    description: str = ""
    queue: Name = "default"
    priority: Priority = 5
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
    expires_after: Duration = 7 * 86400.0
    on_lost_lease: OnLostLease | None = None


class Pipeline(Strict, frozen=True, kw_only=True):
    """Steps by name.

    Attributes:
        steps: in any order; `needs` gives it.
        description: for people.
    """

    steps: dict[Name, Step]
    description: str = ""
