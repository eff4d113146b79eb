"""Releases and environments as plain objects, and whether what they keep is still there."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from bnet.app.ledger import Ledger
from bnet.app.lookup import archived_jobs
from bnet.model.environment import Deployment, Pinned, Release, Standing
from bnet.model.job import Artifact, Job
from bnet.model.state import State
from bnet.ports import Hub, Look
from bnet.rules.environments import had, lock_of, pin_of
from bnet.rules.releases import before_now, deployment_of

TELEMETRY = "telemetry:"


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
    hub: Hub, look: Look, pins: Sequence[Pinned], jobs: Mapping[int, Job], digest: Callable[[bytes], str]
) -> list[str]:
    """Say what is missing of some jobs' artifacts, a line each; nothing if all of it can be deployed again.

    Args:
        hub, look: where they are.
        pins: what they were.
        jobs: the jobs that made them.
        digest: of a content, in hex.
    """
    lost = []
    for pin in pins:
        job = jobs.get(pin.job)
        if job is None or job.result is None:
            lost.append(f"job #{pin.job} itself")
        elif pin_of(job, pin.into).digest != pin.digest:
            lost.append(f"the artifacts of #{pin.job} as they were: its result names others")
        else:
            lost += [f"{each.path} of #{pin.job}" for each in _gone(hub, look, job.result.artifacts, digest)]
    return lost


def _gone(
    hub: Hub, look: Look, artifacts: Sequence[Artifact], digest: Callable[[bytes], str]
) -> list[Artifact]:
    """Return those artifacts that are not where the result says, or are not what they were."""
    by_server: dict[str, list[tuple[str, Artifact]]] = {}
    for each in artifacts:
        # What stands elsewhere is verified by whoever fetches it.
        if each.place.startswith(TELEMETRY):
            server, _, path = each.place.removeprefix(TELEMETRY).partition(":")
            by_server.setdefault(server, []).append((path, each))
    lost: list[Artifact] = []
    with hub.exclusive():
        hub.fetch_telemetry([name for name in by_server if name in look.telemetry])
        for server, rows in by_server.items():
            tip = look.telemetry.get(server)
            there = {} if tip is None else hub.read(tip, [path for path, _ in rows])
            lost += [each for path, each in rows if path not in there or digest(there[path]) != each.blake3]
    return lost


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
