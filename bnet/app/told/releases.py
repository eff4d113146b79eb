"""Releases and environments as plain objects, and whether what they keep is still there."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from bnet.app.artifacts.depot import Absent, Altered, Depot, check
from bnet.app.ledger import Ledger
from bnet.app.lookup import archived_jobs
from bnet.errors import StoreFailed
from bnet.model.environment import Deployment, Pinned, Release, Standing
from bnet.model.job import Job
from bnet.model.state import State
from bnet.rules.deployments import had, pin_of
from bnet.rules.environments import lock_of
from bnet.rules.keeping import STORE, given_up
from bnet.rules.releases import before_now, deployment_of


def describe_environments(state: State) -> list[dict[str, Any]]:
    """Return the environments in their order, with what is there."""
    return [
        describe_standing(state.standings.get(each.name, Standing(name=each.name)))
        | {
            "approvals": each.approvals,
            "approvers": list(each.approvers),
            "branches": list(each.branches),
            "lock": lock_of(each),
        }
        for each in state.environments.environments
    ]


def describe_standing(standing: Standing) -> dict[str, Any]:
    """Return what is deployed to an environment, and what was, the newest first."""
    current = standing.current
    last = standing.history[-1] if standing.history else None
    return {
        "environment": standing.name,
        "current": None if current is None else _deployment(current),
        "unsure": None if last is None or last.result == "success" else last.job,
        "history": [_deployment(each) for each in had(standing)],
    }


def _deployment(each: Deployment) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(each)
    return {"inputs": [], "commit": None, "rollback_of": None, "approved_by": []} | told


def describe_release(release: Release) -> dict[str, Any]:
    """Return a release as one object."""
    told: dict[str, Any] = msgspec.to_builtins(release)
    return {"jobs": [], "commit": None, "tag": None, "environment": None, "branch": None, "note": ""} | told


def pinned_by(state: State, ledger: Ledger, pins: Sequence[Pinned]) -> Mapping[int, Job]:
    """Return the jobs whose artifacts are kept, from the ledger or its archive."""
    numbers = [pin.job for pin in pins]
    gone = [number for number in numbers if number not in state.jobs]
    found = archived_jobs(ledger.hub, state, gone) if gone else {}
    return {
        number: job for number in numbers if (job := state.jobs.get(number) or found.get(number)) is not None
    }


def absent(
    state: State, pins: Sequence[Pinned], jobs: Mapping[int, Job], depot: Depot
) -> tuple[list[str], list[str]]:
    """Say what is missing of some jobs' artifacts, and what cannot be looked at from here, a line each.

    Args:
        state: with the list of what is kept.
        pins: what they were; without a digest where nobody wrote it down.
        jobs: the jobs that made them.
        depot: where they are.

    Returns:
        What is missing, which is nothing if all of it can be deployed again; and where the store does not answer.

    Raises:
        HubUnreachable: the hub does not.
    """
    lost, unsure = [], []
    for pin in pins:
        job = jobs.get(pin.job)
        result = None if job is None else job.result
        gone = given_up(state.kept.get(pin.job), pin.job, result)
        if gone:
            lost.append(gone)
        elif job is None or result is None:
            lost.append(f"job #{pin.job} itself")
        elif pin.digest and pin_of(job, pin.into).digest != pin.digest:
            lost.append(f"the artifacts of #{pin.job} as they were: its result names others")
        else:
            for each in result.artifacts:
                try:
                    if each.place.startswith(STORE) and state.settings.store is None:
                        raise Absent("the hub has no store any more")
                    check(depot, each)
                except (Absent, Altered) as error:
                    lost.append(f"{each.path} of #{pin.job} ({error.message.removeprefix(f'{each.path}: ')})")
                except StoreFailed as error:
                    unsure.append(f"{each.path} of #{pin.job}: {error.message}")
    return lost, unsure


def chosen(state: State, environment: str, wanted: str | None) -> int:
    """Return the deployment to roll back to: the one that is named, or what was there before.

    Raises:
        Illegal: there is none.
    """
    return before_now(state, environment).job if wanted is None else deployment_of(state, environment, wanted)


def unsure(state: State) -> list[str]:
    """Say of which environments nobody knows for sure what is there."""
    found = []
    for name, standing in sorted(state.standings.items()):
        last = standing.history[-1] if standing.history else None
        if last is not None and last.result != "success":
            found.append(
                f"{name}: deployment #{last.job} ended with {last.result}; what is there may be in between"
            )
    return found
