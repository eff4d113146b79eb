"""What is likely to come: when each open job starts and ends, if all go as they did before."""

import heapq
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from bnet.model.job import Claim, Job, JobResult
from bnet.model.state import State
from bnet.rules.waiting import Usage, server_conditions, shared_conditions, usage
from bnet.schedule.choose import in_order
from bnet.schedule.durations import Durations, Estimate, predict

MOST_JOBS = 200  # that are played through one by one; of a longer row, the rest is divided among the slots
LATE = 0.1  # of its likely duration: what is left of a job that has run for longer


class Ahead(msgspec.Struct, frozen=True, kw_only=True):
    """What is likely to become of one job.

    Attributes:
        starts, ends: None of what is not foreseen.
        server: where it runs, or is likely to.
        estimate: of its duration there; None if nothing like it has ever succeeded.
    """

    starts: datetime | None = None
    ends: datetime | None = None
    server: str | None = None
    estimate: Estimate | None = None


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """What is likely to come.

    Attributes:
        jobs: the open jobs, by number.
        done: when the last of those that can run will have ended; None if there is nothing to wait for.
        unknown: how many of them nobody has a duration for; they count as an average job.
        stuck: how many cannot start as things are.
    """

    jobs: Mapping[int, Ahead] = {}
    done: datetime | None = None
    unknown: int = 0
    stuck: int = 0


def forecast(state: State, known: Durations, now: datetime) -> Forecast:
    """Play the queue through, with each job as long as it usually is, and success for all."""
    if not any(job.result is None for job in state.jobs.values()):
        return Forecast()
    return _Play(state, known, now).forecast()


class _Play:
    def __init__(self, state: State, known: Durations, now: datetime) -> None:
        self.state = state
        self.known = known
        self.now = now
        self.jobs = dict(state.jobs)
        self.ahead: dict[int, Ahead] = {}
        self.ends: list[tuple[datetime, int]] = []
        self.running: dict[int, Job] = {}
        self.slots = sum(each.slots for each in state.servers.values() if each.wanted == "active")
        self.unknown = 0
        self.usual = _usual(known)
        pending = in_order(self.jobs, usage(self.jobs.values(), state.locks))
        self.waiting, self.rest = pending[:MOST_JOBS], pending[MOST_JOBS:]

    def forecast(self) -> Forecast:
        for job in self.state.jobs.values():
            if job.claim is not None and job.result is None:
                self._run(job, job.claim.server, job.claim.claimed_at)
        at = self.now
        while True:
            self._start_all(at)
            if not self.ends:
                later = self._later_starts(at)
                if later is None:
                    break
                at = later
                continue
            at, number = heapq.heappop(self.ends)
            del self.running[number]
            over = JobResult(result="success", reason="exit", finished_at=at)
            self.jobs[number] = replace(self.jobs[number], claim=None, result=over)
        return self._told(at)

    def _told(self, at: datetime) -> Forecast:
        if self.rest and self.slots:
            work = sum(self._seconds(predict(self.known, job)) for job in self.rest)
            at += timedelta(seconds=work / self.slots)
        stuck = len(self.waiting)
        none = not self.ahead and not (self.rest and self.slots)
        return Forecast(jobs=self.ahead, done=None if none else at, unknown=self.unknown, stuck=stuck)

    def _start_all(self, at: datetime) -> None:
        """Let what can start now start, in the order in which servers choose, each where it is fastest."""
        taken = usage(self.running.values(), self.state.locks)
        still = []
        for place, job in enumerate(self.waiting):
            if len(self.running) >= self.slots:
                still += self.waiting[place:]
                break
            shared = shared_conditions(job, self.jobs, taken, self.state.settings, at)
            where = self._where(job, taken) if all(each.holds for each in shared) else None
            if where is None:
                still.append(job)
                continue
            taken.take(job, where)
            self._run(job, where, at)
        self.waiting = still

    def _where(self, job: Job, taken: Usage) -> str | None:
        free = [
            name
            for name, server in self.state.servers.items()
            if all(each.holds for each in server_conditions(job, server, taken))
        ]
        return min(free, key=lambda name: (self._seconds(predict(self.known, job, name)), name), default=None)

    def _run(self, job: Job, server: str, since: datetime) -> None:
        estimate = predict(self.known, job, server)
        took = self._seconds(estimate)
        self.unknown += estimate is None
        ends = max(since + timedelta(seconds=took), self.now + timedelta(seconds=took * LATE))
        self.ahead[job.number] = Ahead(starts=since, ends=ends, server=server, estimate=estimate)
        if job.claim is None:
            claim = Claim(server=server, instance="", attempt=1, run="", token=0, ttl_s=0.0, claimed_at=since)
            job = replace(job, claim=claim)
        self.jobs[job.number] = self.running[job.number] = job
        heapq.heappush(self.ends, (ends, job.number))

    def _later_starts(self, at: datetime) -> datetime | None:
        """Return the next time for which a job waits, where nothing runs that could make room."""
        times = [job.spec.not_before for job in self.waiting if job.spec.not_before is not None]
        return min((each for each in times if each > at), default=None)

    def _seconds(self, estimate: Estimate | None) -> float:
        return self.usual if estimate is None else estimate.seconds


def _usual(known: Durations) -> float:
    """Return the median of what is known, for jobs of which nothing is."""
    found = sorted(
        sample.seconds for servers in known.runs.values() for kept in servers.values() for sample in kept
    )
    return found[len(found) // 2] if found else 60.0


def fastest(state: State, known: Durations, job: Job) -> Sequence[tuple[str, Estimate]]:
    """Return the servers that could run a job, whatever they do now, with its duration there: the fastest first."""
    nothing = usage((), {})
    lasting = ("labels", "accept", "refused", "built")
    found = []
    for name, server in state.servers.items():
        unmet = [each for each in server_conditions(job, server, nothing) if not each.holds]
        estimate = predict(known, job, name)
        if estimate is not None and estimate.server and not any(each.kind in lasting for each in unmet):
            found.append((name, estimate))
    return sorted(found, key=lambda each: (each[1].seconds, each[0]))
