"""Joining a network: try what this machine can do with the hub, then enter it under a name."""

import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple, Protocol

import msgspec

from bnet.app.hub.probes import (
    Probe,
    RoundTrips,
    compare_clocks,
    delete_telemetry,
    heartbeats_for_clock,
    judge_pace,
    try_writing,
)
from bnet.app.ledger import Landed, Ledger
from bnet.app.server.silence import Progress, end_claims, wait_for_silence
from bnet.app.server.standing import registration
from bnet.errors import BnetError, HubUnreachable, Invalid, RefusedByPolicy, Taken
from bnet.model.base import is_server_name
from bnet.model.server import Accept, Identity, Server
from bnet.model.state import State
from bnet.ports.hub import Look
from bnet.rules import servers
from bnet.rules.presence import ttl_of
from bnet.rules.transaction import Transaction

CLOCK_WITNESSES = 5  # servers whose heartbeats are fetched to compare clocks

FATAL = {
    "write": "the hub takes no push from this machine",
    "lease": "the hub takes a push that is based on what is no longer there",
}

Told = Callable[[Probe], None]


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """What the person who lets a machine join has said; None and empty mean nothing was.

    Attributes:
        hub, branch: the ledger.
        name: the server's.
        slots: how many jobs it runs at a time.
        labels: what jobs choose it by.
        queues, submitters: whose work it takes.
        path: the PATH that its jobs get.
    """

    hub: str
    branch: str
    name: str
    slots: int | None = None
    labels: Mapping[str, str] = {}
    queues: tuple[str, ...] = ()
    submitters: tuple[str, ...] = ()
    path: str = ""


class Host(Protocol):
    """What joining needs of this machine."""

    def traits(self) -> tuple[int, Mapping[str, str]]:
        """Return how many jobs it can run at a time, and its labels."""

    def keep_identity(self, identity: Identity) -> None:
        """Write `server.yaml`."""

    def drop_identity(self) -> None:
        """Remove `server.yaml`."""


class Joined(msgspec.Struct, frozen=True, kw_only=True):
    """How it went.

    Attributes:
        identity: who this machine is now.
        verb: `join`, `update`, `replace`, or `keep` where all was so already.
        ended: the jobs that were taken from the server whose name this is now.
    """

    identity: Identity
    verb: str
    ended: tuple[int, ...] = ()


def check_home(before: Identity | None, asked: Application) -> None:
    """Refuse what this BNET_HOME cannot become.

    Raises:
        BnetError: it is another server, or the name is none.
    """
    if not is_server_name(asked.name):
        raise Invalid(
            f"{asked.name!r} is no name for a server",
            hint="use up to 64 lower case letters, digits, single '.', '_' and '-', as in --name build1",
        )
    if before is not None and (before.hub, before.name) != (asked.hub, asked.name):
        raise BnetError(
            f"here is already server {before.name} of {before.hub}",
            hint="one BNET_HOME is one server: set BNET_HOME to another directory for a second one, or "
            "`bnet server leave` first (if only the hub has moved, change `hub:` in server.yaml)",
        )


def identify(before: Identity | None, asked: Application, slots: int, labels: Mapping[str, str]) -> Identity:
    """Return who this machine shall be: what was said now, else what was said before, else what it is.

    Args:
        before: who it is already, under the same name and in the same network.
        asked: what was said.
        slots: how many jobs it can run at a time.
        labels: that it gets unless it is told otherwise.
    """
    old = before or Identity(
        hub=asked.hub,
        branch=asked.branch,
        name=asked.name,
        instance=uuid.uuid4().hex,
        slots=slots,
        labels=dict(labels),
    )
    accept = Accept(
        queues=asked.queues or old.accept.queues, submitters=asked.submitters or old.accept.submitters
    )
    return msgspec.structs.replace(
        old,
        branch=asked.branch,
        slots=old.slots if asked.slots is None else asked.slots,
        labels={**labels, **asked.labels} if asked.labels else old.labels,
        accept=accept,
        path=asked.path or old.path,
    )


def read_hub(ledger: Ledger, trips: RoundTrips, told: Told, advice: str) -> Look:
    """Read the ledger, as the first thing that is tried.

    Args:
        ledger: of the hub.
        trips: takes the time of round trips.
        told: called with each answer.
        advice: what to do if there is no answer.

    Raises:
        HubUnreachable, BnetError: it cannot be read; without that, joining makes no sense.
    """
    try:
        look = trips.look()
    except HubUnreachable as error:
        told(Probe(name="read", ok=False, said="this machine cannot read the hub"))
        raise HubUnreachable(error.message, hint=error.hint or advice) from None
    told(Probe(name="read", ok=True, said="this machine may read the hub"))
    try:
        look = ledger.refresh(look)
    except BnetError:
        told(Probe(name="ledger", ok=False, said="it holds no ledger that can be used here"))
        raise
    head = ledger.state.head
    told(Probe(name="ledger", ok=True, said=f"it holds a ledger of format {head.format}, at {head.seq}"))
    return look


def check_name(state: State, before: Identity | None, name: str) -> None:
    """Refuse a name that another server has.

    Raises:
        Taken: it has.
    """
    there = state.servers.get(name)
    if there is not None and (before is None or before.instance != there.instance):
        raise Taken(
            f"the name {name} belongs to another server (instance {there.instance[:8]})",
            hint="choose another --name; or, if that machine is gone, take the name over with --replace",
        )


def try_hub(
    ledger: Ledger,
    trips: RoundTrips,
    look: Look,
    told: Told,
    *,
    mend: str,
    by_cron: bool,
    clock_of_hub: Callable[[], datetime | None],
) -> None:
    """Try what this machine can do with the hub, besides reading it.

    Args:
        ledger: of the hub, up to date.
        trips: takes the time of round trips.
        look: the newest one.
        told: called with each answer as it comes.
        mend: what to do if the hub takes no push.
        by_cron: this machine will look once a minute.
        clock_of_hub: asks the hub's server for the time; None if it has none to ask.

    Raises:
        HubUnreachable, RefusedByPolicy: without what failed, joining makes no sense.
    """
    for probe in try_writing(trips, ledger.clock, ledger.chance, mend):
        fatal = probe.name in ("write", "lease") and not probe.ok
        told(msgspec.structs.replace(probe, said=FATAL[probe.name], mend="") if fatal else probe)
        if fatal:
            raise RefusedByPolicy(probe.said, hint=probe.mend)
    asked = ledger.clock.now()
    hub_time = clock_of_hub()
    names = sorted(ledger.state.servers)[:CLOCK_WITNESSES] if hub_time is None else []
    beats = heartbeats_for_clock(ledger.hub, look, names)
    told(compare_clocks(asked, hub_time, ledger.snapshot.stamp, beats))
    settings = ledger.state.settings
    ttl = ttl_of(settings, len(ledger.state.servers) + 1)
    told(judge_pace(trips.best, settings, ttl, by_cron=by_cron))


def join(
    ledger: Ledger,
    host: Host,
    before: Identity | None,
    asked: Application,
    *,
    replace: bool,
    progress: Progress,
) -> Joined:
    """Enter this machine into the network, or bring its entry up to date.

    Args:
        ledger: up to date.
        host: this machine.
        before: who it is already.
        asked: what was said.
        replace: take the name over from a server that is seen to be silent.
        progress: told how that goes.

    Raises:
        Taken: the name is another's.
        HubUnreachable: no answer; joining again finds out, or completes it.
        RefusedByPolicy: the hub does not take it.
    """
    identity = identify(before, asked, *host.traits())
    me = registration(identity, ledger.clock.now())
    replaced = _silent_instance(ledger, me, replace, progress)
    ended: list[int] = []

    def decide(tx: Transaction) -> None:
        there = tx.servers.get(me.name)
        gone = replaced is not None and there is not None and there.instance == replaced.instance
        change = servers.register(me, there, replace_other=gone)
        ended.clear()
        if replaced is not None:
            why = f"{me.name} was replaced"
            ended.extend(end_claims(tx, me.name, why, but=me.instance, silent=replaced.runs))
        if change.servers != (there,):
            tx.apply(change)

    landed = _transact(ledger, host, before, identity, decide)
    verb = next((each.verb for each in landed.tx.changes if each.target == me.name), "keep")
    if verb in ("join", "replace"):
        # Left behind by whoever had the name: this server's first heartbeat must not be taken for a clone's.
        delete_telemetry(ledger.hub, me.name)
    return Joined(identity=identity, verb=verb, ended=tuple(ended))


class Silent(NamedTuple):
    """A server that was seen to be silent: its instance, and the runs that it held."""

    instance: str
    runs: frozenset[str]


def _silent_instance(ledger: Ledger, me: Server, replace: bool, progress: Progress) -> Silent | None:
    """Return who may be replaced; None where nobody has to be."""
    state: State = ledger.state
    there = state.servers.get(me.name)
    if not replace or there is None or there.instance == me.instance:
        return None
    runs = wait_for_silence(ledger.hub, ledger.clock, state, me.name, progress)
    ledger.refresh()
    return Silent(there.instance, runs)


def _transact(
    ledger: Ledger,
    host: Host,
    before: Identity | None,
    identity: Identity,
    decide: Callable[[Transaction], None],
) -> Landed:
    """Register, with `server.yaml` on disk before the push: who forgot his instance cannot come back."""
    try:
        landed = ledger.transact(decide, prepare=lambda _: host.keep_identity(identity))
    except (Taken, RefusedByPolicy):
        if before is None:
            host.drop_identity()
        else:
            host.keep_identity(before)
        raise
    host.keep_identity(identity)
    return landed
