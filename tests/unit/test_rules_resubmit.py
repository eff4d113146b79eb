"""Jobs of a history that was given up are asked for again as they were asked for first."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from bnet.codec.resubmission import to_file
from bnet.codec.submission import from_file
from bnet.codec.view import View
from bnet.model.command import NeedRef, Retry, Submit
from bnet.model.hub import Head
from bnet.model.job import (
    ApprovalRule,
    Group,
    Input,
    Job,
    JobResult,
    JobSpec,
    Need,
    Part,
    RetryRule,
    Source,
    Wanted,
)
from bnet.model.state import State
from bnet.rules.admit import admit
from bnet.rules.resubmit import left_out, only_in, resubmissions
from bnet.rules.specs import Facts
from bnet.rules.transaction import Transaction

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
DONE = JobResult(result="success", reason="exit", finished_at=NOON)


def job(
    number: int, name: str = "", *, needs: tuple[Need, ...] = (), done: bool = False, **more: object
) -> Job:
    base: dict[str, Any] = {"command": "true", "submitted_by": "me", "submitted_at": NOON, "needs": needs}
    spec = JobSpec(number=number, name=name or f"j{number}", **(base | more))
    return Job(spec=spec, result=DONE if done else None)


def test_a_number_that_was_given_twice_is_two_jobs() -> None:
    ours = {1: job(1), 2: job(2), 3: job(3)}
    theirs = {1: job(1, done=True), 2: job(2, "another")}
    assert [each.number for each in only_in(ours, theirs)] == [2, 3]


def test_needs_follow_their_jobs() -> None:
    common = {1: job(1)}
    lost = [
        job(5, done=True),
        job(6, "twice"),
        job(7, "twice", needs=(Need(job=6), Need(job=5), Need(job=1, on="always"), Need(job=99))),
    ]
    first, second = resubmissions(lost, common, "k")
    assert (first.name, second.name) == ("twice-6", "twice-7")
    assert second.needs == (NeedRef(job="twice-6"), NeedRef(job=1, on="always"))


def test_a_need_on_a_job_that_only_the_old_history_has_keeps_its_kind() -> None:
    lost = [job(6), job(7, needs=(Need(job=6, on="always"),))]
    assert resubmissions(lost, {}, "k")[1].needs == (NeedRef(job="j6", on="always"),)


def test_a_number_that_both_histories_gave_is_no_need_on_the_other_ones_job() -> None:
    lost = [job(5, done=True), job(7, needs=(Need(job=5),))]
    assert resubmissions(lost, {5: job(5, "another")}, "k")[0].needs == ()


def test_a_name_that_is_used_once_stays_and_others_stay_short_enough() -> None:
    names = [each.name for each in resubmissions([job(1, "x" * 64), job(2, "x" * 64), job(3)], {}, "k")]
    assert names == ["x" * 48 + "-1", "x" * 48 + "-2", "j3"]


def test_jobs_are_asked_for_again_in_their_order() -> None:
    assert [each.number for each in only_in({2: job(2), 1: job(1)}, {})] == [1, 2]


EVERY = {
    "command": ("make", "all"),
    "queue": "q",
    "priority": 2,
    "labels": {"os": "linux"},
    "source": Source(repository="/r", commit="a" * 40),
    "env": {"A": "1"},
    "secrets": ("TOKEN",),
    "sandbox": "podman",
    "image": "debian",
    "timeout": 90.0,
    "silence_timeout": 30.0,
    "retry": (
        RetryRule(limit=1, exit_codes=(64,)),
        RetryRule(limit=4, reasons=("lost", "timeout")),
    ),
    "group": Group(name="g", limit=3),
    "supersede": "waiting",
    "locks": ("l",),
    "artifacts": ("dist/*",),
    "reproduce": 2,
    "not_before": NOON,
    "expires_after": 60.0,
    "on_lost_lease": "finish",
}


@pytest.mark.parametrize(
    "fields",
    [EVERY, {"command": (), "packages": ("lib",), "source": Source(snapshot="b" * 40)}],
    ids=["a command", "packages"],
)
def test_what_is_asked_for_again_becomes_the_job_that_it_was(fields: dict[str, object]) -> None:
    lost = job(4, "n", **fields)
    [again] = resubmissions([lost], {}, "k")
    tx = Transaction(state(), View(), NOON)
    [number] = admit(tx, [again], by="me", facts=Facts())
    assert tx.jobs[number].spec == replace(lost.spec, number=number, key="k.4")


def test_a_job_that_was_moved_forward_stays_there() -> None:
    moved = replace(job(1), wanted=Wanted(priority=1))
    assert resubmissions([moved], {}, "k")[0].priority == 1


def state() -> State:
    return State(
        tip="t",
        head=Head(format=1, hub="h", seq=4, next_job=10),
    )


def test_keys_make_a_second_submission_the_same_job() -> None:
    keyed, plain, cell = job(1, key="mine"), job(2), job(3, key="all", matrix={"os": "linux"})
    assert [each.key for each in resubmissions([keyed, plain, cell], {}, "k")] == ["mine", "k.2", "k.3"]


def test_everything_survives_the_file() -> None:
    asked = job(
        1,
        "no",
        labels={"version": "3.10", "on": "off"},
        source=Source(repository="/r", ref="main", commit="a" * 40),
        env={"A": "012", "B": "line\nbreak", "C": "12:30:45"},
        secrets=("TOKEN",),
        timeout=90.5,
        silence_timeout=30.0,
        retry=(RetryRule(limit=1, exit_codes=(64, 65)), RetryRule(limit=2, reasons=("lost",))),
        group=Group(name="g", limit=3),
        supersede="waiting",
        locks=("l",),
        artifacts=("dist/*",),
        not_before=NOON,
        on_lost_lease="stop",
    )
    [want] = resubmissions([asked], {}, "k")
    [got] = from_file(to_file([want]), "adopted.yaml")
    assert isinstance(got, Submit)
    for field in Submit.__struct_fields__:
        if field not in ("timeout", "silence_timeout", "expires_after", "retry"):
            assert getattr(got, field) == getattr(want, field), field
    assert [float(each) for each in (got.timeout or 0, got.silence_timeout or 0, got.expires_after)] == [
        90.5,
        30.0,
        604800.0,
    ]
    assert isinstance(got.retry, tuple)
    assert got.retry[0] == Retry(limit=1, exit_code=(64, 65))


PART = Part(name="p", step="build", branch="main", run=6)


@pytest.mark.parametrize(
    ("fields", "asked"),
    [
        ({"inputs": (Input(job=1),), "needs": (Need(job=1),)}, ["j6", "j7"]),
        ({"inputs": (Input(job=6),), "needs": (Need(job=6),)}, ["j6", "j7"]),
        ({"inputs": (Input(job=5),), "needs": (Need(job=5),)}, ["j6"]),
        ({"when": 'needs.build.result == "failure"', "needs": (Need(job=6, name="build"),)}, ["j6"]),
        ({"pipeline": PART, "matrix": {"py": "3"}}, ["j6"]),
        ({"environment": "prod"}, ["j6"]),
        ({"approval": ApprovalRule(count=2, by=("a", "b"))}, ["j6", "j7"]),
    ],
    ids=["kept", "asked again", "gone", "condition", "step", "deployment", "approval"],
)
def test_what_depends_on_more_than_the_file_says_is_left_out_and_named(
    fields: dict[str, Any], asked: list[str]
) -> None:
    lost = [job(5, done=True), job(6), job(7, **fields), job(8, needs=(Need(job=7),))]
    common = {1: job(1, done=True)}
    again = resubmissions(lost, common, "k")
    whole = [*asked, "j8"] if "j7" in asked else asked
    assert [each.name for each in again] == whole
    assert [f"j{each.number}" for each in left_out(lost, common)] == [
        name for name in ("j7", "j8") if name not in whole
    ]
    tx = Transaction(replace(state(), jobs=common), View(), NOON)
    numbers = admit(tx, again, by="me", facts=Facts())
    if "j7" in asked:
        assert tx.jobs[numbers[1]].spec.approval == fields.get("approval")
