"""How long jobs are likely to take, what is likely to come, and when a job is left to a faster server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as given_time
from hypothesis import strategies as st
from msgspec.structs import replace

from bnet.app.server.remembered import Remembered, remembered
from bnet.app.told.expect import likely, outlook, roughly
from bnet.codec.documents import encode
from bnet.model.hub import Head, Settings
from bnet.model.job import BuildReport, Built, Group, Job, JobResult, JobSpec, Need
from bnet.model.server import Server
from bnet.model.state import State
from bnet.rules import jobs
from bnet.schedule.choose import choose
from bnet.schedule.durations import MOST_RUNS, MOST_THINGS, Durations, Sample, gathered, predict
from bnet.schedule.forecast import forecast
from bnet.schedule.rivals import LONGEST_WAIT, Rivals, claimable_since, has_let_lie

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SLOW = Server(name="slow", instance="i", joined_at=NOW, slots=2)
FAST = replace(SLOW, name="fast", slots=1)
SERVERS = {"slow": SLOW, "fast": FAST}


def job(number: int, name: str = "j", **more: Any) -> Job:
    base = {"number": number, "name": name, "command": "x", "submitted_by": "ann", "submitted_at": NOW}
    return Job(spec=JobSpec(**(base | more)))


def ended(number: int, server: str, seconds: float, result: str = "success", **more: Any) -> Job:
    at = NOW - timedelta(days=1)
    build = more.pop("build", None)
    done = JobResult(
        result=result,
        reason="exit",
        finished_at=at,
        server=server,
        seconds=seconds,
        build=build,
    )
    return replace(job(number, submitted_at=at, **more), result=done)


def on(number: int, server: Server, since: datetime = NOW, **more: Any) -> Job:
    return jobs.claim(job(number, **more), server, run="r", token=1, ttl_s=1.0, now=since).jobs[0]


def past(**servers: list[float]) -> Durations:
    """Return what is known after these runs of j, the oldest first."""
    numbered = [(name, took) for name, all_of_it in servers.items() for took in all_of_it]
    return gathered(Durations(), [ended(n, name, took) for n, (name, took) in enumerate(numbered, 1)])


# -- durations


def seconds(known: Durations, server: str | None = None) -> float | None:
    found = predict(known, job(99), server)
    return None if found is None else found.seconds


def test_a_duration_is_the_median_of_the_runs_with_the_quartiles_as_its_spread() -> None:
    found = predict(past(slow=[10, 20, 30, 40, 50]), job(99), "slow")
    assert found is not None
    assert (found.low, found.seconds, found.high, found.runs, found.server) == (20, 30, 50, 5, "slow"), (
        "the newest weighs most"
    )


def test_a_single_outlier_changes_next_to_nothing() -> None:
    assert seconds(past(slow=[10, 10, 11, 9999, 10])) == 10


def test_recent_runs_weigh_more() -> None:
    assert seconds(past(slow=[60, 60, 60, 60, 10, 10, 10])) == 10


def test_only_success_counts() -> None:
    known = gathered(Durations(), [ended(1, "slow", 5, "failure"), ended(2, "slow", 7, "timeout")])
    assert seconds(known) is None


def test_without_runs_there_those_of_all_servers_count_and_that_is_said() -> None:
    found = predict(past(slow=[10, 10], fast=[4]), job(99), "third")
    assert found is not None and (found.runs, found.server) == (3, None)
    there = predict(past(slow=[10, 10], fast=[4]), job(99), "fast")
    assert there is not None and (there.seconds, there.runs, there.server) == (4, 1, "fast")


def test_a_new_name_is_judged_by_its_packages() -> None:
    built = (
        Built(name="a", tier="full", seconds=30),
        Built(name="b", tier="full", seconds=12),
        Built(name="c", tier="local", seconds=0.1),
    )
    build = BuildReport(total=3, cached=1, packages=built)
    known = gathered(Durations(), [ended(1, "slow", 43, build=build)])
    found = predict(known, job(9, "new", packages=("a", "b")), "slow")
    assert found is not None and found.seconds == 42
    assert predict(known, job(9, "new", packages=("a", "c")), "slow") is None, (
        "what was restored tells nothing"
    )
    assert predict(known, job(9, "new"), "slow") is None


def test_what_is_taken_in_twice_counts_once_and_the_newest_stay() -> None:
    all_of_it = [ended(n, "slow", float(n)) for n in range(1, 21)]
    once = gathered(Durations(), all_of_it)
    assert gathered(once, all_of_it) == once
    assert gathered(Durations(), all_of_it[::-1]) == once, "whatever the order"
    assert [each.number for each in once.runs["j"]["slow"]] == list(range(20, 20 - MOST_RUNS, -1))


def test_things_that_ran_last_are_kept() -> None:
    many = [ended(n, "slow", 1, name=f"j{n}") for n in range(1, MOST_THINGS + 11)]
    known = gathered(Durations(), many)
    assert len(known.runs) == MOST_THINGS and "j10" not in known.runs and "j11" in known.runs


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=20))
def test_an_estimate_is_among_the_runs_and_in_order(took: list[float]) -> None:
    found = predict(past(slow=took), job(99), "slow")
    assert found is not None
    assert min(took) - 0.1 <= found.low <= found.seconds <= found.high <= max(took) + 0.1


def test_a_file_that_is_damaged_or_of_another_version_is_none() -> None:
    kept = Remembered(files=("a",), durations=past(slow=[1]))
    assert remembered(encode(kept)) == kept
    for data in (None, b"", b"[]", b'{"durations": 3}', encode(replace(kept, version=99)), encode(kept)[:20]):
        assert remembered(data) == Remembered()


# -- leaving a job


KNOWN = past(slow=[100, 101, 102], fast=[10, 11, 12])
RIVALS = Rivals(awake=frozenset({"fast"}), known=KNOWN, looks_again_s=1.0)


def taken_by(
    *there: Job, me: Server = SLOW, rivals: Rivals | None = RIVALS, after: float = 0.0, **servers: Server
) -> list[int]:
    all_jobs = {each.number: each for each in there}
    now = NOW + timedelta(seconds=after)
    found = choose(
        all_jobs, {}, me, Settings(), now, room=me.slots, servers={**SERVERS, **servers}, rivals=rivals
    )
    return [each.number for each in found]


def test_a_job_is_left_to_a_clearly_faster_idle_server() -> None:
    assert taken_by(job(9)) == []
    assert taken_by(job(9), me=FAST, rivals=replace(RIVALS, awake=frozenset({"slow"}))) == [9]


NOT_LEFT: dict[str, dict[str, Any]] = {
    "nothing is known of the others": {"rivals": None},
    "it was not seen to move": {"rivals": replace(RIVALS, awake=frozenset())},
    "it is paused": {"fast": replace(FAST, wanted="paused")},
    "it has no slots": {"fast": replace(FAST, slots=0)},
    "the wait is over": {"after": 46.0},
    "the dates are ahead of this clock": {"after": -1.0},
    "the next look comes too late": {"rivals": replace(RIVALS, looks_again_s=60.0)},
    "it is hardly faster": {"rivals": replace(RIVALS, known=past(slow=[12] * 3, fast=[11] * 3))},
    "it is not always faster": {
        "rivals": replace(RIVALS, known=past(slow=[5, 100, 100, 5], fast=[20, 20, 20, 20]))
    },
    "too little is known of it": {"rivals": replace(RIVALS, known=past(slow=[100] * 3, fast=[10] * 2))},
    "too little is known here": {"rivals": replace(RIVALS, known=past(slow=[100] * 2, fast=[10] * 3))},
}


@pytest.mark.parametrize("more", NOT_LEFT.values(), ids=NOT_LEFT.keys())
def test_a_job_is_claimed_at_once_where(more: dict[str, Any]) -> None:
    assert taken_by(job(9), **more) == [9]


def test_a_job_is_not_left_to_one_that_does_not_fit_or_is_busy() -> None:
    here = replace(SLOW, labels={"gpu": "yes"})
    assert taken_by(job(9, labels={"gpu": "yes"}), me=here, slow=here) == [9]
    assert taken_by(on(8, FAST), job(9)) == [9]


def test_no_more_is_left_to_a_server_than_it_has_slots() -> None:
    assert taken_by(job(7), job(8), job(9)) == [8, 9]


@given(
    st.floats(1, 100_000),
    st.floats(0.01, 1),
    st.floats(0.05, 100),
    st.floats(-1, 1),
)
@given_time(deadline=None, max_examples=40)
def test_nothing_waits_for_ever_whatever_is_known(
    here: float, share: float, look: float, skew: float
) -> None:
    known = past(slow=[here] * 3, fast=[here * share] * 3)
    rivals = replace(RIVALS, known=known, looks_again_s=look)
    left = [at for at in range(-20, 100) if not taken_by(job(9), rivals=rivals, after=at + skew)]
    assert not left or max(left) - min(left) <= LONGEST_WAIT, "by this clock, and it is one stretch"


def test_the_wait_counts_from_when_the_job_could_be_claimed() -> None:
    late = NOW - timedelta(hours=1)
    first = replace(job(1), result=JobResult(result="success", reason="exit", finished_at=NOW))
    there = {1: first}
    assert claimable_since(job(9, submitted_at=late), there) == late
    assert claimable_since(job(9, submitted_at=late, not_before=NOW), there) == NOW
    assert claimable_since(job(9, submitted_at=late, needs=(Need(job=1),)), there) == NOW
    again = jobs.lost(on(9, FAST, late, submitted_at=late), now=NOW, why="gone").jobs[0]
    assert claimable_since(again, there) == NOW


LIES = {
    "an agent's job, after all of its time": (1.0, 45.0, True),
    "before that": (1.0, 20.0, False),
    "one that cron looks at for the second time": (60.0, 61.0, True),
    "for the first time, late": (60.0, 40.0, False),
}


@pytest.mark.parametrize(("look", "after", "lay"), LIES.values(), ids=LIES.keys())
def test_a_server_is_doubted_that_had_its_time(look: float, after: float, lay: bool) -> None:
    rivals = replace(RIVALS, looks_again_s=look)
    assert has_let_lie(job(9), 90.0, rivals, {}, NOW + timedelta(seconds=after)) is lay


# -- what is likely to come


def state(*there: Job, settings: Settings | None = None, **servers: Server) -> State:
    return State(
        tip="x",
        head=Head(format=1, hub="h"),
        settings=settings or Settings(),
        jobs={each.number: each for each in there},
        servers=servers or SERVERS,
    )


def plan(now_state: State, known: Durations = KNOWN) -> dict[int, tuple[float, float, str | None]]:
    coming = forecast(now_state, known, NOW)
    return {
        number: ((each.starts - NOW).total_seconds(), (each.ends - NOW).total_seconds(), each.server)
        for number, each in coming.jobs.items()
        if each.starts is not None and each.ends is not None
    }


def test_what_runs_ends_when_such_jobs_do() -> None:
    since = NOW - timedelta(seconds=4)
    assert plan(state(on(9, FAST, since))) == {9: (-4, 7, "fast")}


def test_what_runs_for_too_long_ends_soon() -> None:
    assert plan(state(on(9, FAST, NOW - timedelta(hours=1))))[9][1] == pytest.approx(1.1)


def test_what_waits_starts_when_a_slot_is_free() -> None:
    one = replace(FAST, slots=1)
    assert plan(state(job(8), job(9), fast=one)) == {8: (0, 11, "fast"), 9: (11, 22, "fast")}


def test_dependencies_groups_and_times_are_waited_for() -> None:
    later = NOW + timedelta(seconds=100)
    group = Group(name="g")
    there = [
        job(1),
        job(2, needs=(Need(job=1),)),
        job(3, not_before=later),
        job(4, name="k", group=group),
        job(5, name="k", group=group),
    ]
    found = plan(
        state(*there, fast=replace(FAST, slots=9)), gathered(KNOWN, [ended(50, "fast", 5, name="k")])
    )
    assert found[1][:2] == (0, 11) and found[2][:2] == (11, 22) and found[3][:2] == (100, 111)
    assert found[4][:2] == (0, 5) and found[5][:2] == (5, 10)


def test_what_cannot_start_is_counted_and_what_nobody_knows_too() -> None:
    coming = forecast(state(job(1, labels={"os": "plan9"}), job(2, name="new")), KNOWN, NOW)
    assert (coming.stuck, coming.unknown, list(coming.jobs)) == (1, 1, [2])
    assert "1 of them never ran before" in outlook(coming, NOW) and "without 1 that" in outlook(coming, NOW)


def test_of_nothing_there_is_no_outlook() -> None:
    assert outlook(forecast(state(), KNOWN, NOW), NOW) == ""
    assert outlook(forecast(state(job(1), fast=replace(FAST, wanted="paused")), KNOWN, NOW), NOW) == ""


def test_a_long_row_is_foreseen_in_time() -> None:
    many = [job(number, needs=(Need(job=1),) if number % 3 == 0 else ()) for number in range(1, 5001)]
    coming = forecast(state(*many, fast=replace(FAST, slots=10)), KNOWN, NOW)
    assert coming.done is not None
    assert (coming.done - NOW).total_seconds() == pytest.approx(5000 * 11 / 10, rel=0.1)


SPANS = {0.2: "1 s", 45: "45 s", 100: "1.7 min", 600: "10 min", 6000: "1.7 h", 86400 * 3: "3 days"}


@pytest.mark.parametrize(("value", "said"), SPANS.items())
def test_spans_are_as_precise_as_they_can_be_foreseen(value: float, said: str) -> None:
    assert roughly(value) == said


def test_an_estimate_says_on_what_it_rests() -> None:
    found = predict(past(slow=[100, 240, 400]), job(9), "slow")
    assert found is not None
    assert likely(found) == "about 4 min (1.7 min to 7 min, by 3 runs on slow)"
    assert Sample(1, 2.0).seconds == 2.0
