"""What the doctor looks at, and what it finds; the checks stand in `checks_*.py`."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from bnet.app.hub.probes import Probe, RoundTrips, try_writing
from bnet.app.ledger import Diverged, Ledger
from bnet.app.messages.post import Post
from bnet.app.snapshot import NoLedger, TooNew
from bnet.errors import BnetError, HubUnreachable
from bnet.model.server import Identity
from bnet.model.state import State
from bnet.ports.hub import Look
from bnet.ports.machine import Clock, Notes
from bnet.rules.locks import leases_of

Standing = Literal["current", "rewound", "diverged", "too new", "absent", "unknown"]


class Finding(msgspec.Struct, frozen=True, omit_defaults=False):
    """One thing that was looked at.

    Attributes:
        check: its name.
        ok: None where there is nothing to judge, or no way to.
        text: what was found, in one line.
        advice: what to do, in one line; following it destroys nothing.
    """

    check: str
    ok: bool | None
    text: str
    advice: str = ""


def good(text: str) -> Finding:
    """Return a finding that all is well."""
    return Finding("", True, text)


def bad(text: str, advice: str) -> Finding:
    """Return a finding that something is wrong, and the safe thing to do."""
    return Finding("", False, text, advice)


def open_(text: str, advice: str = "") -> Finding:
    """Return a finding of which nobody can say whether it is well."""
    return Finding("", None, text, advice)


class RunSight(msgspec.Struct, frozen=True, kw_only=True):
    """An unreported run as it lies on the disk: nothing was touched to find it so.

    Attributes:
        key: `<job>.<attempt>`.
        phase: whether it is only intended, has a live supervisor, has ended, or died without a word.
        age_s: seconds since it was intended, or since it ended.
        lease_s: seconds for which its lease holds; None if there is none of this boot.
        ttl_s: of its claim.
    """

    key: str
    phase: Literal["intended", "alive", "ended", "died"]
    age_s: float
    lease_s: float | None
    ttl_s: float


class Host(Protocol):
    """What the doctor asks of this machine; nothing is changed unless its name says so."""

    def unwritable(self) -> str:
        """Return why BNET_HOME cannot be written to, "" if it can."""

    def disk(self) -> tuple[int, int]:
        """Return the bytes and the files for which there is room."""

    def unlockable(self) -> str:
        """Return why file locks do not work in BNET_HOME, "" if they do."""

    def holder(self, lock: str) -> str | None:
        """Return who holds a lock file of BNET_HOME, for people; None if nobody does."""

    def runs(self) -> Sequence[RunSight]:
        """Return the unreported runs."""

    def schedules(self) -> Sequence[str]:
        """Return what starts the sync of this BNET_HOME: `cron`, `systemd`."""

    def which(self, program: str, path: str) -> str | None:
        """Return where a program is on a PATH."""

    def broken(self) -> Sequence[Path]:
        """Return what in BNET_HOME is not what it should be: a file for a directory, a note that cannot be read."""

    def jammed(self) -> Sequence[Path]:
        """Return those of them that keep a lock from being taken."""

    def exposed(self) -> Sequence[Path]:
        """Return the files with secrets that others on this machine may read."""

    def letters(self) -> tuple[int, int]:
        """Return how many submissions wait in the outbox, and how many were refused or cannot be read."""

    def synced_ago(self) -> float | None:
        """Return the seconds since the last sync looked at the hub; None if none ever did."""

    def rests_s(self) -> float | None:
        """Return the seconds for which a sync has nothing to do while the hub stays; None if unknown."""

    def last_trouble(self) -> str:
        """Return what the log of syncs says last, if that is a refused push; else ""."""

    def set_aside(self, path: Path) -> Path:
        """Rename what is broken, so that it is made anew; return its new name."""

    def alone(self) -> AbstractContextManager[bool]:
        """Keep this server's syncs and agents from working meanwhile; False where one is at work."""


class Git(Protocol):
    """What the doctor asks of Git, the hub and its mirror; nothing is changed unless its name says so."""

    def version(self) -> tuple[int, ...] | None:
        """Return Git's version; None if there is no Git."""

    def path(self) -> str | None:
        """Return the hub's directory, if it is one on this machine."""

    def disowned(self) -> bool:
        """Tell whether Git does not trust the hub's directory because another user owns it."""

    def size(self) -> int | None:
        """Return the bytes that the hub takes, if it is a directory here."""

    def refs(self) -> int:
        """Return how many refs the hub has."""

    def unsound(self) -> str:
        """Return what is wrong with the mirror, "" if nothing is."""

    def stale_locks(self) -> Sequence[Path]:
        """Return the lock files in the mirror; call it while nobody works on that."""

    def sweep(self) -> None:
        """Remove the lock files in the mirror; call it while nobody works on that."""

    def set_aside(self) -> Path:
        """Rename the mirror, so that it is made anew; return its new name; call it while nobody works on that."""


class Patient(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the doctor can get hold of.

    Attributes:
        home: BNET_HOME.
        url: of the hub, None if none is meant.
        identity, identity_problem: who this machine is, or why that cannot be read.
        host, git: how it is looked at.
        ledger, ledger_problem: this machine's hold of the ledger, or why there is none.
        clock, notes: of this machine.
        post: the messages on the hub.
        wrong_forges: the lines of its secrets that should name a forge, and do not.
    """

    home: Path
    url: str | None
    identity: Identity | None
    identity_problem: str
    host: Host
    git: Git
    ledger: Ledger | None
    ledger_problem: str
    clock: Clock
    notes: Notes
    post: Post | None = None
    wrong_forges: Sequence[int] = ()


class Visit:
    """One examination: each thing is looked at once, when a check first asks for it."""

    def __init__(self, patient: Patient) -> None:
        """Begin."""
        self.patient = patient
        self.round_trip_s = 0.0
        self.complaint = ""

    @cached_property
    def look(self) -> Look | None:
        """The hub's refs; None, with a complaint, if it gave no answer."""
        ledger, clock = self.patient.ledger, self.patient.clock
        if ledger is None:
            self.complaint = self.patient.ledger_problem or "no hub is named"
            return None
        begun = clock.boot()
        try:
            return ledger.hub.look()
        except HubUnreachable as error:
            self.complaint = str(error)
            return None
        finally:
            self.round_trip_s = clock.boot() - begun

    @cached_property
    def standing(self) -> tuple[Standing, str]:
        """How the hub's ledger goes with the one known here, and what is to be said of it."""
        ledger, look = self.patient.ledger, self.look
        if ledger is None or look is None:
            return "unknown", self.complaint
        known, tip = ledger.hub.known(), look.ledger
        if known and known != tip and (not tip or ledger.hub.contains(known, tip)):
            return "rewound", f"the hub is at {tip[:10] or 'nothing'}, {known[:10]} is known here"
        try:
            ledger.refresh(look)
        except Diverged as error:
            return "diverged", str(error)
        except TooNew as error:
            return "too new", str(error)
        except NoLedger as error:
            return "absent", str(error)
        except HubUnreachable as error:
            return "unknown", str(error)
        return "current", ""

    @cached_property
    def state(self) -> State | None:
        """The newest state that can be had: the hub's, else the one known here."""
        ledger = self.patient.ledger
        if ledger is None:
            return None
        if self.standing[0] != "current":
            known = ledger.hub.known()
            try:
                ledger.load(known)
            except BnetError:
                return None
        return ledger.state

    @cached_property
    def leftovers(self) -> Mapping[str, str]:
        """The telemetry that is of no server in the network, and does not move: name -> tip.

        Somebody may be trying out at this moment what the hub allows. It has had the time of our own trials to be
        gone again.
        """
        ledger, look, state = self.patient.ledger, self.look, self.state
        if ledger is None or look is None or state is None or self.standing[0] != "current":
            return {}
        there = {*state.servers, *(lease.server for lease in leases_of(state.locks))}
        left = {name: tip for name, tip in look.telemetry.items() if name not in there}
        if not left or not self.trials:
            return {}
        again = ledger.hub.look().telemetry
        return {name: tip for name, tip in left.items() if again.get(name) == tip}

    @cached_property
    def trials(self) -> Mapping[str, Probe]:
        """What pushes of a throw-away ref showed, by name; empty if the hub cannot be reached.

        A dry run would not do: it asks no hook and no protection of the hub.
        """
        ledger, clock = self.patient.ledger, self.patient.clock
        if ledger is None or self.look is None:
            return {}
        ask = "ask whoever runs the hub to let this account push to the ledger's branch and to refs/bnet/*"
        with ledger.hub.exclusive():
            found = try_writing(RoundTrips(ledger.hub, clock), clock, ledger.chance, ask)
        return {each.name: each for each in found}
