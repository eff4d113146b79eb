"""Runs of pipelines, and what waits for people, as plain objects."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bnet.app.told.jobs import describe_job
from bnet.model.job import Job
from bnet.model.state import State
from bnet.rules import approvals
from bnet.rules.waiting import need_state


def run_of(jobs: Mapping[int, Job], number: int) -> list[Job]:
    """Return the jobs of a pipeline's run, by the number of any of them."""
    job = jobs.get(number)
    part = None if job is None else job.spec.pipeline
    if part is None:
        return []
    return [
        each
        for _, each in sorted(jobs.items())
        if each.spec.pipeline is not None
        and (each.spec.pipeline.run, each.spec.pipeline.name) == (part.run, part.name)
    ]


def runs(state: State) -> list[tuple[int, str]]:
    """Return the runs of which a job is open or recent: the number of the first job, and the pipeline's name."""
    parts = [job.spec.pipeline for job in state.jobs.values() if job.spec.pipeline is not None]
    return sorted({(part.run, part.name) for part in parts})


def describe_run(jobs: Sequence[Job], state: State, now: datetime) -> dict[str, Any]:
    """Return a run: `run, pipeline, branch, tag, commit, state, steps[]`."""
    part, source = jobs[0].spec.pipeline, jobs[0].spec.source
    assert part is not None
    told = [_step(job, state, now) for job in jobs]
    repeated = {job.spec.retry_of for job in jobs}
    results = {each["result"] for each in told if each["number"] not in repeated}
    if None in results:
        standing = "running" if any(each["state"] != "pending" for each in told) else "pending"
    else:
        standing = "success" if results <= {"success", "skipped"} else "failure"
    return {
        "run": part.run,
        "pipeline": part.name,
        "branch": part.branch,
        "tag": part.tag,
        "commit": None if source is None else source.commit or source.snapshot,
        "by": jobs[0].spec.submitted_by,
        "state": standing,
        "steps": told,
    }


def _step(job: Job, state: State, now: datetime) -> dict[str, Any]:
    part = job.spec.pipeline
    return describe_job(job, state, now) | {
        "step": "" if part is None else part.step,
        "environment": job.spec.environment,
        "approvals": describe_approvals(job),
    }


def describe_approvals(job: Job) -> dict[str, Any] | None:
    """Return who has approved a job and who may; None for one that needs nobody."""
    rule = job.spec.approval
    if rule is None or not rule.count:
        return None
    return {
        "wanted": rule.count,
        "given": [each.by for each in job.wanted.approvals],
        "may": list(approvals.asked(job)),
        "text": approvals.told(job),
    }


def awaited(state: State) -> list[Job]:
    """Return the jobs that wait for nothing but people's approval, as far as other jobs are concerned."""
    return [
        job
        for _, job in sorted(state.jobs.items())
        if job.state == "pending"
        and approvals.lacking(job)
        and all(need_state(need, state.jobs) for need in job.spec.needs)
    ]
