"""People are told through an outbox on the ledger: at least once, and practically once, whoever is the steward."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from worlds import ALICE, NOON, Machine, World, claim, finish, in_memory, submit

from bnet.app.audit import audit
from bnet.app.history import annals
from bnet.app.steward.office import at_once
from bnet.app.steward.telling import Telling
from bnet.codec import layout
from bnet.errors import BnetError
from bnet.health.facts import Finding
from bnet.host.index import LocalIndex
from bnet.model.history import Event, EventQuery
from bnet.model.notices import Notices, Silence
from bnet.model.notify import Channel
from bnet.notify.happened import Before
from bnet.notify.people import acknowledge, silence
from bnet.ports.outside import Attachment
from bnet.rules.change import Change
from bnet.rules.transaction import Transaction
from bnet.wiring.notify import FileJournal

FILE = b"""\
channels: {ops: {urls: 'json://localhost'}}
routes: [{name: all, to: [ops], events: [job.failed, job.fixed, server.lost, server.back], group_wait: 0}]
"""
LOST = Finding(rule="server-lost", about="s2", severity="critical", text="s2 was last seen long ago")


class Service:
    """What was received; of the next messages some fail, and a kill comes after one has arrived."""

    def __init__(self) -> None:
        self.got: list[str] = []
        self.fails: dict[str, str] = {}
        self.lacking: dict[str, list[str]] = {}
        self.kill = False

    def by(self, who: str) -> Mine:
        return Mine(self, who)


class Killed(Exception):
    """As good as a signal."""


class Mine:
    """The service as one server reaches it."""

    def __init__(self, service: Service, who: str) -> None:
        self.service, self.who = service, who

    def lacks(self, channel: Channel) -> Sequence[str]:
        return self.service.lacking.get(self.who, [])

    def send(
        self,
        channel: Channel,
        urls: Sequence[int],
        title: str,
        body: str,
        attachments: Sequence[Attachment] = (),
    ) -> Mapping[int, str]:
        if why := self.service.fails.get(self.who):
            return dict.fromkeys(urls, why)
        self.service.got.append(title)
        if self.service.kill:
            raise Killed
        return {}


class Network:
    """What the chore asks besides the ledger: the real index, and findings that a test sets."""

    def __init__(self, machine: Machine, index: LocalIndex) -> None:
        self.machine, self.index = machine, index
        self.findings: list[Finding] = []
        self.ahead = 0.0
        self.meanwhile: Callable[[], None] = lambda: None

    def events(self, after: int) -> Sequence[Event]:
        found = self.index.events(annals(self.machine.ledger), EventQuery(after=after))
        self.meanwhile()
        return found

    def before(self) -> Before:
        return lambda name, number: "failure" if number > 1 else None

    def health(self) -> tuple[Sequence[Finding], float]:
        return self.findings, self.ahead


class Steward:
    """A server in office: its chore, and what a restart of it keeps."""

    def __init__(self, world: World, name: str, service: Service, top: Path) -> None:
        self.world, self.name, self.service, self.top = world, name, service, top
        self.machine = world.machine(name)
        self.network = Network(self.machine, LocalIndex(top / f"{name}.db"))
        self.begin()

    def begin(self) -> None:
        journal = FileJournal(self.top / self.name)
        sender = self.service.by(self.name)
        self.chore = Telling(
            self.machine.ledger, self.network, sender, journal, self.machine.clock, self.name
        )

    def round(self, times: int = 1) -> None:
        for _ in range(times):
            self.machine.clock.seconds += 5
            self.machine.ledger.refresh()
            self.chore.do(at_once)

    @property
    def notices(self) -> Notices:
        self.machine.ledger.refresh()
        assert self.machine.ledger.state.notices is not None
        return self.machine.ledger.state.notices


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def office(two: World, service: Service, tmp_path: Path) -> Steward:
    two.person({layout.NOTIFICATIONS: FILE})
    made = Steward(two, "s1", service, tmp_path)
    made.round()
    return made


def fails(world: World, *numbers: int, code: int = 1) -> None:
    machine = world.machine("worker", actor="s1")
    for number in numbers:
        machine.ledger.transact(submit(f"job-{number}"))
        machine.ledger.transact(claim(number))
        machine.ledger.transact(finish(number, code=code))


def sound(world: World) -> None:
    hub, tip = world.hub("auditor"), world.tip()
    hub.fetch(tip)
    assert not audit(hub, tip).wrong


def test_what_happens_is_told_once_and_that_is_on_the_ledger(office: Steward, service: Service) -> None:
    fails(office.world, 1)
    office.round(3)
    assert service.got == ["[bnet] high: job.failed: #1 job-1: failure (exit 1) on s1"]
    [entry] = office.notices.history
    assert (entry.channel, entry.by, entry.failed) == ("ops", "s1", "")
    fails(office.world, 2, code=0)
    office.round(3)
    assert len(service.got) == 2 and "job.fixed" in service.got[1]
    sound(office.world)


def test_where_nothing_is_to_be_told_the_ledger_stays_as_it_is(office: Steward) -> None:
    office.machine.ledger.transact(submit("x"))
    tip = office.world.tip()
    office.round(5)
    assert office.world.tip() == tip


def test_what_was_before_the_first_look_is_no_news_but_what_is_wrong_is(
    two: World, service: Service, tmp_path: Path
) -> None:
    fails(two, 1)
    two.person({layout.NOTIFICATIONS: FILE})
    office = Steward(two, "s1", service, tmp_path)
    office.network.findings = [LOST]
    office.round(2)
    assert service.got == ["[bnet] critical: server.lost: s2 was last seen long ago"]
    office.network.findings = []
    office.machine.clock.seconds += 60
    office.round(2)
    assert service.got[1:] == ["[bnet] medium: server.back: s2 is seen again"]


def test_what_fails_before_a_steward_has_taken_office_is_news_where_the_file_was_there(
    two: World, service: Service, tmp_path: Path
) -> None:
    fails(two, 1)
    two.person({layout.NOTIFICATIONS: FILE})
    fails(two, 2)
    Steward(two, "s1", service, tmp_path).round(2)
    assert service.got == ["[bnet] high: job.failed: #2 job-2: failure (exit 1) on s1"]


@in_memory
@pytest.mark.parametrize("days", [-40, 400])
def test_what_a_server_with_a_wrong_clock_did_has_the_time_at_which_it_was_seen(
    office: Steward, service: Service, days: int
) -> None:
    worker = office.world.machine("worker", actor="s1")
    worker.clock.seconds = days * 86400.0
    for each in (submit("job-1"), claim(1), finish(1, code=1)):
        worker.ledger.transact(each)
    office.round(2)
    assert len(service.got) == 1
    [alert] = office.notices.alerts.values()
    assert abs(alert.event.at - NOON) < timedelta(hours=1)


@in_memory
def test_a_silence_before_there_were_notifications_makes_the_past_no_news(
    two: World, service: Service, tmp_path: Path
) -> None:
    quiet = Silence(events=("server.*",), until=NOON + timedelta(days=9), by=ALICE, reason="x")
    two.machine("alice", actor=ALICE).ledger.transact(lambda tx: silence(tx, quiet) and None)
    fails(two, 1)
    two.person({layout.NOTIFICATIONS: FILE})
    office = Steward(two, "s1", service, tmp_path)
    office.round(2)
    fails(two, 2)
    office.round(2)
    assert service.got == ["[bnet] high: job.failed: #2 job-2: failure (exit 1) on s1"]
    assert office.notices.silences
    sound(two)


@in_memory
def test_what_happened_while_nobody_wanted_to_hear_is_no_news_after_days(
    office: Steward, service: Service
) -> None:
    fails(office.world, 1)
    office.machine.clock.seconds += 2 * 86400  # the same process, which had other chores
    office.round(3)
    assert service.got == []


@in_memory
def test_what_was_sent_is_noted_down_with_the_time_of_most_clocks(
    office: Steward, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails(office.world, 1)
    monkeypatch.setattr(Telling, "_settle", lambda self, outcomes: None)
    office.round()
    monkeypatch.undo()
    office.network.ahead = 86400.0
    office.begin()
    office.round()
    assert office.notices.history[0].at - NOON > timedelta(hours=23)


@in_memory
def test_a_server_that_can_note_nothing_down_sends_nothing(
    office: Steward, service: Service, tmp_path: Path
) -> None:
    fails(office.world, 1)
    (tmp_path / "s1").write_text("no directory, as a full disk is none")
    with pytest.raises(BnetError, match="cannot note down what it sends"):
        office.round()
    assert service.got == []


def test_a_kill_between_sending_and_noting_it_down_costs_one_message_told_twice(
    office: Steward, service: Service
) -> None:
    fails(office.world, 1)
    service.kill = True
    with pytest.raises(Killed):
        office.round()
    service.kill = False
    office.begin()
    office.round(3)
    assert len(service.got) == 2 and len(office.notices.history) == 1
    sound(office.world)


def test_a_kill_after_it_was_noted_down_costs_nothing(
    office: Steward, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails(office.world, 1)
    settle = Telling._settle

    def killed(self: Telling, outcomes: Sequence[object]) -> None:
        if outcomes:
            raise Killed

    monkeypatch.setattr(Telling, "_settle", killed)
    with pytest.raises(Killed):
        office.round()
    monkeypatch.setattr(Telling, "_settle", settle)
    office.begin()
    office.round(3)
    assert len(service.got) == 1 and [each.count for each in office.notices.history] == [1]
    sound(office.world)


def test_another_steward_goes_on_where_one_was_killed(
    office: Steward, service: Service, tmp_path: Path
) -> None:
    fails(office.world, 1)
    service.fails["s1"] = "cannot be reached"
    office.round()
    fails(office.world, 2)
    other = Steward(office.world, "s2", service, tmp_path)
    other.machine.clock.seconds = office.machine.clock.seconds + 120
    other.round(3)
    assert len(service.got) == 1 and "2 times" in service.got[0]
    assert [each.by for each in other.notices.history] == ["s2"]
    office.machine.clock.seconds += 300
    service.fails.clear()
    office.round(3)  # the first one comes back: there is nothing left to be told
    assert len(service.got) == 1
    sound(office.world)


def test_two_at_once_take_an_event_in_once(office: Steward, service: Service, tmp_path: Path) -> None:
    office.world.person({layout.NOTIFICATIONS: FILE + b"dedup: 0\n"})
    office.round()
    other = Steward(office.world, "s2", service, tmp_path)
    other.machine.clock.seconds = office.machine.clock.seconds
    fails(office.world, 1)
    for each in (office, other):
        each.machine.ledger.refresh()
    office.network.meanwhile = other.chore._take_in  # it has read the events, and the other one is quicker
    office.chore._take_in()
    assert office.machine.ledger.conflicts
    assert [each.count for each in office.notices.outbox.values()] == [1]
    sound(office.world)


def test_a_revert_by_a_person_makes_nothing_be_told_again(office: Steward, service: Service) -> None:
    early = office.world.hub("p").read(office.world.tip(), [layout.NOTICES])
    fails(office.world, 1)
    office.round(3)
    office.world.person({layout.NOTICES: early.get(layout.NOTICES)})
    office.round(3)
    assert len(service.got) == 1
    sound(office.world)


def test_a_server_without_the_secret_leaves_it_to_another_and_no_two_pass_it_on_for_ever(
    office: Steward, service: Service, tmp_path: Path
) -> None:
    service.lacking = {"s1": ["BNET_NOTIFY_X"], "s2": ["BNET_NOTIFY_X"]}
    fails(office.world, 1)
    for _ in range(3):
        with pytest.raises(BnetError, match="channel ops: BNET_NOTIFY_X is not set on s1"):
            office.round()
    other = Steward(office.world, "s2", service, tmp_path)
    other.machine.clock.seconds = office.machine.clock.seconds + 200
    other.round(3)
    assert office.notices.troubles["ops"].by == ("s1", "s2")
    service.lacking = {}
    other.round()  # it was set, and is used at once
    assert len(service.got) == 1 and not other.notices.troubles


def test_a_channel_that_people_mend_is_tried_at_once(office: Steward, service: Service) -> None:
    fails(office.world, 1)
    service.fails["s1"] = "answers 401"
    office.round(2)
    service.fails.clear()
    office.round(2)
    assert not service.got
    office.world.person({layout.NOTIFICATIONS: FILE.replace(b"localhost", b"localhost/new")})
    office.round()
    assert len(service.got) == 1


@in_memory
def test_people_take_troubles_on_and_silence_events(office: Steward, service: Service) -> None:
    fails(office.world, 1)
    office.round(2)
    person = office.world.machine("alice", actor=ALICE)
    person.ledger.transact(lambda tx: acknowledge(tx, ["job:job"], ALICE) and None)
    assert office.notices.alerts["job:job-1"].acked_by == ALICE
    quiet = Silence(events=("job.*",), until=NOON + timedelta(days=9), by=ALICE, reason="x")
    person.ledger.transact(lambda tx: silence(tx, quiet) and None)
    fails(office.world, 2)
    office.round(2)
    assert len(service.got) == 1
    with pytest.raises(BnetError, match="no open trouble is called so"):
        person.ledger.transact(lambda tx: acknowledge(tx, ["job:other"], ALICE) and None)
    sound(office.world)


@in_memory
def test_a_push_budget_is_not_spent_on_telling(office: Steward, service: Service) -> None:
    office.world.person({layout.SETTINGS: b"push_budget: 6\n"})
    before = len(office.world.line())
    for number in range(1, 40):
        fails(office.world, number)
        office.round()
    mine = len(office.world.line()) - before - 39 * 3
    assert mine <= 39 * 5 / 20 + 3, "one each twenty seconds: half of the budget"


@in_memory
@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda old: None, "is gone"),
        (lambda old: Notices(seq=old.seq - 1, sent=old.sent), "goes back to transaction"),
        (lambda old: Notices(seq=old.seq, sent=0), "has forgotten that messages were sent"),
        (lambda old: Notices(seq=old.seq + 99, sent=old.sent), "that there are not yet"),
    ],
)
def test_the_audit_finds_what_no_steward_does(
    office: Steward, change: Callable[[Notices], Notices | None], told: str
) -> None:
    fails(office.world, 1)
    office.round(2)
    new = change(office.notices)

    def forge(tx: Transaction) -> None:
        documents = {} if new is None else {layout.NOTICES: new}
        files = {layout.NOTICES: None} if new is None else {}
        tx.apply(Change(verb="forge", target="x", documents=documents, files=files))

    office.machine.ledger.transact(forge)
    hub, tip = office.world.hub("auditor"), office.world.tip()
    hub.fetch(tip)
    assert any(told in each.fault.text for each in audit(hub, tip).wrong)


@in_memory
def test_a_file_that_cannot_be_read_stops_nothing_and_is_named(office: Steward, service: Service) -> None:
    office.world.person({layout.NOTIFICATIONS: b"routes: [{name: x, to: [nobody]}]\n"})
    fails(office.world, 1)
    office.round(2)
    assert len(service.got) == 1, "what was in force before stays so"
    [problem] = office.machine.ledger.state.problems
    assert problem.message.startswith(
        'coordination/notifications.yaml:1: field "routes[0].to[0]": no channel has'
    )
