"""Jobs of a history that was given up are asked for again as they were asked for first."""

from __future__ import annotations

from datetime import UTC, datetime

from bnet.codec.resubmission import to_file
from bnet.codec.submission import from_file
from bnet.model.command import NeedRef, Retry, Submit
from bnet.model.job import Group, Job, JobResult, JobSpec, Need, RetryRule, Source
from bnet.rules.resubmit import only_in, resubmissions

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
DONE = JobResult(result="success", reason="exit", finished_at=NOON)


def job(
    number: int, name: str = "", *, needs: tuple[Need, ...] = (), done: bool = False, **more: object
) -> Job:
    spec = JobSpec(
        number=number,
        name=name or f"j{number}",
        command="true",
        submitted_by="me",
        submitted_at=NOON,
        needs=needs,
        **more,  # type: ignore[arg-type]
    )
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
