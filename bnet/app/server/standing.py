"""Who a server is to the network, and whether it still is: replaced, removed and copied machines end here."""

from collections.abc import Mapping
from datetime import datetime

from bnet import __version__
from bnet.app.server.telemetry import recovered, settled
from bnet.codec.documents import Unreadable, decode
from bnet.errors import HubUnreachable, Taken
from bnet.model.hub import FORMAT
from bnet.model.server import Heartbeat, Identity, Server
from bnet.model.state import State
from bnet.model.telemetry import Sent
from bnet.ports.hub import Hub, Look
from bnet.ports.machine import Clock, Notes
from bnet.rules import presence
from bnet.rules.leases import Lease, lapsed, observe


def registration(me: Identity, now: datetime) -> Server:
    """Return how a server describes itself."""
    return Server(
        name=me.name,
        instance=me.instance,
        joined_at=now,
        slots=me.slots,
        labels=me.labels,
        accept=me.accept,
        formats=FORMAT,
        version=__version__,
    )


def ttl_of(state: State) -> float:
    """Return the TTL in seconds that a claim made now gets."""
    return presence.ttl_of(state.settings, len(state.servers))


def alone_after(state: State) -> float:
    """Return for how many seconds a server's ref has to lie still before nobody else can be writing there.

    An idle twin beats far less often than a TTL, and two that take turns would end each other's runs.
    """
    return presence.silent_after(state.settings, len(state.servers), holds=False)


def check_registration(me: Identity, servers: Mapping[str, Server]) -> None:
    """See that a server is still registered.

    Raises:
        Taken: it was removed, or another machine has its name.
    """
    mine = servers.get(me.name)
    if mine is None:
        raise Taken(
            f"server {me.name} is not in the network any more",
            hint="join again with `bnet join`, or remove this server's cron entry",
        )
    if mine.instance != me.instance:
        raise Taken(
            f"another machine has joined as {me.name}; this one does nothing more under that name",
            hint="join under another --name",
        )


class Telemetry:
    """A server's hold of its own telemetry ref, which nobody else may write."""

    def __init__(self, me: Identity, hub: Hub, notes: Notes, clock: Clock) -> None:
        """Keep whose ref it is, and where what was sent is written down."""
        self._me = me
        self._hub = hub
        self._notes = notes
        self._clock = clock

    def sent(self, look: Look, watch_s: float) -> Sent:
        """Return what the ref holds of ours.

        A commit that we did not write is ours all the same if it was made on this very boot (our notes were
        deleted), or if it does not move while we watch it (nobody else is there). Otherwise it is
        of a copy of this machine, which has our identity too.

        Args:
            look: what the hub holds.
            watch_s: for how long to watch.

        Raises:
            Taken: another machine writes there.
        """
        tip = look.telemetry.get(self._me.name, "")
        sent = settled(self._notes.sent(), tip)
        if sent is not None:
            return sent
        if self._made_on_this_boot(tip) or self._unmoved(look, watch_s):
            return recovered(tip, self._hub.names(tip, "runs/"), self._clock.now())
        raise Taken(
            f"another machine reports as {self._me.name} with this one's identity: one is a copy of the other",
            hint="on the copy, delete server.yaml and `bnet join` under a name of its own; "
            f"if there is no copy, this server goes on by itself after {watch_s:.0f} s",
        )

    def _made_on_this_boot(self, tip: str) -> bool:
        try:
            self._hub.fetch_telemetry([self._me.name])
        except HubUnreachable:
            return False
        data = self._hub.read(tip, ["heartbeat.json"]).get("heartbeat.json", b"")
        try:
            seen = decode(Heartbeat, data)
        except Unreadable:
            return False
        return seen.boot_id == self._clock.boot_id() and seen.instance == self._me.instance

    def _unmoved(self, look: Look, watch_s: float) -> bool:
        alone = [Lease(run=f"self:{self._me.name}", server=self._me.name, ttl_s=watch_s)]
        now, boot_id = self._clock.boot(), self._clock.boot_id()
        observed = observe(self._notes.observed(), alone, look.telemetry, boot_id=boot_id, now=now)
        self._notes.keep_observed(observed)
        return bool(lapsed(observed, alone))
