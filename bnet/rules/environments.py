"""Environments: what may be deployed where, at first, once more, and to go back."""

from msgspec.structs import replace

from bnet.codec import expressions
from bnet.codec.shown import escaped
from bnet.model.command import Submit
from bnet.model.environment import Deployment, Environment, Standing
from bnet.model.job import ApprovalRule, Input, Job, JobSpec, Source
from bnet.model.state import State
from bnet.rules.conditions import branch_named
from bnet.rules.deployments import commit_of, had, inputs_of, standings
from bnet.rules.jobs import Forbidden, Illegal
from bnet.rules.transaction import Transaction


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


def _same(spec: JobSpec, inputs: tuple[Input, ...], source: Source | None) -> bool:
    if {each.job for each in spec.inputs} != {each.job for each in inputs}:
        return False
    return bool(inputs) or commit_of(spec.source) == commit_of(source)


def _is_of(spec: JobSpec, deployment: Deployment) -> bool:
    same = {each.job for each in spec.inputs} == {each.job for each in deployment.inputs}
    return same and (bool(spec.inputs) or commit_of(spec.source) == deployment.commit)


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
    """Return a job that is asked for once more, under the rules of its environment as they are.

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
        Illegal: there is no such environment any more. Forbidden: the one before has not had it, or it takes
            other branches.
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
