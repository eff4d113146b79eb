"""What a job takes of others' artifacts, and what is asked of its own."""

from collections.abc import Sequence

from bnet.model.command import InputRef, Submit
from bnet.model.job import Input, Need
from bnet.rules.jobs import Illegal

MOST_INPUTS = 100
LONGEST_PATH = 500  # characters


def with_inputs(
    asked: Sequence[tuple[InputRef, Sequence[Need]]], needs: tuple[Need, ...]
) -> tuple[tuple[Input, ...], tuple[Need, ...]]:
    """Return the inputs of a job, and what it needs then: a job is not begun before its inputs are there.

    Args:
        asked: each input with the jobs that it means, several of them where it names a matrix.
        needs: what the job needs besides.

    Raises:
        Illegal: an input leads out of the workspace, or there are too many.
    """
    inputs = []
    for ref, jobs in asked:
        _check(ref.into)
        inputs += [Input(job=each.job, into=ref.into) for each in jobs]
        known = {each.job for each in needs}
        needs += tuple(each for each in jobs if each.job not in known)
    if len(inputs) > MOST_INPUTS:
        raise Illegal(f"inputs: these are {len(inputs)} jobs; at most {MOST_INPUTS} may be named")
    return tuple(dict.fromkeys(inputs)), needs


def check_reproduce(command: Submit) -> None:
    """Refuse a submission whose outcomes on several servers could not be compared.

    Raises:
        Illegal: it has no artifacts.
    """
    if command.reproduce > 1 and not command.artifacts:
        raise Illegal("reproduce: there is nothing to compare; name the files that are made under artifacts")


def _check(into: str) -> None:
    parts = into.split("/")
    if into.startswith("/") or ".." in parts or ".git" in parts or len(into) > LONGEST_PATH:
        raise Illegal(f"inputs: {into[:80]!r} leads out of the workspace; name a directory inside it")
    if not into or not into.isprintable():
        raise Illegal(f"inputs: {into[:80]!r} is no name of a directory")
