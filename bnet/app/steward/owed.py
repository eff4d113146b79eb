"""Of which jobs repositories are to be told: those of the ledger, and archived ones that nobody could tell of yet."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from heapq import nlargest

from bnet.app.lookup import archived_jobs
from bnet.codec.layout import archive_order
from bnet.model.job import Job
from bnet.model.source import Followed, Seen
from bnet.model.state import State
from bnet.ports.hub import Hub
from bnet.rules.reserved import source_and_commit
from bnet.rules.transaction import read_archive

LONGEST_OWED = timedelta(days=7)
MOST_FILES = 64  # of the archive that are read: some 20,000 jobs


class Owed:
    """Finds them; remembers what it has read, for one term of a steward."""

    def __init__(self, hub: Hub) -> None:
        """Keep where the archive is."""
        self._hub = hub
        self._files: dict[str, list[Job]] = {}
        self._before: dict[int, Job | None] = {}

    def jobs(self, state: State, now: datetime) -> Iterator[tuple[Job, Followed, str]]:
        """Yield each job with its source and its commit, in the order of their numbers.

        Args:
            state: the ledger; of each source it says since when anything may be untold.
            now: what was untold for a week is given up.
        """
        archived = {job.number: job for job in self._archived(state, now)}
        for _, job in sorted((archived | dict(state.jobs)).items()):
            of = self._origin(job, state)
            source = None if of is None else state.sources.get(of[0])
            where = job.spec.source
            if of is None or source is None or where is None or where.repository != source.asked.repository:
                continue
            since = _since(state, source.name, now)
            ended = job.result
            if job.number in state.jobs or (since and ended is not None and ended.finished_at >= since):
                yield job, source, of[1]

    def _archived(self, state: State, now: datetime) -> Iterator[Job]:
        """Yield what is in the files of the days since when anything may be untold."""
        times = [since for name in state.sources if (since := _since(state, name, now)) is not None]
        if not times:
            self._files = {}
            return
        first = f"{min(times):%Y/%m/%d}"
        paths = nlargest(MOST_FILES, (each for each in state.archive if archive_order(each)[0] >= first))
        new = [each for each in paths if each not in self._files]
        contents = self._hub.read(state.tip, new) if new else {}
        read = {path: _of_sources(contents.get(path, b"")) for path in new}
        self._files = {path: read[path] if path in read else self._files[path] for path in paths}
        for jobs in self._files.values():
            yield from jobs

    def _origin(self, job: Job, state: State) -> tuple[str, str] | None:
        """Return the source and the commit that a job is of, also of one that was tried again; else None."""
        seen: set[int] = set()
        while job.spec.retry_of is not None and job.number not in seen:
            seen.add(job.number)
            number = job.spec.retry_of
            if number not in state.jobs and number not in self._before:
                self._before[number] = archived_jobs(self._hub, state, {number}).get(number)
            before = state.jobs.get(number) or self._before[number]
            if before is None:
                return None
            job = before
        return source_and_commit(job.spec.key or "")


def _since(state: State, name: str, now: datetime) -> datetime | None:
    obstacle = state.seen.get(name, Seen()).undelivered
    return None if obstacle is None else max(obstacle.at, now - LONGEST_OWED)


def _of_sources(data: bytes) -> list[Job]:
    jobs = read_archive(data)
    return [job for job in jobs if job.spec.retry_of is not None or source_and_commit(job.spec.key or "")]
