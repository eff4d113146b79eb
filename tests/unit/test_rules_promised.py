"""Artifacts that deployments and releases name: they stay, and what was given up is named by nobody any more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from bnet.codec.view import View
from bnet.model.artifact import Gone, Kept, KeptRun
from bnet.model.command import Command, InputRef, NeedRef, RetryJob, RollBack, Submit
from bnet.model.environment import Deployment, Environment, Environments, Pinned, Release, Standing
from bnet.model.hub import Head, KeepRule, Settings
from bnet.model.job import Artifact, Attempt, Claim, Input, Job, JobResult, JobSpec, Need, Part, Source
from bnet.model.state import State
from bnet.rules import deployments, jobs, keeping, releases
from bnet.rules.admit import admit
from bnet.rules.jobs import Forbidden, Illegal
from bnet.rules.specs import Facts
from bnet.rules.transaction import Transaction

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
MAIN = Source(repository="/r", ref="main", commit="a" * 40)
DONE = JobResult(result="success", reason="exit", finished_at=NOON, attempt=1, manifest="0" * 64)
GONE = Gone(at=NOON, why="disk\x1b full", by="ann")
ROW = Environments(environments=(Environment(name="dev"), Environment(name="prod", branches=("main",))))


def job(number: int, result: JobResult | None = DONE, **fields: Any) -> Job:
    base: dict[str, Any] = {"name": f"j{number}", "command": "x", "submitted_by": "a", "submitted_at": NOON}
    return Job(spec=JobSpec(number=number, **(base | fields)), result=result)


def kept(number: int, **fields: Any) -> Kept:
    return Kept(job=number, name=f"j{number}", at=NOON - timedelta(days=400), **fields)


def tx_of(*there: Job, **more: Any) -> Transaction:
    base: dict[str, Any] = {"environments": ROW, "jobs": {each.number: each for each in there}}
    state = State(tip="t", head=Head(format=1, hub="h", seq=4, next_job=100), **(base | more))
    return Transaction(state, View(), NOON)


def deployment(number: int, *made: int, **fields: Any) -> Deployment:
    pins = tuple(Pinned(job=each, digest="d") for each in made)
    base: dict[str, Any] = {"job": number, "result": "success", "at": NOON, "by": "a", "inputs": pins}
    return Deployment(**(base | fields))


def has(name: str, *rows: Deployment) -> dict[str, Standing]:
    return {name: Standing(name=name, current=rows[-1], history=rows)}


def asked(tx: Transaction, command: Command, **facts: Any) -> JobSpec:
    [number] = admit(tx, [command], by="a", facts=Facts(**facts))
    return tx.jobs[number].spec


def test_what_a_deployment_took_is_not_given_up_in_the_transaction_that_ends_it() -> None:
    held = Claim(server="s", instance="i", attempt=1, run="r", token=1, ttl_s=1, claimed_at=NOON)
    deploys = replace(job(2, None, environment="dev", inputs=(Input(job=1),)), claim=held)
    tx = tx_of(
        job(1),
        deploys,
        kept={1: kept(1), 3: kept(3)},
        settings=Settings(artifacts=(KeepRule(age=0.0),)),
    )
    ended = Attempt(
        attempt=1, server="s", run="r", token=1, result="success", reason="exit", finished_at=NOON
    )
    tx.apply(jobs.end_attempt(deploys, ended))
    deployments.record(tx)
    keeping.give_up(tx, "s")
    assert [change.target for change in tx.changes if change.verb == "prune"] == ["#3"]


@pytest.mark.parametrize(
    "named",
    [
        {"standings": has("dev", deployment(9, 1))},
        {"releases": {"v1": Release(name="v1", at=NOON, by="a", jobs=(Pinned(job=1, digest="d"),))}},
    ],
    ids=["environment", "release"],
)
def test_what_an_environment_or_a_release_names_is_given_up_by_nobody(named: dict[str, Any]) -> None:
    tx = tx_of(job(1), kept={1: kept(1)}, settings=Settings(artifacts=(KeepRule(age=0.0),)), **named)
    keeping.give_up(tx, "s")
    assert not tx.changes
    with pytest.raises(Illegal, match="still needed"):
        keeping.give_up_job(tx, 1, "why", "ann")


OLD = job(5, environment="dev", inputs=(Input(job=1),))
NAMES: list[Command] = [
    Submit(command="x", inputs=(InputRef(job=1),)),
    RetryJob(job=5),
    RollBack(environment="dev", job=5),
]


@pytest.mark.parametrize("command", NAMES, ids=["submit", "retry", "rollback"])
@pytest.mark.parametrize(
    ("listed", "said"),
    [
        ({1: kept(1, gone=GONE)}, r"the artifacts of #1 were given up by ann: disk\\x1b full"),
        ({}, "the artifacts of #1 were given up and deleted"),
    ],
    ids=["marked", "forgotten"],
)
@pytest.mark.parametrize("archived", [False, True])
def test_what_was_given_up_is_not_asked_for(
    command: Command, listed: dict[int, Kept], said: str, archived: bool
) -> None:
    there = has("dev", deployment(5, 1), deployment(6, 2))
    known = {} if archived else {1: job(1)}
    tx = tx_of(OLD, *known.values(), kept=listed, standings=there)
    with pytest.raises(Illegal, match=said):
        asked(tx, command, archived={1: job(1)} if archived else {})
    assert not tx.changes
    fine = tx_of(OLD, *known.values(), kept={1: kept(1)}, standings=there)
    assert [each.job for each in asked(fine, command, archived={1: job(1)}).inputs] == [1]


def test_a_release_of_what_was_given_up_is_refused_where_it_would_be_kept() -> None:
    release = Release(name="v1", at=NOON, by="a", jobs=(Pinned(job=1, digest="d"),))
    with pytest.raises(Illegal, match="were given up by ann"):
        releases.mark(tx_of(job(1), kept={1: kept(1, gone=GONE)}), release)
    with pytest.raises(Illegal, match="were given up and deleted"):
        releases.mark(tx_of(), release, {1: job(1)})


def test_an_input_that_left_nothing_was_not_given_up() -> None:
    assert asked(tx_of(job(1, replace(DONE, manifest=None))), NAMES[0]).inputs == (Input(job=1),)


def test_a_deployment_is_not_made_twice_to_be_compared() -> None:
    with pytest.raises(Illegal, match=r"^reproduce: it would deploy to dev 2 times"):
        asked(tx_of(), Submit(command="x", environment="dev", artifacts=("*",), reproduce=2))


def test_a_deployment_takes_nothing_that_may_have_failed() -> None:
    takes = Submit(
        command="x",
        environment="dev",
        needs=(NeedRef(job=1, on="always"),),
        inputs=(InputRef(job=1),),
    )
    with pytest.raises(Illegal, match="#1 is needed with on: always"):
        asked(tx_of(job(1, None)), takes)


PROD = job(
    7,
    JobResult(result="skipped", reason="dependency", finished_at=NOON),
    environment="prod",
    inputs=(Input(job=1),),
    needs=(Need(job=6),),
    source=MAIN,
)


def test_a_step_that_is_tried_again_brings_nothing_to_the_next_environment_that_was_not_in_the_one_before() -> (
    None
):
    failed = deployment(6, 1, result="failure")
    with pytest.raises(Forbidden, match="prod takes what dev has had, and #1 was never deployed there"):
        asked(tx_of(PROD, standings={"dev": Standing(name="dev", history=(failed,))}), RetryJob(job=7))
    assert asked(tx_of(PROD, standings=has("dev", failed, deployment(8, 1))), RetryJob(job=7)).inputs


def test_a_step_that_is_tried_again_is_of_a_branch_that_may_be_deployed_now() -> None:
    there = has("dev", deployment(8, 1))
    strict = Environments(
        environments=(Environment(name="dev"), Environment(name="prod", branches=("release/*",)))
    )
    with pytest.raises(Forbidden, match="environment prod takes branches release/"):
        asked(tx_of(PROD, standings=there, environments=strict), RetryJob(job=7))
    back = replace(PROD, spec=replace(PROD.spec, rollback_of=3), result=DONE)
    assert asked(tx_of(back, standings=there, environments=strict), RetryJob(job=7)).rollback_of == 3


def test_a_release_of_a_run_keeps_no_failure_that_was_tried_again() -> None:
    part = Part(name="p", step="build", branch="main", run=1)
    left = Attempt(attempt=1, server="s", run="r", token=1, result="failure", reason="exit", finished_at=NOON)
    failed = replace(DONE, result="failure", artifacts=(artifact(),))
    first = replace(job(1, failed, pipeline=part, source=MAIN), attempts=(left,))
    again = job(2, replace(DONE, artifacts=(artifact(),)), pipeline=part, source=MAIN, retry_of=1)
    found = releases.of_branch(tx_of(first, again).state, "main", "v1", "a", NOON)
    assert [pin.job for pin in found.jobs] == [2]


def artifact() -> Artifact:
    return Artifact(path="a", size=1, mode="0644", blake3="1" * 64, place="telemetry:s:a")


def test_what_goes_with_a_server_that_leaves_and_is_counted_on_is_known() -> None:
    base = {"attempt": 1, "run": "r", "manifest": "0" * 64, "count": 1, "size": 1}
    runs = {
        number: KeptRun(server=name, place=place, **base)
        for number, name, place in (
            (1, "s1", "telemetry:s1:runs/1.1/"),
            (2, "s10", "telemetry:s10:runs/2.1/"),
            (3, "s1", "store:x/"),
            (4, "s1", "telemetry:s1:runs/4.1/"),
        )
    }
    listed = {number: kept(number, runs=(each,)) for number, each in runs.items()}
    state = tx_of(kept=listed, standings=has("dev", deployment(9, 1, 2, 3))).state
    assert keeping.promised_on(state, "s1") == [1]


def test_a_working_tree_that_may_be_deployed_once_more_stays_on_the_hub() -> None:
    rows = (deployment(1, commit="b" * 40), deployment(2, commit="c" * 40, repository="/r"))
    assert deployments.pinned_snapshots(tx_of(standings=has("dev", *rows)).state) == {"b" * 40}
