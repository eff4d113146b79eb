"""Pipelines: steps of a repository's `bnet.yaml` that become jobs."""

from bnet.model.base import Name, NeedOn
from bnet.model.command import Strict, Work


class StepNeed(Strict, frozen=True, kw_only=True):
    """A step that has to end first.

    Attributes:
        step: its name.
        on: how it has to end; without it, as the step's own `on` says.
    """

    step: Name
    on: NeedOn | None = None


class Step(Work, frozen=True, kw_only=True):
    """One step of a pipeline: a job, or with `matrix` a job of each combination.

    Attributes:
        needs: steps that have to end first.
        on: how they have to end.
        description: for people.
    """

    needs: tuple[Name | StepNeed, ...] = ()
    on: NeedOn = "success"
    description: str = ""


class Pipeline(Strict, frozen=True, kw_only=True):
    """Steps by name.

    Attributes:
        steps: in any order; `needs` gives it.
        description: for people.
    """

    steps: dict[Name, Step]
    description: str = ""
