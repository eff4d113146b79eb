"""The worlds that every promise is tried in."""

from __future__ import annotations

from pathlib import Path

import pytest
from worlds import GitWorld, MemoryWorld, World, register


@pytest.fixture(params=["git behind faults", "memory"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    """A hub without anything on it.

    The wrapper of the faults is benign until a test says otherwise, and then nothing but a hub: Git without
    it is tried by `test_hub_contract` and `test_hand_edits_contract`, which bring a fixture of their own.
    """
    return MemoryWorld() if request.param == "memory" else GitWorld(tmp_path, wrapped=True)


@pytest.fixture
def world(empty: World) -> World:
    """A hub with a ledger that has no job yet."""
    empty.begin()
    return empty


@pytest.fixture
def git_world(tmp_path: Path) -> GitWorld:
    """What only Git can hold or do."""
    world = GitWorld(tmp_path)
    world.begin()
    return world


@pytest.fixture
def two(world: World) -> World:
    """A hub with two servers."""
    for name in ("s1", "s2"):
        world.machine(name).ledger.transact(register(name))
    return world
