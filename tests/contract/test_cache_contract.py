"""A snapshot that was kept for the next process: it saves work, and is never believed further than that."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from worlds import BOB, Machine, MemoryWorld, World, claim, finish, in_memory, register, submit

from bnet.codec import layout

INBOX = layout.INBOX + "x.yaml"
SCAFFOLD = Path(__file__).parents[2]


def busy(world: World) -> Machine:
    """A ledger with something of everything, some of it below the newest transaction and some above."""
    machine = world.machine("a")
    machine.ledger.transact(submit("one", "two", "three"))
    machine.ledger.transact(register("s1"))
    machine.ledger.transact(claim(1))
    machine.ledger.transact(claim(2))
    machine.ledger.transact(finish(2))
    world.person({layout.SETTINGS: b"name: office\n", INBOX: b"- cancel: {job: 3}\n"}, by=BOB)
    world.person({layout.SETTINGS: b"name: [", layout.ARCHIVE + "2026/11/20.1.jsonl": b"{}\n"}, by=BOB)
    machine.ledger.refresh()
    machine.ledger.transact(submit("four"))
    world.person({layout.INBOX + "y.yaml": b"{", layout.job_dir(1) + "claim.json": None})
    machine.ledger.refresh()
    return machine


def thawed(world: World, data: bytes) -> Machine:
    machine = world.machine("b", fresh=False)
    machine.ledger.snapshot.thaw(data)
    machine.ledger.refresh()
    return machine


def test_a_thawed_snapshot_is_the_one_that_was_freeze_dried(world: World) -> None:
    machine = busy(world)
    again = thawed(world, machine.ledger.snapshot.freeze_dry())
    assert again.ledger.state == machine.ledger.state == world.machine("c").ledger.state


def test_what_people_have_written_is_the_same_after_a_thaw(world: World) -> None:
    machine = busy(world)
    world.person(
        {
            layout.SETTINGS: b"ttl: 90\nlocks: {db: {limit: 2}}\nstore: {url: /srv/store}\n",
            layout.ENVIRONMENTS_FILE: b"environments: [{name: dev}, {name: prod, approvals: 1}]\n",
            layout.MONITORING: (SCAFFOLD / layout.MONITORING).read_bytes(),
            layout.SCHEDULES
            + "t.yaml": b"cron: 0 2 * * *\ntimezone: Europe/Berlin\nsubmit: {command: make}\n",
            layout.SOURCES + "w.yaml": b"repository: /srv/w\nsubmit: {command: make}\n",
        },
        by=BOB,
    )
    machine.ledger.refresh()
    assert not {each.path for each in machine.ledger.state.problems} & {layout.SETTINGS, layout.MONITORING}
    assert machine.ledger.state.environments.environments and machine.ledger.state.sources
    again = thawed(world, machine.ledger.snapshot.freeze_dry())
    assert again.ledger.state == machine.ledger.state


def test_who_dropped_a_command_is_known_after_a_thaw(world: World) -> None:
    again = thawed(world, busy(world).ledger.snapshot.freeze_dry())
    assert {file.path: file.by for file in again.ledger.state.inbox}[INBOX] == BOB


def test_what_is_broken_is_named_after_a_thaw(world: World) -> None:
    again = thawed(world, busy(world).ledger.snapshot.freeze_dry())
    assert layout.SETTINGS in {problem.path for problem in again.ledger.state.problems}
    assert again.ledger.state.settings.name == "office"


def test_a_thawed_ledger_goes_on(world: World) -> None:
    data = busy(world).ledger.snapshot.freeze_dry()
    other = world.machine("c")
    other.ledger.transact(finish(1))
    again = thawed(world, data)
    again.ledger.transact(submit("five"))
    assert again.ledger.state == world.machine("d").ledger.state


def test_a_snapshot_of_another_version_or_of_nothing_is_a_miss(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = busy(world)
    with monkeypatch.context() as another:
        another.setattr("bnet.codec.frozen.VERSION", 99)
        other_version = machine.ledger.snapshot.freeze_dry()
    unused = world.machine("e", fresh=False).ledger.snapshot.freeze_dry()
    for data in (unused, other_version):
        assert thawed(world, data).ledger.state == machine.ledger.state


def test_a_snapshot_of_another_hub_is_a_miss(world: World) -> None:
    other = MemoryWorld()
    other.begin()
    data = busy(other).ledger.snapshot.freeze_dry()
    machine = busy(world)
    assert thawed(world, data).ledger.state == machine.ledger.state


def offsets(data: bytes, count: int) -> list[int]:
    return sorted({0, 1, 2, 5, len(data) - 1, *(random.Random(1).randrange(len(data)) for _ in range(count))})


@in_memory
def test_a_truncated_snapshot_is_a_miss_at_every_length(world: World) -> None:
    machine = busy(world)
    data = machine.ledger.snapshot.freeze_dry()
    for length in range(0, len(data), 7):
        assert thawed(world, data[:length]).ledger.state == machine.ledger.state


@in_memory
@pytest.mark.parametrize("flip", [0x01, 0x20, 0x80, 0xFF])
def test_a_snapshot_with_a_wrong_byte_is_a_miss(world: World, flip: int) -> None:
    machine = busy(world)
    data = machine.ledger.snapshot.freeze_dry()
    for at in offsets(data, 400):
        wrong = data[:at] + bytes([data[at] ^ flip]) + data[at + 1 :]
        assert thawed(world, wrong).ledger.state == machine.ledger.state, f"believed a wrong byte at {at}"


@in_memory
@pytest.mark.parametrize(
    "data", [b"", b"\0" * 4096, b"i\x01\0\0\0", b"[", b"N", b"not a cache", b"\xff" * 100]
)
def test_what_is_no_snapshot_is_a_miss(world: World, data: bytes) -> None:
    machine = busy(world)
    assert thawed(world, data).ledger.state == machine.ledger.state


def test_several_damages_are_misses_over_git_too(world: World) -> None:
    machine = busy(world)
    data = machine.ledger.snapshot.freeze_dry()
    for at in (0, len(data) // 3, len(data) - 1):
        assert thawed(world, data[:at]).ledger.state == machine.ledger.state
