"""The network for the API: what the commands of the same names print, asked for by many threads and found by one."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bnet.app.history import annals, search
from bnet.app.ledger import Ledger
from bnet.app.lookup import archived_jobs
from bnet.app.told.hub import describe_hub
from bnet.app.told.jobs import describe_fully, describe_job
from bnet.app.told.overview import heartbeats, overview
from bnet.build.cache import Cache
from bnet.build.upkeep import clear, stats
from bnet.errors import BnetError, HubUnreachable
from bnet.model.history import Event, EventQuery, Query
from bnet.model.job import Source
from bnet.restapi.routes import NotThere
from bnet.sitegen.rows import moment
from bnet.wiring.health import examined
from bnet.wiring.machine import Machine
from bnet.wiring.served import Served
from bnet.wiring.workshop import cache_path


class Interface:
    """The `Network` of the API."""

    def __init__(self, machine: Machine, url: str, served: Served) -> None:
        """Take what is asked, and the thread that asks it."""
        self._machine = machine
        self._url = url
        self._served = served

    def _ledger(self) -> Ledger:
        ledger = self._machine.ledger(self._url)
        ledger.refresh()
        self._machine.keep(self._url, ledger)
        return ledger

    def health(self) -> Any:
        """Return whether anything is wrong."""
        facts, findings = self._served.ask(lambda: examined(self._machine, self._url))
        return {
            "healthy": not findings,
            "at": f"{facts.now:%Y-%m-%dT%H:%M:%SZ}",
            "servers": len(facts.state.servers),
            "findings": [{"key": each.key, **msgspec.to_builtins(each)} for each in findings],
        }

    def status(self) -> Any:
        """Return the network as it is."""

        def work() -> Any:
            ledger = self._machine.ledger(self._url)
            look = ledger.refresh()
            self._machine.keep(self._url, ledger)
            try:
                beats = heartbeats(ledger.hub, look, sorted(ledger.state.servers))
            except HubUnreachable:
                beats = {}  # one was begun anew between the two questions
            return overview(ledger.state, self._machine.shown(self._url), beats, self._machine.clock.now())

        return self._served.ask(work)

    def agents(self) -> Any:
        """Return the servers."""
        return self.status()["servers"]

    def jobs(self, state: str | None) -> Any:
        """Return open jobs, and those that ended in the last day."""

        def work() -> Any:
            ledger, now = self._ledger(), self._machine.clock.now()
            found = [job for _, job in sorted(ledger.state.jobs.items()) if state in (None, job.state)]
            return [
                describe_job(job, ledger.state, now)
                for job in found
                if job.result is None or (now - job.result.finished_at).days < 1
            ]

        return self._served.ask(work)

    def job(self, number: int) -> Any:
        """Return one job."""

        def work() -> Any:
            ledger = self._ledger()
            state = ledger.state
            job = state.jobs.get(number) or archived_jobs(ledger.hub, state, [number]).get(number)
            return None if job is None else describe_fully(job, state, self._machine.clock.now())

        found = self._served.ask(work)
        if found is None:
            raise NotThere
        return found

    def builds(self, limit: int) -> Any:
        """Return the jobs that built packages."""
        past = self._served.ask(lambda: search(self._ledger(), self._machine.index(self._url), Query()))
        return [
            {
                "number": each.number,
                "name": each.name,
                "state": each.state,
                "result": each.result,
                "server": each.server,
                "packages": each.packages.split(),
                "seconds": each.seconds,
                "submitted_at": _time(each.submitted),
                "finished_at": None if each.finished is None else _time(each.finished),
            }
            for each in [each for each in past if each.packages.strip()][:limit]
        ]

    def last_source(self) -> Source | None:
        """Return what the newest job that built packages was made of."""

        def work() -> Source | None:
            for _, job in sorted(self._ledger().state.jobs.items(), reverse=True):
                source = job.spec.source
                if job.spec.packages and source is not None and source.repository and source.ref:
                    return source
            return None

        return self._served.ask(work)

    def cache(self) -> Any:
        """Return what this machine's cache holds."""
        path = cache_path(self._machine.env)
        return {"path": str(path), **stats(Path(path))._asdict()}

    def clear_cache(self) -> Any:
        """Empty it."""
        cache = Cache(cache_path(self._machine.env))
        if cache.is_newer():
            raise BnetError(cache.trouble, hint="use that bnet, or set BNET_CACHE to another directory")
        return clear(cache.path)._asdict()

    def config(self) -> Any:
        """Return the hub and its settings."""
        branch, shown = self._machine.place(self._url).branch, self._machine.shown(self._url)
        return self._served.ask(lambda: describe_hub(self._ledger().state, branch, shown))

    def events(self, after: int, limit: int) -> Any:
        """Return what the newest transactions did; after one, what the next ones did: none is missed."""
        query = EventQuery(after=after) if after else EventQuery(limit=limit)
        found = self._served.ask(lambda: self._machine.index(self._url).events(annals(self._ledger()), query))
        return [
            {
                **{name: getattr(each, name) for name in ("seq", "commit", "actor", "verb", "target")},
                "at": _time(each.at),
                "fields": dict(each.fields),
            }
            for each in (first_of(found, limit) if after else found)
        ]

    def act(self, command: Mapping[str, Any]) -> Any:
        """Do one command of the inbox."""
        return self._served.act(json.dumps(command).encode())


def first_of(events: Sequence[Event], limit: int) -> Sequence[Event]:
    """Return the oldest events, of whole transactions: whoever asks for what came after the last loses none."""
    if not 0 < limit < len(events):
        return events[:limit]
    last = events[limit - 1].seq
    return [each for at, each in enumerate(events) if at < limit or each.seq == last]


def _time(seconds: float) -> str:
    return f"{moment(seconds):%Y-%m-%dT%H:%M:%SZ}"
