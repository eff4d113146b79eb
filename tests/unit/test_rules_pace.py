"""When a server has to be seen to move, and when it has to wait for its turn."""

from __future__ import annotations

from typing import Any

import pytest

from bnet.model.hub import Intervals, Settings
from bnet.model.run import Intent, Phase, RunFact
from bnet.rules.leases import Observed
from bnet.rules.pace import beat_due, progress_due, wait_for_turn

FREE = Settings(intervals=Intervals(idle_heartbeat=1800.0, progress=20.0))
BUDGET = Settings(push_budget=6.0, intervals=FREE.intervals)  # of ten servers, each may push every 100 s
BEAT_AT = 5000.0


def fact(ttl_s: float, phase: Phase = "alive") -> RunFact:
    intent = Intent(run="r", job=1, attempt=1, name="j", command="x", ttl_s=ttl_s, on_lost_lease="finish")
    return RunFact(intent=intent, phase=phase)


def after(seconds: float) -> Observed:
    """A look so many seconds after the last beat."""
    return Observed(boot_id="b", looked_at=BEAT_AT + seconds, beat_at=BEAT_AT)


NEVER = Observed(boot_id="b", looked_at=BEAT_AT)
BEATS: dict[str, tuple[Observed, list[RunFact], bool]] = {
    "there was none on this boot": (NEVER, [], True),
    "a third of the TTL is over": (after(100), [fact(300)], True),
    "a third of the TTL is not yet over": (after(99), [fact(300)], False),
    "a third of the shortest TTL is over": (after(20), [fact(300), fact(60), fact(900)], True),
    "what is claimed and not started is held too": (after(100), [fact(300, "intended")], True),
    "what has ended needs no lease": (after(100), [fact(300, "ended")], False),
    "what died needs none either": (after(100), [fact(300, "died")], False),
    "an idle server's time is over": (after(1800), [], True),
    "an idle server's time is not yet over": (after(1799), [], False),
    "an idle server's time is over before that of a very long lease": (after(1800), [fact(9000)], True),
}


@pytest.mark.parametrize(("observed", "facts", "due"), BEATS.values(), ids=BEATS.keys())
def test_a_beat_is_due(observed: Observed, facts: list[RunFact], due: bool) -> None:
    assert beat_due(FREE, observed, facts) is due


TURNS: dict[str, tuple[Settings, Observed, list[RunFact], float]] = {
    "nobody waits without a budget": (FREE, after(1), [], 0.0),
    "the rest of the pause between two pushes": (BUDGET, after(30), [], 70.0),
    "what runs waits as long as its lease allows": (BUDGET, after(30), [fact(300)], 70.0),
    "a lease never waits": (BUDGET, after(30), [fact(90)], 0.0),
    "the turn has come": (BUDGET, after(100), [], 0.0),
    "the turn was long ago": (BUDGET, after(700), [], 0.0),
    "the first beat does not wait": (BUDGET, NEVER, [], 0.0),
}


@pytest.mark.parametrize(("settings", "observed", "facts", "wait_s"), TURNS.values(), ids=TURNS.keys())
def test_how_long_a_server_waits_for_its_turn(
    settings: Settings, observed: Observed, facts: list[RunFact], wait_s: float
) -> None:
    assert wait_for_turn(settings, 10, observed, facts) == wait_s


@pytest.mark.parametrize(
    ("settings", "observed", "due"),
    [
        (FREE, after(20), True),
        (FREE, after(19), False),
        (FREE, NEVER, False),
        (BUDGET, after(900), False),
    ],
    ids=["its time has come", "it has not", "before the first beat", "where pushes are scarce"],
)
def test_what_runs_print_is_pushed_by_itself(settings: Any, observed: Observed, due: bool) -> None:
    assert progress_due(settings, observed) is due
