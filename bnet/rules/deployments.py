"""What is deployed where: each deployment that ends is written down, and what may be gone back to is kept."""

from collections.abc import Iterable, Iterator, Mapping
from functools import reduce

import msgspec
from blake3 import blake3
from msgspec.structs import replace

from bnet.codec import layout
from bnet.model.environment import Deployment, Pinned, Release, Standing
from bnet.model.job import Input, Job, Source
from bnet.model.state import State
from bnet.rules.change import Change
from bnet.rules.transaction import Transaction

MOST_REMEMBERED = 50  # deployments of an environment
MOST_PINNED = 10  # successful ones of these, whose artifacts stay


def record(tx: Transaction) -> None:
    """Write down the deployments that have ended in this transaction."""
    ended = [tx.jobs[job.number] for change in tx.changes if change.verb == "finish" for job in change.jobs]
    for name, mine in by_environment(ended).items():
        before = tx.state.standings.get(name, Standing(name=name))
        after = standing_after(before, mine, tx.jobs, tx.state.standings)
        for job in mine:
            tx.apply(deployed(job, after))


def by_environment(ended: Iterable[Job]) -> dict[str, list[Job]]:
    """Return the deployments among some jobs that have ended, by where they went, in the order of their numbers."""
    found: dict[str, list[Job]] = {}
    for job in sorted(ended, key=lambda job: job.number):
        if job.spec.environment is not None and is_deployment(job):
            found.setdefault(job.spec.environment, []).append(job)
    return found


def is_deployment(job: Job) -> bool:
    """Tell whether a job has ended that had begun to deploy somewhere."""
    return job.spec.environment is not None and job.result is not None and job.result.attempt is not None


def deployed(job: Job, after: Standing) -> Change:
    """Return the change that a deployment is written down by."""
    assert job.result is not None
    fields: dict[str, str | int] = {"job": job.number, "result": job.result.result}
    note = f"#{job.number}" + ("" if job.result.result == "success" else f" {job.result.result}")
    path = layout.standing_path(after.name)
    return Change(verb="deploy", target=after.name, note=note, fields=fields, documents={path: after})


def standings(tx: Transaction) -> dict[str, Standing]:
    """Return what is deployed where, as it is after the changes so far."""
    found = dict(tx.state.standings)
    found.update((each.name, each) for each in tx.documents.values() if isinstance(each, Standing))
    return found


def had(standing: Standing) -> Iterator[Deployment]:
    """Yield what was deployed to an environment, the newest first, as far as that is remembered."""
    yield from reversed(standing.history)
    if standing.current is not None and standing.current not in standing.history:
        yield standing.current


def inputs_of(deployment: Deployment) -> tuple[Input, ...]:
    """Return what puts the artifacts of a deployment into a workspace."""
    return tuple(Input(job=each.job, into=each.into) for each in deployment.inputs)


def commit_of(source: Source | None) -> str | None:
    """Return what a job ran in: a commit, or a snapshot of a working tree."""
    return None if source is None else source.commit or source.snapshot


def standing_after(
    before: Standing, ended: Iterable[Job], jobs: Mapping[int, Job], known: Mapping[str, Standing]
) -> Standing:
    """Return what an environment has after some deployments.

    Args:
        before: what it had.
        ended: the deployments, in order.
        jobs: where their inputs are looked up.
        known: what all environments had, for inputs that have been archived meanwhile.
    """
    return reduce(lambda at, job: _after(at, job, jobs, known), ended, before)


def _after(before: Standing, job: Job, jobs: Mapping[int, Job], known: Mapping[str, Standing]) -> Standing:
    assert job.result is not None
    spec = job.spec
    new = Deployment(
        job=job.number,
        result=job.result.result,
        at=job.result.finished_at,
        by=spec.submitted_by,
        approved_by=tuple(each.by for each in job.wanted.approvals),
        inputs=pins(spec.inputs, jobs, known),
        repository=None if spec.source is None else spec.source.repository,
        commit=commit_of(spec.source),
        rollback_of=spec.rollback_of,
        note=spec.note,
    )
    current = new if new.result == "success" else before.current
    return Standing(name=before.name, current=current, history=(*before.history, new)[-MOST_REMEMBERED:])


def pins(
    inputs: Iterable[Input], jobs: Mapping[int, Job], known: Mapping[str, Standing]
) -> tuple[Pinned, ...]:
    """Return the artifacts of some jobs by their digests, of archived ones as they were written down before."""
    before = {pin.job: pin for each in known.values() for one in had(each) for pin in one.inputs}
    found = []
    for each in inputs:
        job = jobs.get(each.job)
        if job is not None and job.result is not None:
            found.append(pin_of(job, each.into))
        else:
            old = before.get(each.job, Pinned(job=each.job, digest=""))
            found.append(replace(old, into=each.into))
    return tuple(found)


def pin_of(job: Job, into: str = ".") -> Pinned:
    """Return a job's artifacts as one digest: of their paths, modes, sizes and digests."""
    artifacts = () if job.result is None else job.result.artifacts
    rows = sorted((each.path, each.mode, each.size, each.blake3) for each in artifacts)
    return Pinned(
        job=job.number, digest=blake3(msgspec.json.encode(rows)).hexdigest(), files=len(rows), into=into
    )


def pinned_jobs(kept: Iterable[Release], there: Iterable[Standing]) -> frozenset[int]:
    """Return the jobs whose artifacts releases keep, and those that environments have, and had lately."""
    rows = [each.jobs for each in kept] + [each.inputs for each in _to_go_back_to(there)]
    return frozenset(pin.job for row in rows for pin in row)


def pinned_snapshots(state: State) -> frozenset[str]:
    """Return the snapshots of working trees that may be deployed once more."""
    rows: list[Release | Deployment] = [*state.releases.values(), *_to_go_back_to(state.standings.values())]
    return frozenset(each.commit for each in rows if each.commit is not None and each.repository is None)


def _to_go_back_to(there: Iterable[Standing]) -> Iterator[Deployment]:
    for standing in there:
        yield from [each for each in had(standing) if each.result == "success"][:MOST_PINNED]
        if standing.current is not None:
            yield standing.current
