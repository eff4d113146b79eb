"""Random schedules of faults over the very code of a sync: nothing is lost, and nothing runs twice that may not."""

from __future__ import annotations

from collections import Counter

import pytest
from strength import MUTANTS, TOP
from world import play

BATCH = 20
BATCHES = 25
STORM = 60.0  # seconds: short, so that many fit into the time of a test run; a soak takes longer ones


@pytest.mark.parametrize("batch", range(BATCHES))
def test_every_schedule_keeps_the_promises(batch: int) -> None:
    met: Counter[str] = Counter()
    for seed in range(batch * BATCH, (batch + 1) * BATCH):
        outcome = play(f"suite {seed}", storm=STORM)
        told = "\n".join(outcome.blames[:3])
        assert not outcome.blames, (
            f"python tests/simulation/soak.py --storm {STORM:g} --seed 'suite {seed}'\n{told}"
        )
        met.update(each.what for each in outcome.injected)
    assert met.total() > BATCH


def test_a_seed_plays_the_same_again() -> None:
    first, second = play("again"), play("again")
    assert first == second
    assert first.injected and first.checks["transactions"]


def test_a_fault_can_be_left_out_of_a_schedule() -> None:
    found = play("again")
    number = found.injected[0].number
    assert number not in {each.number for each in play("again", without={number}).injected}


def test_each_fault_that_is_planted_to_be_noticed_still_has_its_place() -> None:
    sources = [(TOP / "bnet" / f"{each.module.replace('.', '/')}.py").read_text() for each in MUTANTS]
    assert [each.why for each, text in zip(MUTANTS, sources, strict=True) if each.old not in text] == []
