"""Why a pending job does not run: each condition with its present answer."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from bnet.model.hub import Settings
from bnet.model.job import Job, Need
from bnet.model.lock import Lock
from bnet.model.server import Server
from bnet.rules import approvals, conditions
from bnet.rules.jobs import refusers
from bnet.rules.locks import limit_of
from bnet.rules.reproduce import built_by

FAILED = ("failure", "error", "timeout")
LASTING = ("labels", "accept", "refused", "built")  # conditions that do not pass by themselves


class Usage(msgspec.Struct):
    """What is taken of what is shared; `take` counts one more running job.

    Attributes:
        groups, queues, servers, submitters: how many running jobs each has.
        holders: the holders of each lock, as people know them.
        rows: who waits for each lock, besides jobs.
    """

    groups: Counter[str]
    holders: defaultdict[str, list[str]]
    rows: Mapping[str, Sequence[str]]
    queues: Counter[str]
    servers: Counter[str]
    submitters: Counter[str]

    def take(self, job: Job, server: str) -> None:
        """Count a job that runs on a server from now on."""
        if job.spec.group is not None:
            self.groups[job.spec.group.name] += 1
        for name in job.spec.locks:
            self.holders[name].append(f"#{job.number}")
        self.queues[job.spec.queue] += 1
        self.servers[server] += 1
        self.submitters[job.spec.submitted_by] += 1


class Condition(msgspec.Struct, frozen=True):
    """One condition on a job's start: a word for programs, whether it holds, a sentence for people."""

    kind: str
    holds: bool
    text: str


def usage(jobs: Iterable[Job], locks: Mapping[str, Lock]) -> Usage:
    """Return what is taken by the running ones among some jobs, and by those who hold locks besides."""
    holders = defaultdict(list, {name: [each.by for each in lock.holders] for name, lock in locks.items()})
    rows = {name: [each.by for each in lock.waiters] for name, lock in locks.items() if lock.waiters}
    taken = Usage(Counter(), holders, rows, Counter(), Counter(), Counter())
    for job in jobs:
        if job.claim is not None and job.result is None:
            taken.take(job, job.claim.server)
    return taken


def need_state(need: Need, jobs: Mapping[int, Job]) -> bool | None:
    """Tell whether a dependency is met: True, False for never, None for not yet.

    A dependency that is nowhere any more was recorded by its result when this job was admitted, or cannot
    have been archived while this job was open; so one without a trace was removed by hand: never.
    """
    other = jobs.get(need.job)
    result = need.result
    if other is not None:
        if other.result is None:
            return None
        result = other.result.result
    if need.on == "always":
        return True
    return result == "success" if need.on == "success" else result in FAILED


def shared_conditions(
    job: Job, jobs: Mapping[int, Job], taken: Usage, settings: Settings, now: datetime
) -> list[Condition]:
    """Return the conditions that are the same on every server, the hardest first."""
    spec = job.spec
    found = [_need_condition(need, jobs) for need in spec.needs]
    if spec.when is not None and all(each.holds for each in found):
        found.append(Condition("condition", conditions.holds(spec, jobs), f"when: {spec.when}"))
    if spec.approval is not None and spec.approval.count:
        found.append(Condition("approval", not approvals.lacking(job), approvals.told(job)))
    if spec.not_before is not None:
        found.append(
            Condition("time", now >= spec.not_before, f"not before {spec.not_before:%Y-%m-%dT%H:%M:%SZ}")
        )
    if spec.group is not None:
        running, limit = taken.groups[spec.group.name], spec.group.limit
        text = f"group {spec.group.name}: {running} running, at most {limit} may"
        found.append(Condition("group", running < limit, text))
    for name in spec.locks:
        found.append(_lock_condition(name, taken, settings))
    queue = settings.queues.get(spec.queue)
    if queue is not None and queue.paused is not None:
        found.append(Condition("queue", False, f"queue {spec.queue} is paused: {queue.paused}"))
    if queue is not None and queue.limit is not None:
        running = taken.queues[spec.queue]
        text = f"queue {spec.queue}: {running} running, at most {queue.limit} may"
        found.append(Condition("queue", running < queue.limit, text))
    return found


def server_conditions(job: Job, server: Server, taken: Usage) -> list[Condition]:
    """Return the conditions on one server's running a job, those that never change first."""
    missing = {key: value for key, value in job.spec.labels.items() if server.labels.get(key) != value}
    wants = ", ".join(f"{key}={value}" for key, value in missing.items())
    free = server.slots - taken.servers[server.name]
    refused = server.name in refusers(job)
    once = []
    if job.spec.reproduce > 1:
        made = server.name in built_by(job)
        once = [Condition("built", not made, "has made it already" if made else "has not made it yet")]
    return [
        Condition("labels", not missing, f"lacks {wants}" if missing else "has the labels"),
        Condition(
            "accept", accepts(server, job), "accepts it" if accepts(server, job) else "does not accept it"
        ),
        Condition("refused", not refused, "could not start it" if refused else "has not refused it"),
        *once,
        Condition(
            "server",
            server.wanted == "active",
            f"is {server.wanted}" + (f": {server.why}" if server.why else ""),
        ),
        Condition("slots", free > 0, f"{max(free, 0)} of {server.slots} slots free"),
    ]


def accepts(server: Server, job: Job) -> bool:
    """Tell whether a server's owner lets it run a job of this queue and submitter."""
    queues, submitters = server.accept.queues, server.accept.submitters
    by = job.spec.submitted_by
    known = any(by == each or (each.startswith("*") and by.endswith(each[1:])) for each in submitters)
    return (not queues or job.spec.queue in queues) and (not submitters or known)


def waiting_for(
    job: Job,
    jobs: Mapping[int, Job],
    servers: Mapping[str, Server],
    taken: Usage,
    settings: Settings,
    now: datetime,
) -> str | None:
    """Return one word for what a pending job waits for; None when a server could take it now."""
    for condition in shared_conditions(job, jobs, taken, settings, now):
        if not condition.holds:
            return {"needs": "dependencies"}.get(condition.kind, condition.kind)
    words = []
    for server in servers.values():
        unmet = [each.kind for each in server_conditions(job, server, taken) if not each.holds]
        if not unmet:
            return None
        words.append("slots" if unmet[0] in ("server", "slots") else "labels")
    return "labels" if words and "slots" not in words else "slots"


def nobody_can(jobs: Mapping[int, Job], servers: Mapping[str, Server]) -> list[int]:
    """Return the pending ones among some jobs that none of the servers will ever run as they are."""
    taken = usage((), {})
    return [
        job.number
        for job in jobs.values()
        if job.state == "pending"
        and all(
            any(not each.holds and each.kind in LASTING for each in server_conditions(job, server, taken))
            for server in servers.values()
        )
    ]


def claimable_since(job: Job, jobs: Mapping[int, Job]) -> datetime:
    """Return since when a job could be claimed, by its dates; what its group and locks kept it from counts too."""
    spec = job.spec
    times = [spec.submitted_at, *(each.finished_at for each in job.attempts[-1:])]
    if spec.not_before is not None:
        times.append(spec.not_before)
    for need in spec.needs:
        other = jobs.get(need.job)
        if other is not None and other.result is not None:
            times.append(other.result.finished_at)
    return max(times)


def expires_at(job: Job) -> datetime:
    """Return when a job that nobody claimed is given up; the wait for `not_before` does not count."""
    since = max(job.spec.submitted_at, job.spec.not_before or job.spec.submitted_at)
    if job.attempts:
        since = max(since, job.attempts[-1].finished_at)
    try:
        return since + timedelta(seconds=job.spec.expires_after)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def _lock_condition(name: str, taken: Usage, settings: Settings) -> Condition:
    """Tell whether a lock has room for a job; who asked for it by name goes before all jobs."""
    holders, row, limit = taken.holders.get(name, ()), taken.rows.get(name, ()), limit_of(name, settings)
    if len(holders) >= limit:
        return Condition("lock", False, f"lock {name} is held by {', '.join(holders)}")
    if row:
        return Condition("lock", False, f"lock {name}: {row[0]} waits for it")
    of = f": {limit - len(holders)} of {limit}" if limit > 1 else ""
    return Condition("lock", True, f"lock {name} is free{of}")


def _need_condition(need: Need, jobs: Mapping[int, Job]) -> Condition:
    met = need_state(need, jobs)
    other = jobs.get(need.job)
    state = (
        (need.result or "gone") if other is None else (other.result.result if other.result else other.state)
    )
    return Condition("needs", bool(met), f"needs #{need.job} to end with {need.on}: it is {state}")
