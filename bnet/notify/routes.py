"""Which events go where, and why others do not."""

from collections.abc import Iterator
from datetime import datetime
from fnmatch import fnmatchcase

from bnet.codec.durations import parse_duration
from bnet.codec.notifications import named
from bnet.model.events import fits
from bnet.model.notices import Event, Notices, Silence
from bnet.model.notify import LEVELS, Notifications, Route


def verdict(event: Event, route: Route, config: Notifications, notices: Notices, now: datetime) -> str:
    """Say why a route does not take an event; "" where it does."""
    alert = notices.alerts.get(event.key)
    if event.action == "resolve" and alert is not None and route.name in alert.routes:
        return hushed(event, config, notices, now, silences_only=True)  # who was told of it hears the end too
    return (
        _unfit(event, route)
        or hushed(event, config, notices, now)
        or _told(event, route, config, notices, now)
    )


def _unfit(event: Event, route: Route) -> str:
    if not fits(event.name, event.priority, route.events):
        return "is none of its events"
    if LEVELS.index(event.priority) < LEVELS.index(route.priority):
        return f"its priority is {event.priority}, and {route.priority} is asked for"
    for label, value in route.labels.items():
        if event.labels.get(label) != value:
            return f"the job has no label {label}={value}"
    for what, patterns, values in (
        ("server", route.servers, (event.server,)),
        ("job", route.jobs, (event.job,)),
        ("package", route.packages, event.packages),
    ):
        if patterns and not _any(values, patterns):
            return f"is of no {what} that is asked for"
    return ""


def _any(values: tuple[str, ...], patterns: tuple[str, ...]) -> bool:
    return any(value and fnmatchcase(value, pattern) for value in values for pattern in patterns)


def hushed(
    event: Event, config: Notifications, notices: Notices, now: datetime, *, silences_only: bool = False
) -> str:
    """Say which silence or greater trouble keeps an event from people; "" where none does."""
    for name, each in sorted(notices.silences.items()):
        if each.until > now and _is_meant(event, each):
            return f"is silenced until {each.until:%Y-%m-%dT%H:%M:%SZ} ({name}, by {each.by}: {each.reason})"
    if silences_only:
        return ""
    by = next(_inhibitors(event, config, notices), "")
    return f"is of no interest while there is {by}" if by else ""


def _is_meant(event: Event, silence: Silence) -> bool:
    return (
        fits(event.name, event.priority, silence.events)
        and (not silence.server or fnmatchcase(event.server, silence.server))
        and (not silence.job or fnmatchcase(event.job, silence.job))
        and (not silence.package or _any(event.packages, (silence.package,)))
    )


def _inhibitors(event: Event, config: Notifications, notices: Notices) -> Iterator[str]:
    for rule in config.inhibit:
        if not fits(event.name, event.priority, rule.mutes):
            continue
        for key, alert in notices.alerts.items():
            other = alert.event
            if (
                key != event.key
                and _same(event, other, rule.same)
                and fits(other.name, other.priority, (rule.when,))
            ):
                yield key
        if rule.same == "server" and event.server:
            for key, each in notices.standing.items():
                if key != event.key and each.server == event.server and fits(each.event, "low", (rule.when,)):
                    yield key


def _same(event: Event, other: Event, what: str) -> bool:
    if what == "package":
        return bool({*event.packages} & {*other.packages})
    ours, theirs = (event.server, other.server) if what == "server" else (event.job, other.job)
    return bool(ours) and ours == theirs


def _told(event: Event, route: Route, config: Notifications, notices: Notices, now: datetime) -> str:
    alert = notices.alerts.get(event.key)
    if event.action == "resolve":
        return ""
    if alert is not None and alert.acked_by:
        return f"{alert.acked_by} has acknowledged it"
    window = parse_duration(config.dedup if route.dedup is None else route.dedup)
    last = notices.last.get(last_key(event, route))
    ago = None if last is None else (now - last).total_seconds()
    if ago is not None and 0 <= ago < window:
        return f"the same was told {ago:.0f} s ago (dedup: {window:.0f} s)"
    return ""


def last_key(event: Event, route: Route) -> str:
    """Return under which name it is kept when a route let such an event through."""
    return f"{route.name} {event.name} {event.key}"


def channels_of(route: Route, config: Notifications) -> list[str]:
    """Return the channels that a route leads to."""
    return [name for name in named(config, route.to) if config.channels[name].enabled]


def is_urgent(event: Event, route: Route, config: Notifications) -> bool:
    """Tell whether quiet hours do not hold an event."""
    quiet = config.quiet
    return quiet is None or not route.quiet or fits(event.name, event.priority, quiet.exceptions)


def group_of(event: Event, route: Route) -> tuple[object, ...]:
    """Return what is alike in the events of one message."""
    values = {
        "event": event.name,
        "server": event.server,
        "job": event.job,
        "package": event.packages,
        "key": event.key,
    }
    return tuple(values[part] for part in route.group_by)
