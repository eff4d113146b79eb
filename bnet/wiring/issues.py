"""Findings as issues on a forge."""

from collections.abc import Iterator, Sequence

from bnet.errors import BnetError
from bnet.forges.issues import GhIssues, Refused
from bnet.health.facts import Finding
from bnet.health.issues import plan
from bnet.wiring.machine import Machine

PATIENCE = 3  # issues in a row that are refused, and it is the forge that does not want any


def kept_issues(
    machine: Machine, repository: str, findings: Sequence[Finding]
) -> Iterator[tuple[str, int, str]]:
    """Bring the issues of a repository in line with findings; see `keep`."""
    return keep(GhIssues(repository, machine.env), findings)


def keep(issues: GhIssues, findings: Sequence[Finding]) -> Iterator[tuple[str, int, str]]:
    """Bring issues in line with findings; yield what was done, to which issue, and its key.

    One that is refused keeps no other from being kept.

    Raises:
        BnetError: the forge cannot be asked, or has refused something; what was done stays done.
    """
    refusal: BnetError | None = None
    row = 0
    for step in plan(findings, issues.there()):
        try:
            number = issues.do(step)
        except Refused as error:
            refusal, row = error, row + 1
            if row == PATIENCE:
                break
            continue
        row = 0
        yield (
            "opened" if step.number is None else "closed" if step.title is None else "changed",
            number,
            step.key,
        )
    if refusal is not None:
        raise refusal
