"""Schedules on a ledger: several servers at one firing, hand edits, broken files, and what the audit says of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from msgspec.structs import replace
from worlds import ALICE, BOB, NOON, Machine, World, register

from bnet.app.audit import audit
from bnet.codec import layout
from bnet.codec.documents import encode
from bnet.faults import Call, Fault, script
from bnet.model.schedule import Cursor
from bnet.rules.agenda import Agenda
from bnet.rules.change import Change
from bnet.rules.firing import fire
from bnet.rules.specs import Facts
from bnet.rules.transaction import Transaction

FILE = "coordination/schedules/nightly.yaml"
CURSOR = "coordination/schedules/nightly.state.json"
HOURLY = b"cron: 0 * * * *\nmissed: all\nsubmit: {command: make}\n"
ONE = timedelta(hours=1)


def decide(tx: Transaction) -> None:
    fire(tx, Agenda(), Facts())


def sync(machine: Machine, hours: float) -> None:
    """Do what a server does at so many hours past noon."""
    machine.clock.seconds = hours * 3600
    machine.ledger.refresh()
    machine.ledger.transact(decide)


def keys(world: World) -> list[str | None]:
    """Return the firings that became jobs, as anybody reads them."""
    return [job.spec.key for _, job in sorted(world.machine("reader").ledger.state.jobs.items())]


def faults(world: World) -> list[str]:
    hub, tip = world.hub("auditor"), world.tip()
    hub.fetch(tip)
    return [f"{each.fault.target} {each.fault.text}" for each in audit(hub, tip).wrong]


@pytest.fixture
def scheduled(world: World) -> World:
    """A hub with two servers and a schedule that they know of."""
    world.person({FILE: HOURLY}, by=BOB)
    machine = world.machine("s1")
    for name in ("s1", "s2"):
        machine.ledger.transact(register(name))
    sync(machine, 0)
    return world


@pytest.mark.parametrize("fate", ["", "before", "after", "late", "wait", "stale", "twice"])
def test_two_servers_at_one_firing_make_one_job(scheduled: World, fate: Fault) -> None:
    second = scheduled.machine("s2")

    def meanwhile(call: Call) -> None:
        sync(second, 1.01)

    first = scheduled.machine("s1", plan=script({"push": [fate]}), meanwhile=meanwhile)
    sync(first, 1)
    meanwhile("push")
    sync(first, 1.02)
    assert keys(scheduled) == ["schedule:nightly:2026-11-20T13:00@UTC"]
    assert faults(scheduled) == []


def test_its_job_is_asked_for_by_who_wrote_the_file(scheduled: World) -> None:
    sync(scheduled.machine("s1"), 1)
    [job] = scheduled.machine("reader").ledger.state.jobs.values()
    assert job.spec.submitted_by == BOB


def test_a_cursor_that_somebody_set_back_by_hand_fires_nothing_twice(scheduled: World) -> None:
    there = scheduled.machine("reader").ledger.state.cursors["nightly"]
    sync(scheduled.machine("s1"), 1)
    scheduled.person({CURSOR: encode(there)})
    sync(scheduled.machine("s2"), 1.1)
    assert len(keys(scheduled)) == 1
    assert scheduled.machine("reader").ledger.state.cursors["nightly"].until == NOON + ONE
    scheduled.person({CURSOR: None})
    sync(scheduled.machine("s2"), 2)
    assert len(keys(scheduled)) == 2
    assert faults(scheduled) == []


def test_a_broken_file_is_named_its_last_readable_version_fires_and_so_do_the_others(
    scheduled: World,
) -> None:
    scheduled.person({"coordination/schedules/other.yaml": HOURLY})
    sync(scheduled.machine("s1"), 0.5)
    commit = scheduled.person({FILE: b"cron: 61 * * * *\nsubmit: {command: x}\n"}, by=ALICE)
    for machine in (scheduled.machine("s1"), scheduled.machine("one with an empty disk", actor="s2")):
        [problem] = machine.ledger.state.problems
        assert (problem.path, problem.commit) == (FILE, commit)
        assert problem.message.startswith(f'{FILE}:1: field "cron": ')
        assert machine.ledger.state.schedules["nightly"].by == BOB, "of the version that is in force"
    sync(scheduled.machine("s1"), 1)
    assert sorted(map(str, keys(scheduled))) == [
        "schedule:nightly:2026-11-20T13:00@UTC",
        "schedule:other:2026-11-20T13:00@UTC",
    ]
    scheduled.person({FILE: b"cron: 30 * * * *\nsubmit: {command: x}\n"}, by=ALICE)
    sync(scheduled.machine("s1"), 1.25)
    sync(scheduled.machine("s1"), 1.5)
    assert len(keys(scheduled)) == 3
    assert faults(scheduled) == []


def test_a_snapshot_that_was_kept_knows_the_schedules_without_parsing_them(
    scheduled: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = scheduled.machine("s1").ledger.snapshot.freeze_dry()
    fresh = scheduled.machine("s1", fresh=False)
    fresh.ledger.snapshot.thaw(kept)

    def never(*_: object) -> None:
        raise AssertionError("it was parsed")

    monkeypatch.setattr("bnet.codec.kinds.read_table", never)
    fresh.ledger.refresh()
    assert fresh.ledger.state.schedules["nightly"].by == BOB
    sync(fresh, 1)
    assert len(fresh.ledger.state.jobs) == 1


# -- what the audit finds


def forged(change: Callable[[Transaction], None]) -> Callable[[Transaction], None]:
    """Let everything fire as it should, and then have something else said or written."""

    def decide_and_forge(tx: Transaction) -> None:
        decide(tx)
        change(tx)

    return decide_and_forge


def says(name: str, at: str, zone: str = "UTC") -> Callable[[Transaction], None]:
    def change(tx: Transaction) -> None:
        tx.apply(Change(verb="fire", target=name, fields={"at": at, "zone": zone}))

    return change


def sets_back(tx: Transaction) -> None:
    cursor = tx.documents.get(CURSOR) or tx.state.cursors["nightly"]
    assert isinstance(cursor, Cursor)
    tx.apply(
        Change(
            verb="schedule",
            target="nightly",
            documents={layout.cursor_path("nightly"): replace(cursor, until=NOON - ONE)},
        )
    )


FORGED: dict[str, tuple[Callable[[Transaction], None], str]] = {
    "a schedule that is none": (says("weekly", "2026-11-20T13:00"), "was fired and is no schedule"),
    "when it does not come": (
        says("nightly", "2026-11-20T13:01"),
        "was fired for 2026-11-20T13:01 in UTC, when",
    ),
    "in another zone": (says("nightly", "2026-11-20T13:00", "Asia/Tokyo"), "in Asia/Tokyo, when it does not"),
    "without a job": (says("nightly", "2026-11-20T14:00"), "without a key that makes it one job"),
    "set back": (sets_back, "is set back, so that its schedules could fire again"),
}


@pytest.mark.parametrize(("change", "expected"), FORGED.values(), ids=FORGED.keys())
def test_the_audit_finds(scheduled: World, change: Callable[[Transaction], None], expected: str) -> None:
    machine = scheduled.machine("s1")
    machine.clock.seconds = 3600
    machine.ledger.transact(forged(change))
    [fault] = faults(scheduled)
    assert expected in fault


def test_the_audit_finds_a_firing_of_what_is_paused_or_new_or_over(scheduled: World) -> None:
    machine = scheduled.machine("s1")
    sync(machine, 1)
    machine.ledger.transact(says("nightly", "2026-11-20T13:00"))
    assert ["was decided before" in each for each in faults(scheduled)] == [True]
    scheduled.person({FILE: HOURLY.replace(b"0 *", b"5 *")})
    machine.ledger.refresh()
    machine.ledger.transact(says("nightly", "2026-11-20T14:05"))
    scheduled.person({FILE: HOURLY + b"paused: x\n"})
    machine.ledger.refresh()
    machine.ledger.transact(says("nightly", "2026-11-20T14:00"))
    assert [each.partition(" although ")[2] for each in faults(scheduled)[1:]] == [
        "it was new or edited",
        "it is paused",
    ]
