"""The pipelines of a `bnet.yaml`: read, and checked as a whole."""

from collections.abc import Mapping
from math import prod

from bnet.codec import expressions, people
from bnet.codec.durations import parse_duration
from bnet.codec.inbox import DURATIONS
from bnet.model.pipeline import Pipeline, Step, StepNeed
from bnet.model.tree import Tree

MAIN = "main"  # what a single pipeline is called
MOST_STEPS = 200
MOST_CELLS = 256  # of one step's matrix
MOST_JOBS = 2000  # of a run: what one submission may be
LONGEST = 63  # characters of the names of a pipeline and a step together: they make the job's


def read_pipelines(text: bytes, file: str) -> dict[str, Pipeline]:
    """Return the pipelines that a file declares, by name.

    Raises:
        Invalid: something in it is wrong; the message names line and field, and what would be right.
    """
    parsed = people.parse(text, file)
    data = {} if parsed.data is None else parsed.data
    if not isinstance(data, dict):
        raise parsed.invalid("must be a mapping with `pipelines:` in it")
    tree = people.read(parsed, Tree, data)
    if tree.pipeline is not None and MAIN in tree.pipelines:
        raise parsed.invalid(
            f"`pipeline` is short for the one named {MAIN}, which is there too", ("pipeline",)
        )
    for name, pipeline in tree.pipelines.items():
        _check(parsed, name, pipeline, ("pipelines", name))
    if tree.pipeline is not None:
        _check(parsed, MAIN, tree.pipeline, ("pipeline",))
        return {MAIN: tree.pipeline, **tree.pipelines}
    return dict(tree.pipelines)


def needs_of(step: Step) -> list[StepNeed]:
    """Return what a step needs, each with how that has to end."""
    refs = [each if isinstance(each, StepNeed) else StepNeed(step=each) for each in step.needs]
    return [StepNeed(step=each.step, on=each.on or step.on) for each in refs]


def in_order(pipeline: Pipeline) -> list[str]:
    """Return the steps so that each comes after those that it needs; as they are written, where that is open."""
    found: dict[str, None] = {}
    left = dict(pipeline.steps)
    while left:
        ready = [name for name, step in left.items() if all(each.step in found for each in needs_of(step))]
        if not ready:
            return [*found, *left]  # a circle, which `check` refuses
        found.update(dict.fromkeys(ready[:1]))
        del left[ready[0]]
    return list(found)


def _check(text: people.Text, name: str, pipeline: Pipeline, at: people.Steps) -> None:
    steps = pipeline.steps
    if not steps:
        raise text.invalid("has no steps", at)
    if len(steps) > MOST_STEPS:
        raise text.invalid(f"has {len(steps)} steps; at most {MOST_STEPS} are taken", (*at, "steps"))
    for step_name, step in steps.items():
        here = (*at, "steps", step_name)
        if len(name) + len(step_name) > LONGEST:
            raise text.invalid(
                f"{name}.{step_name} is too long for a job's name: 64 characters at most", here
            )
        _check_step(text, steps, step_name, step, here)
    _check_circles(text, steps, at)
    jobs = sum(_cells(step) for step in steps.values())
    if jobs > MOST_JOBS:
        raise text.invalid(
            f"its matrices make {jobs:,} jobs; at most {MOST_JOBS:,} are submitted at once", at
        )


def _cells(step: Step) -> int:
    return prod(len(values) for values in step.matrix.values())


def _check_step(
    text: people.Text, steps: Mapping[str, Step], name: str, step: Step, at: people.Steps
) -> None:
    if bool(step.command) == bool(step.packages):
        raise text.invalid("has either a command or packages", at)
    for index, need in enumerate(needs_of(step)):
        if need.step not in steps:
            near = people.nearest(need.step, list(steps))
            raise text.invalid(f"there is no step {need.step}{near}", (*at, "needs", index))
    _check_shape(text, step, at)
    for field in DURATIONS:
        value = getattr(step, field)
        try:
            if value is not None:
                parse_duration(value)
        except ValueError as error:
            raise text.invalid(str(error), (*at, field)) from None
    _check_inputs(text, steps, step, at)
    if step.when is not None:
        _check_when(text, step, step.when, (*at, "when"))


def _check_shape(text: people.Text, step: Step, at: people.Steps) -> None:
    """Refuse what would be too many jobs, or several where there can be one."""
    if not 0 < _cells(step) <= MOST_CELLS:
        message = f"has {_cells(step):,} combinations; from 1 to {MOST_CELLS} are taken"
        raise text.invalid(message, (*at, "matrix"))
    if step.environment is not None and step.approvals is not None:
        message = f"environment {step.environment} says itself who has to approve; leave this out"
        raise text.invalid(message, (*at, "approvals"))
    if step.reproduce > 1 and (step.environment is not None or not step.artifacts):
        several = f"would deploy to {step.environment} {step.reproduce} times; reproduce what builds it"
        message = several if step.environment else "has nothing to compare; name the files under artifacts"
        raise text.invalid(message, (*at, "reproduce"))
    if step.environment is not None and step.matrix:
        raise text.invalid(
            "deploys to one environment, and would do so in several jobs at once", (*at, "matrix")
        )


def _check_inputs(text: people.Text, steps: Mapping[str, Step], step: Step, at: people.Steps) -> None:
    needs = {each.step: each.on for each in needs_of(step)}
    for index, ref in enumerate(step.inputs):
        if needs.get(str(ref.job)) != "success":
            message = f"{ref.job} is not among those `needs` that have to end with success"
            raise text.invalid(message, (*at, "inputs", index))
        if not steps[str(ref.job)].artifacts:
            message = f"{ref.job} keeps no artifacts; name the files under its artifacts"
            raise text.invalid(message, (*at, "inputs", index))


def _check_when(text: people.Text, step: Step, when: str, at: people.Steps) -> None:
    try:
        tree = expressions.parse(when)
    except expressions.Wrong as error:
        raise text.invalid(str(error), at) from None
    needs = {each.step: each.on for each in needs_of(step)}
    for name in expressions.names(tree):
        wanted = expressions.needed(name)
        if wanted is not None and wanted not in needs:
            raise text.invalid(f"asks for the result of {wanted}, which is not among `needs`", at)
        if wanted is not None and needs[wanted] == "success":
            message = (
                f"asks for the result of {wanted}, of which only a success gets this far; say on: always"
            )
            raise text.invalid(message, at)
        if name.startswith("matrix.") and name.removeprefix("matrix.") not in step.matrix:
            raise text.invalid(f"{name} is no axis of the matrix", at)


def _check_circles(text: people.Text, steps: Mapping[str, Step], at: people.Steps) -> None:
    """Refuse steps that wait for each other: take away, again and again, those that wait for nobody."""
    left = {name: {each.step for each in needs_of(step)} for name, step in steps.items()}
    while ready := [name for name, needs in left.items() if not needs & left.keys()]:
        for name in ready:
            del left[name]
    if not left:
        return
    path = [next(iter(left))]
    while (following := sorted(left[path[-1]] & left.keys())[0]) not in path:
        path.append(following)
    around = [*path[path.index(following) :], following]
    message = f"{around[0]} needs itself"
    if len(around) > 2:
        message = f"these steps need each other in a circle: {' -> '.join(around)}"
    raise text.invalid(message, (*at, "steps", around[0], "needs"))
