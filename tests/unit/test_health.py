"""Verdicts on a network: each is given where it is due, not a moment before, and says how sure it is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.parser import text_string_to_metric_families as classic_families

from bnet.codec.documents import encode
from bnet.health import figures
from bnet.health.clocks import correction
from bnet.health.facts import Beat, End, Expected, Facts, Finding, Overdue, Seen
from bnet.health.issues import body_of
from bnet.health.judge import judge
from bnet.health.memory import Memory, dated, look
from bnet.health.openmetrics import openmetrics
from bnet.model.hub import Head, Queue, Settings
from bnet.model.job import (
    Attempt,
    BuildReport,
    Built,
    Cancel,
    Claim,
    Job,
    JobResult,
    JobSpec,
    Need,
    Wanted,
)
from bnet.model.monitoring import Monitoring, Threshold
from bnet.model.server import Heartbeat, Held, Return, Sample, Server
from bnet.model.state import Problem, State

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TTL, IDLE = 300.0, 1800.0
MONITORING = "coordination/monitoring.yaml"
UNSET, DEFAULTS = Settings(), Monitoring()


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def server(name: str, **more: Any) -> Server:
    return Server(**({"name": name, "instance": name, "joined_at": ago(86400), "slots": 1} | more))


def beat(name: str, age: float, *, boot: str = "b", runs: tuple[Held, ...] = (), **more: Any) -> Heartbeat:
    return Heartbeat(
        server=name,
        instance=name,
        at=ago(age),
        boot_id=boot,
        nonce="n",
        version="1",
        slots=1,
        runs=runs,
        **more,
    )


def seen(name: str = "a", age: float = 0.0, **more: Any) -> Seen:
    return Seen(beat=beat(name, age), **more)


def job(number: int = 1, **more: Any) -> Job:
    base = {"number": number, "name": "make", "command": "x", "submitted_by": "ann", "submitted_at": ago(60)}
    return Job(spec=JobSpec(**(base | more)))


def running(number: int = 1, on: str = "a", since: float = 60.0, **more: Any) -> Job:
    claim = Claim(
        server=on, instance=on, attempt=1, run=f"r{number}", token=1, ttl_s=TTL, claimed_at=ago(since)
    )
    return replace(job(number, **{"submitted_at": ago(since + 1), **more}), claim=claim)


def ended(number: int, result: Any = "success", age: float = 10.0, **more: Any) -> Job:
    how = JobResult(result=result, reason="exit", finished_at=ago(age), **more)
    return replace(job(number, submitted_at=ago(age + 60)), result=how)


def facts(
    *jobs: Job,
    servers: Sequence[Server] = (server("a"),),
    there: dict[str, Seen] | None = None,
    settings: Settings = UNSET,
    monitoring: Monitoring = DEFAULTS,
    **more: Any,
) -> Facts:
    state = State(
        tip="t",
        head=Head(format=1, hub="h"),
        settings=settings,
        monitoring=monitoring,
        servers={each.name: each for each in servers},
        jobs={each.number: each for each in jobs},
    )
    known = {each.name: seen(each.name) for each in servers}
    made = Facts(state=state, now=NOW, seen=known if there is None else there, **more)
    return replace(made, ahead_s=correction(made.seen, made.now))


def keys(told: Facts) -> list[str]:
    return [each.key for each in judge(told)]


def only(told: Facts, key: str) -> Finding:
    [found] = [each for each in judge(told) if each.key == key]
    assert found.text and found.advice and "\n" not in found.text + found.advice
    return found


def test_a_network_at_work_is_healthy() -> None:
    assert keys(facts(running(), ended(2), job(3))) == []
    assert keys(facts(servers=())) == []


# -- servers


@pytest.mark.parametrize(
    ("age", "holds", "lost"),
    [
        (TTL, True, False),
        (TTL + 1, True, True),
        (IDLE * 1.5, False, False),
        (IDLE * 1.5 + 1, False, True),
    ],
)
def test_a_server_is_lost_once_it_should_have_been_seen(age: float, holds: bool, lost: bool) -> None:
    told = facts(*([running(since=age + 60)] if holds else []), there={"a": seen(age=age)})
    assert ("server-lost:a" in keys(told)) == lost


def test_who_is_lost_by_clocks_alone_is_said_so_and_since_when() -> None:
    found = only(facts(running(since=999), there={"a": seen(age=900)}), "server-lost:a")
    assert (found.severity, found.sure, found.since) == ("critical", "clocks", ago(900))
    assert "#1" in found.text and found.evidence["jobs"] == 1


def test_who_was_seen_unmoved_is_lost_whatever_the_clocks_say() -> None:
    there = {"a": seen(age=-100, least_s=TTL + 1), "b": seen("b")}
    both = [server("a"), server("b")]
    found = only(facts(running(since=999), servers=both, there=there), "server-lost:a")
    assert found.sure == "observed"


def test_who_was_seen_to_move_lives_whatever_the_clocks_say() -> None:
    there = {"a": seen(age=200 + TTL, most_s=60.0), "b": seen("b")}
    told = facts(running(since=9999), servers=[server("a"), server("b")], there=there)
    assert [key for key in keys(told) if key.startswith("server")] == []


def test_a_server_that_never_came_is_lost_a_ttl_after_it_joined() -> None:
    young = server("a", joined_at=ago(TTL))
    assert keys(facts(servers=[young], there={"a": Seen()})) == []
    found = only(
        facts(servers=[replace(young, joined_at=ago(TTL + 1))], there={"a": Seen()}), "server-lost:a"
    )
    assert "never seen" in found.text


def test_a_server_that_nobody_wants_at_work_is_lost_less_urgently() -> None:
    paused = server("a", wanted="paused")
    assert only(facts(servers=[paused], there={"a": seen(age=9999)}), "server-lost:a").severity == "warning"


def test_where_nobody_is_seen_at_once_it_may_be_something_else() -> None:
    both = [server("a"), server("b")]
    none = facts(servers=both, there={"a": seen("a", 9999), "b": seen("b", 9000)})
    assert "this machine's clock" in only(none, "server-lost:a").text
    one = facts(servers=both, there={"a": seen("a", 9999), "b": seen("b", 1)})
    assert "this machine's clock" not in only(one, "server-lost:a").text


@pytest.mark.parametrize(
    ("age", "holds", "found"),
    [
        (185, True, []),
        (186, True, ["server-slow:a"]),
        (IDLE * 1.25 + 60, False, []),
        (IDLE * 1.25 + 61, False, ["server-slow:a"]),
        (IDLE * 2, False, ["server-lost:a"]),
    ],
)
def test_a_server_is_slow_between_late_and_lost(age: float, holds: bool, found: list[str]) -> None:
    told = facts(*([running(since=age + 60)] if holds else []), there={"a": seen(age=age)})
    assert keys(told) == found


def history(*gaps: float, holds: bool = True, boots: int = 1) -> Seen:
    at, rows = 0.0, []
    for place, gap in enumerate(gaps):
        at += gap
        rows.append(Beat(ago(at), f"b{min(place + 1, boots - 1)}", holds))
    held = (Held(job=1, attempt=1, run="r", phase="running"),) if holds else ()
    return Seen(beat=beat("a", 0, boot="b0", runs=held), earlier=rows)


@pytest.mark.parametrize(
    ("there", "flaps"),
    [
        (history(*[100] * 20), False),
        (history(301, 100, 301, 100), False),
        (history(301, 100, 301, 100, 301), True),
        (history(301, 301, 301, holds=False), False),
        (history(2701, 2701, 2701, holds=False), True),
        (history(301, 301, 86400, 301, 301), False),
        (history(10, 10, 10, boots=4), True),
        (history(10, 10, 10, boots=3), False),
        (history(-5000, 301, -5000, 301), False),
    ],
    ids=[
        "steady",
        "away twice",
        "away three times",
        "idle",
        "idle and away",
        "yesterday",
        "started anew",
        "started anew twice",
        "a clock that was set",
    ],
)
def test_a_server_that_comes_and_goes_is_flapping(there: Seen, flaps: bool) -> None:
    assert ("server-flapping:a" in keys(facts(there={"a": there}))) == flaps


@pytest.mark.parametrize(("boot", "flaps"), [(False, True), (True, True), (None, False)])
def test_a_server_says_itself_when_it_came_back_as_its_ref_forgets(boot: bool | None, flaps: bool) -> None:
    mixed = [boot] * 3 if boot is not None else [True, False, True]
    returns = tuple(Return(at=ago(3000 * place), boot=each) for place, each in enumerate(mixed, 1))
    there = {"a": Seen(beat=beat("a", 0, returns=returns))}
    assert ("server-flapping:a" in keys(facts(there=there))) == flaps
    twice = history(301, 100, 301)
    assert twice.beat is not None
    same = replace(twice, beat=replace(twice.beat, returns=(Return(at=ago(401)), Return(at=ago(0)))))
    assert "server-flapping:a" not in keys(facts(there={"a": same})), "what both tell counts once"


def test_a_server_that_loses_what_it_runs_is_flapping() -> None:
    def lost(number: int, on: str = "a", age: float = 60) -> Job:
        how = Attempt(
            attempt=1,
            server=on,
            run=f"r{number}",
            token=1,
            result="error",
            reason="lost",
            finished_at=ago(age),
        )
        return replace(job(number), attempts=(how,))

    jobs = [lost(1), lost(2), lost(3)]
    assert "server-flapping:a" in keys(facts(*jobs))
    assert "server-flapping:a" not in keys(facts(*jobs[:2], lost(3, on="b")))
    assert "server-flapping:a" not in keys(facts(*jobs[:2], lost(3, age=90000)))


# -- clocks


@pytest.mark.parametrize(
    ("there", "found"),
    [
        ([seen(age=-299)], []),
        ([seen(age=-301)], ["clock-here"]),
        ([seen("a", -4000), seen("b", 10)], ["clock-skewed:a"]),
        ([seen("a", -4000), seen("b", -4000), seen("c", 5)], ["clock-here"]),
        (
            [seen("a", -4000), seen("b", -4000), seen("c", 5, most_s=60.0)],
            ["clock-here", "clock-skewed:c"],
        ),
        ([seen("a", -4000), seen("b", -4100), seen("c", -3990)], ["clock-here"]),
        ([seen("a", 1000, most_s=60.0), seen("b", 10)], ["clock-skewed:a"]),
        ([seen("a", 1000), seen("b", 10)], []),
        ([seen("a", 470, most_s=60.0), seen("b", 10)], []),
        ([seen("a", 0, least_s=301.0), seen("b", 10)], ["clock-skewed:a"]),
        ([seen("a", 5000, most_s=60.0), seen("b", 5010, most_s=60.0)], ["clock-here"]),
    ],
    ids=[
        "within tolerance",
        "one server ahead, which of us?",
        "one of two ahead",
        "two of three ahead, so we are behind, and the third may be silent",
        "two of three ahead, and the third was seen to move",
        "all ahead",
        "behind, as it was seen to move",
        "behind or silent, nobody knows",
        "a push may take its time",
        "ahead by as long as it was seen",
        "we are ahead, as both were seen to move",
    ],
)
def test_a_clock_is_wrong_only_where_that_is_sure(there: list[Seen], found: list[str]) -> None:
    names = "abc"[: len(there)]
    told = facts(servers=[server(name) for name in names], there=dict(zip(names, there, strict=True)))
    assert [key for key in keys(told) if key.startswith("clock")] == found


def test_a_clock_of_ours_that_is_behind_hides_no_lost_server() -> None:
    servers = [server(name) for name in "abc"]
    there = {"a": seen("a", -7200), "b": seen("b", -7190), "c": seen("c", -3000)}
    assert "server-lost:c" in keys(facts(servers=servers, there=there))


def test_a_clock_of_ours_that_is_ahead_loses_nobody_once_it_was_seen() -> None:
    servers = [server(name) for name in "abc"]
    there = {name: seen(name, 7200, most_s=60.0) for name in "abc"}
    assert keys(facts(running(since=7300), servers=servers, there=there)) == ["clock-here"]


# -- jobs


@pytest.mark.parametrize(
    ("one", "usual", "stuck"),
    [
        (running(since=6 * 3600), None, False),
        (running(since=6 * 3600 + 1), None, True),
        (running(since=601), Expected(100, 3), True),
        (running(since=600), Expected(100, 3), False),
        (running(since=601), Expected(100, 2), False),
        (running(since=4001), Expected(1000, 9), True),
        (running(since=3999), Expected(1000, 9), False),
        (running(since=3901, timeout=3600.0), None, True),
        (running(since=3900, timeout=3600.0), None, False),
        (running(since=90000, timeout=99999.0), None, False),
    ],
)
def test_a_job_that_should_have_ended_is_stuck(one: Job, usual: Expected | None, stuck: bool) -> None:
    told = facts(one, expected={} if usual is None else {1: usual})
    assert keys(told) == (["job-stuck:1"] if stuck else [])


@pytest.mark.parametrize(
    ("since", "ran", "age", "stuck"),
    [
        (7200, 60, 1, False),
        (-7200, 60, 1, False),
        (60, 7200, 1, True),
        (-7200, 7200, 1, True),
        (60, 3800, 99, False),
        (60, 3801, 100, True),
    ],
    ids=["behind", "ahead", "set since", "ahead and stuck", "not yet", "and what passed since it was told"],
)
def test_how_long_a_job_runs_is_told_by_the_clock_of_its_server(
    since: float, ran: float, age: float, stuck: bool
) -> None:
    one = running(since=since, timeout=3600.0)
    held = (Held(job=1, attempt=1, run="r1", phase="running", seconds=ran),)
    assert ("job-stuck:1" in keys(facts(one, there={"a": Seen(beat=beat("a", age, runs=held))}))) == stuck


def test_a_claim_of_a_clock_that_is_ahead_is_older_than_it_says() -> None:
    there = {"a": seen("a", -36000), "b": seen("b"), "c": seen("c")}
    told = facts(running(since=-30000, timeout=3600.0), servers=[server(n) for n in "abc"], there=there)
    assert keys(told) == ["job-stuck:1", "clock-skewed:a"]


@pytest.mark.parametrize(("asked", "stuck"), [(600.0, False), (601.0, True)])
def test_a_job_that_was_cancelled_and_goes_on_is_stuck(asked: float, stuck: bool) -> None:
    one = replace(running(since=2000), wanted=Wanted(cancel=Cancel(by="ann", at=ago(asked))))
    assert ("job-stuck:1" in keys(facts(one))) == stuck


@pytest.mark.parametrize(("age", "stuck"), [(2 * TTL, False), (2 * TTL + 1, True)])
def test_a_claim_that_nobody_ends_is_stuck(age: float, stuck: bool) -> None:
    told = facts(running(since=5000, timeout=99999.0), there={"a": seen(age=age)})
    assert ("job-stuck:1" in keys(told)) == stuck
    gone = facts(running(on="gone", since=age))
    assert ("job-stuck:1" in keys(gone)) == stuck


WAITED = job(1, submitted_at=ago(901))


@pytest.mark.parametrize(
    ("jobs", "servers", "found"),
    [
        ([job(1, submitted_at=ago(900))], [server("a")], []),
        ([WAITED], [server("a")], ["queue-stalled:default"]),
        ([WAITED], [], ["queue-stalled:default"]),
        ([WAITED], [server("a", wanted="paused")], ["queue-stalled:default"]),
        ([WAITED, running(2, since=950)], [server("a")], []),
        ([WAITED, running(2, "b", since=950)], [server("a", wanted="paused"), server("b")], []),
        (
            [job(1, submitted_at=ago(901), labels={"os": "x"}), running(2, "b", since=950)],
            [server("a", wanted="paused", labels={"os": "x"}), server("b")],
            ["queue-stalled:default"],
        ),
        ([WAITED, running(2, since=100)], [server("a", slots=2)], []),
        ([WAITED, ended(2, age=100)], [server("a")], []),
        (
            [job(1, submitted_at=ago(901), labels={"gpu": "y"}), running(2, "b", since=100, queue="q")],
            [server("a", labels={"gpu": "y"}), server("b")],
            ["queue-stalled:default"],
        ),
        ([WAITED, replace(ended(2, age=100, server="a"), spec=job(2, queue="q").spec)], [server("a")], []),
        ([job(1, submitted_at=ago(901), needs=(Need(job=2),)), ended(2, age=100)], [server("a")], []),
        ([job(1, submitted_at=ago(901), needs=(Need(job=2),)), job(2)], [server("a")], []),
        ([job(1, submitted_at=ago(9999), not_before=ago(100))], [server("a")], []),
        ([job(1, submitted_at=ago(9999), queue="q")], [server("a")], []),
        ([job(1, labels={"os": "beos"})], [server("a")], ["queue-unservable:default"]),
    ],
    ids=[
        "not yet",
        "nobody takes it",
        "there is no server",
        "the only server is paused",
        "busy",
        "one paused, one busy",
        "busy is who could not take it",
        "another was claimed since",
        "another ended just now",
        "another queue moves, on a server that could not take it",
        "who could take it had other work until just now",
        "what it needs ended just now",
        "it waits for another",
        "its time came just now",
        "its queue is paused",
        "no server fits",
    ],
)
def test_a_queue_stands_still_where_a_job_could_run(
    jobs: list[Job], servers: list[Server], found: list[str]
) -> None:
    settings = Settings(queues={"q": Queue(paused="for good")})
    assert keys(facts(*jobs, servers=servers, settings=settings)) == found


def test_a_queue_has_as_long_as_the_budget_makes_servers_wait() -> None:
    slow = Settings(push_budget=0.1)
    assert keys(facts(WAITED, settings=slow)) == []
    later = job(1, submitted_at=ago(1801))
    assert keys(facts(later, settings=slow)) == ["queue-stalled:default"]


FAILS = [ended(number, "failure", age=100 - number) for number in (1, 2, 3)]


@pytest.mark.parametrize(
    ("jobs", "fails"),
    [
        (FAILS, True),
        (FAILS[:2], False),
        ([*FAILS, ended(4, "success", age=1)], False),
        ([ended(1, "success"), *FAILS[1:], ended(4, "timeout")], True),
        ([*FAILS[:2], ended(3, "cancelled"), ended(4, "skipped")], False),
        ([*FAILS[:2], ended(3, "cancelled"), ended(4, "error")], True),
        ([ended(1, "success", age=1), *FAILS[1:], ended(4, "failure", age=5000)], True),
    ],
    ids=[
        "three",
        "two",
        "the newest did not",
        "one before did not",
        "cancelled is no failure",
        "cancelled is passed over",
        "numbers, not dates",
    ],
)
def test_what_failed_so_many_times_in_a_row_is_failing(jobs: list[Job], fails: bool) -> None:
    assert keys(facts(*jobs)) == (["job-failing:make"] if fails else [])


def test_jobs_of_the_archive_count() -> None:
    archived = {"make": [End(1, "failure", ago(90000)), End(2, "error", ago(80000))]}
    found = only(facts(ended(9, "failure"), archived=archived), "job-failing:make")
    assert (found.since, found.evidence["last"]) == (ago(90000), 9)


def test_a_package_is_failing_in_whatever_jobs() -> None:
    def built(number: int, result: str) -> Job:
        report = BuildReport(total=1, cached=0, packages=(Built(name="core", result=result),))
        return replace(ended(number, build=report), spec=job(number, name=f"j{number}").spec)

    assert keys(facts(*(built(n, "failure") for n in (1, 2, 3)))) == ["package-failing:core"]
    assert keys(facts(built(1, "failure"), built(2, "failure"), built(3, "success"))) == []
    assert keys(facts(*(built(n, "failure") for n in (1, 2)), monitoring=Monitoring(failures=2)))


def test_a_package_that_was_not_tried_is_passed_over() -> None:
    def built(number: int, result: str) -> Job:
        report = BuildReport(total=1, cached=0, packages=(Built(name="core", result=result),))
        return replace(ended(number, build=report), spec=job(number, name=f"j{number}").spec)

    assert keys(facts(*(built(n, "skipped") for n in (1, 2, 3)))) == []
    mixed = [built(n, result) for n, result in enumerate(("failure", "skipped", "error", "timeout"), 1)]
    assert keys(facts(*mixed)) == ["package-failing:core"]


# -- the hub


def test_messages_that_wait_for_an_answer_are_told() -> None:
    told = facts(overdue=[Overdue("0123", ago(60), "bob did not")])
    assert only(told, "message-unacknowledged:0123").since == ago(60)


@pytest.mark.parametrize(("pushes", "over"), [(360, False), (361, True), (None, False)])
def test_more_pushes_than_the_hub_takes(pushes: int | None, over: bool) -> None:
    limited = Settings(push_budget=6.0)
    assert keys(facts(settings=limited, pushes=pushes)) == (["push-budget"] if over else [])
    assert keys(facts(pushes=pushes)) == []


@pytest.mark.parametrize(
    ("size", "severity"), [(4_999_999_999, None), (5_000_000_000, "warning"), (10_000_000_000, "critical")]
)
def test_a_large_hub(size: int, severity: str | None) -> None:
    found = judge(facts(hub_bytes=size))
    assert [each.severity for each in found] == ([severity] if severity else [])
    assert judge(facts(hub_bytes=size, monitoring=Monitoring(hub=Threshold()))) == []
    assert keys(facts(hub_refs=5001)) == ["hub-refs"]


def test_what_cannot_be_read_on_the_ledger_is_told() -> None:
    told = facts()
    wrong = Problem(path=MONITORING, message=f"{MONITORING}:2: no number", commit="c" * 40)
    other = Problem(path="coordination/servers/x.json", message="is no JSON")
    told = replace(told, state=replace(told.state, problems=(wrong, other)))
    assert keys(told) == [
        "document-broken:coordination/monitoring.yaml",
        "document-broken:coordination/servers/x.json",
    ]
    assert only(told, f"document-broken:{MONITORING}").text == f"{MONITORING}:2: no number"
    assert "cccccccccc" in only(told, f"document-broken:{MONITORING}").advice


def test_a_path_that_is_no_text_has_a_key_that_can_be_written_down() -> None:
    told = facts()
    wrong = Problem(path="coordination/\udcff\n.json", message="is no JSON")
    [found] = judge(replace(told, state=replace(told.state, problems=(wrong,))))
    memory, _ = dated(Memory(), [found], NOW)
    assert encode(memory) and body_of(found) and openmetrics(told, [found])
    assert found.about == "coordination/\\udcff\\n.json"


def test_a_ledger_that_went_another_way_is_told_and_judged_as_it_was_known() -> None:
    found = judge(facts(WAITED, servers=(), diverged="the hub's ledger has diverged"))
    assert [each.key for each in found] == ["hub-diverged", "queue-stalled:default"]
    assert found[0].severity == "critical" and "bnet hub adopt" in found[0].advice


# -- what is remembered


def test_a_ref_is_seen_unmoved_by_our_own_clock_alone() -> None:
    first = look(Memory(), {"a": "1"}, boot_id="b", now_s=100)
    assert (first.least_s("a"), first.most_s("a")) == (0, None)
    second = look(first, {"a": "1"}, boot_id="b", now_s=160)
    assert (second.least_s("a"), second.most_s("a")) == (60, None)
    moved = look(second, {"a": "2"}, boot_id="b", now_s=200)
    assert (moved.least_s("a"), moved.most_s("a")) == (0, 40)
    later = look(moved, {"a": "2"}, boot_id="b", now_s=300)
    assert (later.least_s("a"), later.most_s("a")) == (100, 140)


@pytest.mark.parametrize(("boot", "now_s"), [("other", 200), ("b", 50)])
def test_another_boot_begins_anew(boot: str, now_s: float) -> None:
    first = look(Memory(), {"a": "1"}, boot_id="b", now_s=100)
    again = look(first, {"a": "2"}, boot_id=boot, now_s=now_s)
    assert (again.least_s("a"), again.most_s("a")) == (0, None)


def test_what_has_no_date_of_its_own_began_when_it_was_found_first() -> None:
    found = Finding(rule="r", severity="warning", text="t")
    memory, [first] = dated(Memory(), [found], NOW)
    _, [second] = dated(memory, [found], NOW + timedelta(hours=1))
    assert (first.since, second.since) == (NOW, NOW)
    gone, _ = dated(memory, [], NOW)
    assert gone.began == {}


def test_the_worst_comes_first() -> None:
    told = facts(WAITED, servers=[server("a")], hub_refs=9999)
    assert [each.severity for each in judge(told)] == ["critical", "warning"]


# -- figures


def sampling(age: float = 0.0, **figures: Any) -> Seen:
    samples = tuple(Sample(at=ago(age + 60 * place), **figures) for place in (2, 1, 0))
    return Seen(beat=beat("a", age, samples=samples))


def test_a_full_disk_is_told_by_its_path() -> None:
    wanted = Monitoring(disk={"/srv": Threshold(warning=80)})
    told = facts(there={"a": sampling(disk={"home": 97.5, "/srv": 85})}, monitoring=wanted)
    assert keys(told) == ["disk-full:a:home", "disk-full:a:/srv"]
    found = only(told, "disk-full:a:/srv")
    assert (found.severity, found.since) == ("warning", ago(120))
    assert "/srv" in found.text and "85%" in found.text and "80%" in found.text


def test_a_disk_that_gives_no_answer_is_told_instead_of_how_full_it_is() -> None:
    wanted = Monitoring(disk={"/srv": Threshold(warning=80)})
    there = {"a": sampling(disk={"home": 50}, silent=("/srv",))}
    found = only(facts(there=there, monitoring=wanted), "disk-silent:a:/srv")
    assert (found.severity, found.since) == ("warning", ago(120))
    assert keys(facts(there=there)) == [], "nobody asks for it any more"


def test_of_a_lost_server_no_figures_are_told() -> None:
    assert keys(facts(there={"a": sampling(9999, memory=99)})) == ["server-lost:a"]
    assert keys(facts(there={"a": sampling(memory=99)})) == ["memory-full:a"]


# -- OpenMetrics


def test_openmetrics_as_prometheus_reads_it() -> None:
    rude = server("b")
    there = {
        "a": sampling(cpu=50, memory=99, load=1.5, network=2e6, disk={'/x "y" \\z': 99.0}),
        "b": seen("b", 9999),
    }
    told = facts(
        running(1),
        job(2),
        servers=[server("a"), rude],
        there=there,
        monitoring=Monitoring(disk={'/x "y" \\z': Threshold(warning=80)}),
    )
    text = openmetrics(told, judge(told)).decode()
    found = {
        (one.name, *sorted(one.labels.items())): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }
    assert found[("bnet_healthy",)] == 0
    assert found[("bnet_findings", ("severity", "critical"))] == 2
    about = ("about", 'a:/x "y" \\z')
    assert found[("bnet_finding", about, ("rule", "disk-full"), ("severity", "warning"))] == 1
    assert found[("bnet_jobs", ("state", "running"))] == 1
    assert (found[("bnet_server_up", ("server", "a"))], found[("bnet_server_up", ("server", "b"))]) == (1, 0)
    assert found[("bnet_server_cpu_ratio", ("server", "a"))] == 0.5
    assert found[("bnet_server_disk_ratio", ("path", '/x "y" \\z'), ("server", "a"))] == 0.99
    assert ("bnet_server_cpu_ratio", ("server", "b")) not in found
    classic = {family.name for family in classic_families(text)}
    assert "bnet_server_heartbeat_age_seconds" in classic, "as a text file collector reads it"
    healthy = openmetrics(facts(), []).decode()
    assert "bnet_healthy 1\n" in healthy and healthy.endswith("# EOF\n")


# -- bad days


ENDS = [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), NOW]


@pytest.mark.parametrize("least", [0.0, 1e9])
@pytest.mark.parametrize("begun", ENDS)
@pytest.mark.parametrize("said", ENDS)
def test_times_at_the_ends_of_the_calendar_are_no_bug(said: datetime, begun: datetime, least: float) -> None:
    one = running(timeout=3e9)
    assert one.claim is not None
    one = replace(one, claim=replace(one.claim, claimed_at=begun, ttl_s=3e9))
    two = replace(job(2), spec=replace(job(2).spec, submitted_at=begun))
    there = {"a": Seen(beat=replace(beat("a", 0), at=said), least_s=least, most_s=least + 1)}
    for monitoring in (DEFAULTS, Monitoring(stuck_after=0.0, stalled_after=0.0)):
        told = facts(
            one, two, servers=[server("a", joined_at=begun, slots=2)], there=there, monitoring=monitoring
        )
        openmetrics(told, judge(told))


def test_each_rule_is_in_the_table_of_the_guide() -> None:
    top = Path(__file__).parents[2]
    code = "".join(path.read_text() for path in sorted((top / "bnet/health").glob("*.py")))
    named = (
        set(re.findall(r'rule="([a-z-]+)"', code))
        | set(figures._RULES.values())
        | {"job-failing", "package-failing"}
    )
    rows = re.findall(
        r"^\| (`[^|]*)\|", (top / "docs/health.md").read_text().split("## How sure")[0], re.MULTILINE
    )
    assert {rule for row in rows for rule in re.findall(r"`([a-z-]+)`", row)} == named
