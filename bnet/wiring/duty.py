"""A server on duty: this machine as a `Service` needs it, with the adapters that its rounds work through."""

import sys
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from bnet import idle
from bnet.app.locks.hold import HOLDS
from bnet.app.lookup import Lookup
from bnet.app.server.cycle import Node
from bnet.app.server.intent import BUILT, Builder
from bnet.app.server.supervise import run_environment
from bnet.app.submit import Outbox
from bnet.errors import BnetError
from bnet.files import read_json, read_or_none, write_atomic, write_json
from bnet.host.clock import zones_stamp
from bnet.host.notes import LocalNotes
from bnet.host.runs import LocalRuns
from bnet.host.station import Station
from bnet.model.server import Identity
from bnet.ports.hub import Update
from bnet.ports.machine import Clock
from bnet.rules.locks import leases_of
from bnet.wiring.machine import Machine
from bnet.wiring.steward import Office

LEFTOVERS_EVERY = 3600.0  # seconds between two looks at what nobody needs any more on the hub
SUPERVISOR = Path(__file__).parents[1] / "runners" / "supervisor"


class Duty:
    """The `Host` of a `Service`."""

    def __init__(self, machine: Machine) -> None:
        """Keep the machine; nothing is opened yet.

        Raises:
            BnetError: it has joined no network.
        """
        if machine.identity is None:
            raise BnetError("this machine has not joined a network", hint="bnet join HUB --name NAME")
        self.machine = machine
        self.identity: Identity = machine.identity

    @property
    def clock(self) -> Clock:
        """The machine's clock."""
        return self.machine.clock

    @cached_property
    def station(self) -> Station:
        """This server's machine at work."""
        return Station(self.machine.home, self.clock)

    def enter(self) -> bool:
        """Begin to work; clear what a killed sync left behind. False if another process works already."""
        if not self.station.enter():
            return False
        with self.machine.mirror_lock:
            self.machine.hub(self.identity.hub).sweep()
        return True

    def leave(self) -> None:
        """End the work."""
        self.station.leave()

    def log(self, text: str) -> None:
        """Write a line into this server's log."""
        self.station.log(text)

    def stop_asked(self) -> bool:
        """Tell whether this process was asked to end."""
        return self.station.stop_asked()

    def keep_snapshot(self, node: Node) -> None:
        """Keep the ledger's snapshot for the next process."""
        self.machine.keep(node.identity.hub, node.ledger)
        if node.agenda.moved:
            write_atomic(self._agenda_path, node.agenda.freeze(zones_stamp()), durable=False)
            node.agenda.moved = False

    @property
    def _agenda_path(self) -> Path:
        return self.machine.home.hub_dir(self.identity.hub) / "agenda"

    def rest(self, node: Node, seconds: float | None) -> None:
        """Write down that the next sync has nothing to do before so many seconds are over, if that is so."""
        path = Path(idle.path_of(str(self.machine.home.path)))
        hub = self.machine.hub(node.identity.hub)
        # What was decided on and what was seen last may differ: an answer was lost, and others went on.
        if seconds is None or f"{node.ledger.state.tip}\t{hub.ledger_ref}\n" not in hub.last_told:
            path.unlink(missing_ok=True)
            return
        hub = self.machine.hub(node.identity.hub)
        argv, env = hub.question()
        until = self.clock.boot() + seconds
        noted = idle.note(argv, env, hub.last_told, until, self.clock.boot_id(), str(self.machine.home.path))
        write_atomic(path, noted, durable=False, mode=0o600)

    @cached_property
    def office(self) -> Office:
        """What this server does as the steward."""
        return Office(self.machine, self.identity, self.station)

    def hand_over(self, node: Node) -> float | None:
        """Start the steward's process where there are chores that nobody does."""
        return self.office.hand_over(node.ledger.state)

    def sweep(self, node: Node) -> None:
        """Remove what nobody needs any more."""
        retention = node.ledger.state.settings.retention
        self.station.sweep_runs(retention)
        if self.station.is_due("sources", LEFTOVERS_EVERY):
            try:
                self._sweep_copies(node)
                self._sweep_sources(node, retention.sources)
                self._sweep_holds(node)
            except BnetError as error:
                self.log(f"what nobody needs stays until the next look: {error}")

    def _sweep_copies(self, node: Node) -> None:
        """Remove the copies of repositories that no source names any more and no workspace borrows from."""
        from bnet.wiring.upstreams import upstreams

        if self.machine.home.repositories.is_dir():
            named = {each.asked.repository for each in node.ledger.state.sources.values()}
            upstreams(self.machine, lock_patience=0.0).sweep(named)

    def _sweep_sources(self, node: Node, keep: float) -> None:
        """Delete the snapshots on the hub that no open job names; when each was first seen is kept on disk."""
        from bnet.gitstore import sources

        url = node.identity.hub
        path = self.machine.home.hub_dir(url) / "sources.json"
        seen = read_json(path) or {}
        now = self.clock.now().timestamp()
        refs = sources.on_hub(url, [sources.SNAPSHOTS + "*"], self.machine.git_env)
        write_json(path, {ref: seen.get(ref, now) for ref in refs}, durable=False)
        gone = sources.outdated(refs, named=node.snapshots_named(), first_seen=seen, now=now, keep=keep)
        if gone:
            sources.delete(url, gone, self.machine.git_env)

    def _sweep_holds(self, node: Node) -> None:
        """Delete the signs of life of those who hold nothing and wait for nothing any more: they were killed."""
        hub = node.ledger.hub
        needed = {lease.server for lease in leases_of(node.ledger.state.locks)}
        told = hub.look().telemetry
        left = [name for name in told if name.startswith(HOLDS) and name not in needed]
        if left:
            hub.push([Update(hub.telemetry_ref(name), told[name], "") for name in left])

    def outbox(self) -> Outbox:
        """Return the submissions that wait."""
        return self.machine.outbox()

    def node(self) -> Node:
        """Return this server as a part of the network."""
        machine = self.machine
        ledger = machine.ledger(self.identity.hub, self.identity.name)
        node = Node(
            self.identity,
            ledger,
            LocalRuns(
                machine.home.runs,
                SUPERVISOR,
                BUILT,
                machine.clock,
                self._run_environment,
                ("bnet.wiring.keeper", machine.own_environment),
            ),
            LocalNotes(machine.home.path),
            machine.clock,
            Lookup(ledger.hub, machine.repositories.resolve),
            _digest,
            machine.home.runs,
            Builder(
                (sys.executable, "-m", "bnet"),
                str(machine.home.cache),
                str(machine.home.path),
                str(machine.home.repositories),
            ),
            machine.post(self.identity.hub),
            lambda state: machine.durations(self.identity.hub, state),
        )
        if kept := read_or_none(self._agenda_path):
            node.agenda.thaw(kept, zones_stamp())
        return node

    def _run_environment(self, asked: tuple[str, ...]) -> Mapping[str, str]:
        # What begins with BNET_ is this server's own, such as the tokens of forges: no job gets it.
        secrets = {
            name: value for name, value in self.machine.secrets().items() if not name.startswith("BNET_")
        }
        return run_environment(self.machine.env, self.identity.path, secrets, asked)


def _digest(data: bytes) -> str:
    import blake3

    return blake3.blake3(data).hexdigest()
