"""How long jobs took, and so how long the next one will likely take: by its name, its packages, and the server."""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from bnet.model.base import Record
from bnet.model.job import Job

MOST_RUNS = 8  # of one thing on one server that are kept
MOST_THINGS = 1_000  # of which runs are kept: those that ran last
FADING = 0.85  # what a run weighs beside the one after it
BUILT = ("full", "incremental")  # tiers in which a package's command was run


class Sample(msgspec.Struct, frozen=True, array_like=True):
    """A successful run: the number of its job, which orders it among others whatever clocks say, and its seconds."""

    number: int
    seconds: float


class Durations(Record, frozen=True, kw_only=True):
    """The newest runs of each thing (`wheel`, a job's name, or `package core`) on each server, newest first."""

    runs: dict[str, dict[str, tuple[Sample, ...]]] = {}


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A duration as it is likely to be.

    Attributes:
        seconds: the median of the runs, recent ones weighing more.
        low, high: the quartiles.
        runs: how many it rests on.
        server: where they were; None where they are those of all servers.
    """

    seconds: float
    low: float
    high: float
    runs: int
    server: str | None = None


def gathered(known: Durations, jobs: Iterable[Job]) -> Durations:
    """Return what is known once some jobs are taken in; one that was taken in before changes nothing."""
    runs = {thing: dict(servers) for thing, servers in known.runs.items()}
    for job in jobs:
        for thing, server, sample in _samples(job):
            there = runs.setdefault(thing, {})
            kept = there.get(server, ())
            if all(each.number != sample.number for each in kept):
                newest = sorted((*kept, sample), key=lambda each: -each.number)
                there[server] = tuple(newest[:MOST_RUNS])
    return Durations(runs=runs if len(runs) <= MOST_THINGS else _latest(runs))


def _samples(job: Job) -> Iterator[tuple[str, str, Sample]]:
    result = job.result
    if result is None or result.result != "success" or result.server is None or result.seconds is None:
        return
    yield job.spec.name, result.server, Sample(job.number, round(result.seconds, 1))
    for each in () if result.build is None else result.build.packages:
        if each.result == "success" and each.tier in BUILT:
            yield f"package {each.name}", result.server, Sample(job.number, round(each.seconds, 1))


def _latest(runs: Mapping[str, dict[str, tuple[Sample, ...]]]) -> dict[str, dict[str, tuple[Sample, ...]]]:
    def last(thing: str) -> int:
        return max((each.number for kept in runs[thing].values() for each in kept), default=0)

    return {thing: runs[thing] for thing in sorted(runs, key=last)[-MOST_THINGS:]}


def predict(known: Durations, job: Job, server: str | None = None) -> Estimate | None:
    """Return how long a job will likely take; None if nothing like it has ever succeeded.

    Args:
        known: the runs.
        job: which; one that builds packages and has a new name is judged by these.
        server: where; without runs of it there, those of all servers count.
    """
    found = _of(known.runs.get(job.spec.name, {}), server)
    if found is not None or not job.spec.packages:
        return found
    parts = [_of(known.runs.get(f"package {name}", {}), server) for name in job.spec.packages]
    sure = [each for each in parts if each is not None]
    if len(sure) < len(parts):
        return None
    return Estimate(
        seconds=sum(each.seconds for each in sure),
        low=sum(each.low for each in sure),
        high=sum(each.high for each in sure),
        runs=min(each.runs for each in sure),
        server=server if all(each.server == server for each in sure) else None,
    )


def _of(by_server: Mapping[str, tuple[Sample, ...]], server: str | None) -> Estimate | None:
    here = by_server.get(server, ()) if server is not None else ()
    samples = here or sorted(
        (each for kept in by_server.values() for each in kept), key=lambda each: -each.number
    )
    if not samples:
        return None
    weighed = sorted((each.seconds, FADING**age) for age, each in enumerate(samples))
    low, middle, high = (_quantile(weighed, share) for share in (0.25, 0.5, 0.75))
    return Estimate(seconds=middle, low=low, high=high, runs=len(samples), server=server if here else None)


def _quantile(weighed: list[tuple[float, float]], share: float) -> float:
    """Return the value below which a share of the weight lies: a single outlier moves it by one place at most."""
    wanted = share * sum(weight for _, weight in weighed)
    for value, weight in weighed:
        wanted -= weight
        if wanted <= 1e-9:
            return value
    return weighed[-1][0]
