"""Leases and clocks, as tables; what must hold always is in tests/property."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from bnet.model.job import Claim, Job, JobResult, JobSpec
from bnet.rules.clocks import FRESH_S, TOLERANCE_S, Skew, offset, trusted
from bnet.rules.leases import (
    GRACE_SHARE,
    HOLDER_SHARE,
    Lease,
    Observed,
    beat_gap,
    default_ttl,
    lapsed,
    leases_of,
    observe,
)

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
TTL = 300.0
LEASE = Lease(run="r", server="s1", ttl_s=TTL)


def watch(looks: list[tuple[float, str]], lease: Lease = LEASE, start: Observed | None = None) -> Observed:
    """Look at these seconds, and see these telemetry commits."""
    seen = start or Observed()
    for now, tip in looks:
        seen = observe(seen, [lease], {"s1": tip} if tip else {}, boot_id="boot", now=now)
    return seen


def steps(*pairs: tuple[float, str]) -> list[tuple[float, str]]:
    return list(pairs)


def every(seconds: float, count: int, tip: str = "a") -> list[tuple[float, str]]:
    return [(n * seconds, tip) for n in range(count)]


WATCHES = {
    "the first look counts nothing": (every(60, 1), 0.0),
    "time is counted between looks": (every(60, 3), 120.0),
    "a holder that moved begins again": ([*every(60, 3), (180.0, "b")], 0.0),
    "... and is counted from then on": ([*every(60, 3), (180.0, "b"), (200.0, "b")], 20.0),
    "a long absence counts a third of the TTL": (steps((0, "a"), (86400, "a")), TTL / 3),
    "two absences count two thirds": (steps((0, "a"), (86400, "a"), (2 * 86400, "a")), TTL * 2 / 3),
    "a server without telemetry is counted": (every(60, 3, ""), 120.0),
    "telemetry that vanished is a move": (steps((0, "a"), (60, "a"), (120, "")), 0.0),
    "a clock that went back counts nothing": (steps((100, "a"), (50, "a")), 0.0),
}


@pytest.mark.parametrize(("looks", "unmoved"), WATCHES.values(), ids=WATCHES.keys())
def test_how_long_a_holder_was_seen_unmoved(looks: list[tuple[float, str]], unmoved: float) -> None:
    assert watch(looks).claims["r"].unmoved_s == pytest.approx(unmoved)


@pytest.mark.parametrize(("looks", "gone"), [(5, False), (6, True), (9, True)])
def test_a_claim_lapses_after_its_whole_ttl(looks: int, gone: bool) -> None:
    assert lapsed(watch(every(60, looks)), [LEASE]) == ({"r"} if gone else set())


def test_a_new_claim_of_a_silent_server_begins_at_zero() -> None:
    seen = watch(every(60, 9))
    other = Lease(run="r2", server="s1", ttl_s=TTL)
    again = observe(seen, [other], {"s1": "a"}, boot_id="boot", now=540.0)
    assert again.claims.keys() == {"r2"}
    assert again.claims["r2"].unmoved_s == 0.0


def test_each_claim_has_its_own_ttl() -> None:
    short, long = Lease("short", "s1", 60.0), Lease("long", "s1", 600.0)
    seen = Observed()
    for n in range(10):
        seen = observe(seen, [short, long], {"s1": "a"}, boot_id="boot", now=n * 30.0)
    assert lapsed(seen, [short, long]) == {"short"}


def test_a_reboot_starts_every_count_anew() -> None:
    seen = replace(
        watch(every(60, 9)), beat_at=3.0, skews={"s2": Skew(ahead_s=1.0, seen_at=1.0, zero_s=0.0)}, seq=9
    )
    again = observe(seen, [LEASE], {"s1": "a"}, boot_id="another", now=5.0)
    assert (again.claims["r"].unmoved_s, again.beat_at, again.skews, again.seq) == (0.0, None, {}, 9)


def test_a_look_on_the_same_boot_forgets_nothing() -> None:
    skew = Skew(ahead_s=1.0, seen_at=1.0, zero_s=0.0)
    seen = replace(watch(every(60, 2)), beat_at=30.0, skews={"s2": skew}, seq=9)
    again = observe(seen, [LEASE], {"s1": "a"}, boot_id="boot", now=90.0)
    assert (again.beat_at, again.skews, again.seq, again.boot_id) == (30.0, {"s2": skew}, 9, "boot")
    assert (again.looked_at, again.claims["r"].unmoved_s) == (90.0, 90.0)


def test_what_was_never_observed_has_not_lapsed() -> None:
    assert lapsed(Observed(), [LEASE]) == set()


@pytest.mark.parametrize(
    ("servers", "budget", "ttl"),
    [(1, None, 300), (500, None, 300), (1, 6, 300), (10, 6, 300), (11, 6, 330), (100, 6, 3000), (0, 6, 300)],
)
def test_the_ttl_that_a_fleet_and_a_budget_allow(servers: int, budget: float | None, ttl: float) -> None:
    assert default_ttl(servers, budget) == ttl
    assert beat_gap(servers, budget) <= ttl / 3


@pytest.mark.parametrize(
    ("servers", "budget", "gap"), [(5, None, 0), (0, 6, 10), (1, 6, 10), (2, 6, 20), (10, 60, 10)]
)
def test_all_servers_together_keep_to_the_budget(servers: int, budget: float | None, gap: float) -> None:
    assert beat_gap(servers, budget) == gap


def test_a_ttl_is_a_whole_number_of_seconds() -> None:
    assert default_ttl(100, 7) % 1 == 0


def test_a_holder_has_stopped_a_sixth_of_the_ttl_before_anyone_may_go_on() -> None:
    assert pytest.approx(1 / 6) == 1 - (HOLDER_SHARE + GRACE_SHARE), "so much may the clocks differ (ADR 2)"
    assert pytest.approx(1 / 6) == GRACE_SHARE


def test_a_lease_is_that_of_the_claim_and_ends_with_the_job() -> None:
    claim = Claim(server="s1", instance="i", attempt=1, run="r", token=5, ttl_s=TTL, claimed_at=NOON)
    spec = JobSpec(number=1, name="j", command="x", submitted_by="a", submitted_at=NOON)
    result = JobResult(result="success", reason="exit", finished_at=NOON)
    held = Job(spec=spec, claim=claim)
    assert leases_of([Job(spec=spec), held]) == [LEASE]
    assert leases_of([replace(held, result=result)]) == []


# -- clocks


BOOTED = 1_800_000_000.0


def skews(*ahead: float, seen_at: float = 0.0) -> dict[str, Skew]:
    return {f"s{n}": Skew(ahead_s=each, seen_at=seen_at, zero_s=BOOTED) for n, each in enumerate(ahead)}


def at(boot: float, moved: float = 0.0) -> tuple[datetime, float]:
    """The time of day and the seconds since the boot, after somebody moved the clock by so much."""
    return datetime.fromtimestamp(BOOTED + boot + moved, UTC), boot


CLOCKS = {
    "nobody to compare with": (skews(), True),
    "all agree": (skews(0, 1, -1), True),
    "one other is far off": (skews(0, 0, 9999), True),
    "most others are ahead": (skews(400, 500, 0), False),
    "most others are behind": (skews(-400, -500, 0), False),
    "just within": (skews(TOLERANCE_S), True),
    "just beyond": (skews(TOLERANCE_S + 1), False),
    "two that disagree": (skews(1000, -1000), True),
}


@pytest.mark.parametrize(("seen", "believed"), CLOCKS.values(), ids=CLOCKS.keys())
def test_the_time_of_day_is_believed_when(seen: dict[str, Skew], believed: bool) -> None:
    assert trusted(seen, *at(10.0)) is believed


def test_an_old_comparison_says_nothing_about_now() -> None:
    seen = skews(9999)
    assert (trusted(seen, *at(FRESH_S)), trusted(seen, *at(FRESH_S + 1))) == (False, True)
    assert offset(seen, *at(FRESH_S + 1)) == 0.0


def test_a_comparison_counts_for_an_hour_from_when_it_was_made() -> None:
    seen = skews(9999, seen_at=50_000.0)
    assert not trusted(seen, *at(50_000.0 + 3600))
    assert trusted(seen, *at(50_000.0 + 3601))


@pytest.mark.parametrize("moved", [86400.0, -86400.0])
def test_a_clock_that_was_moved_since_the_comparison_is_not_believed(moved: float) -> None:
    assert trusted(skews(0), *at(10.0))
    assert not trusted(skews(0), *at(10.0, moved))
    assert trusted(skews(moved), *at(10.0, moved)), "it was set right"
