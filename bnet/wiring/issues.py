"""Findings as issues on a forge."""

from collections.abc import Iterator, Sequence

from bnet.forges.issues import GhIssues
from bnet.health.facts import Finding
from bnet.health.issues import plan
from bnet.wiring.machine import Machine


def kept_issues(
    machine: Machine, repository: str, findings: Sequence[Finding]
) -> Iterator[tuple[str, int, str]]:
    """Bring the issues of a repository in line with findings; yield what was done, to which issue, and its key.

    Raises:
        BnetError: the forge cannot be asked, or refuses; what was done stays done.
    """
    issues = GhIssues(repository, machine.env)
    for step in plan(findings, issues.there()):
        did = "opened" if step.number is None else "closed" if step.title is None else "changed"
        yield did, issues.do(step), step.key
