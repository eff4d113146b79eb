"""Sources as plain objects, which is what `bnet source` prints; and the adding of one."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from bnet.app.ledger import Ledger
from bnet.codec import layout, people
from bnet.codec.shown import escaped
from bnet.codec.sources import branches_of, read_source
from bnet.errors import Taken
from bnet.model.job import Job
from bnet.model.source import Followed, Obstacle, Seen
from bnet.model.state import State
from bnet.rules.change import Change
from bnet.rules.reserved import COMMIT, source_and_commit
from bnet.rules.sources import paused_because
from bnet.rules.transaction import Transaction

SCHEMA = "# yaml-language-server: $schema=../.schemas/source.json\n"


def describe_sources(state: State) -> list[dict[str, Any]]:
    """Return every source, by name."""
    newest = newest_jobs(state)
    return [describe_source(state.sources[name], state, newest.get(name)) for name in sorted(state.sources)]


def describe_source(source: Followed, state: State, job: Job | None) -> dict[str, Any]:
    """Return a source as one flat object; `job` is the newest that it became."""
    seen = state.seen.get(source.name, Seen())
    paused = paused_because(source, seen)
    return {
        "name": source.name,
        "file": layout.source_path(source.name),
        "by": source.by,
        "repository": source.asked.repository,
        "branches": list(branches_of(source.asked)),
        "tags": list(source.asked.tags),
        "every": source.every,
        "coalesce": source.asked.coalesce,
        "description": source.asked.description,
        "paused": paused,
        "paused_by": None if seen.paused is None else seen.paused.by,
        "looked_at": bool(seen.repository),
        "refs": len(seen.refs),
        "job": None if job is None else job.number,
        "job_state": None if job is None else (job.result.result if job.result else job.state),
        "commit": None if job is None else job.spec.env.get(COMMIT),
        "obstacle": _told(seen.obstacle),
        "undelivered": _told(seen.undelivered),
    }


def _told(obstacle: Obstacle | None) -> dict[str, str] | None:
    if obstacle is None:
        return None
    return {"since": _time(obstacle.at), "by": obstacle.by, "reason": obstacle.reason}


def newest_jobs(state: State) -> dict[str, Job]:
    """Return the newest job of each source, of those that are open or finished lately."""
    found: dict[str, Job] = {}
    for number in sorted(state.jobs):
        of = source_and_commit(state.jobs[number].spec.key or "")
        if of is not None:
            found[of[0]] = state.jobs[number]
    return found


def obstacles(state: State) -> Iterator[str]:
    """Yield a sentence for each source of which nothing comes at present."""
    for name, seen in sorted(state.seen.items()):
        for told in (seen.obstacle, seen.undelivered) if name in state.sources else ():
            if told is not None:
                by = f" (seen by {told.by})" if told.by else ""
                yield escaped(f"source {name}, since {_time(told.at)}: {told.reason}{by}")


def as_file(fields: dict[str, Any]) -> bytes:
    """Return the text of a source's file."""
    return SCHEMA.encode() + people.dumped(fields)


def add(ledger: Ledger, name: str, text: bytes) -> None:
    """Put a source on the hub by one transaction.

    Raises:
        Taken: there is one of that name.
        Invalid: something in it is wrong.
    """
    path = layout.source_path(name)
    read_source(text, path, name)

    def decide(tx: Transaction) -> None:
        if name in tx.state.sources or any(each.path == path for each in tx.state.problems):
            raise Taken(f"there is a source {name} already", hint=f"edit {path} on the hub's branch")
        tx.apply(Change(verb="add-source", target=name, files={path: text}))

    ledger.refresh()
    ledger.transact(decide)


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
