"""What can happen to a job, from its claim to its result."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from bnet.model.job import (
    Artifact,
    Attempt,
    BuildReport,
    Cancel,
    Job,
    JobResult,
    JobSpec,
    RetryRule,
    Wanted,
)
from bnet.model.server import Server
from bnet.rules import jobs
from bnet.rules.change import Change
from bnet.rules.jobs import Illegal

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SERVER = Server(name="s1", instance="i1", joined_at=NOW)


def job(**spec: Any) -> Job:
    return Job(
        spec=JobSpec(
            **{"number": 1, "name": "j", "command": "x", "submitted_by": "a", "submitted_at": NOW} | spec
        )
    )


def claimed(before: Job, server: str = "s1", token: int = 5) -> Job:
    holder = replace(SERVER, name=server)
    run = f"run-{len(before.attempts) + 1}"
    [after] = jobs.claim(before, holder, run=run, token=token, ttl_s=300.0, now=NOW).jobs
    return after


def ended(held: Job, result: Any = "failure", reason: str = "exit", code: int | None = 1) -> Attempt:
    assert held.claim is not None
    return Attempt(
        attempt=held.claim.attempt,
        server=held.claim.server,
        run=held.claim.run,
        token=held.claim.token,
        result=result,
        reason=reason,
        exit_code=code if reason == "exit" else None,
        finished_at=NOW,
    )


def after(change: Change) -> Job:
    [one] = change.jobs
    return one


def through(first: Job, *ends: tuple[Any, str, int | None]) -> tuple[str, str]:
    """Let attempts end so, one after the other; return the result and reason, or `pending` and why."""
    for result, reason, code in ends:
        held = claimed(first)
        first = after(jobs.end_attempt(held, ended(held, result, reason, code)))
    return (first.state, "") if first.result is None else (first.result.result, first.result.reason)


# -- claims


def test_a_claim_says_who_holds_the_job_and_under_which_run() -> None:
    held = claimed(job())
    assert held.state == "running"
    assert held.claim is not None
    assert (held.claim.server, held.claim.instance, held.claim.attempt) == ("s1", "i1", 1)
    assert (held.claim.run, held.claim.token, held.claim.ttl_s) == ("run-1", 5, 300.0)


def test_the_next_attempt_is_numbered_after_those_that_ended() -> None:
    held = claimed(job())
    again = claimed(after(jobs.lost(held, now=NOW, why="gone")))
    assert again.claim is not None
    assert again.claim.attempt == 2


def test_a_job_that_somebody_holds_cannot_be_claimed() -> None:
    with pytest.raises(Illegal, match="#1 is running"):
        claimed(claimed(job()))


def test_a_finished_job_cannot_be_claimed() -> None:
    done = after(jobs.end_unclaimed(job(), "cancelled", "expired", now=NOW))
    with pytest.raises(Illegal, match="#1 is finished"):
        claimed(done)


# -- ends

LOST = ("error", "lost", None)
REFUSED = ("error", "refused", None)
FAIL = ("failure", "exit", 1)
OK = ("success", "exit", 0)
LATE = ("timeout", "timeout", None)
CUT = ("error", "artifacts", None)
DEFAULT = job()
TWICE = job(retry=(RetryRule(limit=2),))
NEVER = job(retry=())
BY_CODE = job(retry=(RetryRule(limit=1, exit_codes=(75,)), RetryRule(limit=2, reasons=("lost",))))
BY_REASON = job(retry=(RetryRule(limit=1, reasons=("timeout", "lost")),))

ENDS = {
    "a success is a success": (DEFAULT, [OK], ("success", "exit")),
    "a failure is not tried again by default": (DEFAULT, [FAIL], ("failure", "exit")),
    "a time-out is not tried again by default": (DEFAULT, [LATE], ("timeout", "timeout")),
    "what is lost is tried again": (DEFAULT, [LOST], ("pending", "")),
    "... twice": (DEFAULT, [LOST, LOST], ("pending", "")),
    "... and not thrice": (DEFAULT, [LOST, LOST, LOST], ("error", "lost")),
    "a success after a loss is a success": (DEFAULT, [LOST, OK], ("success", "exit")),
    "a plain limit counts every failure": (TWICE, [FAIL, LOST, FAIL], ("failure", "exit")),
    "a plain limit tries again": (TWICE, [FAIL, LATE], ("pending", "")),
    "without a rule nothing is tried again": (NEVER, [LOST], ("error", "lost")),
    "a named exit code is tried again": (BY_CODE, [("failure", "exit", 75)], ("pending", "")),
    "another exit code is not": (BY_CODE, [("failure", "exit", 74)], ("failure", "exit")),
    "each rule counts its own": (BY_CODE, [LOST, LOST, ("failure", "exit", 75)], ("pending", "")),
    "each rule has its limit": (BY_CODE, [("failure", "exit", 75)] * 2, ("failure", "exit")),
    "reasons of one rule share a limit": (BY_REASON, [LATE, LOST], ("error", "lost")),
    "a success is never tried again": (TWICE, [OK], ("success", "exit")),
    "missing artifacts are final": (DEFAULT, [CUT], ("error", "artifacts")),
    "what was stopped by hand is final": (TWICE, [("cancelled", "cancel", None)], ("cancelled", "cancel")),
}


@pytest.mark.parametrize(("first", "ends", "end"), ENDS.values(), ids=ENDS.keys())
def test_how_attempts_end_a_job(first: Job, ends: list[Any], end: tuple[str, str]) -> None:
    assert through(first, *ends) == end


def test_an_exit_code_counts_where_the_command_ended_by_itself() -> None:
    held = claimed(job(retry=(RetryRule(limit=1, exit_codes=(75,)),)))
    report = replace(ended(held, "timeout", "timeout"), exit_code=75)
    assert after(jobs.end_attempt(held, report)).state == "finished"


def test_a_late_report_changes_nothing() -> None:
    held = claimed(job())
    report = replace(ended(held), run="another")
    with pytest.raises(Illegal, match="another does not hold"):
        jobs.end_attempt(held, report)
    with pytest.raises(Illegal):
        jobs.end_attempt(job(), report)


def test_three_servers_that_cannot_start_a_job_are_enough() -> None:
    first = job()
    for count, server in enumerate(("s1", "s2", "s3"), 1):
        held = claimed(first, server)
        first = after(jobs.end_attempt(held, ended(held, "error", "refused")))
        assert len(jobs.refusers(first)) == count
        assert first.state == ("finished" if count == jobs.REFUSALS else "pending")
    assert first.result is not None
    assert (first.result.result, first.result.reason) == ("error", "refused")
    assert jobs.refusers(first) == {"s1", "s2", "s3"}


def test_one_server_that_refuses_twice_is_one() -> None:
    assert through(job(), REFUSED, REFUSED, REFUSED) == ("pending", "")


def test_a_server_that_lost_a_job_may_have_it_again_and_one_that_refused_it_not() -> None:
    first = after(jobs.lost(claimed(job(), "s1"), now=NOW, why="gone"))
    held = claimed(first, "s2")
    tried = after(jobs.end_attempt(held, ended(held, *REFUSED)))
    assert [each.server for each in tried.attempts] == ["s1", "s2"]
    assert jobs.refusers(tried) == {"s2"}


def test_a_lost_attempt_says_who_held_it_under_which_token_and_why_it_is_lost() -> None:
    held = claimed(job(retry=()), "s1", token=7)
    done = after(jobs.lost(held, now=NOW, why="s1 was not seen to move"))
    [attempt] = done.attempts
    assert attempt == replace(
        ended(held, "error", "lost"), message="s1 was not seen to move", finished_at=NOW
    )
    assert done.result is not None
    assert (done.result.message, done.result.finished_at) == (attempt.message, NOW)


def test_a_result_holds_all_that_is_known_of_its_attempt() -> None:
    held = claimed(job())
    report = replace(
        ended(held),
        message="no such file",
        started_at=NOW,
        seconds=2.5,
        artifacts=(Artifact(path="a", size=1, mode="0644", blake3="0" * 64, place="telemetry:s1:a"),),
        build=BuildReport(total=3, cached=2),
    )
    done = after(jobs.end_attempt(held, report))
    shared = set(JobResult.__struct_fields__) & set(Attempt.__struct_fields__)
    assert {"message", "started_at", "seconds", "artifacts", "build", "run", "server"} <= shared
    assert {name: getattr(done.result, name) for name in shared} == {
        name: getattr(report, name) for name in shared
    }


def test_a_result_tells_what_its_attempt_did() -> None:
    held = claimed(job())
    done = after(jobs.end_attempt(held, ended(held, *OK)))
    assert done.result is not None
    assert (done.result.attempt, done.result.server, done.result.run, done.result.exit_code) == (
        1,
        "s1",
        "run-1",
        0,
    )
    assert (done.claim, len(done.attempts)) == (None, 1)


# -- cancel

CANCELLED_ENDS = {
    "it was stopped": (("cancelled", "cancel", None), ("cancelled", "cancel")),
    "it was lost": (LOST, ("cancelled", "cancel")),
    "it could not be started": (REFUSED, ("cancelled", "cancel")),
    "it was quicker": (OK, ("success", "exit")),
    "it failed by itself": (FAIL, ("failure", "exit")),
}


@pytest.mark.parametrize(("end", "result"), CANCELLED_ENDS.values(), ids=CANCELLED_ENDS.keys())
@pytest.mark.parametrize("rules", [(RetryRule(limit=9),), ()], ids=["with retries", "without"])
def test_a_running_job_that_was_cancelled_ends_although(
    rules: Any, end: Any, result: tuple[str, str]
) -> None:
    held = after(jobs.cancel(claimed(job(retry=rules)), by="a", reason="enough", now=NOW))
    assert held.state == "running", "its server has to stop it"
    done = after(jobs.end_attempt(held, ended(held, *end)))
    assert done.result is not None
    assert (done.result.result, done.result.reason) == result


@pytest.mark.parametrize(("superseded", "reason"), [(False, "cancel"), (True, "superseded")])
def test_a_waiting_job_is_cancelled_at_once(superseded: bool, reason: str) -> None:
    change = jobs.cancel(job(), by="a", reason="enough", now=NOW, superseded=superseded)
    done = after(change)
    assert done.result is not None
    assert (change.verb, done.result.result, done.result.reason) == ("cancel", "cancelled", reason)
    assert done.result.message == "enough"
    assert done.wanted.cancel == Cancel(by="a", at=NOW, reason="enough", superseded=superseded)


def test_a_running_job_that_was_cancelled_knows_by_whom_and_why() -> None:
    held = after(jobs.cancel(claimed(job()), by="a", reason="enough", now=NOW))
    assert held.wanted.cancel == Cancel(by="a", at=NOW, reason="enough", superseded=False)


def test_an_end_without_words_has_no_message() -> None:
    done = after(jobs.end_unclaimed(job(), "skipped", "dependency", now=NOW))
    assert done.result is not None
    assert done.result.message is None


def test_a_superseded_job_that_is_lost_ends_as_superseded() -> None:
    held = after(jobs.cancel(claimed(job()), by="a", reason="", now=NOW, superseded=True))
    done = after(jobs.lost(held, now=NOW, why="gone"))
    assert done.result is not None
    assert (done.result.result, done.result.reason) == ("cancelled", "superseded")


FINISHED = after(jobs.end_unclaimed(job(), "skipped", "dependency", now=NOW))
TOO_LATE = {
    "cancelled": lambda: jobs.cancel(FINISHED, by="a", reason="", now=NOW),
    "moved forward": lambda: jobs.set_priority(FINISHED, 1, by="a"),
    "ended again": lambda: jobs.end_unclaimed(FINISHED, "cancelled", "expired", now=NOW),
    "lost": lambda: jobs.lost(FINISHED, now=NOW, why=""),
}


@pytest.mark.parametrize("ask", TOO_LATE.values(), ids=TOO_LATE.keys())
def test_a_finished_job_cannot_be(ask: Any) -> None:
    with pytest.raises(Illegal, match="#1"):
        ask()


def test_a_job_that_runs_is_ended_by_its_server_alone() -> None:
    with pytest.raises(Illegal, match="only a pending job"):
        jobs.end_unclaimed(claimed(job()), "cancelled", "expired", now=NOW)


def test_a_priority_that_was_changed_is_the_one_that_counts() -> None:
    moved = after(jobs.set_priority(job(priority=7), 1, by="a"))
    assert (moved.priority, moved.spec.priority) == (1, 7)
    kept = Wanted(cancel=Cancel(by="a", at=NOW), priority=2)
    assert after(jobs.set_priority(replace(job(), wanted=kept), 3, by="a")).wanted.cancel is not None


# -- what the history says

SENTENCES = {
    "claim": (lambda: jobs.claim(job(), SERVER, run="r", token=5, ttl_s=1.0, now=NOW), "claim #1", ""),
    "success": (lambda: jobs.end_attempt(claimed(job()), ended(claimed(job()), *OK)), "finish #1", "success"),
    "failure": (
        lambda: jobs.end_attempt(claimed(job()), ended(claimed(job()), "failure", "exit", 3)),
        "finish #1",
        "failure, exit 3",
    ),
    "time-out": (
        lambda: jobs.end_attempt(claimed(job()), ended(claimed(job()), *LATE)),
        "finish #1",
        "timeout",
    ),
    "silence": (
        lambda: jobs.end_attempt(claimed(job()), ended(claimed(job()), "timeout", "silence")),
        "finish #1",
        "timeout: silence",
    ),
    "requeue": (lambda: jobs.lost(claimed(job()), now=NOW, why="x"), "requeue #1", "attempt 1: error: lost"),
    "skip": (
        lambda: jobs.end_unclaimed(job(), "skipped", "dependency", now=NOW),
        "finish #1",
        "skipped: dependency",
    ),
    "cancel": (lambda: jobs.cancel(job(), by="a", reason="enough", now=NOW), "cancel #1", "enough"),
    "cancel what runs": (
        lambda: jobs.cancel(claimed(job()), by="a", reason="enough", now=NOW),
        "cancel #1",
        "enough",
    ),
    "lost, and cancelled before": (
        lambda: jobs.lost(after(jobs.cancel(claimed(job()), by="a", reason="", now=NOW)), now=NOW, why="x"),
        "finish #1",
        "cancelled: cancel",
    ),
    "priority": (lambda: jobs.set_priority(job(), 2, by="a"), "prioritize #1", "2"),
}


@pytest.mark.parametrize(("make", "subject", "note"), SENTENCES.values(), ids=SENTENCES.keys())
def test_a_change_reads_as(make: Any, subject: str, note: str) -> None:
    change = make()
    assert (f"{change.verb} {change.target}", change.note) == (subject, note)


FIELDS: dict[str, tuple[Any, dict[str, str | int]]] = {
    "claim": (
        lambda: jobs.claim(job(), SERVER, run="r", token=5, ttl_s=1.0, now=NOW),
        {"attempt": 1, "server": "s1", "run": "r", "token": 5},
    ),
    "finish": (
        lambda: jobs.end_attempt(claimed(job()), ended(claimed(job()), "failure", "exit", 3)),
        {"attempt": 1, "run": "run-1", "result": "failure", "reason": "exit", "exit_code": 3},
    ),
    "requeue": (
        lambda: jobs.lost(claimed(job()), now=NOW, why="x"),
        {"attempt": 1, "run": "run-1", "result": "error", "reason": "lost"},
    ),
    "skip": (
        lambda: jobs.end_unclaimed(job(), "skipped", "dependency", now=NOW),
        {"result": "skipped", "reason": "dependency"},
    ),
    "cancel": (
        lambda: jobs.cancel(job(), by="a", reason="enough", now=NOW),
        {"result": "cancelled", "reason": "cancel", "by": "a"},
    ),
    "cancel what runs": (
        lambda: jobs.cancel(claimed(job()), by="a", reason="enough", now=NOW),
        {"by": "a"},
    ),
    "priority": (lambda: jobs.set_priority(job(), 2, by="a"), {"priority": 2, "by": "a"}),
}


@pytest.mark.parametrize(("make", "fields"), FIELDS.values(), ids=FIELDS.keys())
def test_a_change_tells_programs(make: Any, fields: dict[str, str | int]) -> None:
    assert make().fields == fields
