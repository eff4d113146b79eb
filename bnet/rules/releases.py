"""Releases: which run is the last good one, and that it is kept."""

from collections.abc import Mapping
from datetime import datetime

from msgspec.structs import replace

from bnet.codec import layout
from bnet.errors import Taken
from bnet.model.environment import Deployment, Release
from bnet.model.job import Job
from bnet.model.state import State
from bnet.rules.change import Change
from bnet.rules.conditions import branch_of
from bnet.rules.deployments import had, pin_of
from bnet.rules.environments import find
from bnet.rules.jobs import Illegal
from bnet.rules.keeping import check_kept
from bnet.rules.transaction import Transaction

GOOD = ("success", "skipped")


def of_environment(state: State, environment: str, name: str, by: str, now: datetime) -> Release:
    """Return the release of what an environment has now.

    Raises:
        Illegal: there is no such environment, or nothing in it.
    """
    find(state, environment)
    standing = state.standings.get(environment)
    current = None if standing is None else standing.current
    if current is None:
        raise Illegal(f"nothing was deployed to {environment} yet")
    return Release(
        name=name,
        at=now,
        by=by,
        jobs=current.inputs,
        environment=environment,
        deployment=current.job,
        repository=current.repository,
        commit=current.commit,
    )


def of_branch(state: State, branch: str, name: str, by: str, now: datetime) -> Release:
    """Return the release of the newest good run of a branch: a pipeline's, or of a single job.

    Raises:
        Illegal: there is none among the open and recent ones.
    """
    runs: dict[int, list[Job]] = {}
    for job in state.jobs.values():
        if branch_of(job.spec) == branch and job.spec.rollback_of is None:
            runs.setdefault(job.number if job.spec.pipeline is None else job.spec.pipeline.run, []).append(
                job
            )
    for number in sorted(runs, reverse=True):
        if _is_good(runs[number]):
            return replace(of_jobs(runs[number], name, by, now), branch=branch)
    raise Illegal(f"there is no good run of branch {branch[:80]!r} among the recent ones")


def _is_good(jobs: list[Job]) -> bool:
    repeated = {job.spec.retry_of for job in jobs}
    last = [job for job in jobs if job.number not in repeated]
    results = {None if job.result is None else job.result.result for job in last}
    return "success" in results and results <= set(GOOD)


def of_jobs(jobs: list[Job], name: str, by: str, now: datetime) -> Release:
    """Return the release of a run: of its successes that have left artifacts, and of their commit."""
    good = [job for job in jobs if job.result is not None and job.result.result == "success"]
    kept = [job for job in good if job.result is not None and job.result.artifacts]
    source = jobs[0].spec.source
    return Release(
        name=name,
        at=now,
        by=by,
        jobs=tuple(pin_of(job) for job in sorted(kept, key=lambda job: job.number)),
        repository=None if source is None else source.repository,
        commit=None if source is None else source.commit,
    )


def mark(tx: Transaction, release: Release, archived: Mapping[int, Job] = {}) -> None:
    """Keep a release; once more is no other one.

    Args:
        tx: the transaction.
        release: what is kept.
        archived: those of its jobs that are in the archive.

    Raises:
        Illegal: its artifacts were given up.
        Taken: there is another of that name.
    """
    old = tx.state.releases.get(release.name)
    if old is not None:
        if (old.jobs, old.commit, old.tag) != (release.jobs, release.commit, release.tag):
            raise Taken(
                f"there is another release {release.name}, of {_of(old)}", hint="give this one its own name"
            )
        return
    check_kept(tx, release.jobs, archived)
    fields: dict[str, str | int] = {"by": release.by, "jobs": ",".join(str(pin.job) for pin in release.jobs)}
    path = layout.release_path(release.name)
    tx.apply(
        Change(verb="mark", target=release.name, note=_of(release), fields=fields, documents={path: release})
    )


def drop(tx: Transaction, name: str, by: str, reason: str) -> None:
    """Keep a release no longer: what it named may be given up from now on.

    Raises:
        Illegal: there is none of that name.
    """
    release = find_release(tx.state, name)
    note = f"{_of(release)}: {reason}" if reason else _of(release)
    files: dict[str, bytes | None] = {layout.release_path(name): None}
    tx.apply(Change(verb="drop", target=name, note=note, fields={"by": by}, files=files))


def find_release(state: State, name: str) -> Release:
    """Return a release.

    Raises:
        Illegal: there is none of that name.
    """
    release = state.releases.get(name)
    if release is None:
        there = ", ".join(sorted(state.releases)) or "none"
        raise Illegal(f"there is no release {name[:80]!r}; the releases are: {there}")
    return release


def _of(release: Release) -> str:
    jobs = " ".join(f"#{pin.job}" for pin in release.jobs)
    return jobs or (release.commit or "nothing")[:10]


def before_now(state: State, environment: str) -> Deployment:
    """Return what an environment had before what it has now.

    Raises:
        Illegal: nothing else was there, as far as that is known.
    """
    find(state, environment)
    standing = state.standings.get(environment)
    if standing is not None and standing.current is not None:
        now = standing.current
        for each in had(standing):
            if each.result == "success" and (_what(each) != _what(now)):
                return each
    raise Illegal(f"nothing else was deployed to {environment} before")


def _what(deployment: Deployment) -> tuple[frozenset[int], str | None]:
    return frozenset(pin.job for pin in deployment.inputs), deployment.commit


def deployment_of(state: State, environment: str, wanted: str) -> int:
    """Return the deployment that `--to` means: the number of its job, or the name of a release of the environment.

    Raises:
        Illegal: it means none.
    """
    if wanted.removeprefix("#").isdecimal() and len(wanted) < 16:
        return int(wanted.removeprefix("#"))
    release = find_release(state, wanted)
    if release.environment == environment and release.deployment is not None:
        return release.deployment
    standing = state.standings.get(environment)
    for each in () if standing is None else had(standing):
        if each.result == "success" and each.inputs == release.jobs and each.commit == release.commit:
            return each.job
    raise Illegal(f"release {wanted} was never deployed to {environment}, as far as that is known")
