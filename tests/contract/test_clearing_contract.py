"""The chore of deleting in the store: what was given up goes off the list once it is gone; a store may be away."""

from __future__ import annotations

from pathlib import Path

import pytest
from worlds import MemoryWorld, World, register, submit

from bnet.app.artifacts.clearing import Clearing, is_wanted
from bnet.app.steward.office import at_once
from bnet.codec import layout
from bnet.errors import StoreFailed
from bnet.model.artifact import Gone, Kept, KeptRun
from bnet.model.state import State
from bnet.rules.transaction import Transaction
from bnet.stores.directory import DirectoryStore

RUN = "018f0000-0000-4000-8000-000000000001"
PLACE = f"artifacts/hub/{RUN}"


class Bench:
    """A hub with a store, where the artifacts of job 1 were given up, and the marks of one server's chores."""

    def __init__(self, top: Path) -> None:
        self.world: World = MemoryWorld()
        self.world.begin()
        self.world.person({"coordination/hub.yaml": f"store: {{url: {top}}}\n".encode()})
        self.store = DirectoryStore(top)
        (top / "x").write_text("big")
        self.store.send(f"{PLACE}/x", top / "x")
        (top / "x").unlink()
        self.machine = self.world.machine("s1")
        self.machine.ledger.transact(register("s1"))
        self.machine.ledger.transact(self._give_up)
        self.done: set[str] = set()
        self.swept = 0

    def _give_up(self, tx: Transaction) -> None:
        submit("big")(tx)
        run = KeptRun(
            attempt=1, server="s1", run=RUN, manifest="0" * 64, count=1, size=3, place=f"store:{PLACE}"
        )
        gone = Gone(at=tx.now, why="age", by="s1")
        tx.documents[layout.kept_path(1)] = Kept(job=1, name="big", at=tx.now, runs=(run,), gone=gone)

    def is_past(self, chore: str, every_s: float) -> bool:
        return chore not in self.done

    def is_due(self, chore: str, every_s: float) -> bool:
        past = self.is_past(chore, every_s)
        self.done.add(chore)
        return past

    def do(self, store: DirectoryStore | None = None) -> None:
        def sweep(store: object, state: State) -> None:
            self.swept += 1

        def opened(state: State) -> DirectoryStore:
            return store or self.store

        ledger = self.machine.ledger
        ledger.refresh()
        Clearing(ledger, "s1", opened, self.is_due, sweep).do(at_once)

    @property
    def state(self) -> State:
        return self.world.machine("reader").ledger.state


class Away(DirectoryStore):
    def delete(self, name: str) -> None:
        raise StoreFailed("the store is away")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_what_was_given_up_is_deleted_and_goes_off_the_list(bench: Bench) -> None:
    assert is_wanted(bench.state, bench.is_past)
    bench.do()
    assert not list(bench.store.names("artifacts/")) and not bench.state.kept
    assert bench.swept == 1
    assert not is_wanted(bench.state, bench.is_past), "until tomorrow"
    bench.do()
    assert bench.swept == 1


def test_where_the_store_is_away_it_stays_on_the_list_and_is_tried_again_later(
    bench: Bench, tmp_path: Path
) -> None:
    with pytest.raises(StoreFailed):
        bench.do(Away(tmp_path))
    assert 1 in bench.state.kept
    assert not is_wanted(bench.state, bench.is_past), "another server may be the steward meanwhile"
    bench.done.clear()
    bench.do()
    assert not bench.state.kept


def test_a_hub_without_a_store_wants_nothing_of_it(bench: Bench) -> None:
    bench.world.person({"coordination/hub.yaml": b""})
    assert not is_wanted(bench.state, bench.is_past)
