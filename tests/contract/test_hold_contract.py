"""A named lock between machines: one holder at a time, in the order of asking, whatever becomes of them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from worlds import Machine, World, arrives_with_the_next

from bnet.app.audit import audit
from bnet.app.locks import outside
from bnet.app.locks.hold import Hold, Lost
from bnet.errors import BnetError, Taken
from bnet.model.lock import Lock
from bnet.ports.hub import Update

TTL = 60.0


def hold(machine: Machine, **more: Any) -> Hold:
    return Hold(machine.ledger, machine.clock, "db", machine.ledger.actor, ttl_s=TTL, **more)


def there(world: World) -> Lock:
    machine = world.machine("looker")
    assert not audit(machine.hub, world.tip()).wrong
    return machine.ledger.state.locks.get("db", Lock(name="db"))


def holders(world: World) -> list[str]:
    return [each.by for each in there(world).holders]


def refs(world: World) -> set[str]:
    return set(world.hub("refs").look().telemetry)


def test_one_holds_it_and_the_other_is_told_who(world: World) -> None:
    one, two = hold(world.machine("a")), hold(world.machine("b"))
    token = one.acquire(0.0)
    assert token == 1 and holders(world) == ["a"]
    with pytest.raises(Taken, match="lock db is held by a"):
        two.acquire(0.0)
    assert there(world).waiters == (), "who does not wait leaves nothing behind"
    one.give_back()
    assert two.acquire(0.0) > token
    two.give_back()
    assert (holders(world), refs(world)) == ([], set())


def test_a_grant_that_comes_to_light_late_is_held_from_when_it_was_asked_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = world.machine("a")
    mine = hold(machine)
    arrives_with_the_next(machine, monkeypatch, TTL)
    with pytest.raises(Lost):
        mine.acquire(None)
    assert holders(world) == []


def test_who_waits_gets_it_in_the_order_of_asking(world: World) -> None:
    first = hold(world.machine("a"))
    first.acquire(0.0)
    machines = [world.machine(name) for name in "bcd"]
    asking = [hold(each) for each in machines]
    for each in asking:
        assert not each.step(waits=True)
    first.give_back()
    order = []
    for each in (*asking[::-1], *asking[::-1], *asking[::-1]):
        if each.token == 0 and each.step(waits=True):
            order.append(each)
            each.give_back()
    assert order == asking


def test_a_wait_has_its_end(world: World) -> None:
    hold(world.machine("a")).acquire(0.0)
    machine, said = world.machine("b"), list[str]()
    begun = machine.clock.boot()
    with pytest.raises(Taken):
        hold(machine).acquire(7.0, said.append)
    assert machine.clock.boot() - begun == pytest.approx(7.0, abs=0.1)
    assert said == ["lock db is held by a"]
    assert there(world).waiters == ()


def test_a_holder_that_is_gone_is_passed_after_its_time_and_not_before(world: World) -> None:
    hold(world.machine("a")).acquire(0.0)
    machine = world.machine("b")
    begun = machine.clock.boot()
    hold(machine).acquire(None)
    assert TTL <= machine.clock.boot() - begun <= TTL * 1.5
    assert holders(world) == ["b"]


def test_one_who_waited_and_is_gone_stops_nobody_behind_it(world: World) -> None:
    first = hold(world.machine("a"))
    first.acquire(0.0)
    hold(world.machine("b")).step(waits=True)
    machine = world.machine("c")
    last = hold(machine)
    last.step(waits=True)
    first.give_back()
    last.acquire(None)
    assert (holders(world), there(world).waiters) == (["c"], ())


def test_a_holder_that_shows_signs_of_life_keeps_it(world: World) -> None:
    machine, other = world.machine("a"), world.machine("b")
    mine, theirs = hold(machine), hold(other)
    mine.acquire(0.0)
    for _ in range(30):
        machine.clock.seconds += TTL / 4
        other.clock.seconds += TTL / 4
        mine.keep()
        assert not theirs.step(waits=True)
    assert holders(world) == ["a"]


@pytest.mark.parametrize("how", ["break", "away"])
def test_a_holder_learns_that_it_lost_it(world: World, how: str) -> None:
    machine = world.machine("a", look=[] if how == "break" else ["before"] * 99)
    mine = hold(machine)
    if how == "break":
        mine.acquire(0.0)
        assert outside.take_away(world.machine("c").ledger, "db", None, "eve", "it hangs") == "a"
        with pytest.raises(Lost, match="was taken away"):
            mine.keep()
        told = world.hub("c").recorded(world.tip())[-1].ops
        assert any(op.startswith("break db") and "reason=it_hangs" in op for op in told)
        return
    sound = hold(world.machine("b"))
    sound.acquire(0.0)
    sound._ledger.hub = machine.hub
    with pytest.raises(Lost, match="the hub saw nothing of its holder for 40 s: fault"):
        for _ in range(8):
            sound._clock.sleep(TTL / 8)
            sound.keep()


def test_a_hub_that_is_away_for_a_moment_costs_nothing(world: World) -> None:
    machine = world.machine("a")
    mine = hold(machine)
    mine.acquire(0.0)
    away = world.machine("a", look=["before", "before"])
    sound, mine._ledger.hub = mine._ledger.hub, away.hub
    for _ in range(2):
        machine.clock.seconds += TTL / 4
        mine.keep()
    mine._ledger.hub = sound
    machine.clock.seconds += TTL / 8
    mine.keep()


def test_a_lease_that_has_ended_is_not_begun_again(world: World) -> None:
    machine = world.machine("a")
    mine = hold(machine)
    mine.acquire(0.0)
    machine.clock.seconds += TTL * 0.7
    with pytest.raises(Lost, match="saw nothing of its holder"):
        mine.keep()  # as of one that was paused: others may be about to go on, although the hub shows nothing of it


def test_a_lock_that_was_granted_too_long_ago_is_given_back_before_anything_begins(world: World) -> None:
    machine = world.machine("a")
    mine = hold(machine)
    push = machine.ledger.hub.push

    def slow(updates: Sequence[Update]) -> str | None:
        said = push(updates)
        machine.clock.seconds += TTL * 0.7
        return said

    machine.ledger.hub.push = slow
    with pytest.raises(Lost, match="saw nothing of its holder"):
        mine.acquire(0.0)
    assert holders(world) == []


def test_a_holder_of_a_hub_that_went_another_way_gives_up_in_time(world: World) -> None:
    machine = world.machine("a")
    mine = hold(machine)
    mine.acquire(0.0)
    old = world.tip()
    hold(world.machine("b")).step(waits=True)
    mine.keep()
    world.move(old)
    world.person({"notes.md": b"another way\n"})
    with pytest.raises(Lost, match="diverged"):
        for _ in range(8):
            machine.clock.seconds += TTL / 8
            mine.keep()
    assert "was not given back" in mine.give_back()


def test_one_who_waits_goes_on_although_the_hub_is_away_for_a_while(world: World) -> None:
    hold(world.machine("a")).acquire(0.0)
    machine, said = world.machine("b", look=["", "", ""] + ["before"] * 4), list[str]()
    hold(machine).acquire(None, said.append)
    assert holders(world) == ["b"]
    assert [each for each in said if "the wait goes on" in each]


def test_what_a_running_command_holds_is_not_made_shorter(world: World) -> None:
    mine = hold(world.machine("a"))
    token = mine.acquire(0.0)
    with pytest.raises(BnetError, match="held by a running command"):
        outside.extend(world.machine("c").ledger, "db", token, "a", 1.0)


def test_one_who_does_not_wait_leaves_no_sign_of_life(world: World) -> None:
    hold(world.machine("a")).acquire(0.0)
    before = refs(world)
    assert not hold(world.machine("b")).step(waits=False)
    assert refs(world) == before


@pytest.mark.parametrize("fault", ["before", "after", "wait"])
def test_an_asking_whose_answer_is_lost_is_one_asking(world: World, fault: str) -> None:
    machine = world.machine("a", push=[fault])
    mine = hold(machine)
    mine.acquire(None)
    assert holders(world) == ["a"] and there(world).waiters == ()
    mine.give_back()
    assert holders(world) == []


def test_what_is_held_for_a_time_is_counted_from_then(world: World) -> None:
    mine = hold(world.machine("a"))
    mine.acquire(0.0)
    mine.leave_for(600.0)
    assert refs(world) == set(), "nobody is there to give signs of life"
    machine = world.machine("b")
    begun = machine.clock.boot()
    hold(machine).acquire(None)
    assert 600.0 <= machine.clock.boot() - begun <= 700.0


def test_a_token_gives_back_and_extends_and_another_does_not(world: World) -> None:
    machine = world.machine("a")
    mine = hold(machine)
    token = mine.acquire(0.0)
    mine.leave_for(60.0)
    ledger = world.machine("c").ledger
    for do in (outside.release, lambda *words: outside.extend(*words, 600.0)):
        with pytest.raises(Taken, match=f"held by a .token {token}."):
            do(ledger, "db", token + 1, "a")
        with pytest.raises(Taken, match="not held by bob"):
            do(ledger, "db", None, "bob")
    outside.extend(ledger, "db", token, "c", 600.0)
    assert [each.ttl_s for each in there(world).holders] == [600.0]
    outside.release(ledger, "db", None, "a")
    assert holders(world) == []


def test_a_lock_that_a_person_deletes_is_held_all_the_same(world: World) -> None:
    hold(world.machine("a")).acquire(0.0)
    world.person({"coordination/locks/db.json": None})
    assert holders(world) == ["a"]
    with pytest.raises(Taken):
        hold(world.machine("b")).acquire(0.0)


def test_many_at_once_never_hold_it_together(world: World) -> None:
    chance = random.Random(7)
    machines = [world.machine(f"m{n}") for n in range(4)]
    parts = [hold(each) for each in machines]
    turns = 0
    for _ in range(60):
        n = chance.randrange(4)
        machines[n].clock.seconds += 0.5
        if parts[n].token:
            assert holders(world) == [f"m{n}"]
            parts[n].give_back()
            parts[n] = hold(machines[n])
        else:
            turns += parts[n].step(waits=True)
        assert sum(bool(each.token) for each in parts) <= 1
    assert turns >= 8
