"""Reports by the clock: each made once by whoever is the steward, kept, sent, and audited."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from worlds import NOON, Machine, MemoryWorld, World, claim, finish, in_memory, register, submit

from bnet import scaffold
from bnet.app import reports
from bnet.app.audit import audit
from bnet.app.steward.office import at_once
from bnet.app.steward.reporting import Reporting, is_wanted
from bnet.codec import layout
from bnet.codec.documents import decode, encode
from bnet.codec.frozen import thaw
from bnet.errors import BnetError
from bnet.faults import Call, Fault, script
from bnet.host.index import LocalIndex
from bnet.model.report import Figures, Turns
from bnet.ports.outside import Attachment
from bnet.rules.change import Change
from bnet.rules.reports import next_due, rest_until_due
from bnet.rules.transaction import Transaction
from bnet.sitegen import reports as pages
from bnet.sitegen.facts import Facts
from bnet.wiring.site import theme_of

FILE = "coordination/reports.yaml"
HOURLY = b"hourly: {cron: 0 * * * *, period: 1h, keep: 3}\nother: {kind: detailed}\n"
SENT = b"hourly: {cron: 0 * * * *, period: 1h, deliver: [team, boss], attach: [csv, html]}\n"


class Post:
    """Channels that fail as often as they are told to."""

    def __init__(self, **fails: int) -> None:
        self.fails = fails
        self.sent: list[tuple[str, str, list[str]]] = []

    def targets(self, to: Sequence[str]) -> Sequence[str]:
        return [each for tag in to for each in (["team", "both"] if tag == "all" else [tag])]

    def send(self, tag: str, title: str, body: str, attachments: Sequence[Attachment]) -> None:
        if self.fails.get(tag, 0) > 0:
            self.fails[tag] -= 1
            raise BnetError(f"{tag} does not answer")
        self.sent.append((tag, title, [each.name for each in attachments]))


def chore(machine: Machine, tmp_path: Path, post: Post | None = None) -> Reporting:
    index = LocalIndex(tmp_path / "history.db")
    return Reporting(machine.ledger, lambda: index, machine.clock, "s1", post)


def turn(machine: Machine, tmp_path: Path, hours: float, post: Post | None = None) -> Reporting:
    """Be the steward at so many hours past noon."""
    machine.clock.seconds = hours * 3600
    machine.ledger.refresh()
    made = chore(machine, tmp_path, post)
    made.do(at_once)
    return made


def kept(world: World, name: str = "hourly") -> list[str]:
    state = world.machine("reader").ledger.state
    found = sorted(each for each in map(layout.report_of, state.reported) if each is not None)
    return [f"{at:%H:%M}" for each, at in found if each == name]


def faults(world: World) -> list[str]:
    hub, tip = world.hub("auditor"), world.tip()
    hub.fetch(tip)
    return [f"{each.fault.target} {each.fault.text}" for each in audit(hub, tip).wrong]


def scheduled_in(world: World, tmp_path: Path, text: bytes = HOURLY) -> World:
    world.person({FILE: text})
    machine = world.machine("s1")
    machine.ledger.transact(register("s1"))
    machine.clock.seconds = -3600
    turn(machine, tmp_path, 0.1)
    return world


@pytest.fixture
def scheduled(world: World, tmp_path: Path) -> World:
    """A hub with a report each hour, known since six minutes past noon."""
    return scheduled_in(world, tmp_path)


@pytest.fixture
def sending(tmp_path: Path) -> World:
    """The same in memory, with a report that is sent."""
    made = MemoryWorld()
    made.begin()
    return scheduled_in(made, tmp_path, SENT)


@pytest.mark.parametrize("fate", ["after", "late", "wait", "twice"])
def test_two_stewards_at_one_firing_keep_one_report(scheduled: World, tmp_path: Path, fate: Fault) -> None:
    second = scheduled.machine("s2")

    def meanwhile(call: Call) -> None:
        turn(second, tmp_path, 1.02)

    first = scheduled.machine("s1", plan=script({"push": [fate]}), meanwhile=meanwhile)
    turn(first, tmp_path, 1.01)
    turn(second, tmp_path, 1.03)
    assert kept(scheduled) == ["13:00"]
    assert faults(scheduled) == []


def test_a_kept_report_says_what_ended_before_its_time(scheduled: World, tmp_path: Path) -> None:
    machine = scheduled.machine("s1")
    machine.ledger.transact(submit("good", "bad", "late"))
    for number, code, hours in ((1, 0, 0.4), (2, 3, 0.5), (3, 0, 1.005)):
        machine.ledger.transact(claim(number))
        machine.clock.seconds = hours * 3600
        machine.ledger.transact(finish(number, code=code))
    turn(machine, tmp_path, 1.01)
    made = reports.kept(machine.ledger, "hourly", machine.clock.now())
    assert made.now.end == NOON + timedelta(hours=1) and made.by == "s1"
    assert made.now.results == {"failure": 1, "success": 1}
    with pytest.raises(reports.NoReport, match="no report hourly was kept until"):
        reports.kept(machine.ledger, "hourly", NOON)
    with pytest.raises(reports.NoReport, match=r"no report other was kept$"):
        reports.kept(machine.ledger, "other", machine.clock.now())


@in_memory
def test_a_job_that_ended_by_one_clock_before_it_was_submitted_by_another_counts(
    scheduled: World, tmp_path: Path
) -> None:
    machine = scheduled.machine("s1")
    machine.clock.seconds = 2 * 3600
    machine.ledger.transact(submit("early"))
    machine.clock.seconds = 1800
    machine.ledger.transact(claim(1))
    machine.ledger.transact(finish(1))
    turn(machine, tmp_path, 1.01)
    assert reports.kept(machine.ledger, "hourly", machine.clock.now()).now.results == {"success": 1}


@in_memory
def test_of_firings_that_nobody_was_awake_for_the_newest_is_made_and_old_ones_go(
    scheduled: World, tmp_path: Path
) -> None:
    machine = scheduled.machine("s1")
    for hours in (1.5, 2.5, 7.2, 8.1):
        turn(machine, tmp_path, hours)
    assert kept(scheduled) == ["14:00", "19:00", "20:00"]
    assert faults(scheduled) == []


@in_memory
def test_an_edited_report_counts_from_when_that_is_seen_and_one_that_is_gone_is_forgotten(
    scheduled: World, tmp_path: Path
) -> None:
    machine = scheduled.machine("s1")
    scheduled.person({FILE: HOURLY.replace(b"0 *", b"30 *")})
    turn(machine, tmp_path, 1.6)
    assert kept(scheduled) == [], "half past twelve was before anybody knew of it"
    turn(machine, tmp_path, 2.6)
    assert kept(scheduled) == ["14:30"]
    scheduled.person({FILE: b"hourly: [\n"})
    turn(machine, tmp_path, 3.6)
    assert kept(scheduled) == ["14:30", "15:30"], "what was last readable stays in force"
    scheduled.person({FILE: None})
    turn(machine, tmp_path, 4.6)
    state = scheduled.machine("reader").ledger.state
    assert kept(scheduled) == ["14:30", "15:30"] and not state.turns
    assert not is_wanted(state, machine.clock.now(), sends=True) and next_due(state, NOON) is None
    assert faults(scheduled) == []


@in_memory
def test_a_turn_that_a_wrong_clock_put_ahead_is_set_back_in_the_open(
    scheduled: World, tmp_path: Path
) -> None:
    machine = scheduled.machine("s1")
    turn(machine, tmp_path, 50.1)
    turn(machine, tmp_path, 1.5)
    turn(machine, tmp_path, 2.1)
    assert kept(scheduled) == ["14:00"], "that of the wrong day is gone"
    turn(machine, tmp_path, 50.1)
    assert kept(scheduled) == ["14:00", "14:00"], "and was not in the way when its day came"
    assert faults(scheduled) == []


def test_what_people_do_to_kept_reports_is_undone(scheduled: World, tmp_path: Path) -> None:
    machine = scheduled.machine("s1")
    turn(machine, tmp_path, 1.01)
    path = layout.report_path("hourly", NOON + timedelta(hours=1))
    before = machine.hub.read(machine.ledger.state.tip, [path])[path]
    for files in ({path: None, layout.TURNS: None}, {path: b"{}", layout.TURNS: b"nonsense"}):
        scheduled.person(files)
        turn(machine, tmp_path, 1.1)
        assert reports.kept(machine.ledger, "hourly", machine.clock.now()) == decode(Figures, before)
        machine.ledger.transact(submit("any"))
        assert machine.hub.read(machine.ledger.state.tip, [path])[path] == before
    assert kept(scheduled) == ["13:00"], "it is not made again"
    assert faults(scheduled) == []


@in_memory
@pytest.mark.parametrize(
    ("name", "hour", "ends", "told"),
    [
        ("hourly", 2.0, 2.0, []),
        ("hourly", 2.5, 2.5, ["was made for a time at which it does not come"]),
        ("hourly", 1.0, 1.0, ["has changed"]),
        ("hourly", 0.0, 0.0, ["was made for a time that was decided before, or could be once more"]),
        ("hourly", 2.0, 3.0, ["is of another time or name than its path"]),
        ("other", 2.0, 2.0, ["was made and is no report that the clock makes"]),
    ],
)
def test_the_audit_finds_what_no_steward_does(
    scheduled: World, tmp_path: Path, name: str, hour: float, ends: float, told: list[str]
) -> None:
    machine = scheduled.machine("s1")
    turn(machine, tmp_path, 1.01)
    real = reports.kept(machine.ledger, "hourly", machine.clock.now())
    at = NOON + timedelta(hours=hour)
    forged = Figures(**{field: getattr(real, field) for field in real.__struct_fields__} | {
        "name": name, "by": "mallory",
        "now": type(real.now)(begin=NOON, end=NOON + timedelta(hours=ends)),
    })  # fmt: skip

    def decide(tx: Transaction) -> None:
        turns = dict(tx.state.turns)
        turns["hourly"] = type(turns["hourly"])(version=turns["hourly"].version, until=NOON + 9 * (at - NOON))
        documents = {layout.TURNS: Turns(turns=turns)} if hour == 2.0 else {}
        files: dict[str, bytes | None] = {layout.report_path(name, at): encode(forged)}
        tx.apply(Change(verb="report", target=f"reports/{name}", files=files, documents=dict(documents)))

    def transact(tx: Transaction) -> None:
        decide(tx)
        for change in tx.changes:
            tx.documents.update(change.documents)

    machine.ledger.transact(transact)
    assert faults(scheduled) == [f"{layout.report_path(name, at)} {each}" for each in told]


@in_memory
def test_the_audit_finds_a_turn_that_goes_back_and_a_report_that_is_gone(
    scheduled: World, tmp_path: Path
) -> None:
    machine = scheduled.machine("s1")
    turn(machine, tmp_path, 2.01)

    def decide(tx: Transaction) -> None:
        known = tx.state.turns["hourly"]
        tx.documents[layout.TURNS] = Turns(turns={"hourly": type(known)(version=known.version, until=NOON)})
        gone = layout.report_path("hourly", NOON + timedelta(hours=2))
        tx.apply(Change(verb="report", target="reports/hourly", files={gone: None}))

    machine.ledger.transact(decide)
    assert faults(scheduled) == [
        "coordination/reports/hourly/2026-11-20T1400Z.json was removed although it was to be kept",
        "coordination/reports.state.json hourly is set back, so that it could be made again",
    ]


@in_memory
def test_they_are_pages_of_the_dashboard_that_its_policy_lets_be_drawn(
    scheduled: World, tmp_path: Path
) -> None:
    machine = scheduled.machine("s1")
    machine.ledger.transact(submit("wheel"))
    machine.ledger.transact(claim(1))
    machine.clock.seconds = 1800
    machine.ledger.transact(finish(1, code=3))
    scheduled.person({FILE: HOURLY.replace(b"{cron", b"{kind: analytics, description: <b>, cron")})
    turn(machine, tmp_path, 0.6)
    turn(machine, tmp_path, 1.01)
    facts = Facts(
        state=machine.ledger.state,
        hub="",
        now=machine.clock.now(),
        reports=reports.kept_blobs(machine.ledger),
    )
    made = {part.name: part for part in pages.parts(facts, theme_of(scaffold.root() / "site"))}
    assert sorted(made) == ["reports.html", "reports/hourly/2026-11-20T1300Z.html"]
    listed, page = (
        part.render(machine.hub.contents(part.needs))[name] for name, part in sorted(made.items())
    )
    assert 'href="reports/hourly/2026-11-20T1300Z.html"' in listed and "&lt;b&gt;" in listed
    assert "1 job ended, 0 % of those" in page and 'href="../../jobs/0000/1.html"' in page and "<svg" in page
    assert "style=" not in page, "which the policy of the pages forbids"
    assert all(part.key for name, part in made.items() if name != "reports.html"), "never made again"


@in_memory
def test_reports_need_not_be_parsed_again_by_the_next_process(scheduled: World) -> None:
    machine = scheduled.machine("s1")
    kept = thaw(machine.ledger.snapshot.freeze_dry())
    assert kept is not None and kept[0].records[FILE] == machine.ledger.snapshot.view.records[FILE]


# -- sending


def owed(world: World) -> dict[str, tuple[tuple[str, ...], str]]:
    state = world.machine("reader").ledger.state
    return {key: (each.to, each.trouble) for key, each in state.turns["hourly"].owed.items()}


def test_a_report_is_sent_once_to_each_channel_and_tried_again_where_that_failed(
    sending: World, tmp_path: Path
) -> None:
    machine, post = sending.machine("s1"), Post(boss=1)
    steward = turn(machine, tmp_path, 1.01, post)
    title = "unnamed: hourly report, 2026-11-20 12:00 to 2026-11-20 13:00 (UTC)"
    files = ["hourly-2026-11-20.csv", "hourly-2026-11-20.html"]
    assert [(tag, attached) for tag, _, attached in post.sent] == [("team", files)]
    assert post.sent[0][1].endswith(title.partition(": ")[2])
    assert owed(sending) == {"2026-11-20T13:00Z": (("boss",), "boss does not answer")}
    steward.do(at_once)
    assert len(post.sent) == 1, "not again at once"
    machine.clock.seconds += 60
    steward.do(at_once)
    assert [tag for tag, _, _ in post.sent] == ["team", "boss"] and owed(sending) == {}
    assert faults(sending) == []


def test_a_steward_that_dies_between_sending_and_writing_that_down_is_followed_by_one_that_sends_again(
    sending: World, tmp_path: Path
) -> None:
    machine, post = sending.machine("s1"), Post()
    turn(machine, tmp_path, 1.01)
    assert owed(sending) == {"2026-11-20T13:00Z": (("team", "boss"), "")}

    class Dies(Post):
        def send(self, tag: str, title: str, body: str, attachments: Sequence[Attachment]) -> None:
            post.send(tag, title, body, attachments)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        turn(machine, tmp_path, 1.02, Dies())
    turn(sending.machine("s2"), tmp_path, 1.03, post)
    assert [tag for tag, _, _ in post.sent] == ["team", "team", "boss"] and owed(sending) == {}


def test_what_gets_nowhere_is_given_up_after_two_days_and_said(sending: World, tmp_path: Path) -> None:
    machine, post = sending.machine("s1"), Post(team=99, boss=99)
    turn(machine, tmp_path, 1.01, post)
    sending.person({FILE: SENT.replace(b"0 * * * *", b"0 0 1 1 *")})
    turn(machine, tmp_path, 48.9, post)
    assert list(owed(sending)) == ["2026-11-20T13:00Z"]
    turn(machine, tmp_path, 49.1, post)
    assert owed(sending) == {}
    assert not is_wanted(machine.ledger.state, machine.clock.now(), sends=True)


def test_who_of_a_tag_has_a_report_does_not_get_it_again_with_those_who_have_not(
    sending: World, tmp_path: Path
) -> None:
    machine, post = sending.machine("s1"), Post(both=1)
    sending.person({FILE: SENT.replace(b"[team, boss]", b"[all]")})
    turn(machine, tmp_path, 0.5, post)
    steward = turn(machine, tmp_path, 1.01, post)
    assert owed(sending) == {"2026-11-20T13:00Z": (("both",), "both does not answer")}
    machine.clock.seconds += 60
    steward.do(at_once)
    assert [tag for tag, _, _ in post.sent] == ["team", "both"] and owed(sending) == {}


def test_two_days_count_from_when_it_was_made_and_what_is_older_is_not_sent_all_at_once(
    sending: World, tmp_path: Path
) -> None:
    machine = sending.machine("s1")
    sending.person({FILE: SENT.replace(b"0 * * * *", b"0 13 20 11 *")})
    turn(machine, tmp_path, 0.5)
    turn(machine, tmp_path, 90, Post(team=1, boss=1))
    why = "team does not answer; boss does not answer"
    assert owed(sending) == {"2026-11-20T13:00Z": (("team", "boss"), why)}, (
        "not given up at the first failure"
    )
    post = Post()
    turn(machine, tmp_path, 90 + 49, post)
    assert post.sent == [] and owed(sending) == {}


def test_where_nothing_can_be_sent_it_is_no_chore(sending: World, tmp_path: Path) -> None:
    machine = sending.machine("s1")
    turn(machine, tmp_path, 1.01)
    now = machine.clock.now()
    assert is_wanted(machine.ledger.state, now, sends=True)
    assert not is_wanted(machine.ledger.state, now, sends=False)
    assert next_due(machine.ledger.state, now) == NOON + timedelta(hours=2)


def test_a_sync_rests_no_longer_than_until_the_next_report(sending: World, tmp_path: Path) -> None:
    machine = sending.machine("s1")
    machine.clock.seconds = 1800
    assert rest_until_due(machine.ledger.state, machine.clock.now()) == 1800
    sending.person({FILE: b"daily:\n"})
    assert rest_until_due(sending.machine("s2").ledger.state, machine.clock.now()) is None
