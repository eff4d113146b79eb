"""The choice of the jobs that a server claims."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from bnet.model.hub import Settings
from bnet.model.job import Job
from bnet.model.lock import Lock
from bnet.model.server import Server
from bnet.rules.waiting import Usage, server_conditions, shared_conditions, usage
from bnet.schedule.rivals import Rivals, left_to


def choose(
    jobs: Mapping[int, Job],
    locks: Mapping[str, Lock],
    server: Server,
    settings: Settings,
    now: datetime,
    *,
    room: int,
    servers: Mapping[str, Server] = {},
    rivals: Rivals | None = None,
) -> Iterator[Job]:
    """Yield the jobs that a server should claim now, best first.

    Args:
        jobs: all of them.
        locks: held or asked for by others than jobs.
        server: who would run them.
        settings: for the rules of queues.
        now: for `not_before`.
        room: how many slots the server knows to be free.
        servers: all of them.
        rivals: what is known of the others; without it, nothing is left to them.

    Order: priority; within one, the submitters in turn, whoever has least running first, so that a thousand
    jobs of one do not keep out the one job of another; then the number.
    """
    if server.wanted != "active" or room <= 0:
        return
    taken = usage(jobs.values(), locks)
    for job in in_order(jobs, taken):
        if room <= 0:
            return
        if _open(job, jobs, server, taken, settings, now):
            other = None if rivals is None else left_to(job, server, servers, taken, rivals, jobs, now)
            taken.take(job, other or server.name)
            if other is not None:
                continue
            room -= 1
            yield job


def in_order(jobs: Mapping[int, Job], taken: Usage) -> list[Job]:
    """Return the pending jobs in the order in which they are chosen."""
    pending = [job for job in jobs.values() if job.result is None and job.claim is None]
    pending.sort(key=lambda job: (job.priority, job.number))
    turns: dict[tuple[int, str], int] = {}
    keyed = []
    for job in pending:
        who = (job.priority, job.spec.submitted_by)
        turns[who] = turn = turns.get(who, taken.submitters[who[1]]) + 1
        keyed.append((who[0], turn, job.number, job))
    keyed.sort(key=lambda each: each[:3])
    return [each[3] for each in keyed]


def _open(
    job: Job, jobs: Mapping[int, Job], server: Server, taken: Usage, settings: Settings, now: datetime
) -> bool:
    if any(server.labels.get(key) != value for key, value in job.spec.labels.items()):
        return False  # the commonest answer, before anything is put in words
    shared = shared_conditions(job, jobs, taken, settings, now)
    return all(each.holds for each in [*shared, *server_conditions(job, server, taken)])
