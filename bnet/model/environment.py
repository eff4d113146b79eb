"""Environments: where things are deployed to, who may let them, what is there; and releases, which keep what was."""

from typing import Annotated

import msgspec

from bnet.model.base import Moment, Name, Record, Result
from bnet.model.command import Strict


class Environment(Strict, frozen=True, kw_only=True):
    """A place that is deployed to.

    Attributes:
        name: of it.
        approvals: how many people have to approve each deployment.
        approvers: who may: addresses, or `*@example.org` for all that end so; without any, everybody.
        branches: patterns of the branches that may be deployed; without any, all, and working trees too.
        lock: held by each deployment; without it, `deploy-` and the name.
        description: for people.
    """

    name: Name
    approvals: Annotated[int, msgspec.Meta(ge=0, le=50)] = 0
    approvers: tuple[Annotated[str, msgspec.Meta(min_length=1, max_length=200)], ...] = ()
    branches: tuple[Annotated[str, msgspec.Meta(min_length=1, max_length=200)], ...] = ()
    lock: Name | None = None
    description: str = ""


class Environments(Strict, frozen=True, kw_only=True):
    """`environments.yaml`: where things are deployed to, in the order in which they are promoted.

    Attributes:
        environments: the first one takes anything, each other one what the one before it has had.
    """

    environments: tuple[Environment, ...] = ()


class Pinned(Record, frozen=True, kw_only=True):
    """The artifacts of a job, which may not be pruned: their digest, and where they are put."""

    job: int
    digest: str
    files: int = 0
    into: str = "."


class Deployment(Record, frozen=True, kw_only=True):
    """One deployment that ran: by which job, of what, and how it ended."""

    job: int
    result: Result
    at: Moment
    by: str
    approved_by: tuple[str, ...] = ()
    inputs: tuple[Pinned, ...] = ()
    repository: str | None = None
    commit: str | None = None
    rollback_of: int | None = None
    note: str = ""


class Standing(Record, frozen=True, kw_only=True):
    """`environments/<name>.json`: what is there, and what has been, the newest last."""

    name: Name
    current: Deployment | None = None
    history: tuple[Deployment, ...] = ()


class Release(Record, frozen=True, kw_only=True):
    """`releases/<name>.json`: a good run that is kept: its commit, its artifacts, the tag that it goes by."""

    name: Name
    at: Moment
    by: str
    jobs: tuple[Pinned, ...] = ()
    environment: Name | None = None
    deployment: int | None = None
    branch: str | None = None
    repository: str | None = None
    commit: str | None = None
    tag: str | None = None
    note: str = ""
