"""From a pipeline to the jobs that it means: a list of submissions, admitted all or none."""

from collections.abc import Mapping

import msgspec

from bnet.codec import expressions
from bnet.codec.pipelines import in_order, needs_of
from bnet.codec.shown import escaped
from bnet.model.command import InputRef, NeedRef, Submit, Work
from bnet.model.job import Part, Source
from bnet.model.pipeline import Pipeline, Step
from bnet.rules.jobs import Illegal

LONGEST_KEY = 500  # characters


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a pipeline: of which tree, and what its conditions may ask for.

    Attributes:
        source: the tree.
        key: the same key twice is one run.
        branch, tag: that the tree is of; "" for none.
        labels: given by whoever starts it.
    """

    source: Source
    key: str
    branch: str = ""
    tag: str = ""
    labels: Mapping[str, str] = {}


class Outlook(msgspec.Struct, frozen=True):
    """What is known of a step before its pipeline runs.

    Attributes:
        step: its name.
        runs: False where it is certain to be skipped.
        why: what that depends on.
    """

    step: str
    runs: bool
    why: str = ""


def expand(name: str, pipeline: Pipeline, run: Run) -> list[Submit]:
    """Return the jobs of one run, each after those that it needs.

    Raises:
        Illegal: the key or a label cannot be.
    """
    if not run.key or len(run.key) > LONGEST_KEY:
        raise Illegal(f"the key of a run has 1 to {LONGEST_KEY} characters")
    for text in (run.branch, run.tag, *run.labels, *run.labels.values()):
        if not text.isprintable():
            raise Illegal(f"{escaped(text)} holds a control character")
    return [_submission(name, step, pipeline.steps[step], run) for step in in_order(pipeline)]


def _submission(pipeline: str, name: str, step: Step, run: Run) -> Submit:
    same = {field: getattr(step, field) for field in Work.__struct_fields__ if field != "inputs"}
    return Submit(
        **same,
        name=f"{pipeline}.{name}",
        needs=tuple(NeedRef(job=each.step, on=each.on or "success") for each in needs_of(step)),
        inputs=tuple(InputRef(job=str(each.job), into=each.into) for each in step.inputs),
        source=run.source,
        key=f"{run.key}/{name}",
        pipeline=Part(name=pipeline, step=name, branch=run.branch, tag=run.tag, labels=dict(run.labels)),
    )


def foresee(pipeline: Pipeline, run: Run) -> list[Outlook]:
    """Return what becomes of each step as far as that is certain: what its condition drops, and what needs that."""
    dropped: dict[str, str] = {}
    found = []
    for name in in_order(pipeline):
        step = pipeline.steps[name]
        why = _dropped(step, run, dropped)
        if why:
            dropped[name] = why
        found.append(Outlook(name, not why, why or (f"when: {step.when}" if step.when else "")))
    return found


def _dropped(step: Step, run: Run, dropped: Mapping[str, str]) -> str:
    for need in needs_of(step):
        if need.step in dropped and need.on != "always":
            return f"needs {need.step}, which is skipped"
    if step.when is None:
        return ""
    tree = expressions.parse(step.when)
    names = set(expressions.names(tree))
    if step.matrix and any(name.startswith("matrix.") for name in names):
        return ""
    if any(expressions.needed(name) not in (None, *dropped) for name in names):
        return ""
    return "" if expressions.holds(tree, lambda name: _known(name, run)) else f"when: {step.when}"


def _known(name: str, run: Run) -> str:
    if expressions.needed(name) is not None:
        return "skipped"
    plain = {"branch": run.branch, "tag": run.tag}
    return plain.get(name, "") or run.labels.get(name.removeprefix("labels."), "")
