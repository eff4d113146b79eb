"""What a commit of a source becomes: the job of the source's template, or those of a pipeline in its own tree."""

import math
from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from bnet.codec.pipelines import read_pipelines
from bnet.codec.tree import FILE
from bnet.errors import Invalid
from bnet.model.command import Submit
from bnet.model.job import Source
from bnet.model.source import Followed
from bnet.rules.jobs import Illegal
from bnet.rules.pipelines import Run, expand
from bnet.rules.reserved import COMMIT, SOURCE, commit_key

HEADS, TAGS = "refs/heads/", "refs/tags/"


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """A ref that is not where it was seen last.

    Attributes:
        ref: its full name.
        new: the commit that it is on now.
        commits: those that count, of the ones that nobody has seen before: oldest first.
        upto: the commit that is dealt with once these are: `new`, or one before it where there are very many.
        priority: of its jobs; None for that of the template.
        files: commit -> the file of its tree that says what it becomes, where the source runs a pipeline.
        left: the commit that it was on, where `new` does not contain that.
    """

    ref: str
    new: str
    commits: tuple[str, ...] = ()
    upto: str = ""
    priority: int | None = None
    files: Mapping[str, bytes | None] = {}
    left: str = ""


def submissions(source: Followed, move: Move, commit: str) -> list[Submit]:
    """Return the jobs that a commit becomes.

    Raises:
        Illegal: its tree has no such pipeline, or the file is wrong.
    """
    # A commit says all that is needed: a ref with odd signs in its name is left out.
    ref = move.ref if move.ref.isprintable() else None
    where = Source(repository=source.asked.repository, ref=ref, commit=commit)
    told = {SOURCE: source.name, "BNET_REF": move.ref, COMMIT: commit}
    branch, tag = _after(move.ref, HEADS), _after(move.ref, TAGS)
    told |= {name: text for name, text in (("BNET_BRANCH", branch), ("BNET_TAG", tag)) if text}
    key = commit_key(source.name, commit)
    asked = source.asked.submit
    if asked is not None:
        made = [replace(asked, name=asked.name or source.name, source=where, key=key)]
    else:
        run = Run(source=where, key=key, branch=branch, tag=tag)
        made = _expanded(source.asked.pipeline or "", move.files.get(commit), run)
    return [
        replace(
            each,
            priority=each.priority if move.priority is None else move.priority,
            env={**each.env, **told},
        )
        for each in made
    ]


def _after(ref: str, kind: str) -> str:
    return ref.removeprefix(kind) if ref.startswith(kind) else ""


def _expanded(name: str, text: bytes | None, run: Run) -> list[Submit]:
    if text is None:
        raise Illegal(f"it has no {FILE}")
    try:
        found = read_pipelines(text, FILE)
    except Invalid as error:
        raise Illegal(str(error)) from None
    if name not in found:
        raise Illegal(f"its {FILE} has no pipeline {name}; there are: {', '.join(found) or 'none'}")
    return expand(name, found[name], run)


def weight(made: Sequence[Submit]) -> int:
    """Return how many jobs submissions are; one that cannot become any is refused as one."""
    return sum(max(1, math.prod(map(len, each.matrix.values()))) for each in made)
