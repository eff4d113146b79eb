"""What is wrong now: from findings on the network's health, and from the ledger itself, to events."""

from collections.abc import Container, Iterable, Iterator, Mapping
from datetime import datetime

from bnet.codec import layout
from bnet.health.facts import Finding
from bnet.model.events import KINDS, fits
from bnet.model.notices import Event, Notices, Wrong
from bnet.model.notify import LEVELS, Level, Notifications
from bnet.model.state import State
from bnet.notify.happened import LONGEST_TEXT
from bnet.rules import approvals
from bnet.rules.waiting import need_state

MOST_STANDING = 200  # fewer than alerts: what is wrong and has none would be told again and again

# rule of health -> the event when it is found; a figure's has the severity behind it.
RULES: Mapping[str, str] = {
    "server-lost": "server.lost",
    "server-slow": "server.slow",
    "server-flapping": "server.flapping",
    "clock-here": "clock.wrong",
    "clock-skewed": "clock.wrong",
    "cpu-busy": "cpu.",
    "memory-full": "memory.",
    "load-high": "load.",
    "network-busy": "network.",
    "disk-full": "disk.",
    "job-stuck": "job.stuck",
    "job-failing": "job.failing",
    "package-failing": "package.failing",
    "queue-stalled": "queue.stalled",
    "queue-unservable": "queue.unservable",
    "message-unacknowledged": "message.unacknowledged",
    "push-budget": "hub.budget",
    "hub-large": "hub.large",
    "hub-refs": "hub.large",
    "document-broken": "document.broken",
    "hub-diverged": "hub.diverged",
    "disk-silent": "disk.silent",
    "site-stale": "site.stale",
    "site-silent": "site.stale",
}
# event -> the one when it is over; of figures it ends in `.ok`.
OVER: Mapping[str, str] = {
    "server.lost": "server.back",
    "server.slow": "server.steady",
    "server.flapping": "server.steady",
    "clock.wrong": "clock.right",
    "job.stuck": "job.moving",
    "job.failing": "job.mended",
    "package.failing": "package.mended",
    "queue.stalled": "queue.moving",
    "queue.unservable": "queue.moving",
    "message.unacknowledged": "message.acknowledged",
    "hub.budget": "hub.ok",
    "hub.large": "hub.ok",
    "hub.diverged": "hub.ok",
    "site.stale": "site.fresh",
    "approval.wanted": "approval.settled",
    "document.broken": "document.mended",
    "source.failing": "source.working",
}


def over(event: str) -> str:
    """Return the event that ends what another one began."""
    return OVER.get(event) or f"{event.partition('.')[0]}.ok"


def signals(findings: Iterable[Finding], state: State, now: datetime) -> dict[str, Event]:
    """Return what is wrong now, by key; of very much, the worst."""
    # What cannot be read is seen by whoever reads the ledger, and needs no look at the network's health.
    looked = (one for one in findings if one.rule != "document-broken")
    found = {each.key: each for each in (_of_finding(one, now) for one in looked) if each is not None}
    found |= {each.key: each for each in of_ledger(state, now)}
    worst = sorted(found, key=lambda key: -LEVELS.index(found[key].priority))[:MOST_STANDING]
    return {key: found[key] for key in worst}


def _of_finding(found: Finding, now: datetime) -> Event | None:
    name = RULES.get(found.rule, "")
    if not name:
        return None
    name += found.severity if name.endswith(".") else ""
    server, _, _ = found.about.partition(":")
    on_server = name.startswith(("server.", "clock.")) or found.rule in (
        "disk-full",
        "disk-silent",
        "cpu-busy",
        "memory-full",
    )
    on_server = on_server or found.rule in ("load-high", "network-busy")
    told = found.evidence.get("server")
    return _event(
        name,
        found.text,
        found.key,
        now,
        server=server if on_server else told if isinstance(told, str) else "",
        job=found.about if found.rule == "job-failing" else "",
        packages=(found.about,) if found.rule == "package-failing" else (),
        mild=found.severity == "warning",
        number=int(found.about) if found.rule == "job-stuck" else None,
    )


def of_ledger(state: State, now: datetime) -> Iterator[Event]:
    """Yield what waits for people, as the ledger itself has it."""
    for job in state.jobs.values():
        waits = job.state == "pending" and approvals.lacking(job)
        if waits and all(need_state(need, state.jobs) for need in job.spec.needs):
            text = f"#{job.number} {job.spec.name} waits: {approvals.told(job)}; bnet approve {job.number}"
            key = f"approval:{job.number}"
            yield _event("approval.wanted", text, key, now, number=job.number, job=job.spec.name)
    for name, seen in state.seen.items():
        if seen.obstacle is not None:
            text = f"source {name}: {seen.obstacle.reason}"
            yield _event("source.failing", text, f"source:{name}", now)
    for each in state.problems:
        if not layout.is_machine(each.path):
            yield _event("document.broken", f"{each.path}: {each.message}", f"document:{each.path}", now)


def changes(
    notices: Notices, now_wrong: Mapping[str, Event], servers: Container[str], now: datetime
) -> Iterator[Event]:
    """Yield what is to be looked at: what is wrong and was not told, or is worse than was told, and what is over.

    What a silence or another trouble has kept back is yielded again each time, as long as it is so. A server that
    is not among the others any more was not seen again: it was removed.
    """
    for key, event in now_wrong.items():
        alert = notices.alerts.get(key)
        if alert is None or (alert.event.name != event.name and event.priority == "critical"):
            yield event
    for key, was in notices.standing.items():
        if key not in now_wrong and was.event in KINDS:  # a newer bnet may have noted others
            alert = notices.alerts.get(key)
            about = key if alert is None else alert.event.text
            name, text = over(was.event), f"over: {about}"
            if was.event == "server.lost":
                stays = was.server in servers
                name = name if stays else "server.left"
                text = f"{was.server} is seen again" if stays else f"{was.server} was removed"
            yield _event(name, text, key, now, server=was.server, action="resolve")


def standing(now_wrong: Mapping[str, Event], config: Notifications) -> dict[str, Wrong]:
    """Return what is to be remembered of it: that of which the beginning or the end may be told."""
    found: dict[str, Wrong] = {}
    for key, event in now_wrong.items():
        ends = KINDS[over(event.name)]
        wanted = any(
            fits(event.name, event.priority, route.events) or fits(ends.name, ends.priority, route.events)
            for route in config.routes
        )
        if wanted:
            found[key] = Wrong(event=event.name, server=event.server)
    return found


def _event(
    name: str,
    text: str,
    key: str,
    now: datetime,
    *,
    server: str = "",
    job: str = "",
    packages: tuple[str, ...] = (),
    number: int | None = None,
    mild: bool = False,
    action: str = "trigger",
) -> Event:
    priority: Level = KINDS[name].priority
    return Event(
        name=name,
        at=now,
        priority="high" if mild and priority == "critical" else priority,
        text=text[:LONGEST_TEXT],
        key=key[:LONGEST_TEXT],
        action="resolve" if action == "resolve" else "trigger",
        server=server,
        job=job,
        packages=packages,
        number=number,
    )
