"""Jobs that have to come out the same on several servers: which servers are still needed, and whether they agree."""

from collections.abc import Sequence
from itertools import pairwise

from bnet.model.job import Artifact, Attempt, Job

MOST_NAMED = 5  # files that a result names


def built_by(job: Job) -> dict[str, Attempt]:
    """Return the servers that have made a job's artifacts, each with its first success."""
    found: dict[str, Attempt] = {}
    for attempt in job.attempts:
        if attempt.result == "success":
            found.setdefault(attempt.server, attempt)
    return found


def wants_more(job: Job) -> bool:
    """Tell whether further servers have to make what this job makes; not once two of them disagree."""
    made = list(built_by(job).values())
    return len(made) < job.spec.reproduce and not disagreement(made)


def disagreement(made: Sequence[Attempt]) -> str:
    """Say which files differ between successful attempts, and between whom; "" where all are the same."""
    for first, other in pairwise(made):
        differ = _differing(first.artifacts, other.artifacts)
        if differ:
            more = "" if len(differ) <= MOST_NAMED else f" and {len(differ) - MOST_NAMED} more"
            names = ", ".join(differ[:MOST_NAMED]) + more
            return (
                f"not reproducible: {names} differs between {first.server} (attempt {first.attempt}) "
                f"and {other.server} (attempt {other.attempt})"
            )
    return ""


def _differing(one: Sequence[Artifact], other: Sequence[Artifact]) -> list[str]:
    ours, theirs = ({each.path: _content(each) for each in made} for made in (one, other))
    return sorted(path for path in ours.keys() | theirs.keys() if ours.get(path) != theirs.get(path))


def _content(artifact: Artifact) -> tuple[str, bool]:
    """Return what has to be the same: the bytes, and whether it can be run; who else may read it is the umask's."""
    return artifact.blake3, is_executable(artifact.mode)


def is_executable(mode: str) -> bool:
    """Tell whether a mode in octal lets anybody run a file."""
    try:
        return bool(int(mode, 8) & 0o111)
    except ValueError:
        return False
