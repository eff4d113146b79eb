"""Approvals, environments and releases on a ledger: several people at once, hand edits, reverts, and the audit."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace
from worlds import ALICE, BOB, NOON, World, claim, finish, nothing, register

from bnet.app.approve import approve
from bnet.app.audit import audit
from bnet.app.lookup import Lookup
from bnet.app.server.decide import take_in
from bnet.codec import layout
from bnet.codec.documents import encode
from bnet.model.command import ApproveJob, InputRef, Submit
from bnet.model.environment import Deployment, Release, Standing
from bnet.model.job import ApprovalRule, Job, Source, Verdict, Wanted
from bnet.rules import deployments, jobs, releases, settle
from bnet.rules.admit import admit
from bnet.rules.change import Change
from bnet.rules.jobs import Forbidden, Illegal
from bnet.rules.specs import Facts
from bnet.rules.transaction import Transaction

SETTINGS = "coordination/environments.yaml"
PROD = (
    b"environments: [{name: prod, approvals: 1, approvers: [alice@example.invalid, bob@example.invalid]}]\n"
)
WANTED = "coordination/jobs/0000/1/wanted.json"
STANDING = "coordination/environments/prod.json"
Decide = Callable[[Transaction], None]


def asks(**fields: object) -> Decide:
    command = Submit(command="true", name="deploy", **fields)

    def decide(tx: Transaction) -> None:
        admit(tx, [command], by="carol@example.invalid", facts=Facts())

    return decide


def ends(number: int, code: int = 0) -> Decide:
    def decide(tx: Transaction) -> None:
        finish(number, code=code)(tx)
        deployments.record(tx)

    return decide


def says(world: World, by: str, number: int = 1, reject: str | None = None) -> bool:
    machine = world.machine(f"of {by}", actor=by)
    look_up = Lookup(machine.hub, lambda repository, ref: "a" * 40)
    return approve(machine.ledger, look_up, ApproveJob(job=number, reject=reject), by)


def does(world: World, *decisions: Decide, by: str = "s1") -> None:
    for decide in decisions:
        world.machine(f"of {by}", actor=by).ledger.transact(decide)


def faults(world: World) -> list[str]:
    hub, tip = world.hub("auditor"), world.tip()
    hub.fetch(tip)
    return [f"{each.fault.target} {each.fault.text}" for each in audit(hub, tip).wrong]


@pytest.fixture
def waiting(world: World) -> World:
    """A hub with a server, an environment, and a deployment to it that waits for approval."""
    world.person({SETTINGS: PROD}, by=BOB)
    does(world, register("s1"), asks(environment="prod", source=Source(repository="/r", commit="a" * 40)))
    return world


def given(world: World) -> list[str]:
    return [each.by for each in world.machine("reader").ledger.state.jobs[1].wanted.approvals]


def test_two_people_who_approve_at_once_both_count(world: World) -> None:
    does(world, asks(approvals=ApprovalRule(count=2)))
    turn = [BOB]

    def other(call: object) -> None:
        if turn:
            says(world, turn.pop())

    machine = world.machine("of alice", actor=ALICE, push=["wait"], meanwhile=other)
    look_up = Lookup(machine.hub, lambda repository, ref: "a" * 40)
    assert approve(machine.ledger, look_up, ApproveJob(job=1), ALICE)
    assert sorted(given(world)) == [ALICE, BOB]
    assert faults(world) == []


def test_one_person_who_approves_twice_counts_once(waiting: World) -> None:
    assert says(waiting, ALICE)
    tip = waiting.tip()
    assert not says(waiting, ALICE)
    assert given(waiting) == [ALICE] and waiting.tip() == tip


def test_who_may_not_is_refused_and_that_is_recorded(waiting: World) -> None:
    with pytest.raises(Forbidden, match=r"mallory\\x1b@example.invalid may not approve #1"):
        says(waiting, "mallory\x1b@example.invalid")
    state = waiting.machine("reader").ledger.state
    [refused] = state.rejected.values()
    assert (refused.file, refused.by) == ("bnet approve 1", "mallory\x1b@example.invalid")
    assert state.jobs[1].wanted == Wanted() and faults(waiting) == []


def test_a_commit_approves_in_the_name_of_its_author(waiting: World) -> None:
    for by in ("mallory@example.invalid", BOB):
        waiting.person({"coordination/inbox/a.yaml": b"approve: {job: 1}\n"}, by=by)
        does(waiting, lambda tx: [take_in(tx, file, Facts()) for file in tx.state.inbox] and None)
    state = waiting.machine("reader").ledger.state
    assert given(waiting) == [BOB]
    assert [each.by for each in state.rejected.values()] == ["mallory@example.invalid"]
    assert faults(waiting) == []


def test_an_approval_for_a_job_that_has_ended_is_refused(waiting: World) -> None:
    says(waiting, ALICE, reject="no")
    with pytest.raises(Illegal, match="has already finished"):
        says(waiting, BOB)


@pytest.mark.parametrize("content", [None, b"{}\n", b"broken"])
def test_an_approval_that_a_person_takes_out_by_hand_is_restored(
    waiting: World, content: bytes | None
) -> None:
    says(waiting, ALICE)
    waiting.person({WANTED: content}, by=BOB)
    assert given(waiting) == [ALICE], "what a revert does to a machine's document is not believed"
    does(waiting, nothing)
    hub = waiting.hub("watcher")
    hub.fetch(waiting.tip())
    assert b'"alice@example.invalid"' in hub.read(waiting.tip(), [WANTED])[WANTED]


def test_who_reverts_the_commit_that_approved_takes_nothing_back_and_approves_nothing(world: World) -> None:
    world.person({SETTINGS: PROD.replace(b"approvals: 1", b"approvals: 2")}, by=BOB)
    does(world, register("s1"), asks(environment="prod"))
    inbox, text = "coordination/inbox/a.yaml", b"approve: {job: 1}\n"
    world.person({inbox: text}, by=ALICE)
    does(world, lambda tx: [take_in(tx, file, Facts()) for file in tx.state.inbox] and None)
    assert given(world) == [ALICE]
    world.person({inbox: text, WANTED: None}, by=BOB, message='Revert "s1: approve #1 by alice"')
    does(world, lambda tx: [take_in(tx, file, Facts()) for file in tx.state.inbox] and None)
    assert given(world) == [ALICE] and faults(world) == []


def test_an_approval_that_is_written_by_hand_lets_nothing_start(waiting: World) -> None:
    forged = Wanted(approvals=(Verdict(by=ALICE, at=NOON),))
    waiting.person({WANTED: encode(forged)}, by="mallory@example.invalid")
    assert given(waiting) == []


def test_the_audit_names_a_claim_without_approval_and_an_approval_by_who_may_not(waiting: World) -> None:
    does(waiting, claim(1))
    assert any("although s1: 0 of 1 approvals" in each for each in faults(waiting))
    does(waiting, ends(1), asks(environment="prod"))

    def forge_second(tx: Transaction) -> None:
        job = tx.jobs[2]
        wanted = replace(job.wanted, approvals=(Verdict(by="mallory@example.invalid", at=NOON),))
        tx.apply(Change(verb="approve", target="#2", jobs=(replace(job, wanted=wanted),)))

    does(waiting, forge_second)
    assert "#2 was approved or rejected by mallory@example.invalid, who may not" in faults(waiting)


def test_the_audit_names_a_deployment_that_was_submitted_without_what_its_environment_asks_for(
    waiting: World,
) -> None:
    def forge(tx: Transaction) -> None:
        spec = replace(tx.jobs[1].spec, number=tx.next_job, approval=None)
        tx.apply(Change(verb="submit", target="#2", jobs=(Job(spec=spec),), jobs_made=1))

    does(waiting, forge)
    assert faults(waiting) == ["#2 deploys to prod without what that asks for"]


def test_what_is_deployed_is_written_down_with_the_end_of_the_job(waiting: World) -> None:
    says(waiting, ALICE)
    does(waiting, claim(1), ends(1))
    state = waiting.machine("reader").ledger.state
    now = state.standings["prod"].current
    assert now is not None
    assert (now.job, now.commit, now.by, now.approved_by) == (1, "a" * 40, "carol@example.invalid", (ALICE,))
    assert faults(waiting) == []


def test_the_audit_misses_a_deployment_that_was_not_written_down_and_names_one_that_was_not(
    waiting: World,
) -> None:
    says(waiting, ALICE)
    does(waiting, claim(1), finish(1))
    text = "environment prod is said to have something else than its deployments have brought"
    assert faults(waiting) == [text]
    invented = Standing(name="prod", current=Deployment(job=9, result="success", at=NOON, by="x"))
    does(
        waiting,
        lambda tx: tx.apply(Change(verb="deploy", target="prod", documents={STANDING: invented})),
    )
    assert faults(waiting) == [text, text]


@pytest.mark.parametrize("content", [None, b'{"name": "prod"}\n', b"broken"])
def test_what_is_deployed_is_restored_after_a_hand_edit(waiting: World, content: bytes | None) -> None:
    says(waiting, ALICE)
    does(waiting, claim(1), ends(1))
    before = waiting.machine("reader").ledger.state.standings
    waiting.person({STANDING: content}, by=BOB)
    assert waiting.machine("reader").ledger.state.standings == before
    does(waiting, nothing)
    assert waiting.machine("other").ledger.state.restore == {} and faults(waiting) == []


def test_settings_that_cannot_be_read_leave_the_last_ones_in_force(waiting: World) -> None:
    waiting.person({SETTINGS: b"environments:\n  - {name: prod, aprovals: 1}\n"}, by=BOB)
    state = waiting.machine("reader").ledger.state
    assert state.environments.environments[0].approvals == 1
    [problem] = state.problems
    assert "environments.yaml:2" in problem.message and "did you mean approvals?" in problem.message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"environments: [{name: a, approvals: 2, approvers: [x]}]", "only 1 may give one"),
        (b"environments: [{name: a}, {name: a}]", "a stands here twice"),
        (b"environments: [{name: a, approvers: [x]}]", "asks for no approval"),
        (b"environments: [{name: a, approvals: 1, approvers: [x, x]}]", "names somebody twice"),
        (b"environments: [{name: A}]", "is no name"),
    ],
)
def test_settings_that_cannot_be_meant_are_named(world: World, text: bytes, said: str) -> None:
    world.person({SETTINGS: text}, by=BOB)
    [problem] = world.machine("reader").ledger.state.problems
    assert said in problem.message


def test_a_release_is_kept_and_the_audit_names_one_that_has_changed(waiting: World) -> None:
    says(waiting, ALICE)
    does(waiting, claim(1), ends(1))
    machine = waiting.machine("of alice", actor=ALICE)
    release = releases.of_environment(machine.ledger.state, "prod", "v1", ALICE, NOON)
    machine.ledger.transact(lambda tx: releases.mark(tx, release))
    assert waiting.machine("reader").ledger.state.releases == {"v1": release}
    assert faults(waiting) == []
    other: Release = replace(release, commit="b" * 40)
    path = layout.release_path("v1")
    does(waiting, lambda tx: tx.apply(Change(verb="mark", target="v1", documents={path: other})))
    assert faults(waiting) == ["release v1 has changed, or is gone"]


def test_a_release_that_is_dropped_with_a_reason_is_kept_no_longer(waiting: World) -> None:
    says(waiting, ALICE)
    does(waiting, claim(1), ends(1))
    machine = waiting.machine("of alice", actor=ALICE)
    release = releases.of_environment(machine.ledger.state, "prod", "v1", ALICE, NOON)
    machine.ledger.transact(lambda tx: releases.mark(tx, release))
    machine.ledger.transact(lambda tx: releases.drop(tx, "v1", ALICE, "nobody runs it"))
    assert waiting.machine("reader").ledger.state.releases == {}
    with pytest.raises(jobs.Illegal, match="there is no release 'v1'; the releases are: none"):
        machine.ledger.transact(lambda tx: releases.drop(tx, "v1", ALICE, "again"))
    assert faults(waiting) == []
    machine.ledger.transact(lambda tx: releases.mark(tx, release))
    does(
        waiting,
        lambda tx: tx.apply(Change(verb="mark", target="v1", files={layout.release_path("v1"): None})),
    )
    assert faults(waiting) == ["release v1 has changed, or is gone"]


def test_what_was_deployed_may_go_to_the_archive_with_the_end_of_the_deployment(world: World) -> None:
    world.person({SETTINGS: b"environments: [{name: prod}]\n"}, by=BOB)
    build = Submit(command="true", name="build")
    deploy = Submit(command="true", needs=("build",), inputs=(InputRef(job="build"),), environment="prod")
    does(world, register("s1"))
    does(world, lambda tx: admit(tx, [build, deploy], by=ALICE, facts=Facts()) and None)
    does(world, claim(1), finish(1), claim(2))
    machine = world.machine("of s1", actor="s1")
    machine.clock.seconds = 3 * 86400.0

    def ends_and_archives(tx: Transaction) -> None:
        ends(2)(tx)
        settle.archive(tx)

    machine.ledger.transact(ends_and_archives)
    state = world.machine("reader").ledger.state
    now = state.standings["prod"].current
    assert 1 not in state.jobs and now is not None and now.inputs[0].digest
    assert faults(world) == []


def test_a_deployment_whose_server_is_lost_is_written_down_as_such(waiting: World) -> None:
    says(waiting, ALICE)

    def lost(tx: Transaction) -> None:
        tx.apply(jobs.lost(tx.jobs[1], now=tx.now, why="gone"))
        deployments.record(tx)

    for _ in range(3):  # the attempts that a lost server's job has
        does(waiting, claim(1), lost)
    [deployment] = waiting.machine("reader").ledger.state.standings["prod"].history
    assert deployment.result == "error" and faults(waiting) == []
