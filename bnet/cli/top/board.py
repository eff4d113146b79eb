"""What `bnet top` knows of the network at one moment."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from bnet.app.told.overview import overview, sentence
from bnet.model.job import Job
from bnet.model.server import Heartbeat
from bnet.model.state import State
from bnet.rules.waiting import Usage, usage, waiting_for
from bnet.schedule.choose import in_order
from bnet.schedule.durations import Durations
from bnet.schedule.forecast import Ahead, forecast

MOST_ENDED = 100
SORTS = ("state", "number", "name", "server")
_PLACES = {"running": 0, "pending": 1, "finished": 2}


class Line(NamedTuple):
    """A job in the list."""

    number: int
    name: str
    kind: str
    server: str
    place: tuple[int, float]

    def holds(self, text: str) -> bool:
        """Tell whether a text occurs in any of it."""
        return text in f"#{self.number} {self.name} {self.kind} {self.server}".lower()


class Board:
    """A network, ready to be drawn."""

    def __init__(
        self, state: State, beats: Mapping[str, Heartbeat], durations: Durations, url: str, now: datetime
    ) -> None:
        """Work out what does not depend on what is looked at.

        Args:
            state: the ledger.
            beats: server -> its newest heartbeat.
            durations: how long jobs took.
            url: of the hub, as people may see it.
            now: when that was so.
        """
        self.now = now
        self.state = state
        told = overview(state, url, beats, now)
        self.name = state.settings.name
        self.sentence = sentence(told)
        self.servers: Sequence[dict[str, Any]] = told["servers"]
        self._coming = forecast(state, durations, now)
        self._taken: Usage = usage(state.jobs.values(), state.locks)
        self.lines = _lines(state, self._taken)

    def job(self, number: int) -> Job | None:
        """Return a job; None if it has left the ledger."""
        return self.state.jobs.get(number)

    def ahead(self, number: int) -> Ahead | None:
        """Return what is likely to become of a job."""
        return self._coming.jobs.get(number)

    def waits_for(self, job: Job) -> str:
        """Say what a pending job waits for."""
        state = self.state
        said = waiting_for(job, state.jobs, state.servers, self._taken, state.settings, self.now)
        return f"waits for {said}" if said else ""


def _lines(state: State, taken: Usage) -> list[Line]:
    """Return the jobs: those that run, those that wait in the order in which they are chosen, the newest ends."""
    order = {job.number: float(at) for at, job in enumerate(in_order(state.jobs, taken))}
    ends = {number: job.result.finished_at for number, job in state.jobs.items() if job.result is not None}
    newest = sorted(ends, key=lambda number: ends[number], reverse=True)[:MOST_ENDED]
    shown = [job for job in state.jobs.values() if job.result is None]
    shown += [state.jobs[number] for number in newest]
    found = []
    for job in shown:
        result, claim = job.result, job.claim
        by = order.get(job.number, float(job.number))
        if result is not None:
            by = -result.finished_at.timestamp()
        server = claim.server if claim is not None else (result.server or "" if result else "")
        kind = result.result if result is not None else job.state
        found.append(Line(job.number, job.spec.name, kind, server, (_PLACES[job.state], by)))
    return found


def arranged(lines: Sequence[Line], sort: str, wanted: str) -> list[Line]:
    """Return the lines in which a text occurs, in an order."""
    found = [line for line in lines if line.holds(wanted.lower())]
    if sort == "state":
        return sorted(found, key=lambda line: line.place)
    if sort == "number":
        return sorted(found, key=lambda line: -line.number)
    return sorted(found, key=lambda line: (getattr(line, sort) or "\uffff", line.place))
