"""What waits in the outbox and nobody is to hear any more."""

from datetime import datetime

from msgspec.structs import replace

from bnet.codec.notifications import urls_of
from bnet.model.notices import Delivery, Event, Notices, Parcel
from bnet.model.notify import Notifications
from bnet.notify.outbox import MOST_HISTORY
from bnet.notify.routes import hushed


def swept(notices: Notices, config: Notifications, now: datetime) -> Notices:
    """Return it without what nobody is to hear any more: silenced or of no interest since, or for no channel.

    A trouble of which nobody has heard then is as if it had not been found: if it still is so later, it is told.
    """
    outbox, history = {}, list(notices.history)
    for key, parcel in notices.outbox.items():
        channel = config.channels.get(parcel.channel)
        heard = tuple(
            each
            for each in parcel.events
            if each.action == "resolve"
            or not (_is_acked(notices, each) or hushed(each, config, notices, now))
        )
        over = parcel.step and parcel.events[0].key not in notices.alerts
        if channel is not None and parcel.left:
            over = over or min(parcel.left) >= len(urls_of(channel))  # people took those out that failed
        if not heard or over:
            continue
        if channel is None or not channel.enabled:
            why = "the channel is off" if channel else "there is no such channel any more"
            history.append(_given_up(parcel, why, now))
        else:
            gone = len(parcel.events) - len(heard)
            outbox[key] = replace(parcel, events=heard, count=parcel.count - gone) if gone else parcel
    if outbox == notices.outbox:
        return notices
    kept = {each.key for parcel in outbox.values() for each in parcel.events}
    unheard = {each.key for parcel in notices.outbox.values() for each in parcel.events} - kept
    alerts = {
        key: each
        for key, each in notices.alerts.items()
        if key not in unheard or each.told_at is not None or each.acked_by
    }
    return replace(notices, outbox=outbox, alerts=alerts, history=tuple(history[-MOST_HISTORY:]))


def _given_up(parcel: Parcel, why: str, now: datetime) -> Delivery:
    return Delivery(
        at=now,
        channel=parcel.channel,
        routes=(parcel.route,),
        events=tuple(dict.fromkeys(each.name for each in parcel.events))[:10],
        count=parcel.count,
        title=parcel.events[0].text[:200],
        by="",
        tries=parcel.tries,
        failed=why,
    )


def _is_acked(notices: Notices, event: Event) -> bool:
    alert = notices.alerts.get(event.key)
    return alert is not None and bool(alert.acked_by)
