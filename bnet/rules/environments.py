"""Deployments: what may be deployed where, and what is there."""

from collections.abc import Iterable, Iterator, Mapping
from functools import reduce

import msgspec
from blake3 import blake3
from msgspec.structs import replace

from bnet.codec import expressions, layout
from bnet.codec.shown import escaped
from bnet.model.command import Submit
from bnet.model.environment import Deployment, Environment, Pinned, Release, Standing
from bnet.model.job import ApprovalRule, Input, Job, JobSpec, Source
from bnet.model.state import State
from bnet.rules.change import Change
from bnet.rules.conditions import branch_named
from bnet.rules.jobs import Forbidden, Illegal
from bnet.rules.transaction import Transaction

MOST_REMEMBERED = 50  # deployments of an environment
MOST_PINNED = 10  # successful ones of these, whose artifacts stay


# -- what may be deployed


def find(state: State, name: str) -> tuple[Environment, Environment | None]:
    """Return an environment, and the one before it, from which it takes what it gets.

    Raises:
        Illegal: there is none.
    """
    row = state.environments.environments
    for index, each in enumerate(row):
        if each.name == name:
            return each, row[index - 1] if index else None
    there = ", ".join(each.name for each in row) or "none"
    raise Illegal(
        f"there is no environment {name}; the environments are: {there}",
        hint="they are settings in coordination/environments.yaml on the ledger's branch",
    )


def lock_of(environment: Environment) -> str:
    """Return the lock that each deployment to an environment holds."""
    return environment.lock or f"deploy-{environment.name}"[:64]


def rule_of(environment: Environment) -> ApprovalRule | None:
    """Return who has to let a deployment to an environment start; None if nobody has to."""
    if not environment.approvals:
        return None
    return ApprovalRule(count=environment.approvals, by=environment.approvers)


def with_rules(tx: Transaction, command: Submit) -> Submit:
    """Return a submission with what its environment asks for: approvals and a lock.

    Raises:
        Illegal: there is no such environment. Forbidden: it does not take this branch.
    """
    if command.environment is None:
        return command
    environment, _ = find(tx.state, command.environment)
    if command.approvals is not None:
        raise Illegal(f"approvals: environment {environment.name} says itself who has to approve")
    if command.reproduce > 1:
        raise Illegal(
            f"reproduce: it would deploy to {environment.name} {command.reproduce} times",
            hint="reproduce the job that builds what is deployed",
        )
    source = command.source
    if isinstance(source, str):
        _check_branch(environment, source.rpartition("@")[2] if "@" in source else "")
    else:
        _check_branch(environment, _ref(source))
    return replace(
        command,
        approvals=rule_of(environment),
        locks=tuple(dict.fromkeys((*command.locks, lock_of(environment)))),
    )


def _ref(source: Source | None) -> str:
    return "" if source is None or source.snapshot is not None else source.ref or ""


def _check_branch(environment: Environment, ref: str) -> None:
    if not environment.branches:
        return
    branch = branch_named(ref)
    if branch and any(expressions.fits(each, branch) for each in environment.branches):
        return
    what = f"branch {escaped(branch)}" if branch else "no branch of a repository"
    taken = ", ".join(map(escaped, environment.branches))
    raise Forbidden(f"environment {environment.name} takes branches {taken}; this is {what}")


def promoted(tx: Transaction, spec: JobSpec) -> JobSpec:
    """Return a deployment with the artifacts that the environment before has had, and nothing else.

    Raises:
        Illegal: it would deploy what may have failed. Forbidden: it would deploy what was never there.
    """
    if spec.environment is None:
        return spec
    taken = {each.job for each in spec.inputs}
    for need in spec.needs:
        if need.job in taken and need.on != "success":
            raise Illegal(
                f"inputs: {spec.environment} takes what has succeeded; #{need.job} is needed with on: {need.on}"
            )
    _, before = find(tx.state, spec.environment)
    if before is None:
        return spec
    needed = [
        job.spec
        for need in spec.needs
        if need.on == "success" and (job := tx.jobs.get(need.job)) is not None
        if job.spec.environment == before.name
    ]
    if not spec.inputs:
        current = standings(tx).get(before.name, Standing(name=before.name)).current
        spec = replace(spec, inputs=needed[-1].inputs if needed else _inputs(current, before, spec))
    if not any(_same(spec, each.inputs, each.source) for each in needed):
        _check_had(tx, spec, before)
    return spec


def _check_had(tx: Transaction, spec: JobSpec, before: Environment) -> None:
    """Refuse to deploy what the environment before has not had, as far as that is remembered."""
    known = standings(tx).get(before.name, Standing(name=before.name))
    if any(each.result == "success" and _is_of(spec, each) for each in had(known)):
        return
    what = ", ".join(f"#{each.job}" for each in spec.inputs) or "this commit"
    raise Forbidden(
        f"{spec.environment} takes what {before.name} has had, and {what} was never deployed there",
        hint=f"deploy it to {before.name} first, in the same pipeline or before",
    )


def _inputs(current: Deployment | None, before: Environment, spec: JobSpec) -> tuple[Input, ...]:
    if current is None:
        raise Forbidden(
            f"{spec.environment} takes what {before.name} has had, and nothing was deployed there yet"
        )
    return inputs_of(current)


def inputs_of(deployment: Deployment) -> tuple[Input, ...]:
    """Return what puts the artifacts of a deployment into a workspace."""
    return tuple(Input(job=each.job, into=each.into) for each in deployment.inputs)


def _same(spec: JobSpec, inputs: tuple[Input, ...], source: Source | None) -> bool:
    if {each.job for each in spec.inputs} != {each.job for each in inputs}:
        return False
    return bool(inputs) or _commit(spec.source) == _commit(source)


def _is_of(spec: JobSpec, deployment: Deployment) -> bool:
    same = {each.job for each in spec.inputs} == {each.job for each in deployment.inputs}
    return same and (bool(spec.inputs) or _commit(spec.source) == deployment.commit)


def _commit(source: Source | None) -> str | None:
    return None if source is None else source.commit or source.snapshot


def had(standing: Standing) -> Iterator[Deployment]:
    """Yield what was deployed to an environment, the newest first, as far as that is remembered."""
    yield from reversed(standing.history)
    if standing.current is not None and standing.current not in standing.history:
        yield standing.current


# -- rolling back


def again(tx: Transaction, environment: str, old: Job, *, by: str, reason: str) -> JobSpec:
    """Return the job that deploys once more what an earlier one did.

    Args:
        tx: for what is known of the environment.
        environment: where to.
        old: the deployment.
        by, reason: who asks, and why.

    Raises:
        Illegal: it never was there, or is there now.
    """
    find(tx.state, environment)
    known = standings(tx).get(environment, Standing(name=environment))
    good = [each for each in had(known) if each.result == "success"]
    kept = any(
        each.environment == environment and each.deployment == old.number
        for each in tx.state.releases.values()
    )
    if all(each.job != old.number for each in good) and not kept:
        some = ", ".join(f"#{each.job}" for each in good[:10]) or "none"
        raise Illegal(
            f"#{old.number} is no successful deployment to {environment} that is known; these are: {some}"
        )
    if known.current is not None and known.current.job == old.number and _last(known).result == "success":
        raise Illegal(f"#{old.number} is what {environment} has now")
    spec = old.spec
    return replace(
        renewed(tx, spec),
        number=tx.next_job,
        submitted_by=by,
        submitted_at=tx.now,
        needs=(),
        when=None,
        key=None,
        not_before=None,
        retry_of=None,
        rollback_of=old.number,
        note=reason,
        pipeline=None if spec.pipeline is None else replace(spec.pipeline, run=tx.next_job),
    )


def renewed(tx: Transaction, spec: JobSpec) -> JobSpec:
    """Return a job that is asked for once more, with what its environment asks for now.

    Raises:
        Illegal: there is no such environment any more.
    """
    if spec.environment is None:
        return spec
    there, _ = find(tx.state, spec.environment)
    return replace(
        spec,
        locks=tuple(dict.fromkeys((*spec.locks, lock_of(there)))),
        on_lost_lease="stop",
        approval=rule_of(there),
    )


def repeated(tx: Transaction, spec: JobSpec) -> JobSpec:
    """Return a job that is tried again: a deployment only of what may be deployed there now.

    It needs nobody any more, so that what its needs had promised is asked anew. What was there before may come back.

    Raises:
        Illegal: there is no such environment any more. Forbidden: the one before has not had it, or another branch
            is asked for now.
    """
    if spec.environment is not None and spec.rollback_of is None:
        environment, before = find(tx.state, spec.environment)
        _check_branch(environment, _ref(spec.source))
        if before is not None:
            _check_had(tx, spec, before)
    return renewed(tx, spec)


def _last(standing: Standing) -> Deployment:
    assert standing.current is not None
    return standing.history[-1] if standing.history else standing.current


# -- what is there


def standings(tx: Transaction) -> dict[str, Standing]:
    """Return what is deployed where, as it is after the changes so far."""
    found = dict(tx.state.standings)
    found.update((each.name, each) for each in tx.documents.values() if isinstance(each, Standing))
    return found


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
        commit=_commit(spec.source),
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
