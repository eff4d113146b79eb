"""The steward's office: one at a time, kept while errands are out, given back when it comes to nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

import pytest
from worlds import MemoryWorld, World, register

from bnet.app.locks.outside import take_away
from bnet.app.steward.office import LOCK, Away, GaveUp, Steward, Task, holder_of
from bnet.errors import BnetError
from bnet.model.state import State
from bnet.rules.servers import wish


class Work:
    """A chore that counts, and fails as often as it is told to."""

    def __init__(self, *, fails: int = 0, rounds: int = 1) -> None:
        self.done, self.fails, self.rounds = 0, fails, rounds
        self.meanwhile: Callable[[Away], object] = lambda away: None

    def do(self, away: Away) -> None:
        self.done += 1
        self.meanwhile(away)
        if self.done <= self.fails:
            raise BnetError("nothing answers")

    def task(self) -> Task:
        return Task("work", lambda state: self.done < self.rounds, lambda: self)


@pytest.fixture
def world() -> World:
    made = MemoryWorld()
    made.begin()
    made.machine("s1").ledger.transact(register("s1"))
    return made


def steward(world: World, *works: Work, name: str = "s1") -> Steward:
    machine = world.machine(name)
    tasks = [each.task() for each in works]
    return Steward(machine.ledger, machine.clock, tasks, who=name, told=str, stop=lambda: False)


def state(world: World) -> State:
    return world.machine("reader").ledger.state


def test_it_works_under_the_lock_and_gives_it_back_when_there_is_nothing_to_do(world: World) -> None:
    work, holders = Work(rounds=3), []
    work.meanwhile = lambda away: holders.append(holder_of(state(world)))
    assert steward(world, work).serve()
    assert holders == ["s1"] * 3
    assert LOCK not in state(world).locks


def test_where_another_server_is_the_steward_nothing_is_done(world: World) -> None:
    mine, other, served = Work(), Work(), []
    mine.meanwhile = lambda away: served.append(steward(world, other, name="s2").serve())
    assert steward(world, mine).serve()
    assert served == [False] and other.done == 0
    assert not state(world).locks, "nobody stands in the row"


@pytest.mark.parametrize(("fails", "gives_up"), [(2, False), (3, True)])
def test_after_three_failures_in_a_row_it_leaves_the_office_to_others(
    world: World, fails: int, gives_up: bool
) -> None:
    work = Work(fails=fails, rounds=9)
    if gives_up:
        with pytest.raises(GaveUp, match="work failed 3 times in a row: nothing answers"):
            steward(world, work).serve()
    else:
        assert steward(world, work).serve()
    assert work.done == (3 if gives_up else 9)
    assert LOCK not in state(world).locks


def test_one_that_lost_its_lock_does_no_more(world: World) -> None:
    work = Work(rounds=9)
    work.meanwhile = lambda away: take_away(world.machine("boss").ledger, LOCK, None, "boss", "x")
    assert steward(world, work).serve()
    assert work.done == 1


def test_a_server_that_is_paused_leaves_the_office(world: World) -> None:
    work = Work(rounds=9)

    def pause(away: Away) -> None:
        machine = world.machine("boss")
        server = machine.ledger.state.servers["s1"]
        machine.ledger.transact(lambda tx: tx.apply(wish(server, "paused", by="boss", why="x")))

    work.meanwhile = pause
    assert steward(world, work).serve()
    assert work.done == 1 and not state(world).locks


def test_errands_come_back_in_their_order_and_the_lock_is_kept_meanwhile(world: World) -> None:
    """Each errand waits for the next one, so that they are out at the same time."""
    work, results = Work(), []
    gone = [threading.Event() for _ in range(4)]

    def errand(number: int) -> int:
        gone[number].set()
        if number + 1 < len(gone):
            assert gone[number + 1].wait(60)
        return number

    def send(away: Away) -> None:
        results.extend(away([partial(errand, number) for number in range(4)]))

    work.meanwhile = send
    assert steward(world, work).serve()
    assert results == [0, 1, 2, 3]
