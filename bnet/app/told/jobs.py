"""Jobs, servers and the network as plain objects: what `--json` prints, with the names of docs/format.md."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from bnet.model.job import Job
from bnet.model.lock import Lock, Stake
from bnet.model.server import Server
from bnet.model.state import State
from bnet.rules.locks import jobs_with, limit_of
from bnet.rules.waiting import (
    Condition,
    server_conditions,
    shared_conditions,
    usage,
    waiting_for,
)


def describe_job(job: Job, state: State, now: datetime) -> dict[str, Any]:
    """Return a job as one flat object."""
    spec, claim, result = job.spec, job.claim, job.result
    last = job.attempts[-1] if job.attempts else None
    waits = None
    if job.state == "pending":
        waits = waiting_for(
            job, state.jobs, state.servers, usage(state.jobs.values(), state.locks), state.settings, now
        )
    return {
        "number": job.number,
        "name": spec.name,
        "queue": spec.queue,
        "state": job.state,
        "result": result.result if result else None,
        "reason": result.reason if result else None,
        "message": result.message if result else None,
        "waiting_for": waits,
        "server": claim.server if claim else result.server if result else None,
        "attempt": claim.attempt if claim else len(job.attempts),
        "run": claim.run if claim else result.run if result else None,
        "token": claim.token if claim else last.token if last else None,
        "priority": job.priority,
        "labels": spec.labels,
        "exit_code": result.exit_code if result else None,
        "submitted_by": spec.submitted_by,
        "submitted_at": _time(spec.submitted_at),
        "started_at": _time(claim.claimed_at if claim else result.started_at if result else None),
        "finished_at": _time(result.finished_at if result else None),
        "seconds": result.seconds if result else None,
        "environment": spec.environment,
        "packages": list(spec.packages),
        "build": msgspec.to_builtins(result.build) if result and result.build else None,
        "artifacts": [msgspec.to_builtins(each) for each in result.artifacts] if result else [],
    }


def describe_fully(job: Job, state: State, now: datetime) -> dict[str, Any]:
    """Return a job with what was asked and how each attempt ended."""
    return describe_job(job, state, now) | {
        "spec": msgspec.to_builtins(job.spec),
        "wanted": msgspec.to_builtins(job.wanted),
        "attempts": [msgspec.to_builtins(each) for each in job.attempts],
    }


def describe_server(server: Server, state: State) -> dict[str, Any]:
    """Return a server's registration, and what it holds."""
    held = [
        job.number
        for job in state.jobs.values()
        if job.claim is not None and job.result is None and job.claim.server == server.name
    ]
    return {
        "name": server.name,
        "instance": server.instance,
        "wanted": server.wanted,
        "why": server.why,
        "by": server.by,
        "slots": server.slots,
        "labels": server.labels,
        "accept": msgspec.to_builtins(server.accept),
        "formats": server.formats,
        "version": server.version,
        "joined_at": _time(server.joined_at),
        "jobs": held,
    }


def describe_network(state: State, hub: str) -> dict[str, Any]:
    """Return the whole network at a glance."""
    counts = {"pending": 0, "running": 0, "finished": 0}
    for job in state.jobs.values():
        counts[job.state] += 1
    return {
        "hub": hub,
        "name": state.settings.name,
        "format": state.head.format,
        "epoch": state.head.epoch,
        "seq": state.head.seq,
        "servers": [describe_server(each, state) for each in by_name(state.servers)],
        "jobs": counts,
        "locks": describe_locks(state),
        "problems": [msgspec.to_builtins(each) for each in state.problems],
    }


def describe_locks(state: State) -> list[dict[str, Any]]:
    """Return the named locks that somebody holds or waits for, with the jobs that do."""
    names = {
        *state.locks,
        *(name for job in state.jobs.values() if job.result is None for name in job.spec.locks),
    }
    told = [describe_lock(name, state) for name in sorted(names)]
    return [each for each in told if each["holders"] or each["waiters"]]


def describe_lock(name: str, state: State) -> dict[str, Any]:
    """Return a lock: `name, limit, holders[], waiters[], jobs[]`, the last being the numbers of pending jobs."""
    lock = state.locks.get(name, Lock(name=name))
    holders = [_stake(each) for each in lock.holders]
    for job in jobs_with(name, state.jobs.values()):
        assert job.claim is not None
        by = f"#{job.number} on {job.claim.server}"
        at = _time(job.claim.claimed_at)
        holders.append(
            {"by": by, "token": job.claim.token, "at": at, "note": job.spec.name, "job": job.number}
        )
    return {
        "name": name,
        "limit": limit_of(name, state.settings),
        "holders": holders,
        "waiters": [_stake(each) for each in lock.waiters],
        "jobs": [
            job.number for job in state.jobs.values() if job.state == "pending" and name in job.spec.locks
        ],
    }


def _stake(stake: Stake) -> dict[str, Any]:
    return {"by": stake.by, "token": stake.token, "at": _time(stake.at), "note": stake.note, "job": None}


def conditions(
    job: Job, state: State, now: datetime
) -> tuple[list[Condition], Mapping[str, list[Condition]]]:
    """Return why a pending job does not run: the conditions everywhere, and those of each server."""
    taken = usage(state.jobs.values(), state.locks)
    shared = shared_conditions(job, state.jobs, taken, state.settings, now)
    return shared, {each.name: server_conditions(job, each, taken) for each in by_name(state.servers)}


def by_name(servers: Mapping[str, Server]) -> list[Server]:
    """Return servers in the order of their names."""
    return [servers[name] for name in sorted(servers)]


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
