"""Many ledgers at once, over a network that loses things: what must hold always."""

from __future__ import annotations

import itertools
import random

import msgspec
import pytest
from worlds import GitWorld, Machine, MemoryWorld, World, claim, finish, submit

from bnet.codec import layout
from bnet.errors import HubUnreachable, RefusedByPolicy
from bnet.faults import Fault, drawn
from bnet.model.job import Claim
from bnet.model.state import State
from bnet.rules import jobs
from bnet.rules.transaction import Transaction

WEIGHTS: dict[Fault, float] = {"": 6, "before": 1, "after": 1, "late": 1, "wait": 2, "stale": 2, "twice": 1}
JOBS = 4


class Race:
    """Servers that claim, finish and lose jobs as chance has it, and interrupt each other."""

    def __init__(self, world: World, seed: int, servers: int) -> None:
        self.world = world
        self.chance = random.Random(seed)
        self.left = 40  # steps that may be taken inside of others
        world.machine("first").ledger.transact(submit(*(f"j{n}" for n in range(JOBS))))
        self.machines = {
            name: world.machine(
                name, plan=drawn(random.Random(f"{seed}{name}"), WEIGHTS), meanwhile=self.interrupt
            )
            for name in (f"s{n}" for n in range(servers))
        }
        self.acting: list[str] = []

    def interrupt(self, call: str) -> None:
        idle = [name for name in self.machines if name not in self.acting]
        if idle and self.left > 0 and len(self.acting) < 3:
            self.left -= 1
            self.step(self.chance.choice(idle))

    def step(self, name: str) -> None:
        machine = self.machines[name]
        number = self.chance.randint(1, JOBS)
        decision = self.chance.choice(
            [claim(number, name), claim(number, name), finish(number, name), lose(number)]
        )
        self.acting.append(name)
        try:
            machine.ledger.refresh()
            machine.ledger.transact(decision)
        except (HubUnreachable, RefusedByPolicy):
            pass  # a person or the next sync tries again
        finally:
            self.acting.pop()

    def settle(self, machine: Machine) -> State:
        for _ in range(20):
            try:
                machine.ledger.refresh()
                return machine.ledger.state
            except HubUnreachable:
                continue
        pytest.fail("one good answer in twenty was hoped for")


def lose(number: int) -> object:
    """Expire whoever holds a job."""

    def decide(tx: Transaction) -> None:
        if tx.jobs[number].claim is not None:
            tx.apply(jobs.lost(tx.jobs[number], now=tx.now, why="lapsed"))

    return decide


def history(world: World) -> list[State]:
    """The state at each commit, each read afresh from the history alone."""
    hub = world.hub("auditor")
    hub.fetch(world.tip())
    states = []
    for commit in world.line():
        machine = world.machine("auditor", fresh=False)
        machine.ledger.snapshot.load(commit)
        states.append(machine.ledger.state)
    return states


def check(world: World) -> None:
    """One live claim per job; tokens and numbers only grow; results are for ever."""
    states = history(world)
    seqs = [state.head.seq for state in states]
    assert seqs == list(range(len(states)))
    for number in range(1, JOBS + 1):
        told = [state.jobs[number] for state in states[1:]]
        held: list[Claim] = [job.claim for job in told if job.claim is not None]
        distinct = [each for each, last in zip(held, [None, *held], strict=False) if each != last]
        tokens = [each.token for each in distinct]
        assert tokens == sorted(set(tokens)), f"job #{number} was held twice at a time: {tokens}"
        assert [each.attempt for each in distinct] == list(range(1, len(distinct) + 1))
        for before, after in itertools.pairwise(told):
            if before.claim is not None and after.claim is not None:
                assert before.claim == after.claim, "a claim went over without an end between"
            if before.result is not None:
                assert after == before, "a finished job changed"
            assert after.attempts[: len(before.attempts)] == before.attempts


def run_race(world: World, seed: int, servers: int, steps: int) -> None:
    race = Race(world, seed, servers)
    for _ in range(steps):
        race.step(race.chance.choice(list(race.machines)))
    race.left = 0
    for machine in race.machines.values():
        race.settle(machine)
    # A push that was under way lands before its sender's next call, so the last one to settle saw them all.
    states = [race.settle(machine) for machine in race.machines.values()]
    fresh = world.machine("newcomer").ledger.state
    assert all(state == fresh for state in states)
    check(world)


@pytest.mark.parametrize("seed", range(40))
def test_racing_ledgers_agree_in_memory(seed: int) -> None:
    world = MemoryWorld()
    world.begin()
    run_race(world, seed, servers=2 + seed % 4, steps=30)


@pytest.mark.parametrize("seed", range(2))
def test_racing_ledgers_agree_over_git(git_world: GitWorld, seed: int) -> None:
    run_race(git_world, seed, servers=3, steps=12)


def test_a_race_is_the_same_for_the_same_seed() -> None:
    tips = set()
    for _ in range(2):
        world = MemoryWorld()
        world.begin()
        run_race(world, 7, servers=3, steps=20)
        tips.add(world.tip())
    assert len(tips) == 1


def test_the_documents_in_git_are_what_the_state_says(git_world: GitWorld) -> None:
    run_race(git_world, 11, servers=2, steps=6)
    state = git_world.machine("reader").ledger.state
    for number, job in state.jobs.items():
        path = layout.job_dir(number) + "claim.json"
        shown = git_world.git("ls-tree", "--name-only", git_world.tip(), path)
        assert bool(shown) == (job.claim is not None)
        if job.claim is not None:
            assert (
                msgspec.json.decode(git_world.git("show", f"{git_world.tip()}:{path}"), type=Claim)
                == job.claim
            )
