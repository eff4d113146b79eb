"""Jobs that do not end, queues that do not move, and what fails again and again."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from bnet.health.clocks import surely_ahead
from bnet.health.facts import Certainty, End, Facts, Finding, Seen, Severity, after
from bnet.health.words import numbers, span
from bnet.model.base import Result
from bnet.model.job import Claim, Job
from bnet.model.server import Server
from bnet.rules.leases import beat_gap
from bnet.rules.waiting import (
    FAILED,
    Usage,
    claimable_since,
    nobody_can,
    server_conditions,
    shared_conditions,
    usage,
)

LEAST_STUCK_S = 600.0  # what takes seconds otherwise may take minutes once
FEWEST_RUNS = 3  # for a judgement on what is usual
ENDS = ("success", *FAILED)  # a job that was cancelled or skipped says nothing of what it runs
BEATS = 3  # of a server's turns in the push budget, before a queue counts as stalled


def stuck(facts: Facts) -> Iterable[Finding]:
    """Name the running jobs that should have ended by now."""
    for job in facts.state.jobs.values():
        if job.claim is not None and job.result is None:
            found = _stuck(job, job.claim, facts)
            if found is not None:
                yield found


def _stuck(job: Job, claim: Claim, facts: Facts) -> Finding | None:
    name = f"#{job.number} {job.spec.name}"
    ran = _ran_s(claim, facts)
    limit, why, severity, sure = _limit(job, claim, facts, ran)
    if ran <= limit:
        return None
    return Finding(
        rule="job-stuck",
        about=str(job.number),
        severity=severity,
        text=f"{name} has run on {claim.server} for {span(ran)}: {why}",
        since=after(facts.time, limit - ran),
        sure=sure,
        evidence={"server": claim.server, "ran_s": round(ran, 1), "after_s": round(limit, 1)},
        advice=f"bnet logs {job.number}; bnet cancel {job.number}",
    )


def _ran_s(claim: Claim, facts: Facts) -> float:
    """Return for how many seconds a job has run: by its server's clock, or by how that differs from others'."""
    seen = facts.seen.get(claim.server, Seen())
    for held in () if seen.beat is None else seen.beat.runs:
        if held.run == claim.run:
            return held.seconds + (facts.age_s(claim.server) or 0.0)
    return (facts.time - claim.claimed_at).total_seconds() + surely_ahead(seen, facts.time)


def _limit(job: Job, claim: Claim, facts: Facts, ran: float) -> tuple[float, str, Severity, Certainty]:
    """Return the seconds of running after which a job counts as stuck, why, and how bad and sure that is."""
    ttl, wanted = claim.ttl_s, facts.monitoring
    server = facts.state.servers.get(claim.server)
    if server is None or facts.is_lost(server):
        age = facts.age_s(claim.server)
        silent = f"{claim.server} is not seen, and no other server has ended its claim"
        seen_s = 0.0 if age is None else ran - age
        return max(0.0, seen_s) + 2 * ttl, silent, "critical", "clocks"
    cancel = job.wanted.cancel
    if cancel is not None:
        asked = ran - (facts.time - cancel.at).total_seconds()
        return max(0.0, asked) + 2 * ttl, "it was cancelled, and goes on", "critical", "clocks"
    if job.spec.timeout is not None:
        return job.spec.timeout + ttl, f"its timeout is {span(job.spec.timeout)}", "critical", "clocks"
    usual = facts.expected.get(job.number)
    if usual is None or usual.runs < FEWEST_RUNS:
        told = f"more than {span(wanted.stuck_after)}, and nothing is known of how long it takes"
        return wanted.stuck_after, told, "warning", "estimate"
    told = f"such jobs take no more than {span(usual.high)} mostly"
    return max(LEAST_STUCK_S, usual.high * wanted.stuck_factor), told, "warning", "estimate"


def stalled(facts: Facts) -> Iterable[Finding]:
    """Name the queues in which jobs wait that a server could take, or that no server takes as they are wanted."""
    state = facts.state
    taken, hopeless = usage(state.jobs.values(), state.locks), set(nobody_can(state.jobs, state.servers))
    waiting = [job for job in state.jobs.values() if job.state == "pending" and job.wanted.cancel is None]
    free, without = defaultdict[str, list[Job]](list), defaultdict[str, list[int]](list)
    for job in waiting:
        if any(
            not each.holds for each in shared_conditions(job, state.jobs, taken, state.settings, facts.time)
        ):
            continue
        if job.number in hopeless and state.servers:
            without[job.spec.queue].append(job.number)
        elif _could_run(job, facts, taken):
            free[job.spec.queue].append(job)
    for queue, jobs in sorted(free.items()):
        found = _stalled(queue, jobs, facts, taken)
        if found is not None:
            yield found
    for queue, unfit in sorted(without.items()):
        yield Finding(
            rule="queue-unservable",
            about=queue,
            severity="warning",
            text=f"no server can ever run {numbers(sorted(unfit))} of queue {queue}",
            evidence={"jobs": len(unfit), "first": min(unfit)},
            advice=f"bnet why {min(unfit)} (says what each server lacks)",
        )


def _could_run(job: Job, facts: Facts, taken: Usage) -> bool:
    """Tell whether a server has room for a job, or would have if people wanted it to work; a full one is busy."""
    conditions = [server_conditions(job, each, taken) for each in facts.state.servers.values()]
    unmet = [{each.kind for each in known if not each.holds} for known in conditions]
    return any(not each for each in unmet) or {"slots"} not in unmet


def _stalled(queue: str, jobs: Sequence[Job], facts: Facts, taken: Usage) -> Finding | None:
    state = facts.state
    patience = facts.monitoring.stalled_after
    if state.settings.push_budget is not None:
        patience = max(patience, BEATS * beat_gap(len(state.servers), state.settings.push_budget))
    # A slot that was free only just now, or a claim beside it, says that the queue moves; what other servers do
    # with other queues does not.
    takers = {
        name for name, server in state.servers.items() if any(_takes(server, job, taken) for job in jobs)
    }
    moved = [
        _moved(job) for job in state.jobs.values() if job.spec.queue == queue or _server_of(job) in takers
    ]
    newest = max((at for at in moved if at is not None), default=None)
    oldest = min(claimable_since(job, state.jobs) for job in jobs)
    since = oldest if newest is None else max(oldest, newest)
    waited = (facts.time - since).total_seconds()
    if waited <= patience:
        return None
    listed = sorted(job.number for job in jobs)
    return Finding(
        rule="queue-stalled",
        about=queue,
        severity="critical",
        text=f"{numbers(listed)} of queue {queue} could run since {span(waited)}, and {_takers(facts)}",
        since=since,
        sure="clocks",
        evidence={"jobs": len(jobs), "first": listed[0], "waited_s": round(waited, 1), "after_s": patience},
        advice=f"bnet why {listed[0]}; bnet status",
    )


def _takes(server: Server, job: Job, taken: Usage) -> bool:
    return all(each.holds for each in server_conditions(job, server, taken))


def _server_of(job: Job) -> str | None:
    return job.result.server if job.result is not None else job.claim.server if job.claim else None


def _moved(job: Job) -> datetime | None:
    return job.result.finished_at if job.result is not None else job.claim.claimed_at if job.claim else None


def _takers(facts: Facts) -> str:
    servers = facts.state.servers.values()
    if not servers:
        return "there is no server"
    if all(each.wanted != "active" for each in servers):
        return "no server is meant to take jobs"
    if all(facts.is_lost(each) for each in servers if each.wanted == "active"):
        return "no server that takes jobs is seen"
    return "no server takes them"


def failing(facts: Facts) -> Iterable[Finding]:
    """Name the jobs and packages of which the newest ones all failed."""
    for name, ends in sorted(ends_by_name(facts.state.jobs).items()):
        known = {each.number: each for each in (*facts.archived.get(name, ()), *ends)}
        yield from _failing("job-failing", name, list(known.values()), facts)
    packages = defaultdict[str, list[End]](list)
    for job in facts.state.jobs.values():
        result = job.result
        if result is None or result.build is None:
            continue
        for built in result.build.packages:
            if built.result not in ENDS:
                continue  # it was skipped: another one failed
            ended: Result = "success" if built.result == "success" else "failure"
            packages[built.name].append(End(job.number, ended, result.finished_at))
    for name, ends in sorted(packages.items()):
        yield from _failing("package-failing", name, ends, facts)


def ends_by_name(jobs: Mapping[int, Job]) -> dict[str, list[End]]:
    """Return how the jobs of each name ended that say something of what they run."""
    found = defaultdict[str, list[End]](list)
    for job in jobs.values():
        if job.result is not None and job.result.result in ENDS:
            found[job.spec.name].append(End(job.number, job.result.result, job.result.finished_at))
    return found


def wanting(jobs: Mapping[int, Job], failures: int) -> list[str]:
    """Return the names of jobs that all failed lately, and of which more has to be known to call them failing."""
    return [
        name
        for name, ends in ends_by_name(jobs).items()
        if len(ends) < failures and all(each.result in FAILED for each in ends)
    ]


def _failing(rule: str, name: str, ends: Sequence[End], facts: Facts) -> Iterable[Finding]:
    row: list[End] = []
    for each in sorted(ends, key=lambda one: -one.number):  # numbers order what clocks may not
        if each.result not in FAILED:
            break
        row.append(each)
    if len(row) < facts.monitoring.failures:
        return
    newest, first = row[0], row[-1]
    what = f"the last {len(row)} jobs {name}" if rule == "job-failing" else f"package {name}"
    yield Finding(
        rule=rule,
        about=name,
        severity="warning",
        text=f"{what} failed"
        + ("" if rule == "job-failing" else f" {len(row)} times in a row")
        + f", last #{newest.number}",
        since=first.at,
        evidence={"failures": len(row), "first": first.number, "last": newest.number},
        advice=f"bnet logs {newest.number}",
    )
