"""Which artifacts are kept, what is given up, and what a job that is made twice becomes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from bnet.codec.view import View
from bnet.model.artifact import Gone, Kept, KeptRun
from bnet.model.command import InputRef, NeedRef, Submit
from bnet.model.hub import Head, KeepRule, Settings
from bnet.model.job import Artifact, Attempt, Claim, Input, Job, JobSpec, Need
from bnet.model.server import Server
from bnet.model.state import State
from bnet.rules import jobs, keeping
from bnet.rules.admit import admit, numbers_of
from bnet.rules.jobs import Illegal
from bnet.rules.legal.artifacts import kept_faults
from bnet.rules.reproduce import disagreement
from bnet.rules.specs import Facts
from bnet.rules.transaction import Transaction
from bnet.rules.waiting import server_conditions, usage

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def kept(number: int, days: float, **fields: Any) -> Kept:
    base: dict[str, Any] = {"job": number, "name": "wheel", "at": NOON - days * DAY}
    return Kept(**(base | fields))


def job(number: int, **fields: Any) -> Job:
    base: dict[str, Any] = {"name": "wheel", "command": "make", "submitted_by": "a", "submitted_at": NOON}
    return Job(spec=JobSpec(number=number, **(base | fields)))


def tx_of(*listed: Kept, open_jobs: tuple[Job, ...] = (), **settings: Any) -> Transaction:
    state = State(
        tip="t",
        head=Head(format=1, hub="h", seq=4, next_job=100),
        settings=Settings(**settings),
        kept={each.job: each for each in listed},
        jobs={each.number: each for each in open_jobs},
    )
    return Transaction(state, View(), NOON)


MONTH = KeepRule(age=30 * 86400.0)


@pytest.mark.parametrize(
    ("rules", "given_up"),
    [
        ((), []),
        ((MONTH,), [3, 2]),
        ((replace(MONTH, newest=1),), [3, 2]),
        ((replace(MONTH, newest=2),), [3]),
        ((KeepRule(name="whe*"), MONTH), []),
        ((KeepRule(name="other"), MONTH), [3, 2]),
        ((KeepRule(labels={"channel": "stable"}), MONTH), [2]),
        ((KeepRule(queue="release"), MONTH), [3, 2]),
        ((KeepRule(age=0.0),), [3, 2, 1]),
    ],
    ids=str,
)
def test_the_first_rule_that_fits_says_what_is_given_up(
    rules: tuple[KeepRule, ...], given_up: list[int]
) -> None:
    listed = [kept(1, 1), kept(2, 40), kept(3, 50, labels={"channel": "stable"})]
    found = keeping.outlived({each.job: each for each in listed}, rules, frozenset(), NOON)
    assert [each.job for each, _ in found] == given_up


def test_failures_are_not_among_the_newest_and_do_not_count() -> None:
    listed = {each.job: each for each in (kept(1, 40), kept(2, 39, result="failure"))}
    rules = (replace(MONTH, newest=1),)
    assert [each.job for each, _ in keeping.outlived(listed, rules, frozenset(), NOON)] == [2]


def test_what_an_open_job_will_be_given_stays_whatever_the_rules_say() -> None:
    needs = job(9, inputs=(Input(job=1),))
    tx = tx_of(kept(1, 400), kept(2, 400), open_jobs=(needs,), artifacts=(MONTH,))
    keeping.give_up(tx, "s1")
    assert [change.target for change in tx.changes] == ["#2"]
    with pytest.raises(Illegal, match="still needed"):
        keeping.give_up_job(tx, 1, "why", "ann")
    with pytest.raises(Illegal, match="no artifacts of job #2"):
        keeping.give_up_job(tx, 2, "why", "ann")


def test_what_was_given_up_is_forgotten_when_it_is_deleted_or_has_been_told_for_long() -> None:
    gone = Gone(at=NOON - 8 * DAY, why="old", by="s1")
    stored = KeptRun(attempt=1, server="s", run="r", manifest="0" * 64, count=1, size=1, place="store:x/")
    tx = tx_of(kept(1, 9, gone=gone), kept(2, 9, gone=gone, runs=(stored,)), kept(3, 9))
    keeping.forget(tx, ())
    assert [change.target for change in tx.changes] == ["#1"]
    keeping.forget(tx, (2, 3))
    assert sorted(keeping.kept_now(tx)) == [3]


# -- inputs


def admitted(*commands: Submit, known: tuple[Job, ...] = ()) -> JobSpec:
    tx = tx_of(open_jobs=known)
    numbers = admit(tx, commands, by="me", facts=Facts())
    return tx.jobs[numbers[-1]].spec


def test_inputs_are_needed_and_mean_each_job_of_a_matrix() -> None:
    makes = Submit(command="make", name="m", matrix={"os": ("a", "b")})
    takes = Submit(command="use", inputs=(InputRef(job="m", into="in"),))
    spec = admitted(makes, takes)
    assert spec.inputs == (Input(job=100, into="in"), Input(job=101, into="in"))
    assert spec.needs == (Need(job=100, name="m"), Need(job=101, name="m"))


def test_a_need_that_was_stated_otherwise_stays_so() -> None:
    takes = Submit(command="use", needs=(NeedRef(job=5, on="always"),), inputs=(InputRef(job=5),))
    assert admitted(takes, known=(job(5),)).needs == (Need(job=5, on="always"),)
    assert numbers_of([takes]) == {5}


@pytest.mark.parametrize("into", ["/etc", "../x", "a/../../x", ".git/hooks", "", "a\nb", "x" * 600])
def test_an_input_that_leads_elsewhere_is_refused(into: str) -> None:
    with pytest.raises(Illegal, match=r"^inputs: "):
        admitted(Submit(command="use", inputs=(InputRef(job=5, into=into),)), known=(job(5),))


# -- reproduce


def artifact(path: str, digest: str, mode: str = "0644") -> Artifact:
    return Artifact(path=path, size=1, mode=mode, blake3=digest * 64, place="telemetry:s:x")


def run(subject: Job, server: str, *files: Artifact, result: Any = "success", **fields: Any) -> Job:
    attempt = len(subject.attempts) + 1
    held = Claim(
        server=server, instance="i", attempt=attempt, run=f"r{attempt}", token=1, ttl_s=1, claimed_at=NOON
    )
    ended = Attempt(
        attempt=attempt, server=server, run=f"r{attempt}", token=1, result=result, reason="exit",
        finished_at=NOON, artifacts=files, exit_code=0 if result == "success" else 1, **fields,
    )  # fmt: skip
    return jobs.end_attempt(replace(subject, claim=held), ended).jobs[0]


TWICE = job(1, reproduce=2, artifacts=("*",))
A, B = artifact("a", "1"), artifact("b", "2")


def test_a_job_that_is_made_twice_succeeds_when_both_agree() -> None:
    once = run(TWICE, "s1", A, B)
    assert once.state == "pending"
    twice = run(once, "s2", B, replace(A, mode="0600"))
    assert twice.result is not None and twice.result.result == "success"


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ((A,), "b"),
        ((A, artifact("b", "3")), "b"),
        ((A, B, artifact("c", "1")), "c"),
        ((artifact("a", "1", "0755"), B), "a"),
    ],
    ids=["missing", "other bytes", "more", "can be run"],
)  # fmt: skip
def test_what_differs_is_a_failure_that_names_it(files: tuple[Artifact, ...], named: str) -> None:
    ended = run(run(TWICE, "s1", A, B), "s2", *files)
    assert ended.result is not None and (ended.result.result, ended.result.reason) == ("failure", "differs")
    told = f"not reproducible: {named} differs between s1 (attempt 1) and s2 (attempt 2)"
    assert ended.result.message == told == disagreement(ended.attempts)


def test_a_server_makes_it_once_and_a_cancel_between_leaves_it_unconfirmed() -> None:
    once = run(TWICE, "s1", A)
    servers = [Server(name=name, instance="i", joined_at=NOON) for name in ("s1", "s2")]
    held = [
        [each.holds for each in server_conditions(once, server, usage((), {})) if each.kind == "built"]
        for server in servers
    ]
    assert held == [[False], [True]]
    wanted = jobs.cancel(replace(TWICE, claim=None), by="a", reason="", now=NOON).jobs[0].wanted
    ended = run(replace(TWICE, wanted=wanted), "s1", A)
    assert ended.result is not None and ended.result.result == "cancelled"
    failed = run(once, "s2", result="failure")
    assert failed.result is not None and (failed.result.result, failed.result.reason) == ("failure", "exit")


def test_to_be_made_twice_there_has_to_be_something_to_compare() -> None:
    with pytest.raises(Illegal, match="nothing to compare"):
        admitted(Submit(command="make", reproduce=2))


# -- what the audit makes of it


RUN = KeptRun(attempt=1, server="s1", run="r1", manifest="0" * 64, count=1, size=1, place="telemetry:s1:x")
MADE = run(job(1), "s1", A, manifest="0" * 64)
GONE = Gone(at=NOON, why="w", by="a")


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        (None, kept(1, 0, runs=(RUN,)), ""),
        (None, None, "left some that are not listed"),
        (None, kept(1, 0, runs=(replace(RUN, manifest="1" * 64),)), "did not leave them"),
        (None, kept(1, 0, runs=(replace(RUN, count=2),)), "did not leave them"),
        (kept(1, 0, runs=(RUN,)), None, "forgotten before"),
        (kept(1, 0, runs=(RUN,)), kept(1, 0, runs=(RUN,), gone=GONE), ""),
        (kept(1, 0, runs=(RUN,), gone=GONE), None, ""),
        (kept(1, 0, runs=(RUN,), gone=GONE), kept(1, 0, runs=(RUN,)), "kept again"),
        (kept(1, 0, runs=(RUN,)), kept(1, 0, runs=()), "have changed"),
        (kept(1, 0, runs=(RUN,)), kept(1, 0, name="other", runs=(RUN,)), "told of differently"),
    ],
)
def test_the_audit_knows_what_may_become_of_the_list(
    before: Kept | None, after: Kept | None, text: str
) -> None:
    states = [
        State(tip="t", head=Head(format=1, hub="h"), kept={} if each is None else {1: each}, jobs=of)
        for each, of in ((before, {1: MADE} if before else {1: job(1)}), (after, {1: MADE}))
    ]
    found = [fault.text for fault in kept_faults(states[0], states[1], {})]
    assert any(text in each for each in found) if text else not found


def test_the_audit_knows_that_an_open_job_needs_its_inputs() -> None:
    user = {1: MADE, 9: job(9, inputs=(Input(job=1),))}
    states = [
        State(tip="t", head=Head(format=1, hub="h"), kept={1: each}, jobs=user)
        for each in (kept(1, 0, runs=(RUN,)), kept(1, 0, runs=(RUN,), gone=GONE))
    ]
    assert "open job needs them" in next(iter(kept_faults(states[0], states[1], {}))).text
