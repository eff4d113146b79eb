"""The chore of making the reports that come by the clock, and of sending them."""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from bnet.app import reports
from bnet.app.ledger import Ledger
from bnet.app.steward.office import Away
from bnet.errors import BnetError
from bnet.model.report import Owed
from bnet.model.state import State
from bnet.ports.indexes import Index
from bnet.ports.machine import Clock
from bnet.ports.outside import Sender
from bnet.report.formats import Parcel, parcel
from bnet.rules.reports import Firing, delivered, due, is_over, is_stale, keep, kept_of, stamp, take_up
from bnet.rules.transaction import Transaction

FIRST_PAUSE = 30.0  # seconds after a report did not get there; doubled with each failure
LONGEST_PAUSE = 3600.0


class Reporting:
    """Makes each report once for each time that it comes, whoever is the steward."""

    def __init__(
        self,
        ledger: Ledger,
        index: Callable[[], Index],
        clock: Clock,
        who: str,
        sender: Sender | None,
    ) -> None:
        """Keep the parts.

        Args:
            ledger: the hub's.
            index: of its past.
            clock: this machine's; whoever calls has made sure that it can be trusted.
            who: this server's name.
            sender: to the channels of people, if there are any.
        """
        self._ledger = ledger
        self._index = index
        self._clock = clock
        self._who = who
        self._sender = sender
        self._rests: dict[tuple[str, str], tuple[int, float]] = {}

    def do(self, away: Away) -> None:
        """Make what is due, and send what was not sent.

        Raises:
            BnetError: a report cannot be made.
        """
        now = self._clock.now()
        if is_stale(self._ledger.state, now):
            self._ledger.transact(take_up)
        for firing in due(self._ledger.state, now):
            self._make(firing, now)
        if self._sender is not None:
            self._send(self._sender, away)

    def _make(self, firing: Firing, now: datetime) -> None:
        ordered = self._ledger.state.reports[firing.name]
        ends = reports.edges_of(ordered, firing.at)
        made = reports.figures(self._ledger, self._index(), firing.name, ordered, ends, now, self._who)
        self._ledger.transact(lambda tx: keep(tx, firing, made))

    def _send(self, sender: Sender, away: Away) -> None:
        for name, turn in self._ledger.state.turns.items():
            for key, owed in turn.owed.items():
                if self._rests.get((name, key), (0, 0.0))[1] > self._clock.boot():
                    continue
                told = self._tried(sender, away, name, key, owed)
                self._note_pause(name, key, any(told.values()))
                self._ledger.transact(partial(_write_down, name, key, owed, told))

    def _tried(self, sender: Sender, away: Away, name: str, key: str, owed: Owed) -> dict[str, str]:
        """Return for each address where a report was to go what went wrong, "" where nothing did."""
        if is_over(owed, key, self._clock.now()):
            return dict.fromkeys(owed.to, owed.trouble or "there was nobody who could send it")
        targets = sender.targets(owed.to)
        try:
            sent = self._parcel(name, key)
        except BnetError as error:  # it is gone, or is to be PDF and this server cannot make one
            return dict.fromkeys(targets, error.message)
        outcomes = away([partial(_sent, sender, target, sent) for target in targets])
        return dict(zip(targets, outcomes, strict=True))

    def _parcel(self, name: str, key: str) -> Parcel:
        state = self._ledger.state
        at = next((each for each in kept_of(state, name) if stamp(each) == key), None)
        if at is None:
            raise reports.NoReport(f"the report {name} of {key} is not kept any more")
        ordered = state.reports.get(name)
        return parcel(
            reports.read_kept(self._ledger, name, at),
            ("html",) if ordered is None else ordered.report.attach,
        )

    def _note_pause(self, name: str, key: str, failed: bool) -> None:
        count = self._rests.get((name, key), (0, 0.0))[0] + 1 if failed else 0
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(count - 1, 20)) if failed else 0.0
        self._rests[name, key] = count, self._clock.boot() + pause


def _sent(sender: Sender, target: str, sent: Parcel) -> str:
    """Send a report to a channel; return what went wrong, "" if nothing did."""
    try:
        sender.send(target, sent.title, sent.body, sent.attachments)
    except BnetError as error:
        return str(error)
    return ""


def _write_down(name: str, key: str, owed: Owed, told: dict[str, str], tx: Transaction) -> None:
    delivered(tx, name, key, owed, told)


def is_wanted(state: State, now: datetime, *, sends: bool) -> bool:
    """Tell whether there is a report to be made or sent now.

    Args:
        state: the ledger.
        now: the time, by a clock that can be trusted.
        sends: whether anything can be sent from here.
    """
    owed = sends and any(turn.owed for turn in state.turns.values())
    return owed or is_stale(state, now) or bool(due(state, now))
