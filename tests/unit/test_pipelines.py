"""Pipelines: what `bnet.yaml` says, what is wrong with it, and the jobs that it becomes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from bnet.codec.pipelines import in_order, read_pipelines
from bnet.codec.view import View
from bnet.errors import Invalid
from bnet.model.command import ApproveJob, InputRef, RetryJob, RollBack, Submit
from bnet.model.environment import Deployment, Environment, Environments, Pinned, Release, Standing
from bnet.model.hub import Head
from bnet.model.job import ApprovalRule, Attempt, Input, Job, JobResult, Source
from bnet.model.server import Server
from bnet.model.state import State
from bnet.rules import deployments, jobs, keeping, releases, settle
from bnet.rules.admit import admit
from bnet.rules.jobs import Forbidden, Illegal
from bnet.rules.pipelines import Run, expand, foresee
from bnet.rules.specs import Facts
from bnet.rules.transaction import Transaction
from bnet.rules.waiting import usage, waiting_for

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
OID = "a" * 40
SERVER = Server(name="s1", instance="i", joined_at=NOW, slots=9)
MAIN = Source(repository="/r", ref="refs/heads/main", commit=OID)

TEXT = b"""
pipelines:
  p:
    steps:
      prod: {command: d, needs: [staging], environment: prod}
      build: {command: make, artifacts: [dist/*]}
      test: {command: t, needs: [build], matrix: {py: ["3.11", "3.12"]}}
      report: {command: r, needs: [test], on: always, when: needs.test.result != "success"}
      docs: {command: x, when: branch == "other"}
      upload: {command: x, needs: [docs]}
      staging: {command: d, needs: [build, test], inputs: [{job: build, into: dist}], environment: staging}
"""
THERE = Environments(
    environments=(
        Environment(name="staging", branches=("main", "release/*")),
        Environment(name="prod", approvals=2, approvers=("ann@x", "*@ops.x"), lock="live"),
    )
)


def read(text: bytes = TEXT) -> Any:
    return read_pipelines(text, "bnet.yaml")


def tx_of(*there: Job, settings: Environments = THERE, **more: Any) -> Transaction:
    head = Head(format=1, hub="h", seq=4, next_job=max([0, *(job.number for job in there)]) + 1)
    state = State(
        tip="t",
        head=head,
        servers={"s1": SERVER},
        jobs={job.number: job for job in there},
        environments=settings,
        **more,
    )
    return Transaction(state, View(), NOW)


def run(
    tx: Transaction, key: str = "k", source: Source = MAIN, text: bytes = TEXT, **more: Any
) -> dict[str, list[int]]:
    made = expand("p", read(text)["p"], Run(source=source, key=key, **({"branch": "main"} | more)))
    admit(tx, made, by="bob@x", facts=Facts())
    steps: dict[str, list[int]] = {}
    for number, job in sorted(tx.jobs.items()):
        if job.spec.pipeline is not None:
            steps.setdefault(job.spec.pipeline.step, []).append(number)
    return steps


def end(tx: Transaction, *numbers: int, code: int = 0) -> None:
    for number in numbers:
        tx.apply(jobs.claim(tx.jobs[number], SERVER, run=f"r{number}", token=5, ttl_s=9.0, now=NOW))
        held = tx.jobs[number].claim
        assert held is not None
        ended = Attempt(
            attempt=held.attempt,
            server="s1",
            run=held.run,
            token=5,
            result="failure" if code else "success",
            reason="exit",
            exit_code=code,
            finished_at=NOW,
        )
        tx.apply(jobs.end_attempt(tx.jobs[number], ended))


def waits(tx: Transaction, number: int) -> str | None:
    return waiting_for(
        tx.jobs[number], tx.jobs, tx.servers, usage(tx.jobs.values(), {}), tx.state.settings, NOW
    )


def approve(tx: Transaction, number: int, by: str, **more: Any) -> None:
    admit(tx, [ApproveJob(job=number, **more)], by=by, facts=Facts())


# -- reading


def test_steps_come_after_what_they_need_whatever_their_order_in_the_file() -> None:
    order = in_order(read()["p"])
    assert order.index("build") < order.index("test") < order.index("staging") < order.index("prod")


def test_a_single_pipeline_is_called_main() -> None:
    assert list(read(b"pipeline: {steps: {a: {command: x}}}")) == ["main"]


STEPS: dict[str, tuple[str, str]] = {
    "a circle": ("a: {command: x, needs: [b]}\n  b: {command: x, needs: [a]}", "circle: a -> b -> a"),
    "itself": ("a: {command: x, needs: [a]}", "a needs itself"),
    "unknown": (
        "build: {command: x}\n  a: {command: x, needs: [biuld]}",
        "no step biuld; did you mean build?",
    ),
    "no command": ("a: {needs: []}", "either a command or packages"),
    "both": ("a: {command: x, packages: [y]}", "either a command or packages"),
    "many": ("a: {command: x, matrix: {q: [" + ",".join(map(str, range(257))) + "]}}", "257 combinations"),
    "none": ("a: {command: x, matrix: {q: []}}", "0 combinations"),
    "syntax": ("a: {command: x, when: branch =}", "at character 8"),
    "not needed": ("b: {command: x}\n  a: {command: x, when: needs.b.result}", "not among `needs`"),
    "only success": (
        "b: {command: x}\n  a: {command: x, needs: [b], when: needs.b.result}",
        "of which only a success gets this far",
    ),
    "no axis": ("a: {command: x, when: matrix.q}", "no axis"),
    "approvals": ("a: {command: x, environment: e, approvals: 1}", "says itself who has to approve"),
    "several at once": ("a: {command: x, environment: e, matrix: {q: [1]}}", "several jobs at once"),
    "inputs": ("b: {command: x}\n  a: {command: x, inputs: [{job: b}]}", "b is not among those `needs`"),
    "inputs of failures": (
        "b: {command: x}\n  a: {command: x, needs: [b], on: always, inputs: [{job: b}]}",
        "b is not among those `needs`",
    ),
    "misspelt": ("a: {comand: x}", "did you mean command?"),
    "span": ("a: {command: x, timeout: soon}", "no span of time"),
    "control": ('"a\\e[31m": {command: x}', "is no name"),
    "long": ("a" * 63 + ": {command: x}", "too long for a job's name"),
}


@pytest.mark.parametrize(("steps", "said"), STEPS.values(), ids=STEPS)
def test_what_is_wrong_is_said_with_its_line(steps: str, said: str) -> None:
    with pytest.raises(Invalid) as caught:
        read(("pipelines:\n p:\n  steps:\n   " + steps.replace("\n  ", "\n   ")).encode())
    assert said in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert caught.value.line is not None and caught.value.line >= 3


def test_the_matrices_of_a_run_are_bounded_together() -> None:
    cells = "[" + ",".join(map(str, range(250))) + "]"
    steps = "".join(f"      s{n}: {{command: x, matrix: {{q: {cells}}}}}\n" for n in range(9))
    with pytest.raises(Invalid, match="2,250 jobs"):
        read(f"pipelines:\n  p:\n    steps:\n{steps}".encode())


# -- becoming jobs


def test_a_run_is_jobs_that_need_each_other_by_number() -> None:
    tx = tx_of(Job(spec=tx_spec(1, "build")))  # a name that is taken means nothing inside a run
    steps = run(tx)
    test = [tx.jobs[number].spec for number in steps["test"]]
    assert [each.name for each in test] == ["p.test.3-11", "p.test.3-12"]
    assert all([need.job for need in each.needs] == steps["build"] for each in test)
    staging = tx.jobs[steps["staging"][0]].spec
    assert [need.job for need in staging.needs] == [*steps["build"], *steps["test"]]
    assert staging.inputs == (Input(job=steps["build"][0], into="dist"),)
    assert (staging.locks, staging.on_lost_lease, staging.approval) == (("deploy-staging",), "stop", None)
    assert {job.spec.pipeline.run for job in tx.jobs.values() if job.spec.pipeline} == {2}


def tx_spec(number: int, name: str) -> Any:
    tx = tx_of()
    [made] = admit(tx, [Submit(command="x", name=name)], by="a", facts=Facts())
    return replace(tx.jobs[made].spec, number=number)


def test_the_same_key_twice_is_one_run_and_with_other_steps_none() -> None:
    tx = tx_of()
    first = run(tx)
    assert run(tx) == first
    with pytest.raises(Illegal, match="submitted before with other steps"):
        run(tx, text=TEXT + b"      more: {command: x}\n")
    assert run(tx, key="other") != first


def test_all_of_a_run_or_nothing() -> None:
    tx = tx_of(settings=Environments())
    with pytest.raises(Illegal, match="there is no environment staging; the environments are: none"):
        run(tx)
    assert tx.jobs == {} and tx.next_job == 1


def test_a_name_with_control_characters_is_refused_and_escaped() -> None:
    with pytest.raises(Illegal) as caught:
        run(tx_of(), labels={"a": "\x1b[31m"})
    assert "\\x1b" in str(caught.value) and "\x1b" not in str(caught.value)


# -- conditions


def test_a_condition_that_does_not_hold_skips_a_step_and_what_needs_it() -> None:
    tx = tx_of()
    steps = run(tx)
    settle.skip_hopeless(tx)
    ended = {name: tx.jobs[steps[name][0]].result for name in ("docs", "upload", "report", "build")}
    assert [(each and (each.result, each.reason)) for each in ended.values()] == [
        ("skipped", "condition"),
        ("skipped", "dependency"),
        None,
        None,
    ]


@pytest.mark.parametrize(("code", "reason"), [(0, "condition"), (1, None)])
def test_a_condition_on_results_waits_for_them(code: int, reason: str | None) -> None:
    tx = tx_of()
    steps = run(tx)
    end(tx, *steps["build"], steps["test"][0])
    settle.skip_hopeless(tx)
    [report] = steps["report"]
    assert tx.jobs[report].result is None and waits(tx, report) == "dependencies"
    end(tx, steps["test"][1], code=code)
    settle.skip_hopeless(tx)
    result = tx.jobs[report].result
    assert (result.reason if result else None) == reason
    assert reason or waits(tx, report) is None


def test_what_is_certain_is_foreseen() -> None:
    told = {each.step: each.runs for each in foresee(read()["p"], Run(source=MAIN, key="k", branch="main"))}
    assert told == {name: name not in ("docs", "upload") for name in told}


# -- approvals


def deployed(tx: Transaction) -> dict[str, list[int]]:
    steps = run(tx)
    end(tx, *steps["build"], *steps["test"], *steps["staging"])
    deployments.record(tx)
    return steps


def test_a_deployment_waits_for_so_many_different_people() -> None:
    tx = tx_of()
    [prod] = deployed(tx)["prod"]
    assert waits(tx, prod) == "approval"
    approve(tx, prod, "ann@x")
    approve(tx, prod, "ann@x", note="I said so")
    assert waits(tx, prod) == "approval" and len(tx.jobs[prod].wanted.approvals) == 1
    approve(tx, prod, "eve@ops.x")
    assert waits(tx, prod) is None


def test_nobody_else_may_approve_or_reject() -> None:
    tx = tx_of()
    [prod] = deployed(tx)["prod"]
    for more in ({}, {"reject": "no"}):
        with pytest.raises(Forbidden, match=r"mallory\\x1b may not .* ann@x, \*@ops.x may") as caught:
            approve(tx, prod, "mallory\x1b", **more)
        assert caught.value.exit_code == 5
    assert tx.jobs[prod].wanted.approvals == ()


def test_a_rejected_job_ends_and_takes_no_approval_any_more() -> None:
    tx = tx_of()
    [prod] = deployed(tx)["prod"]
    approve(tx, prod, "ann@x", reject="not today")
    result = tx.jobs[prod].result
    assert result is not None and (result.result, result.reason) == ("cancelled", "rejected")
    assert result.message == "rejected by ann@x: not today"
    with pytest.raises(Illegal, match="has already finished"):
        approve(tx, prod, "ann@x")


def test_what_runs_or_needs_none_is_not_approved() -> None:
    tx = tx_of()
    steps = deployed(tx)
    [prod] = steps["prod"]
    [docs] = steps["docs"]
    with pytest.raises(Illegal, match="needs no approval"):
        approve(tx, docs, "ann@x")
    tx.apply(jobs.claim(tx.jobs[prod], SERVER, run="r", token=5, ttl_s=9.0, now=NOW))
    with pytest.raises(Illegal, match="has started"):
        approve(tx, prod, "ann@x")


def test_more_approvals_than_people_who_may_are_refused() -> None:
    with pytest.raises(Illegal, match="2 are asked for, and only 1 may give one"):
        admit(
            tx_of(),
            [Submit(command="x", approvals=ApprovalRule(count=2, by=("a@x",)))],
            by="a",
            facts=Facts(),
        )


# -- environments


def test_the_next_environment_gets_the_same_artifacts_and_nothing_is_built_again() -> None:
    tx = tx_of()
    steps = deployed(tx)
    staging, prod = (tx.jobs[steps[name][0]].spec for name in ("staging", "prod"))
    assert prod.inputs == staging.inputs and prod.locks == ("live",)
    there = deployments.standings(tx)["staging"].current
    assert there is not None and [pin.job for pin in there.inputs] == steps["build"]


@pytest.mark.parametrize(
    "source",
    [
        Source(repository="/r", ref="refs/heads/feature", commit=OID),
        Source(repository="/r", ref="refs/tags/main", commit=OID),
        Source(repository="/r", commit=OID),
        Source(snapshot=OID),
    ],
)
def test_other_branches_are_not_deployed(source: Source) -> None:
    with pytest.raises(Forbidden, match="environment staging takes branches main, release/"):
        run(tx_of(), source=source)


def test_what_was_never_in_the_environment_before_is_refused() -> None:
    tx = tx_of()
    with pytest.raises(Forbidden, match="nothing was deployed there yet"):
        admit(tx, [Submit(command="d", environment="prod")], by="a", facts=Facts())
    steps = deployed(tx)
    jobs_there = dict(tx.jobs)
    later = tx_of(*jobs_there.values(), standings=deployments.standings(tx))
    [number] = admit(later, [Submit(command="d", environment="prod")], by="a", facts=Facts())
    assert [each.job for each in later.jobs[number].spec.inputs] == steps["build"]
    end(later, *admit(later, [Submit(command="b", name="b2")], by="a", facts=Facts()))
    other = Submit(command="d", environment="prod", needs=("b2",), inputs=(InputRef(job="b2"),))
    with pytest.raises(Forbidden, match="was never deployed there"):
        admit(later, [other], by="a", facts=Facts())


def test_a_failed_deployment_is_written_down_and_is_not_what_is_there() -> None:
    tx = tx_of()
    steps = run(tx)
    end(tx, *steps["build"], *steps["test"])
    end(tx, *steps["staging"], code=1)
    deployments.record(tx)
    standing = deployments.standings(tx)["staging"]
    assert standing.current is None and [each.result for each in standing.history] == ["failure"]


def test_the_history_of_an_environment_is_bounded_and_so_is_what_it_pins() -> None:
    rows = tuple(
        Deployment(job=n, result="success", at=NOW, by="a", inputs=(Pinned(job=n + 1000, digest="d"),))
        for n in range(1, 61)
    )
    before = Standing(name="staging", current=rows[-1], history=rows[-50:])
    tx = tx_of(standings={"staging": before})
    steps = deployed(tx)
    after = deployments.standings(tx)["staging"]
    assert len(after.history) == 50 and after.history[-1].job == steps["staging"][0]
    release = Release(name="r", at=NOW, by="a", jobs=(Pinned(job=7, digest="d"),))
    state = tx_of(standings={"staging": before}, releases={"r": release}).state
    assert keeping.pinned(state) == {7, *range(1051, 1061)}


# -- the way back


def two_deployments() -> tuple[Transaction, int, int]:
    tx = tx_of()
    first = deployed(tx)["staging"][0]
    again = tx_of(*tx.jobs.values(), standings=deployments.standings(tx))
    second = run(again, key="2", source=replace(MAIN, commit="b" * 40))
    numbers = [max(second["build"]), *second["test"][-2:], max(second["staging"])]
    end(again, *numbers)
    deployments.record(again)
    state = tx_of(*again.jobs.values(), standings=deployments.standings(again))
    return state, first, numbers[-1]


def test_a_roll_back_is_the_old_step_with_the_old_inputs_as_a_new_job() -> None:
    tx, first, second = two_deployments()
    assert releases.before_now(tx.state, "staging").job == first
    [number] = admit(tx, [RollBack(environment="staging", job=first, reason="bad")], by="eve", facts=Facts())
    made, old = tx.jobs[number].spec, tx.jobs[first].spec
    assert (made.command, made.inputs, made.source) == (old.command, old.inputs, old.source)
    assert (made.rollback_of, made.note, made.submitted_by, made.needs) == (first, "bad", "eve", ())
    end(tx, number)
    deployments.record(tx)
    now = deployments.standings(tx)["staging"].current
    assert now is not None and (now.job, now.rollback_of) == (number, first)
    assert second in [each.job for each in deployments.standings(tx)["staging"].history]


def test_a_roll_back_needs_the_approvals_that_hold_now() -> None:
    tx, first, _ = two_deployments()
    strict = Environments(environments=(Environment(name="staging", approvals=1, approvers=("ann@x",)),))
    later = tx_of(*tx.jobs.values(), standings=tx.state.standings, settings=strict)
    for command in (RollBack(environment="staging", job=first), RetryJob(job=first)):
        [number] = admit(later, [command], by="eve", facts=Facts())
        assert waits(later, number) == "approval"


def test_no_roll_back_to_what_never_was_there_or_is_there_now() -> None:
    tx, _, second = two_deployments()
    with pytest.raises(Illegal, match="is what staging has now"):
        admit(tx, [RollBack(environment="staging", job=second)], by="a", facts=Facts())
    with pytest.raises(Illegal, match="no successful deployment to staging"):
        admit(tx, [RollBack(environment="staging", job=1)], by="a", facts=Facts())
    with pytest.raises(Illegal, match="nothing else was deployed to prod"):
        releases.before_now(tx.state, "prod")


def test_a_release_of_a_branch_is_its_newest_good_run() -> None:
    tx, _, _ = two_deployments()
    with pytest.raises(Illegal, match="no good run of branch"):
        releases.of_branch(tx.state, "main", "v1", "a", NOW)
    for number, job in list(tx.jobs.items()):
        if job.result is None:
            ended = JobResult(result="skipped", reason="condition", finished_at=NOW)
            tx.state.jobs[number] = replace(job, result=ended)
    found = releases.of_branch(tx.state, "main", "v1", "a", NOW)
    assert found.commit == "b" * 40


def test_a_release_does_not_change() -> None:
    tx, _, _ = two_deployments()
    release = releases.of_environment(tx.state, "staging", "v1", "a", NOW)
    releases.mark(tx, release)
    kept = tx_of(standings=tx.state.standings, releases={"v1": release})
    releases.mark(kept, replace(release, by="b"))
    assert kept.changes == []
    with pytest.raises(Exception, match="there is another release v1"):
        releases.mark(kept, replace(release, commit="c" * 40))


def test_a_single_pipeline_without_its_steps_is_told_what_is_missing() -> None:
    with pytest.raises(Invalid, match="'steps' is missing") as caught:
        read(b"pipeline:\n  build: {command: make}\n")
    assert caught.value.field == "pipeline"
