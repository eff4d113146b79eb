"""The chore of telling people what has happened: events get into an outbox on the ledger, and from there to them."""

from collections.abc import Callable, Container, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from msgspec.structs import replace

from bnet.app.ledger import Ledger
from bnet.app.steward.office import Away
from bnet.codec import layout
from bnet.errors import BnetError
from bnet.health.facts import Finding
from bnet.model import history
from bnet.model.notices import Event, Notices
from bnet.model.notify import Notifications
from bnet.model.state import State
from bnet.notify.found import changes, signals, standing
from bnet.notify.happened import Before, happened
from bnet.notify.intake import escalated, pruned, take_in
from bnet.notify.outbox import Message, Outcome, due, settled
from bnet.notify.sweep import swept
from bnet.notify.wording import worded
from bnet.ports.machine import Clock
from bnet.ports.outside import Messenger
from bnet.rules.change import Change
from bnet.rules.leases import BEAT_SHARE, default_ttl
from bnet.rules.transaction import Transaction

LOOK_S = 60.0  # seconds between two looks at the network's health
BUDGET_SHARE = 0.5  # of the pushes that the budget has
FARTHEST_BACK = 2000  # transactions that may lie between what was written down and what was looked at
OLD_S = 86400.0  # what a network without a steward has come through since longer is news no more


class Journal(Protocol):
    """What this machine has sent and not yet written into the ledger; a kill in between sends nothing twice."""

    def kept(self) -> list[Outcome]:
        """Return what became of messages."""

    def check(self) -> None:
        """Make sure that something can be written down: what is sent and is not would be sent again and again.

        Raises:
            BnetError: nothing can.
        """

    def keep(self, outcome: Outcome) -> None:
        """Write it down, durably."""

    def forget(self, outcome: Outcome) -> None:
        """Take it as written into the ledger."""


class Network(Protocol):
    """What is asked of a network besides its ledger."""

    def events(self, after: int) -> Sequence[history.Event]:
        """Return what transactions did after one of them, oldest first."""

    def before(self) -> Before:
        """Return what tells how earlier jobs ended."""

    def health(self) -> tuple[Sequence[Finding], float]:
        """Return what is wrong, and by how many seconds most clocks are ahead of this one."""


class Telling:
    """Takes in events, and sends what is due."""

    def __init__(
        self,
        ledger: Ledger,
        network: Network,
        messenger: Messenger,
        journal: Journal,
        clock: Clock,
        who: str,
    ) -> None:
        """Keep the parts.

        Args:
            ledger: the hub's.
            network: what else is asked of it.
            messenger: reaches people.
            journal: of this machine.
            clock: its own.
            who: its name.
        """
        self._ledger = ledger
        self._network = network
        self._messenger = messenger
        self._journal = journal
        self._clock = clock
        self._who = who
        self._upto: int | None = None
        self._findings: Sequence[Finding] | None = None
        self._looked = 0.0
        self._did = -OLD_S
        self._ahead = 0.0
        self._resting = 0.0
        self._config: Notifications | None = None

    def do(self, away: Away) -> None:
        """Take in what has happened since, and send what is due.

        Raises:
            BnetError: no channel of those that are wanted can be used from here, and another server might do better.
        """
        if self._clock.boot() < self._resting:
            return
        self._look(self._ledger.state)  # it also says what time it is
        self._settle(self._journal.kept())
        self._take_in()
        self._send(away)
        self._judge()

    def _transact(self, decide: Callable[[Transaction], None]) -> bool:
        """Make a transaction, and leave room for those of others."""
        landed = self._ledger.transact(decide)
        budget = self._ledger.state.settings.push_budget
        if landed.commit is not None and budget is not None:
            begin = max(self._resting, self._clock.boot())
            self._resting = begin + 60.0 / (budget * BUDGET_SHARE)
        return landed.commit is not None

    # -- in

    def _take_in(self) -> None:
        state = self._ledger.state
        now, upto = self._now(), state.head.seq
        # Before anybody has looked, people may have silenced something.
        begun = (state.notices and state.notices.seq) or self._wanted_since(state)
        after = max(begun, self._upto or 0)
        events = self._events(state, after, now) if after < upto else []
        wrong = None if self._findings is None else signals(self._findings, state, now)

        def decide(tx: Transaction) -> None:
            known = tx.state.notices
            config = tx.state.notifications
            before = known if known is not None and known.seq else replace(known or Notices(), seq=begun)
            notices = noticed(before, events, wrong, config, now, tx.seq, tx.servers)
            far = upto - before.seq > FARTHEST_BACK or self._config not in (None, config)
            if before is not known or far or _matters(notices) != _matters(before):
                names = dict.fromkeys(each.name for each in events if each.seq > before.seq)
                target = ",".join(list(names)[:6]) or "what is so"
                document = replace(notices, seq=max(upto, before.seq))
                tx.apply(Change(verb="heed", target=target, documents={layout.NOTICES: document}))

        self._transact(decide)
        self._upto = upto
        self._did = self._clock.boot()

    def _wanted_since(self, state: State) -> int:
        """Return the transaction before people's last change of what they want to be told."""
        hub = self._ledger.hub
        commit, _ = hub.origin(state.tip, layout.NOTIFICATIONS)
        stamp = hub.newest_transaction(commit) if commit else None
        return state.head.seq if stamp is None else stamp.seq

    def _events(self, state: State, after: int, now: datetime) -> list[Event]:
        found = list(happened(self._network.events(after), state, self._network.before()))
        day = timedelta(seconds=OLD_S)
        if self._clock.boot() - self._did >= OLD_S:
            found = [each for each in found if each.at > now - day]
        # What was not there at the last look is new, whatever the clock says of whoever did it.
        return [each if abs(each.at - now) <= day else replace(each, at=now) for each in found]

    def _look(self, state: State) -> None:
        settings = state.settings
        ttl_s = settings.ttl or default_ttl(len(state.servers), settings.push_budget)
        if self._findings is None or self._clock.boot() - self._looked >= min(LOOK_S, ttl_s * BEAT_SHARE):
            self._findings, self._ahead = self._network.health()
            self._looked = self._clock.boot()

    def _now(self) -> datetime:
        return self._clock.now() + timedelta(seconds=self._ahead)

    # -- out

    def _send(self, away: Away) -> None:
        state = self._ledger.state
        if state.notices is None:
            return
        config = state.notifications
        notices = self._freed(state.notices, config)
        self._config = config
        messages = due(notices, config, self._now())
        # What failed before may hang again: it goes by itself, once what works has been told and written down.
        for failed in (False, True):
            self._send_some(
                [each for each in messages if (each.channel in state.notices.troubles) == failed],
                config,
                away,
            )

    def _send_some(self, messages: Sequence[Message], config: Notifications, away: Away) -> None:
        errands = []
        if messages:
            self._journal.check()
        for message in messages:
            lacks = self._messenger.lacks(config.channels[message.channel])
            title, body = worded(message, config.channels[message.channel], self._ledger.state.settings.name)
            errands.append(partial(self._tell, message, config, title, body, lacks))
        self._settle(away(errands))

    def _freed(self, notices: Notices, config: Notifications) -> Notices:
        """Return it without the troubles of channels that people have mended since: those are tried at once."""
        before = self._config
        kept = {}
        for name, each in notices.troubles.items():
            channel = config.channels.get(name)
            mended = each.lacks and channel is not None and not self._messenger.lacks(channel)
            if not mended and (before is None or before.channels.get(name) == channel):
                kept[name] = each
        return replace(notices, troubles=kept)

    def _tell(
        self, message: Message, config: Notifications, title: str, body: str, lacks: Sequence[str]
    ) -> Outcome:
        channel = config.channels[message.channel]
        failed: Mapping[int, str]
        if lacks:
            failed = dict.fromkeys(message.urls, f"{', '.join(lacks)} is not set on {self._who}")
        else:
            failed = self._messenger.send(channel, message.urls, title, body)
        outcome = Outcome(
            channel=message.channel,
            parcels=dict(message.parcels),
            urls=message.urls,
            title=title,
            failed=dict(failed),
            lacks=bool(lacks),
        )
        if not lacks:
            self._journal.keep(outcome)
        return outcome

    def _settle(self, outcomes: Sequence[Outcome]) -> None:
        if not outcomes:
            return
        now = self._now()

        def decide(tx: Transaction) -> None:
            before = notices = tx.state.notices or Notices()
            said = []
            for each in outcomes:
                after = settled(notices, each, tx.state.notifications, self._who, now)
                if after is not notices:
                    verb = "unreached" if each.failed else "notify"
                    note = "; ".join(dict.fromkeys(each.failed.values()))[:120]
                    fields: dict[str, str | int] = {"events": sum(each.parcels.values())}
                    said.append(Change(verb=verb, target=each.channel, note=note, fields=fields))
                notices = after
            if notices != before:
                tx.documents[layout.NOTICES] = notices
                tx.apply(*said)

        self._transact(decide)
        for each in outcomes:
            self._journal.forget(each)

    def _judge(self) -> None:
        """Give up where only this server has found that it lacks a secret: another one may have it."""
        state = self._ledger.state
        others = any(each.wanted == "active" and name != self._who for name, each in state.servers.items())
        if state.notices is None or not others:
            return
        wanted = {each.channel for each in state.notices.outbox.values()}
        for name, trouble in state.notices.troubles.items():
            if name in wanted and trouble.lacks and trouble.by == (self._who,):
                raise BnetError(f"channel {name}: {trouble.reason}")


def noticed(
    before: Notices,
    events: Sequence[Event],
    wrong: Mapping[str, Event] | None,
    config: Notifications,
    now: datetime,
    seq: int,
    servers: Container[str],
) -> Notices:
    """Return what is to be told once events and what is wrong have been taken in.

    Args:
        before: until now.
        events: of transactions; those that were looked at before are passed over.
        wrong: what is wrong now, by key; None where nobody has looked.
        config: what people want.
        now: the time by most clocks.
        seq: of the transaction that this is for.
        servers: those that there are.
    """
    notices = before
    if wrong is not None:
        # First what is wrong: of a server that is lost, nobody has to hear what became of its jobs.
        notices = take_in(notices, changes(notices, wrong, servers, now), config, now, seq)
        notices = replace(notices, standing=standing(wrong, config))
    fresh = [each for each in events if each.seq > before.seq]
    notices = take_in(notices, fresh, config, now, seq)
    return pruned(swept(escalated(notices, config, now, seq), config, now), config, now)


def _matters(notices: Notices) -> tuple[object, ...]:
    """Return what is worth a transaction by itself."""
    return notices.alerts, notices.standing, notices.outbox, notices.history
