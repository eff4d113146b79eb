"""What must hold of leases, whatever anybody's looks, beats and clocks do."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from bnet.rules.leases import CREDIT_SHARE, GRACE_SHARE, HOLDER_SHARE, Lease, Observed, lapsed, observe

TTL = 300.0
LEASE = Lease(run="r", server="s1", ttl_s=TTL)


def steady(step: float) -> list[float]:
    """Look at equal intervals, for longer than any lease: the keenest of observers."""
    return [step] * int(5 * TTL / step)


gaps = st.lists(st.floats(0, 2000, allow_nan=False), min_size=1, max_size=40)
tips = st.sampled_from(["", "a", "b"])


@given(st.lists(st.tuples(st.floats(0, 2000, allow_nan=False), tips), min_size=1, max_size=40))
def test_credit_never_exceeds_the_time_that_passed_unmoved(looks: list[tuple[float, str]]) -> None:
    now, since, last, seen = 0.0, 0.0, None, Observed()
    for gap, tip in looks:
        now += gap
        before = seen.claims["r"].unmoved_s if "r" in seen.claims else 0.0
        seen = observe(seen, [LEASE], {"s1": tip} if tip else {}, boot_id="b", now=now)
        if tip != last:
            since, last = now, tip
        credit = seen.claims["r"].unmoved_s
        assert credit <= now - since + 1e-6
        assert credit - before <= TTL * CREDIT_SHARE + 1e-6


@given(gaps)
def test_no_two_looks_are_enough_to_expire_anybody(gaps: list[float]) -> None:
    now, seen = 0.0, Observed()
    for gap in gaps:
        now += gap
        seen = observe(seen, [LEASE], {"s1": "a"}, boot_id="b", now=now)
    if lapsed(seen, [LEASE]):
        assert len(gaps) >= 4, "the first look and three that credit a third each"
        assert now - gaps[0] >= TTL - 1e-6


@given(st.lists(st.tuples(st.floats(0, 500, allow_nan=False), st.booleans()), min_size=1, max_size=30))
def test_a_reboot_in_between_gives_nobody_more_credit(looks: list[tuple[float, bool]]) -> None:
    now, boot, passed, seen = 0.0, 0, 0.0, Observed()
    for gap, reboots in looks:
        if reboots:
            boot, now, passed = boot + 1, 0.0, 0.0
        first = seen.boot_id != f"b{boot}"
        now += gap
        passed = 0.0 if first else passed + gap
        seen = observe(seen, [LEASE], {"s1": "a"}, boot_id=f"b{boot}", now=now)
        assert seen.claims["r"].unmoved_s <= passed + 1e-6


@settings(max_examples=300)
@given(
    looks=st.lists(st.floats(0.1, 400), min_size=4, max_size=60) | st.floats(1, TTL / 3).map(steady),
    beats=st.lists(st.tuples(st.floats(1, 400), st.floats(0, 120)), max_size=10),
    claim_delay=st.floats(0, 120),
    skew=st.floats(-1e6, 1e6),
)
def test_the_holder_has_given_up_before_any_observer_goes_on(
    looks: list[float], beats: list[tuple[float, float]], claim_delay: float, skew: float
) -> None:
    """One line of real time; the holder counts from before a push, the observer from when it first saw it.

    `beats` are pauses between the holder's pushes, and how long each takes to reach the hub.
    """
    visible = [(claim_delay, 0.0)]  # (when the hub had it, when the holder began to push)
    at = 0.0
    for pause, delay in beats:
        at += pause
        if at >= visible[-1][1] + TTL * HOLDER_SHARE or at < visible[-1][0]:
            break  # the holder has given up, or its last push is still under way
        visible.append((at + delay, at))
    seen, now = Observed(), 0.0
    for gap in looks:
        now += gap
        there = [number for number, (landed, _) in enumerate(visible) if landed <= now]
        if not there:
            continue
        seen = observe(seen, [LEASE], {"s1": str(there[-1])}, boot_id="b", now=now + skew)
        if lapsed(seen, [LEASE]):
            counted_from = visible[there[-1]][1]
            stopped = counted_from + TTL * (HOLDER_SHARE + GRACE_SHARE)
            assert stopped < now, "the holder was still allowed to run"
            return
