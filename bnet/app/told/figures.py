"""What servers have told of their figures, hour by hour."""

from collections.abc import Iterable
from datetime import timedelta

from bnet.codec.documents import Unreadable, decode
from bnet.errors import BnetError
from bnet.model.rollup import Hour, Hours
from bnet.ports.hub import Hub, Look
from bnet.rules import rollup

LARGEST = 1_000_000  # bytes of a day: what is more was not put there by bnet


def hours_of(files: Iterable[bytes]) -> list[Hour]:
    """Return the hours that files of days tell; a file that cannot be read is passed over."""
    found: list[Hour] = []
    for data in files:
        try:
            found += filter(_is_sane, decode(Hours, data).hours) if len(data) <= LARGEST else ()
        except Unreadable:
            continue
    return found


def _is_sane(each: Hour) -> bool:
    """Tell whether it is an hour, and one that can be reckoned with: anybody may have put anything there."""
    return (
        each.hour.minute == each.hour.second == each.hour.microsecond == 0 and 2000 <= each.hour.year <= 9000
    )


def hours_told(hub: Hub, look: Look, server: str, span: timedelta) -> list[Hour]:
    """Return the hours of the last so long that a server has told of, the oldest first.

    Raises:
        HubUnreachable: no answer.
        BnetError: it has told nothing at all.
    """
    tip = look.telemetry.get(server)
    if tip is None:
        raise BnetError(
            f"{server} has told nothing of itself yet",
            hint="`bnet server list` shows the servers of the network",
        )
    with hub.exclusive():
        hub.fetch_telemetry([server])
        paths = [path for path in hub.names(tip, rollup.FOLDER) if rollup.day_of(path)]
        return rollup.since(hours_of(hub.read(tip, sorted(paths)).values()), span)
