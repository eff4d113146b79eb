"""This server as the steward: which chores there are, and the process that does them."""

import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from bnet.app.artifacts import clearing
from bnet.app.ledger import Ledger
from bnet.app.steward.office import GaveUp, Steward, Task, holder_of, is_wanted
from bnet.errors import BnetError, HubUnreachable
from bnet.files import read_json, read_or_none, write_atomic, write_json
from bnet.host.lock import HostLock
from bnet.host.notes import LocalNotes
from bnet.host.processes import Sessions
from bnet.host.station import Station
from bnet.model.server import Identity
from bnet.model.state import State
from bnet.rules.clocks import trusted
from bnet.wiring.machine import Machine
from bnet.wiring.stores import store_of, sweep_store

if TYPE_CHECKING:
    from bnet.app.steward.office import Chore
    from bnet.gitstore.mirrors import Mirrors

REST_S = 900.0  # seconds for which a server that gave up leaves the office to others
AGAIN_S = (
    60.0  # seconds after which a sync looks again whether the process that it started has come to anything
)
LOG = "steward.log"


class Office:
    """The steward's office, as this server holds it or could."""

    def __init__(self, machine: Machine, identity: Identity, station: Station) -> None:
        """Keep the machine; nothing is opened yet."""
        self._machine = machine
        self._identity = identity
        self._station = station
        self._sessions = Sessions()
        self._lock = HostLock(machine.home.steward_lock)

    def tasks(self, ledger: Ledger | None = None) -> tuple[Task, ...]:
        """Return the chores that there are.

        Args:
            ledger: what they work on; without it, they can be asked for but not begun.
        """

        def on(begin: "Callable[[Ledger], Chore]") -> "Callable[[], Chore]":
            def begun() -> "Chore":
                assert ledger is not None
                return begin(ledger)

            return begun

        return (
            Task("sources", lambda state: bool(state.sources or state.seen), on(self._polling)),
            Task("results", lambda state: bool(state.sources), on(self._results)),
            Task("notifications", lambda state: bool(state.notifications.routes), on(self._telling)),
            Task("reports", self._reports_due, on(self._reporting)),
            Task("store", lambda state: clearing.is_wanted(state, self._station.is_past), on(self._clearing)),
        )

    def _polling(self, ledger: Ledger) -> "Chore":
        from bnet.app.lookup import Lookup
        from bnet.app.steward.polling import Polling

        machine = self._machine
        lookup = Lookup(ledger.hub, machine.repositories.resolve)
        return Polling(ledger, self.mirrors(), machine.clock, lookup, self._identity.name)

    def _results(self, ledger: Ledger) -> "Chore":
        from bnet.app.steward.results import Results, Told
        from bnet.codec.documents import Unreadable, decode, encode
        from bnet.forges.statuses import ForgeStatuses

        machine = self._machine
        path = machine.home.hub_dir(self._identity.hub) / "told.json"
        try:
            told = decode(Told, read_or_none(path) or b"{}")
        except Unreadable:
            told = Told()
        return Results(
            ledger,
            self.mirrors(),
            ForgeStatuses(machine.secrets()),
            machine.clock,
            self._identity.name,
            told,
            lambda told: write_atomic(path, encode(told), durable=False),
        )

    def _telling(self, ledger: Ledger) -> "Chore":
        from bnet.wiring.notify import telling

        return telling(self._machine, self._identity.hub, self._identity.name, ledger)

    def _reports_due(self, state: State) -> bool:
        if not state.reports and not state.turns:
            return False
        from bnet.app.steward.reporting import is_wanted

        # What is due by the clock is for a server whose clock is right; another one will find it so too.
        sends = bool(state.notifications.channels)
        return self._trusts_clock() and is_wanted(state, self._machine.clock.now(), sends=sends)

    def _trusts_clock(self) -> bool:
        clock = self._machine.clock
        skews = LocalNotes(self._machine.home.path).observed().skews
        return trusted(skews, clock.now(), clock.boot())

    def _reporting(self, ledger: Ledger) -> "Chore":
        from bnet.app.steward.reporting import Reporting
        from bnet.wiring.notify import sender

        machine, url = self._machine, self._identity.hub
        return Reporting(
            ledger,
            lambda: machine.index(url),
            machine.clock,
            self._identity.name,
            sender(machine, ledger),
        )

    def _clearing(self, ledger: Ledger) -> "Chore":
        machine, url = self._machine, self._identity.hub
        return clearing.Clearing(
            ledger,
            self._identity.name,
            lambda state: store_of(state.settings),
            self._station.is_due,
            partial(sweep_store, machine, url),
        )

    def mirrors(self) -> "Mirrors":
        """Return this machine's copies of the repositories of sources."""
        from bnet.wiring.upstreams import upstreams

        return upstreams(self._machine)

    # -- from a sync

    def hand_over(self, state: State) -> float | None:
        """Start the steward's process, where there are chores that nobody does and this server may.

        Returns:
            In how many seconds it is worth another look; None if something else has to change first.
        """
        self._sessions.reap()
        me = state.servers.get(self._identity.name)
        if me is None or me.wanted != "active" or holder_of(state):
            return None
        if not is_wanted(self.tasks(), state):
            return self._until_report(state)
        resting = self._rests_s()
        if resting:
            return resting
        if self._lock.try_acquire():
            self._lock.release()
            self._start()
        return AGAIN_S

    def _until_report(self, state: State) -> float | None:
        """Return in how many seconds the next report comes."""
        if not state.reports:
            return None
        from bnet.rules.reports import rest_until_due

        return rest_until_due(state, self._machine.clock.now())

    def _start(self) -> None:
        machine = self._machine
        argv = [sys.executable, "-P", "-m", "bnet", "steward", "--detached"]
        try:
            self._sessions.start(argv, machine.own_environment(), machine.home.logs / "steward.err")
        except BnetError as error:
            self._station.log(f"no steward: {error}")

    # -- the process

    def serve(self, told: Callable[[str], object], *, once: bool) -> bool:
        """Be the steward as long as there is anything to do; False if this or another server is already.

        Raises:
            GaveUp: a chore failed three times; this server leaves it to others for a while.
            HubUnreachable: the hub does not answer.
        """
        if not self._lock.try_acquire():
            return False
        ledger = self._machine.ledger(self._identity.hub, self._identity.name)

        def both(text: str) -> None:
            self._station.log(text, LOG)
            told(text)

        steward = Steward(
            ledger,
            self._machine.clock,
            self.tasks(ledger),
            who=self._identity.name,
            told=both,
            stop=self._station.stop_asked,
        )
        try:
            return steward.serve(once=once)
        except HubUnreachable as error:
            both(str(error))
            raise
        except GaveUp as error:
            self._note(error.message)
            both(f"{error}; another server may try for {REST_S / 60:.0f} minutes")
            raise
        except (
            Exception
        ) as error:  # a bug, told by whoever called; begun again at once, it would end so again
            self._note(f"it ended with {type(error).__name__}")
            raise
        finally:
            self._lock.release()

    def _note(self, why: str) -> None:
        clock = self._machine.clock
        until = {"boot_id": clock.boot_id(), "until": clock.boot() + REST_S, "why": why[:500]}
        write_json(self._machine.home.path / "steward.json", until, durable=False)

    def _rests_s(self) -> float:
        found = read_json(self._machine.home.path / "steward.json") or {}
        clock, until = self._machine.clock, found.get("until")
        if found.get("boot_id") != clock.boot_id() or not isinstance(until, int | float):
            return 0.0
        return max(0.0, min(REST_S, until - clock.boot()))
