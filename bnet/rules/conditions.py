"""Whether the condition of a job holds: it is asked once all that the job needs has ended."""

from collections.abc import Mapping

from bnet.codec import expressions
from bnet.model.base import Result
from bnet.model.job import Job, JobSpec, Need
from bnet.rules.jobs import Illegal

# Of several jobs of one step, the worst result is the step's.
_WORST: tuple[Result, ...] = ("error", "timeout", "failure", "cancelled", "skipped", "success")


def branch_of(spec: JobSpec) -> str:
    """Return the branch that a job is of; "" for a tag, a bare commit, a working tree."""
    if spec.pipeline is not None:
        return spec.pipeline.branch
    return branch_named(spec.source.ref if spec.source is not None and spec.source.ref else "")


def branch_named(ref: str) -> str:
    """Return the branch that a ref is; "" if it is something else."""
    if ref.startswith("refs/heads/"):
        return ref.removeprefix("refs/heads/")
    return "" if ref.startswith("refs/") or ref == "HEAD" else ref


def check(spec: JobSpec) -> None:
    """Refuse a condition that is none, or asks for what the job does not have.

    Raises:
        Illegal: it says what is wrong.
    """
    if spec.when is None:
        return
    try:
        tree = expressions.parse(spec.when)
    except expressions.Wrong as error:
        raise Illegal(f"when: {error}") from None
    known = {need.name for need in spec.needs}
    for name in expressions.names(tree):
        wanted = expressions.needed(name)
        if wanted is not None and wanted not in known:
            raise Illegal(f"when: asks for the result of {wanted}, which is not among `needs`")
        if name.startswith("matrix.") and name.removeprefix("matrix.") not in spec.matrix:
            raise Illegal(f"when: {name} is no axis of the matrix")


def holds(spec: JobSpec, jobs: Mapping[int, Job]) -> bool:
    """Tell whether a job's condition holds; one that was left out does.

    Args:
        spec: what was asked; `check` has passed it.
        jobs: those that it needs have ended.
    """
    if spec.when is None:
        return True
    try:
        tree = expressions.parse(spec.when)
    except expressions.Wrong:
        return False  # a newer bnet's: whoever understands it decides otherwise, nobody runs it unasked
    part = spec.pipeline
    plain = {"branch": branch_of(spec), "tag": "" if part is None else part.tag}

    def look_up(name: str) -> str:
        space, _, rest = name.partition(".")
        if space == "matrix":
            return spec.matrix.get(rest, "")
        if space == "labels":
            return "" if part is None else part.labels.get(rest, "")
        wanted = expressions.needed(name)
        return plain.get(name, "") if wanted is None else result_of(wanted, spec.needs, jobs)

    return expressions.holds(tree, look_up)


def result_of(name: str, needs: tuple[Need, ...], jobs: Mapping[int, Job]) -> str:
    """Return how those of some needs ended that go by a name: the worst of it; "" while one has not."""
    found = []
    for need in needs:
        if need.name == name:
            other = jobs.get(need.job)
            result = other.result.result if other is not None and other.result is not None else need.result
            if result is None:
                return ""
            found.append(result)
    return min(found, key=_WORST.index, default="")
