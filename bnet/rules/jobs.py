"""What can happen to a job, from its claim to its result."""

from collections.abc import Iterable
from datetime import datetime

from msgspec.structs import replace

from bnet.errors import BnetError
from bnet.model.base import Result
from bnet.model.job import Attempt, Cancel, Claim, Job, JobResult, RetryRule
from bnet.model.server import Server
from bnet.rules.change import Change
from bnet.rules.reproduce import built_by, disagreement, wants_more

REFUSALS = 3  # so many servers that cannot start a job, and it is not tried on a fourth


class Illegal(BnetError):
    """What was asked cannot happen to this job or server as it is now.

    Attributes:
        command: the index of the command that asked, where there is a list of them.
    """

    command: int = 0


class Forbidden(Illegal):
    """What was asked could be done, and the rules that people have set do not let whoever asks."""

    exit_code = 5


def claim(job: Job, server: Server, *, run: str, token: int, ttl_s: float, now: datetime) -> Change:
    """Give a pending job to a server.

    Args:
        job: a job without claim or result.
        server: who takes it.
        run: the new attempt's UUID, the only one that may report its end.
        token: the transaction's number, which orders this holder among all of the job.
        ttl_s: for how many seconds others have to see the holder not move before they may take the job.
        now: for people; decides nothing.
    """
    if job.state != "pending":
        raise Illegal(f"job #{job.number} is {job.state} and cannot be claimed")
    attempt = len(job.attempts) + 1
    held = Claim(
        server=server.name,
        instance=server.instance,
        attempt=attempt,
        run=run,
        token=token,
        ttl_s=ttl_s,
        claimed_at=now,
    )
    fields: dict[str, str | int] = {"attempt": attempt, "server": server.name, "run": run, "token": token}
    return Change(verb="claim", target=f"#{job.number}", fields=fields, jobs=(replace(job, claim=held),))


def end_attempt(job: Job, ended: Attempt) -> Change:
    """Take in how the attempt under the live claim ended: the job's result, or another turn in the queue.

    Raises:
        Illegal: `ended.run` is not the run of the live claim; a late report changes nothing.
    """
    if job.claim is None or job.claim.run != ended.run:
        raise Illegal(f"job #{job.number}: run {ended.run} does not hold the claim")
    after = replace(job, claim=None, attempts=(*job.attempts, ended))
    fields: dict[str, str | int] = {"attempt": ended.attempt, "run": ended.run, "result": ended.result}
    fields |= {"reason": ended.reason} | ({} if ended.exit_code is None else {"exit_code": ended.exit_code})
    target = f"#{job.number}"
    if _again(after, ended):
        note = f"attempt {ended.attempt}: {_word(ended)}"
        return Change(verb="requeue", target=target, note=note, fields=fields, jobs=(after,))
    result = _result_of(after, ended)
    return Change(
        verb="finish", target=target, note=_word(result), fields=fields, jobs=(replace(after, result=result),)
    )


def lost(job: Job, *, now: datetime, why: str) -> Change:
    """End the live claim of a job whose holder is gone.

    Args:
        job: a running job.
        now: when that was found out.
        why: how, for people.
    """
    held = _held(job)
    return end_attempt(
        job,
        Attempt(
            attempt=held.attempt,
            server=held.server,
            run=held.run,
            token=held.token,
            result="error",
            reason="lost",
            message=why,
            finished_at=now,
        ),
    )


def end_unclaimed(job: Job, result: Result, reason: str, *, now: datetime, message: str = "") -> Change:
    """End a job that nobody runs: cancelled, expired, superseded, skipped or refused everywhere."""
    if job.state != "pending":
        raise Illegal(f"job #{job.number} is {job.state}; only a pending job ends so")
    ended = JobResult(result=result, reason=reason, finished_at=now, message=message or None)
    return Change(
        verb="finish",
        target=f"#{job.number}",
        note=result if result == reason else f"{result}: {reason}",
        fields={"result": result, "reason": reason},
        jobs=(replace(job, result=ended),),
    )


def cancel(job: Job, *, by: str, reason: str, now: datetime, superseded: bool = False) -> Change:
    """Ask for a job's end: at once where nobody runs it, by its server where somebody does."""
    if job.state == "finished":
        raise Illegal(f"job #{job.number} has already finished")
    asked = Cancel(by=by, at=now, reason=reason, superseded=superseded)
    after = replace(job, wanted=replace(job.wanted, cancel=asked))
    if job.state == "pending":
        change = end_unclaimed(
            after, "cancelled", "superseded" if superseded else "cancel", now=now, message=reason
        )
        return replace(change, verb="cancel", note=reason, fields={**change.fields, "by": by})
    return Change(verb="cancel", target=f"#{job.number}", note=reason, fields={"by": by}, jobs=(after,))


def set_priority(job: Job, priority: int, *, by: str) -> Change:
    """Move a waiting job forward (towards 1) or back (towards 10)."""
    if job.state == "finished":
        raise Illegal(f"job #{job.number} has already finished")
    after = replace(job, wanted=replace(job.wanted, priority=priority))
    return Change(
        verb="prioritize",
        target=f"#{job.number}",
        note=str(priority),
        fields={"priority": priority, "by": by},
        jobs=(after,),
    )


def refusers(job: Job) -> set[str]:
    """Return the servers that could not start a job, and are passed over for it."""
    return {attempt.server for attempt in job.attempts if attempt.reason == "refused"}


def _again(job: Job, ended: Attempt) -> bool:
    if job.wanted.cancel is not None:
        return False
    if ended.result == "success":
        return wants_more(job)
    if ended.reason == "refused":
        return len(refusers(job)) < REFUSALS
    for rule in job.spec.retry:
        if _matches(rule, ended):
            return _count(rule, job.attempts) <= rule.limit
    return False


def _matches(rule: RetryRule, ended: Attempt) -> bool:
    if rule.exit_codes is None and rule.reasons is None:
        return ended.reason != "cancel"
    by_code = rule.exit_codes is not None and ended.reason == "exit" and ended.exit_code in rule.exit_codes
    return by_code or (rule.reasons is not None and ended.reason in rule.reasons)


def _count(rule: RetryRule, attempts: Iterable[Attempt]) -> int:
    return sum(_matches(rule, attempt) for attempt in attempts)


def _result_of(job: Job, ended: Attempt) -> JobResult:
    result, reason = ended.result, ended.reason
    unconfirmed = result == "success" and wants_more(job)
    if job.wanted.cancel is not None and (unconfirmed or reason in ("lost", "refused")):
        result, reason = "cancelled", "superseded" if job.wanted.cancel.superseded else "cancel"
    differs = disagreement(list(built_by(job).values())) if result == "success" else ""
    if differs:
        result, reason = "failure", "differs"
    return JobResult(
        result=result,
        reason=reason,
        finished_at=ended.finished_at,
        attempt=ended.attempt,
        server=ended.server,
        run=ended.run,
        exit_code=ended.exit_code,
        message=differs or ended.message,
        started_at=ended.started_at,
        seconds=ended.seconds,
        artifacts=ended.artifacts,
        manifest=ended.manifest,
        build=ended.build,
    )


def _word(ended: Attempt | JobResult) -> str:
    if ended.reason == "exit":
        return ended.result if ended.result == "success" else f"{ended.result}, exit {ended.exit_code}"
    return ended.reason if ended.reason == ended.result else f"{ended.result}: {ended.reason}"


def _held(job: Job) -> Claim:
    if job.claim is None:
        raise Illegal(f"job #{job.number} is {job.state}; nobody holds it")
    return job.claim
