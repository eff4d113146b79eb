"""A trial of channels from this machine."""

from datetime import UTC
from typing import Any

from bnet.cli.context import App
from bnet.cli.render import note
from bnet.codec.notifications import named, urls_of
from bnet.errors import BnetError
from bnet.model.notices import Event
from bnet.notify.outbox import Message
from bnet.notify.wording import worded


def tried(app: App, words: tuple[str, ...]) -> list[dict[str, Any]]:
    """Send a message to each channel that is meant, and return how that went.

    Raises:
        BnetError: there is no such channel, or none at all.
    """
    from bnet.wiring.notify import messenger

    state = app.read().state
    config = state.notifications
    _complain(app)
    known = {*config.channels, *(tag for each in config.channels.values() for tag in each.tags)}
    unknown = [each for each in words if each not in known]
    if unknown or not config.channels:
        raise BnetError(
            f"no channel has the name or tag {unknown[0]}" if unknown else "there are no channels yet",
            hint="coordination/notifications.yaml on the hub's branch names them; docs/notifications.md shows how",
        )
    sender = messenger(app.machine)
    told = []
    for name in named(config, words or tuple(config.channels)):
        channel = config.channels[name]
        every = tuple(range(len(urls_of(channel))))
        lacks = sender.lacks(channel)
        failed = (
            {}
            if lacks
            else sender.send(channel, every, *worded(_message(app, name), channel, state.settings.name))
        )
        reason = (
            f"{', '.join(lacks)} is not set here; put it into {app.machine.home.secrets_env}" if lacks else ""
        )
        if failed:
            places = [
                f"address {place + 1} {why}" if len(every) > 1 else f"it {why}"
                for place, why in failed.items()
            ]
            reason = "; ".join(places)
        told.append({"channel": name, "reason": reason})
    return told


def _complain(app: App) -> None:
    """Say that the file on the hub cannot be read: what was in force before is tried."""
    for each in app.ledger.state.problems:
        if each.path.endswith("/notifications.yaml"):
            note(f"bnet: {each.message}; what was in force before is tried")


def _message(app: App, channel: str) -> Message:
    at = app.machine.clock.now().astimezone(UTC)
    event = Event(name="test", at=at, priority="low", text=f"{app.who} tries channel {channel}", key="test")
    return Message(channel=channel, parcels={}, routes=("test",), events=(event,), count=1, urls=())
