"""Events are taken in: troubles are opened and closed, and what is to be told gets into the outbox."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import count

from msgspec.structs import replace

from bnet.codec.durations import parse_duration
from bnet.model.notices import Alert, Event, Notices, Parcel
from bnet.model.notify import LEVELS, Notifications, Route
from bnet.notify.routes import channels_of, group_of, hushed, is_urgent, last_key, verdict

# What is kept of many: the document is bounded whatever happens.
MOST_ALERTS = 300
MOST_PARCELS = 100
MOST_LINES = 20  # events of a parcel that are told one by one; the others are counted
MOST_ALL_LINES = 500  # of all parcels together
MOST_LAST = 1000
OLDEST_DAYS = (
    30  # of a trouble of which nothing says any more whether it is over, as of a job that is no more
)
MOST_SILENCES = 100
MOST_PACKAGES = 5  # of an event that is kept
SKEW_S = 300.0  # that the clocks of two stewards may be apart


def take_in(
    notices: Notices, events: Iterable[Event], config: Notifications, now: datetime, seq: int
) -> Notices:
    """Return what is to be told after some events.

    Args:
        notices: until now.
        events: in their order.
        config: what people want.
        now: the time by most clocks.
        seq: of the transaction that this is for; new parcels are named after it.
    """
    desk = _Desk(notices, config, now, seq)
    for event in events:
        desk.take(event)
    return desk.notices()


def escalated(notices: Notices, config: Notifications, now: datetime, seq: int) -> Notices:
    """Return what is to be told because nobody has acknowledged."""
    desk = _Desk(notices, config, now, seq)
    routes = {each.name: each for each in config.routes}
    for key, alert in notices.alerts.items():
        route = next(
            (routes[name] for name in alert.routes if name in routes and routes[name].escalate), None
        )
        if route is not None and not alert.acked_by and not hushed(alert.event, config, notices, now):
            desk.escalate(key, alert, route)
    return desk.notices()


def pruned(notices: Notices, config: Notifications, now: datetime) -> Notices:
    """Return it without what is over: silences, and what is told no more of what was told before."""
    longest = max(parse_duration(each) for each in (config.dedup, *_windows(config)))
    since, future = now - timedelta(seconds=longest), now + timedelta(seconds=longest)
    kept = sorted((at, key) for key, at in notices.last.items() if since < at < future)[-MOST_LAST:]
    stale = now - timedelta(days=OLDEST_DAYS)
    alerts = {
        key: each for key, each in notices.alerts.items() if each.event.at > stale or key in notices.standing
    }
    return replace(
        notices,
        alerts=alerts if len(alerts) < len(notices.alerts) else notices.alerts,
        silences={name: each for name, each in notices.silences.items() if each.until > now},
        last={key: at for at, key in kept} if len(kept) < len(notices.last) else notices.last,
        troubles={name: each for name, each in notices.troubles.items() if name in config.channels},
        spent={name: each for name, each in notices.spent.items() if name in config.channels},
    )


def _windows(config: Notifications) -> list[float | str]:
    return [each.dedup for each in config.routes if each.dedup is not None]


class _Desk:
    def __init__(self, notices: Notices, config: Notifications, now: datetime, seq: int) -> None:
        self._before, self._config, self._now, self._seq = notices, config, now, seq
        self._alerts, self._last = dict(notices.alerts), dict(notices.last)
        self._outbox = dict(notices.outbox)
        self._lines = sum(len(each.events) for each in notices.outbox.values())
        self._routes = {each.name: each for each in config.routes}
        self._open = {
            (each.channel, each.route, each.urgent, group_of(each.events[0], self._routes[each.route])): key
            for key, each in self._outbox.items()
            if each.route in self._routes and not each.step and not each.left
        }

    def notices(self) -> Notices:
        """Return what it has come to; the same object where nothing has."""
        after = replace(
            self._before,
            alerts=self._alerts,
            last=dict(list(self._last.items())[-MOST_LAST:]),
            outbox=self._outbox,
        )
        return self._before if after == self._before else after

    def take(self, event: Event) -> None:
        seen = replace(self._before, alerts=self._alerts, last=self._last)
        routes = [
            each for each in self._config.routes if not verdict(event, each, self._config, seen, self._now)
        ]
        told = set[str]()
        for route in routes:
            for channel in self._channels(event, route):
                if channel not in told:  # the first route that leads there tells it
                    self._post(event, route, channel)
                told.add(channel)
            if event.action != "resolve":
                self._last[last_key(event, route)] = self._now
        self._keep(event, tuple(each.name for each in routes))

    def _channels(self, event: Event, route: Route) -> list[str]:
        """Return where a route leads; the end of a trouble also goes to those who heard of it by escalation."""
        alert = self._alerts.get(event.key)
        steps = () if alert is None or event.action != "resolve" else route.escalate[: alert.step]
        words = (*route.to, *(word for step in steps for word in step.to))
        return channels_of(replace(route, to=words), self._config)

    def _keep(self, event: Event, routes: tuple[str, ...]) -> None:
        known = self._alerts.get(event.key)
        if event.action == "resolve":
            self._alerts.pop(event.key, None)
            if known is not None and event.seq:
                # What fails again is news, and said once; what is found again waits for the end of its window.
                self._last = {
                    name: at for name, at in self._last.items() if name.split(" ", 2)[2:] != [event.key]
                }
        elif event.action == "trigger" and not event.seq and not routes:
            return  # it is found again at the next look, and told once that may be
        elif event.action == "trigger" and known is not None:
            worse = LEVELS.index(event.priority) > LEVELS.index(known.event.priority)
            self._alerts[event.key] = replace(
                known,
                event=_kept(event) if worse else known.event,
                count=known.count + 1,
                routes=tuple(dict.fromkeys((*known.routes, *routes))),
            )
        elif event.action == "trigger" and routes:
            self._alerts[event.key] = Alert(event=_kept(event), routes=routes)
            if len(self._alerts) > MOST_ALERTS:
                self._forget_one()

    def _forget_one(self) -> None:
        """Forget the oldest trouble, so that its end will not be told; but none that would be found again at once."""
        standing = self._before.standing
        del self._alerts[next((key for key in self._alerts if key not in standing), next(iter(self._alerts)))]

    def escalate(self, key: str, alert: Alert, route: Route) -> None:
        """Go on to the next step, if it is time."""
        since = alert.told_at or self._untold_since(alert, route)
        if since is None or alert.step >= len(route.escalate):
            return
        step = route.escalate[alert.step]
        waited = (self._now - since).total_seconds()
        if -SKEW_S < waited < parse_duration(step.after):
            return
        to = replace(route, to=step.to) if step.to else route
        urgent = is_urgent(alert.event, route, self._config)
        for channel in channels_of(to, self._config):
            self._add(alert.event, route, channel, urgent=urgent, wait_s=0.0, step=alert.step + 1)
        self._alerts[key] = replace(alert, step=alert.step + 1)

    def _untold_since(self, alert: Alert, route: Route) -> datetime | None:
        """Return when a trouble began that cannot be told, for no channel works; None if it only waits."""
        channels = channels_of(route, self._config)
        broken = channels and all(each in self._before.troubles for each in channels)
        return alert.event.at if broken else None

    def _post(self, event: Event, route: Route, channel: str) -> None:
        urgent = is_urgent(event, route, self._config)
        group = (channel, route.name, urgent, group_of(event, route))
        known = self._open.get(group)
        if known is None:
            wait_s = parse_duration(route.group_wait)
            self._open[group] = self._add(event, route, channel, urgent=urgent, wait_s=wait_s)
            return
        parcel = self._outbox[known]
        lines = parcel.events
        if len(lines) < MOST_LINES and self._lines < MOST_ALL_LINES:
            lines = (*lines, _kept(event))
            self._lines += 1
        self._outbox[known] = replace(parcel, events=lines, count=parcel.count + 1)

    def _add(
        self, event: Event, route: Route, channel: str, *, urgent: bool, wait_s: float, step: int = 0
    ) -> str:
        """Make a parcel; where there are too many, the event is counted with the newest one that goes as it would."""
        if len(self._outbox) >= MOST_PARCELS:
            full = next(
                (
                    key
                    for key, each in reversed(self._outbox.items())
                    if (each.channel, each.urgent, bool(each.step)) == (channel, urgent, bool(step))
                    and not each.left
                ),
                None,
            )
            if full is not None:
                self._outbox[full] = replace(self._outbox[full], count=self._outbox[full].count + 1)
                return full
        self._lines += 1
        kind = "e" if step else ""
        key = next(key for each in count(1) if (key := f"{self._seq}.{kind}{each}") not in self._outbox)
        self._outbox[key] = Parcel(
            route=route.name,
            channel=channel,
            events=(_kept(event),),
            count=1,
            begun=self._now,
            due=self._now + timedelta(seconds=wait_s),
            urgent=urgent,
            step=step,
        )
        return key


def _kept(event: Event) -> Event:
    """Return an event without what only routes ask for."""
    return replace(event, labels={}, packages=event.packages[:MOST_PACKAGES])
