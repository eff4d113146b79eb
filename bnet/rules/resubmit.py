"""From jobs of a history that was given up to commands that ask for them again."""

from collections import Counter
from collections.abc import Mapping, Sequence

from bnet.model.command import InputRef, NeedRef, Retry, Submit
from bnet.model.job import Job, JobSpec, Need, RetryRule
from bnet.rules.reserved import SCHEDULES, SOURCES, cell_key


def only_in(ours: Mapping[int, Job], theirs: Mapping[int, Job]) -> list[Job]:
    """Return the jobs of one history that another one does not have; a number alone makes no same job."""
    return [
        job for number, job in sorted(ours.items()) if number not in theirs or theirs[number].spec != job.spec
    ]


def left_out(lost: Sequence[Job], kept: Mapping[int, Job]) -> list[Job]:
    """Return the unfinished jobs that would not be what they were: they depend on what the new history lacks.

    A step or a deployment asks what its run has built and where that has been; a job with inputs takes files that
    only the old history lists. They are asked for by their runs, as a whole.

    Args:
        lost: in the order of their numbers.
        kept: the jobs that the new history has.
    """
    gone = {job.number for job in lost}
    there = {job.number for job in lost if job.result is None} | (kept.keys() - gone)
    found: dict[int, Job] = {}
    for job in lost:
        spec = job.spec
        bound = spec.pipeline is not None or spec.environment is not None or spec.when is not None
        short = any(each.job not in there for each in spec.inputs)
        if job.result is None and (bound or short or any(need.job in found for need in spec.needs)):
            found[job.number] = job
    return list(found.values())


def resubmissions(lost: Sequence[Job], kept: Mapping[int, Job], label: str) -> list[Submit]:
    """Return commands that ask again for those of some jobs that have not finished, but for those that are left out.

    Args:
        lost: in the order of their numbers.
        kept: the jobs that the new history has.
        label: makes the keys, so that submitting the commands twice makes no job twice.
    """
    without = {job.number for job in left_out(lost, kept)}
    unfinished = {job.number: job for job in lost if job.result is None and job.number not in without}
    uses = Counter(job.spec.name for job in unfinished.values())
    names = {
        number: job.spec.name if uses[job.spec.name] == 1 else f"{job.spec.name[:48]}-{number}"
        for number, job in unfinished.items()
    }
    first = {job.spec.key: job.number for job in reversed(unfinished.values())}
    return [
        _again(job, names, lost, kept, _key(job.spec, label, whole=first[job.spec.key] == job.number))
        for job in unfinished.values()
    ]


def _again(
    job: Job, names: Mapping[int, str], lost: Sequence[Job], kept: Mapping[int, Job], key: str
) -> Submit:
    spec = job.spec
    gone = {each.number for each in lost}
    needs = [_need(each, names, gone, kept) for each in spec.needs]
    return Submit(
        name=names[job.number],
        command=spec.command,
        packages=spec.packages,
        queue=spec.queue,
        priority=job.priority,
        labels=dict(spec.labels),
        needs=tuple(each for each in needs if each is not None),
        source=spec.source,
        env=dict(spec.env),
        secrets=spec.secrets,
        sandbox=spec.sandbox,
        image=spec.image,
        timeout=spec.timeout,
        silence_timeout=spec.silence_timeout,
        retry=tuple(_retry(each) for each in spec.retry),
        group=spec.group,
        supersede=spec.supersede,
        locks=spec.locks,
        artifacts=spec.artifacts,
        inputs=tuple(InputRef(job=names.get(each.job, each.job), into=each.into) for each in spec.inputs),
        reproduce=spec.reproduce,
        not_before=None if spec.not_before is None else spec.not_before.isoformat(),
        expires_after=spec.expires_after,
        on_lost_lease=spec.on_lost_lease,
        key=key,
        approvals=spec.approval,
    )


def _need(need: Need, names: Mapping[int, str], gone: set[int], kept: Mapping[int, Job]) -> NeedRef | None:
    """Return whom to wait for now; nobody, where the wait was over in the history that was given up."""
    if need.job in names:
        return NeedRef(job=names[need.job], on=need.on)
    if need.job in gone or need.job not in kept:
        return None
    return NeedRef(job=need.job, on=need.on)


def _retry(rule: RetryRule) -> Retry:
    return Retry(limit=rule.limit, exit_code=rule.exit_codes, reason=rule.reasons)


def _key(spec: JobSpec, label: str, *, whole: bool) -> str:
    # One key stands for all the jobs of a matrix; they are asked for one by one now. A source or a schedule would
    # make all of them again where their key is not known.
    if spec.key is None or not spec.matrix:
        return spec.key or f"{label}.{spec.number}"
    if not spec.key.startswith((SCHEDULES, SOURCES)):
        return f"{label}.{spec.number}"
    return spec.key if whole else cell_key(spec.key, spec.number)
