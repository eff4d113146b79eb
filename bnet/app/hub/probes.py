"""What a machine can do with a hub, tried out: each trial is a line with an answer and what to mend."""

import random
import uuid
from collections.abc import Mapping
from datetime import datetime

import msgspec

from bnet.errors import HubUnreachable
from bnet.model.hub import Settings
from bnet.model.server import Heartbeat
from bnet.ports.hub import Commit, Hub, Look, Stamp, Update
from bnet.ports.machine import Clock
from bnet.rules.clocks import TOLERANCE_S
from bnet.rules.leases import BEAT_SHARE

CRON_PERIOD = 60.0  # seconds
ROUNDS = 4  # round trips of a sync that has something to say: look, push, look, and a fetch before them
NOTICEABLE = 5.0  # seconds by which a clock may be off before it is worth a word


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """One trial.

    Attributes:
        name: one word for programs.
        ok: whether it went as it should; None where it could not be told.
        said: what was found, and what that means.
        mend: what to do, where it did not.
    """

    name: str
    ok: bool | None
    said: str
    mend: str = ""


class RoundTrips:
    """A hub whose looks are timed."""

    def __init__(self, hub: Hub, clock: Clock) -> None:
        """Keep the hub and what measures."""
        self.hub = hub
        self._clock = clock
        self.best = float("inf")  # seconds

    def look(self) -> Look:
        """Look, and take the time."""
        begun = self._clock.boot()
        look = self.hub.look()
        self.best = min(self.best, self._clock.boot() - begun)
        return look


def try_writing(trips: RoundTrips, clock: Clock, chance: random.Random, mend: str) -> list[Probe]:
    """Push a ref that no server can have, move it, try to move it wrongly, and delete it.

    Args:
        trips: the hub.
        clock: for the commits' time.
        chance: for the ref's name.
        mend: what to do if the hub takes no push from here.

    Raises:
        HubUnreachable: no answer came.
    """
    hub = trips.hub
    # A server's name begins with a letter or a digit, so that none is ever like this.
    name = f"_probe-{chance.getrandbits(48):012x}"
    ref = hub.telemetry_ref(name)
    first, second, third = hub.write([_commit(chance, clock) for _ in range(3)])
    said = hub.push([Update(ref, "", first)])
    if trips.look().telemetry.get(name) != first:
        return [Probe(name="write", ok=False, said=f"the hub does not take {ref}: {said}", mend=mend)]
    found = [Probe(name="write", ok=True, said="this machine may write to the hub")]
    try:
        found += _try_moving(trips, name, first, second, third)
    finally:
        found.append(_try_deleting(trips, name))
    return found


def _try_moving(trips: RoundTrips, name: str, first: str, second: str, third: str) -> list[Probe]:
    hub, ref = trips.hub, trips.hub.telemetry_ref(name)
    hub.push([Update(ref, second, third)])
    stale = trips.look().telemetry.get(name)
    kept = "the hub refuses a push that is based on what is no longer there"
    lost = "the hub took a push that was based on what is no longer there: two servers could take one job"
    lease = Probe(
        name="lease",
        ok=stale == first,
        said=kept if stale == first else lost,
        mend="" if stale == first else "use another host, or a Git server without a proxy in front",
    )
    said = hub.push([Update(ref, stale or "", second)])
    moved = trips.look().telemetry.get(name) == second
    heartbeats = Probe(
        name="telemetry",
        ok=moved,
        said="heartbeats can be begun anew" if moved else f"the hub does not let {ref} be begun anew: {said}",
        mend="" if moved else "allow forced pushes to refs under this prefix",
    )
    return [lease, heartbeats]


def _try_deleting(trips: RoundTrips, name: str) -> Probe:
    gone, said = delete_telemetry(trips.hub, name)
    return Probe(
        name="delete",
        ok=gone,
        said="refs can be deleted" if gone else f"a ref cannot be deleted: {said}",
        mend=""
        if gone
        else f"allow refs under {trips.hub.telemetry_prefix} to be deleted; this one is left there",
    )


def delete_telemetry(hub: Hub, name: str, *, tries: int = 4) -> tuple[bool, str]:
    """Delete a telemetry ref; tell whether it is gone, and what was said last."""
    said: str | None = ""
    for _ in range(tries):
        tip = hub.look().telemetry.get(name)
        if tip is None:
            return True, said or ""
        said = hub.push([Update(hub.telemetry_ref(name), tip, "")])
    return name not in hub.look().telemetry, said or ""


def _commit(chance: random.Random, clock: Clock) -> Commit:
    nonce = uuid.UUID(int=chance.getrandbits(128)).hex
    return Commit(
        parent=None, files={}, message=f"probe {nonce}\n", author="probe", at=clock.now(), kind="probe"
    )


def compare_clocks(
    now: datetime, told: datetime | None, stamp: Stamp | None, beats: Mapping[str, Heartbeat]
) -> Probe:
    """Say how far this machine's clock is off, as far as that shows.

    Args:
        now: by this machine, when it was asked.
        told: by the hub's HTTP server at that moment, if it has one.
        stamp: the newest transaction.
        beats: server -> its newest heartbeat.
    """
    if told is not None:
        ahead, who = (told - now).total_seconds(), "the hub's server"
    else:
        # What was written earlier proves nothing but this: it cannot have been written later than now.
        dates = [] if stamp is None else [(stamp.at, stamp.actor)]
        dates += [(beat.at, name) for name, beat in beats.items()]
        newest, who = max(dates, default=(now, ""))
        ahead = (newest - now).total_seconds()
        if ahead < NOTICEABLE:
            unseen = "nothing on the hub is dated later than this machine's clock"
            return Probe(name="clock", ok=True, said=unseen)
    if abs(ahead) < NOTICEABLE:
        return Probe(name="clock", ok=True, said=f"this machine's clock agrees with {who}")
    word = f"this machine's clock is {abs(ahead):.0f} s {'behind' if ahead > 0 else 'ahead of'} {who}"
    if abs(ahead) <= TOLERANCE_S:
        return Probe(name="clock", ok=True, said=f"{word}, which does no harm")
    return Probe(
        name="clock",
        ok=False,
        said=f"{word}: until it is set, nothing that depends on the time of day is decided here",
        mend="set the clock, or let it be set: `timedatectl set-ntp true`",
    )


def judge_pace(trip: float, settings: Settings, ttl: float, *, by_cron: bool) -> Probe:
    """Say whether the network's intervals suit the way to the hub.

    Args:
        trip: seconds for one round trip.
        settings: the hub's.
        ttl: seconds that are in force.
        by_cron: this machine will look once a minute.
    """
    said = f"one round trip takes {trip * 1000:.0f} ms, a sync about {trip * ROUNDS:.1f} s"
    least = 10 * ROUNDS * trip
    if by_cron:
        least = max(least, CRON_PERIOD / BEAT_SHARE)
    if ttl < least:
        return Probe(
            name="pace",
            ok=False,
            said=f"{said}; claims are honoured for {ttl:.0f} s unseen, which is too short"
            + (" for a server that looks once a minute" if by_cron else " for that"),
            mend=f"set `ttl: {least:.0f}` in coordination/hub.yaml"
            + (", or run `bnet agent` instead of cron" if by_cron else ""),
        )
    slow = trip * ROUNDS > settings.intervals.agent
    advice = f"; an agent does well with `--interval {max(1, round(trip * ROUNDS))}`" if slow else ""
    return Probe(name="pace", ok=True, said=said + advice)


def heartbeats_for_clock(hub: Hub, look: Look, names: list[str]) -> dict[str, Heartbeat]:
    """Return some servers' heartbeats; without them if they cannot be had."""
    from bnet.app.told.overview import heartbeats

    try:
        return heartbeats(hub, look, names)
    except HubUnreachable:
        return {}
