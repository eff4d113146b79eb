"""What a transaction may do to approvals, environments and releases: derived once more, and compared."""

from collections.abc import Collection, Iterator, Mapping

from bnet.model.environment import Release, Standing
from bnet.model.job import Job, JobSpec, Verdict
from bnet.model.state import State
from bnet.rules.approvals import may
from bnet.rules.deployments import by_environment, pin_of, standing_after
from bnet.rules.environments import find, lock_of, rule_of
from bnet.rules.jobs import Illegal


def deployment_faults(
    before: State, after: State, archived: Mapping[int, Job], dropped: Collection[str]
) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with what a transaction made of environments and releases: what of, and the fault.

    Args:
        before, after: the ledger.
        archived: the jobs in the archive files that it has added.
        dropped: the releases that it says are kept no longer.
    """
    there = {**archived, **after.jobs}
    ended = [
        job for number, job in there.items() if job.result is not None and not _had_ended(before, number)
    ]
    due = by_environment(ended)
    known = {**before.jobs, **there}  # what a deployment took may go to the archive with its end
    for name in sorted(before.standings.keys() | after.standings.keys() | due.keys()):
        old = before.standings.get(name, Standing(name=name))
        new = after.standings.get(name, Standing(name=name))
        if new != standing_after(old, due.get(name, ()), known, before.standings):
            yield f"environment {name}", "is said to have something else than its deployments have brought"
    for name in sorted(before.releases.keys() | after.releases.keys()):
        text = _wrong_release(before.releases.get(name), after.releases.get(name), after)
        if text and not (name in dropped and name not in after.releases):
            yield f"release {name}", text


def is_ruled(spec: JobSpec, before: State) -> bool:
    """Tell whether a new job has what its environment asks for: its approvals, and its lock."""
    if spec.environment is None:
        return True
    try:
        environment, _ = find(before, spec.environment)
    except Illegal:
        return False
    return spec.approval == rule_of(environment) and lock_of(environment) in spec.locks


def _had_ended(before: State, number: int) -> bool:
    old = before.jobs.get(number)
    return old is not None and old.result is not None


def _wrong_release(old: Release | None, new: Release | None, after: State) -> str:
    if old is not None:
        return "" if new == old else "has changed, or is gone"
    assert new is not None
    for pin in new.jobs:
        job = after.jobs.get(pin.job)
        if job is not None and (job.result is None or job.result.result != "success"):
            return f"keeps #{pin.job}, which has not succeeded"
        if job is not None and pin_of(job, pin.into) != pin:
            return f"keeps other artifacts than #{pin.job} has"
        if pin.job in after.kept and after.kept[pin.job].gone is not None:
            return f"keeps artifacts of #{pin.job}, which were given up"
    return ""


def wrong_verdicts(old: Job, new: Job) -> str:
    """Say what is wrong with what was said of a job's start; "" if nothing is."""
    given = new.wanted.approvals[len(old.wanted.approvals) :]
    if new.wanted.approvals[: len(old.wanted.approvals)] != old.wanted.approvals:
        return "an approval has changed, or is gone"
    rejected = new.wanted.rejected if new.wanted.rejected != old.wanted.rejected else None
    if (given or rejected) and (old.claim is not None or old.attempts):
        return "was approved or rejected after it had started"
    for each in (*given, *([rejected] if rejected is not None else [])):
        if new.spec.approval is None or not may(each.by, new.spec.approval):
            return f"was approved or rejected by {each.by}, who may not"
    return "was approved twice by one person" if _repeats(new.wanted.approvals) else ""


def _repeats(given: tuple[Verdict, ...]) -> bool:
    return len({each.by for each in given}) < len(given)
