"""What is sent now, and what becomes of the outbox when that has been tried."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from bnet.codec.durations import parse_duration
from bnet.codec.notifications import urls_of
from bnet.model.base import Record
from bnet.model.notices import Delivery, Event, Notices, Outage, Parcel
from bnet.model.notify import Notifications
from bnet.notify.intake import MOST_LINES
from bnet.notify.quiet import has_room, is_quiet, spend

FIRST_PAUSE = 30.0  # seconds after a failure; doubled with each one
LONGEST_PAUSE = 3600.0
LATE_S = 60.0  # past its time, a message has been held, and goes with all others of its channel
MOST_AT_ONCE = 3  # messages of a channel that come one by one
MOST_HISTORY = 50
FARTHEST_S = 2 * 86400.0  # ahead of now, a time is a clock's error


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel is to be sent: the parcels in it with their counts, and what they hold.

    Attributes:
        channel: where.
        parcels: id -> how many events it held when this was made.
        routes: by which it goes.
        events: the first ones, those that began first.
        count: of all.
        urls: which of the channel's addresses; by their places.
        held: whether it was kept back, so that it is a digest.
        step: of an escalation.
        tries: how often it failed before.
    """

    channel: str
    parcels: Mapping[str, int]
    routes: tuple[str, ...]
    events: tuple[Event, ...]
    count: int
    urls: tuple[int, ...]
    held: bool = False
    step: int = 0
    tries: int = 0


class Outcome(Record, frozen=True, kw_only=True):
    """What became of a message: for each address that did not take it, why."""

    channel: str
    parcels: dict[str, int]
    urls: tuple[int, ...]
    title: str
    failed: dict[int, str] = {}
    lacks: bool = False


def due(notices: Notices, config: Notifications, now: datetime) -> list[Message]:
    """Return what is to be sent now: one message a channel at most."""
    waiting: dict[str, dict[str, Parcel]] = {}
    for key, parcel in notices.outbox.items():
        waiting.setdefault(parcel.channel, {})[key] = parcel
    quiet = is_quiet(config.quiet, now)
    found = []
    for channel, parcels in sorted(waiting.items()):
        ready = {
            key: each
            for key, each in parcels.items()
            if _is_past(each.due, now) and (each.urgent or not quiet)
        }
        if ready and _is_open(channel, notices, config, now):
            found.append(_message(channel, ready, config, now))
    return found


def _is_open(channel: str, notices: Notices, config: Notifications, now: datetime) -> bool:
    settings = config.channels.get(channel)
    if settings is None:
        return False
    trouble = notices.troubles.get(channel)
    rests = trouble is not None and not _is_past(trouble.again, now)
    return not rests and has_room(notices.spent.get(channel), settings.limits or config.limits, now)


def _is_past(at: datetime, now: datetime) -> bool:
    return not 0 < (at - now).total_seconds() < FARTHEST_S


def _message(channel: str, ready: Mapping[str, Parcel], config: Notifications, now: datetime) -> Message:
    every = tuple(range(len(urls_of(config.channels[channel]))))
    # One that some of the addresses have taken goes to the others by itself.
    partial = next((key for key, each in ready.items() if each.left), None)
    late = any((now - each.due).total_seconds() > LATE_S for each in ready.values())
    if partial is not None:
        taken = {partial: ready[partial]}
    elif late or len(ready) > MOST_AT_ONCE:
        taken = dict(ready)
    else:
        first = min(ready, key=lambda key: (not ready[key].step, ready[key].due, ready[key].begun))
        taken = {first: ready[first]}
    parcels = list(taken.values())
    events = [event for each in parcels for event in each.events]
    left = parcels[0].left if partial is not None else ()
    return Message(
        channel=channel,
        parcels={key: each.count for key, each in taken.items()},
        routes=tuple(dict.fromkeys(each.route for each in parcels)),
        events=tuple(sorted(events, key=lambda one: one.at)[:MOST_LINES]),
        count=sum(each.count for each in parcels),
        urls=tuple(each for each in left if each in every) or every,
        held=len(taken) > 1 or late,
        step=max(each.step for each in parcels),
        tries=max(each.tries for each in parcels),
    )


def settled(notices: Notices, outcome: Outcome, config: Notifications, who: str, now: datetime) -> Notices:
    """Return what is so once a message was tried, whatever else has happened to the outbox meanwhile."""
    taken = {key: notices.outbox[key] for key in outcome.parcels if key in notices.outbox}
    if not taken:
        return notices  # another steward has written it down
    failed = {url: why for url, why in outcome.failed.items() if url in outcome.urls}
    reached = len(failed) < len(outcome.urls)
    if not reached and not any(each.left for each in taken.values()):
        return _failed(notices, outcome, taken, config, who, now)
    outbox = {key: each for key, each in notices.outbox.items() if key not in taken}
    for key, parcel in taken.items():
        more = parcel.count - outcome.parcels[key]
        if more > 0:  # what came while it was under way is another message
            fresh = parcel.events[outcome.parcels[key] :] or parcel.events[-1:]
            outbox[f"{key}r"] = replace(
                parcel, events=fresh, count=more, begun=now, due=now, tries=0, left=()
            )
    told = {event.key for each in taken.values() for event in each.events}
    alerts = {
        key: replace(each, told_at=each.told_at or now) if key in told else each
        for key, each in notices.alerts.items()
    }
    after = replace(notices, outbox=outbox)
    if reached:
        after = replace(
            after,
            alerts=alerts,
            sent=notices.sent + 1,
            spent={**notices.spent, outcome.channel: spend(notices.spent.get(outcome.channel), now)},
            troubles={name: each for name, each in notices.troubles.items() if name != outcome.channel},
        )
    if failed:
        after = _partly(after, outcome, taken, failed, config, who, now)
    else:
        after = _written(after, outcome, list(taken.values()), who, now, "")
    return after


def _failed(
    notices: Notices,
    outcome: Outcome,
    taken: Mapping[str, Parcel],
    config: Notifications,
    who: str,
    now: datetime,
) -> Notices:
    known = notices.troubles.get(outcome.channel)
    failures = 1 if known is None else known.failures + 1
    reason = "; ".join(dict.fromkeys(outcome.failed.values()))[:300]
    trouble = Outage(
        reason=reason,
        by=tuple(
            dict.fromkeys((*(known.by if known is not None and known.lacks == outcome.lacks else ()), who))
        ),
        since=now if known is None else known.since,
        failures=failures,
        again=now + timedelta(seconds=pause_s(failures)),
        lacks=outcome.lacks,
    )
    tried = {key: replace(each, tries=each.tries + 1) for key, each in taken.items()}
    given_up = _too_old(tried, config, now)
    outbox = {key: tried.get(key, each) for key, each in notices.outbox.items() if key not in given_up}
    after = replace(notices, outbox=outbox, troubles={**notices.troubles, outcome.channel: trouble})
    return _written(after, outcome, [tried[key] for key in given_up], who, now, reason) if given_up else after


def _partly(
    notices: Notices,
    outcome: Outcome,
    taken: Mapping[str, Parcel],
    failed: Mapping[int, str],
    config: Notifications,
    who: str,
    now: datetime,
) -> Notices:
    """Keep what some of the addresses did not take, as one parcel for these: with what they did not take before."""
    left = tuple(sorted(failed))
    before = {
        key: each
        for key, each in notices.outbox.items()
        if each.channel == outcome.channel and each.left == left
    }
    notices = replace(
        notices, outbox={key: each for key, each in notices.outbox.items() if key not in before}
    )
    parcels = [*before.values(), *taken.values()]
    tries = max(*(each.tries + 1 for each in taken.values()), *(each.tries for each in before.values()), 1)
    events = tuple(sorted((event for each in parcels for event in each.events), key=lambda one: one.at))
    rest = replace(
        parcels[0],
        events=events[:MOST_LINES],
        count=sum(each.count for each in before.values()) + sum(outcome.parcels[key] for key in taken),
        begun=min(each.begun for each in parcels),
        due=max((each.due for each in before.values()), default=now + timedelta(seconds=pause_s(tries))),
        urgent=any(each.urgent for each in parcels),
        tries=tries,
        left=left,
    )
    key = f"{next(iter(taken)).partition('+')[0]}+{tries}"
    if _too_old({key: rest}, config, now):
        return _written(notices, outcome, [rest], who, now, "; ".join(dict.fromkeys(failed.values()))[:300])
    return replace(notices, outbox={**notices.outbox, key: rest})


def _too_old(parcels: Mapping[str, Parcel], config: Notifications, now: datetime) -> Collection[str]:
    limit = parse_duration(config.give_up_after)
    return [key for key, each in parcels.items() if (now - each.begun).total_seconds() > limit]


def _written(
    notices: Notices, outcome: Outcome, parcels: Sequence[Parcel], who: str, now: datetime, failed: str
) -> Notices:
    entry = Delivery(
        at=now,
        channel=outcome.channel,
        routes=tuple(dict.fromkeys(each.route for each in parcels)),
        events=tuple(dict.fromkeys(event.name for each in parcels for event in each.events))[:10],
        count=sum(each.count for each in parcels) if failed else sum(outcome.parcels.values()),
        title=outcome.title[:200],
        by=who,
        tries=max(each.tries for each in parcels) + (0 if failed else 1),
        failed=failed,
    )
    return replace(notices, history=(*notices.history, entry)[-MOST_HISTORY:])


def pause_s(failures: int) -> float:
    """Return the seconds until another try after so many failures in a row."""
    return float(min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures - 1, 20)))
