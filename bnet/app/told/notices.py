"""Notifications, as plain objects: what was told, what waits, what is open, and what stands in the way."""

from datetime import datetime, timedelta
from typing import Any

from bnet.model.notices import Alert, Delivery, Event, Notices, Parcel, Silence
from bnet.model.state import State

RECENT = timedelta(days=1)


def unheard(state: State, now: datetime | None = None) -> list[str]:
    """Say of which channels nothing gets through, and with a time, what was given up in the day before it."""
    notices = state.notices or Notices()
    found = [
        f"channel {name} does not work since {_time(each.since)}: {each.reason}"
        for name, each in sorted(notices.troubles.items())
        if name in state.notifications.channels
    ]
    for parcel in notices.outbox.values():
        if parcel.left and parcel.channel in state.notifications.channels:
            since, count = _time(parcel.begun), parcel.count
            what = f"{_left(parcel)} did not take {count} event{'' if count == 1 else 's'}"
            found.append(f"channel {parcel.channel} does not work since {since}: {what}")
    for each in notices.history if now is not None else ():
        if now is not None and each.failed and now - each.at <= RECENT:
            found.append(f"a message to {each.channel} was given up: {each.failed}")
    return found


def describe_deliveries(notices: Notices) -> list[dict[str, Any]]:
    """Return what waits and what was told, the newest last."""
    return [_delivery(each) for each in notices.history] + [
        _parcel(name, each, notices) for name, each in notices.outbox.items()
    ]


def _delivery(each: Delivery) -> dict[str, Any]:
    return {
        "at": _time(each.at),
        "state": "given up" if each.failed else "sent",
        "channel": each.channel,
        "routes": list(each.routes),
        "events": list(each.events),
        "count": each.count,
        "title": each.title,
        "by": each.by,
        "tries": each.tries,
        "reason": each.failed,
    }


def _parcel(name: str, each: Parcel, notices: Notices) -> dict[str, Any]:
    trouble = notices.troubles.get(each.channel)
    return {
        "at": _time(each.begun),
        "state": "waiting",
        "channel": each.channel,
        "routes": [each.route],
        "events": list(dict.fromkeys(event.name for event in each.events)),
        "count": each.count,
        "title": each.events[0].text,
        "by": "",
        "tries": each.tries,
        "reason": trouble.reason if trouble else f"{_left(each)} did not take it" if each.left else "",
        "id": name,
        "due": _time(each.due),
    }


def _left(each: Parcel) -> str:
    places = ", ".join(str(place + 1) for place in each.left)
    return f"address{'' if len(each.left) == 1 else 'es'} {places}"


def describe_alerts(notices: Notices) -> list[dict[str, Any]]:
    """Return the troubles that are not over."""
    return [_alert(key, each) for key, each in notices.alerts.items()]


def _alert(key: str, each: Alert) -> dict[str, Any]:
    return {
        "key": key,
        "event": each.event.name,
        "priority": each.event.priority,
        "text": each.event.text,
        "since": _time(each.event.at),
        "count": each.count,
        "told_at": None if each.told_at is None else _time(each.told_at),
        "acked_by": each.acked_by,
        "step": each.step,
        "routes": list(each.routes),
    }


def describe_silences(notices: Notices, now: datetime) -> list[dict[str, Any]]:
    """Return the silences in force."""
    return [_silence(name, each) for name, each in notices.silences.items() if each.until > now]


def _silence(name: str, each: Silence) -> dict[str, Any]:
    told = {
        "id": name,
        "events": list(each.events),
        "until": _time(each.until),
        "by": each.by,
        "reason": each.reason,
    }
    return told | {"server": each.server, "job": each.job, "package": each.package}


def describe_event(event: Event) -> dict[str, Any]:
    """Return an event."""
    return {
        "event": event.name,
        "at": _time(event.at),
        "priority": event.priority,
        "text": event.text,
        "key": event.key,
        "job": event.number,
        "server": event.server,
    }


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
