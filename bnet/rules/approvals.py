"""Approvals: who may let a job start, who has, and who has refused."""

from datetime import datetime

from msgspec.structs import replace

from bnet.codec.shown import escaped
from bnet.model.job import ApprovalRule, Job, Verdict
from bnet.rules.change import Change
from bnet.rules.jobs import Forbidden, Illegal, end_unclaimed

LONGEST_NOTE = 1000  # characters


def may(who: str, rule: ApprovalRule) -> bool:
    """Tell whether somebody is among those who may approve."""
    return not rule.by or any(
        who == each or (each.startswith("*") and who.endswith(each[1:])) for each in rule.by
    )


def lacking(job: Job) -> int:
    """Return how many more people have to approve before a job may start."""
    rule = job.spec.approval
    return 0 if rule is None else max(0, rule.count - len({each.by for each in job.wanted.approvals}))


def asked(job: Job) -> tuple[str, ...]:
    """Return who may still approve a job: addresses and patterns; nobody in particular where it is empty."""
    given = {each.by for each in job.wanted.approvals}
    return (
        () if job.spec.approval is None else tuple(each for each in job.spec.approval.by if each not in given)
    )


def told(job: Job) -> str:
    """Say how many have approved a job, and who may."""
    assert job.spec.approval is not None
    given = [escaped(each.by) for each in job.wanted.approvals]
    names = f" ({', '.join(given)})" if given else ""
    head = f"{len(given)} of {job.spec.approval.count} approvals{names}"
    return f"{head}; {_who(asked(job))} may give one" if lacking(job) else head


def _who(names: tuple[str, ...]) -> str:
    return ", ".join(escaped(each) for each in names) or "anybody"


def approve(job: Job, *, by: str, note: str, now: datetime) -> Change | None:
    """Count somebody's approval; None where it counts already.

    Raises:
        Illegal: the job does not wait for any. Forbidden: they may not give one.
    """
    _check(job, by, note, "approve")
    if any(each.by == by for each in job.wanted.approvals):
        return None
    given = (*job.wanted.approvals, Verdict(by=by, at=now, note=note))
    after = replace(job, wanted=replace(job.wanted, approvals=given))
    fields: dict[str, str | int] = {"by": by, "lacking": lacking(after)}
    return Change(verb="approve", target=f"#{job.number}", note=f"by {by}", fields=fields, jobs=(after,))


def reject(job: Job, *, by: str, reason: str, now: datetime) -> Change:
    """End a job that somebody does not approve.

    Raises:
        Illegal: the job does not wait for any. Forbidden: they have no say in it.
    """
    _check(job, by, reason, "reject")
    after = replace(job, wanted=replace(job.wanted, rejected=Verdict(by=by, at=now, note=reason)))
    change = end_unclaimed(
        after, "cancelled", "rejected", now=now, message=f"rejected by {escaped(by)}: {reason}"
    )
    return replace(change, verb="disapprove", note=f"by {by}", fields={**change.fields, "by": by})


def _check(job: Job, by: str, note: str, verb: str) -> None:
    if job.state == "finished":
        raise Illegal(f"job #{job.number} has already finished; there is nothing to {verb}")
    if job.spec.approval is None or not job.spec.approval.count:
        raise Illegal(f"job #{job.number} needs no approval")
    if job.state == "running" or job.attempts:
        raise Illegal(f"job #{job.number} has started; `bnet cancel {job.number}` ends it")
    if not may(by, job.spec.approval):
        raise Forbidden(
            f"{escaped(by)} may not {verb} #{job.number}; {_who(job.spec.approval.by)} may",
            hint="BNET_USER says who you are, where Git does not",
        )
    if len(note) > LONGEST_NOTE:
        raise Illegal(f"the note has {len(note):,} characters; at most {LONGEST_NOTE:,} are kept")
