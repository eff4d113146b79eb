"""Leaving a network, and taking out of it a machine that is gone."""

from collections.abc import Collection, Mapping

import msgspec

from bnet.app.hub.probes import delete_telemetry
from bnet.app.ledger import Ledger
from bnet.app.server.cycle import Node
from bnet.app.server.silence import Progress, end_claims, wait_for_silence
from bnet.app.submit import Outbox, deliver
from bnet.errors import BnetError
from bnet.model.run import RunFact
from bnet.model.state import State
from bnet.rules import servers
from bnet.rules.keeping import promised_on
from bnet.rules.transaction import Transaction

PATIENCE = 20.0  # seconds for the runs to stop: more than the pause between TERM and KILL
POLL = 0.1


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """How it went.

    Attributes:
        registered: it was in the network until now.
        ended: the jobs that were taken from it, and go to others where their retry policy says so.
        telemetry: its ref is gone.
        notes: what a person should know besides.
    """

    registered: bool
    ended: tuple[int, ...]
    telemetry: bool = True
    notes: tuple[str, ...] = ()


def leave(node: Node, outbox: Outbox, *, by: str, force: bool) -> Left:
    """Take this machine out of its network; call it with the host's sync lock held.

    Args:
        node: this server.
        outbox: delivered first, for nobody will do it later.
        by: who asked.
        force: end what runs here.

    Raises:
        BnetError: jobs run here.
        HubUnreachable: no answer; nothing is gone, and it can be tried again.
    """
    ledger, me = node.ledger, node.identity
    ledger.refresh()
    there = ledger.state.servers.get(me.name)
    mine = there is not None and there.instance == me.instance
    held = [
        job.number
        for job in ledger.state.jobs.values()
        if job.claim is not None and job.result is None and job.claim.instance == me.instance
    ]
    if held and not force:
        raise _busy(me.name, held)
    notes = deliver(ledger, node.lookup, outbox, me.hub)
    notes += _stop_runs(node) if force else []
    landed = _dismiss(ledger, me.name, me.instance, by, "leave", f"{me.name} left the network")
    gone = True
    if mine or there is None:
        notes += _went_with_it(ledger.state, me.name)
        gone = delete_telemetry(ledger.hub, me.name)[0]
    _settle_runs(node)
    return msgspec.structs.replace(landed, telemetry=gone, notes=tuple(notes))


def _busy(name: str, held: list[int]) -> BnetError:
    numbers = " ".join(f"#{number}" for number in held)
    return BnetError(
        f"{name} still runs {numbers}",
        hint=f"`bnet server drain {name}` and wait for {'them' if len(held) > 1 else 'it'}; "
        "or --force ends what runs here and gives it to others",
    )


def remove(ledger: Ledger, name: str, *, by: str, force: bool, progress: Progress) -> Left:
    """Take a machine out of the network that cannot do so itself.

    Args:
        ledger: of the network.
        name: the server's.
        by: who asked.
        force: do not wait to see that it is silent.
        progress: told how the wait goes.

    Raises:
        Taken: it lives.
        BnetError: there is no such server.
    """
    ledger.refresh()
    there = ledger.state.servers.get(name)
    if there is None:
        known = ", ".join(sorted(ledger.state.servers)) or "none"
        raise BnetError(f"there is no server {name}", hint=f"the servers of this network: {known}")
    silent = None
    if not force:
        silent = wait_for_silence(ledger.hub, ledger.clock, ledger.state, name, progress)
        ledger.refresh()
    why = f"{name} was removed from the network by {by}"
    left = _dismiss(ledger, name, there.instance, by, "remove", why, silent)
    notes = tuple(_went_with_it(ledger.state, name))
    return msgspec.structs.replace(left, telemetry=delete_telemetry(ledger.hub, name)[0], notes=notes)


def _went_with_it(state: State, name: str) -> list[str]:
    """Say which artifacts that somebody counts on go with a server's ref."""
    numbers = " ".join(f"#{number}" for number in promised_on(state, name))
    told = f"with its ref go the artifacts of {numbers}, which releases, environments or open jobs name"
    return [told] if numbers else []


def _dismiss(
    ledger: Ledger,
    name: str,
    instance: str,
    by: str,
    verb: str,
    why: str,
    silent: Collection[str] | None = None,
) -> Left:
    ended: list[int] = []

    def decide(tx: Transaction) -> None:
        ended.clear()
        server = tx.servers.get(name)
        if server is None or server.instance != instance:
            return
        ended.extend(end_claims(tx, name, why, silent=silent))
        tx.apply(msgspec.structs.replace(servers.dismiss(server, by=by, holds=0), verb=verb))

    landed = ledger.transact(decide)
    return Left(registered=landed.commit is not None, ended=tuple(ended))


def _stop_runs(node: Node) -> list[str]:
    """End what runs here, before others may begin with it; say what did not end in time."""
    alive = [fact for fact in node.runs.collect() if fact.phase == "alive"]
    for fact in alive:
        node.runs.stop(fact.key, "lease", "the server leaves the network")
    until = node.clock.boot() + PATIENCE
    while alive and node.clock.boot() < until:
        node.clock.sleep(POLL)
        still = _alive(node)
        alive = [fact for fact in alive if fact.key in still]
    return [f"#{fact.intent.job} did not end within {PATIENCE:.0f} s" for fact in alive]


def _alive(node: Node) -> Mapping[str, RunFact]:
    return {fact.key: fact for fact in node.runs.collect() if fact.phase == "alive"}


def _settle_runs(node: Node) -> None:
    for fact in node.runs.collect():
        if fact.phase == "intended":
            node.runs.forget(fact.key)
        elif fact.phase != "alive":
            node.runs.settle(fact.key, "the server left")
