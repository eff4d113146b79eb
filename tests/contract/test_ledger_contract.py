"""What `Ledger.transact` and `Ledger.refresh` promise, over every hub."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
from worlds import (
    ALICE,
    LEDGER,
    NOON,
    GitWorld,
    Machine,
    MemoryWorld,
    World,
    arrives_with_the_next,
    claim,
    finish,
    nothing,
    register,
    submit,
)

from bnet.app.ledger import TRIES, Beat, Diverged, Ledger
from bnet.app.snapshot import NoLedger, TooNew
from bnet.codec import layout
from bnet.codec.documents import encode
from bnet.errors import HubUnreachable, RefusedByPolicy
from bnet.faults import FaultyHub, replay, script
from bnet.memory import ManualClock
from bnet.model.hub import FORMAT, Head
from bnet.ports.hub import Commit, Update
from bnet.rules.transaction import Transaction

NOTE = layout.ROOT + "note.txt"


def same(*machines: Machine) -> bool:
    """Bring machines up to date and tell whether they have the same state."""
    for machine in machines:
        machine.ledger.refresh()
    return all(machine.ledger.state == machines[0].ledger.state for machine in machines)


def seqs(world: World) -> list[int]:
    """The numbers of the transactions, oldest first, told by the history alone."""
    hub = world.hub("auditor")
    hub.fetch(world.tip())
    found: dict[str, int] = {}
    for commit in world.line():
        stamp = hub.newest_transaction(commit)
        if stamp is not None:
            found.setdefault(stamp.commit, stamp.seq)
    return list(found.values())


def claims(world: World, number: int) -> list[bytes]:
    """The contents that a job's claim had in history, oldest first."""
    hub, path = world.hub("auditor"), layout.job_dir(number) + "claim.json"
    hub.fetch(world.tip())
    found = [hub.read(commit, [path]).get(path) for commit in world.line()]
    return [data for data, before in zip(found, [None, *found], strict=False) if data and data != before]


def beat(machine: Machine, old: str, text: str = "1") -> Beat:
    files: dict[str, bytes | None] = {"heartbeat.json": text.encode()}
    commit = Commit(parent=None, files=files, message="beat", author="s1", at=NOON, kind="telemetry")
    oid = machine.hub.write([commit])[0]
    return Beat("s1", Update(machine.hub.telemetry_ref("s1"), old, oid))


# -- one winner


def test_a_transaction_is_seen_by_all(world: World) -> None:
    one, two = world.machine("a"), world.machine("b")
    landed = one.ledger.transact(submit("first", "second"))
    assert landed.commit == world.tip()
    assert same(one, two)
    assert [job.spec.name for job in two.ledger.state.jobs.values()] == ["first", "second"]


def test_of_two_ledgers_that_claim_one_job_one_wins(world: World) -> None:
    one, two = world.machine("a"), world.machine("b")
    one.ledger.transact(submit("job"))
    assert same(one, two)
    won = one.ledger.transact(claim(1, "s1"))
    lost = two.ledger.transact(claim(1, "s2"))
    assert (won.commit, lost.commit, lost.tries) == (world.tip(), None, 2)
    assert same(one, two)
    held = two.ledger.state.jobs[1].claim
    assert held is not None
    assert (held.server, held.token) == ("s1", won.tx.seq)
    assert len(claims(world, 1)) == 1


def test_a_decision_is_made_again_on_what_is_there_then(world: World) -> None:
    one, two = world.machine("a"), world.machine("b")
    one.ledger.transact(submit("first"))
    seen: list[list[int]] = []

    def decide(tx: Transaction) -> None:
        seen.append(sorted(tx.jobs))
        submit("second")(tx)

    landed = two.ledger.transact(decide)
    assert seen == [[], [1]]
    assert landed.tries == 2
    assert sorted(two.ledger.state.jobs) == [1, 2]
    assert two.clock.seconds > 0, "there was no pause before the second try"


def test_two_hosts_with_the_same_thing_to_say_do_not_both_win(world: World) -> None:
    """Trap 1: same time, same actor, same decision; only the nonce tells their commits apart."""
    one, two = world.machine("a", actor="s1"), world.machine("b", actor="s1")
    first, second = one.ledger.transact(submit("job")), two.ledger.transact(submit("job"))
    assert first.commit != second.commit
    assert (first.tries, second.tries) == (1, 2)
    assert same(one, two)
    assert sorted(one.ledger.state.jobs) == [1, 2]


def test_with_nothing_to_say_nothing_is_pushed(world: World) -> None:
    machine, tip = world.machine("a"), world.tip()
    landed = machine.ledger.transact(nothing)
    assert (landed.commit, landed.tries, machine.ledger.pushes, world.tip()) == (None, 1, 0, tip)


def test_prepare_comes_before_each_push_and_never_for_nothing(world: World) -> None:
    one, two = world.machine("a"), world.machine("b")
    one.ledger.transact(submit("job"))
    asked: list[tuple[int, str]] = []
    two.ledger.transact(submit("other"), prepare=lambda tx: asked.append((tx.seq, world.tip())))
    assert [seq for seq, _ in asked] == [1, 2]
    assert world.tip() not in {tip for _, tip in asked}
    two.ledger.transact(nothing, prepare=lambda tx: pytest.fail("prepared nothing"))


def test_what_decide_raises_comes_through_and_nothing_is_written(world: World) -> None:
    machine, tip = world.machine("a"), world.tip()
    with pytest.raises(ZeroDivisionError):
        machine.ledger.transact(lambda tx: [submit("x")(tx), 1 / 0][0])
    assert world.tip() == tip


def test_when_others_always_come_first_it_ends_as_unreachable() -> None:
    world = MemoryWorld()
    world.begin()
    other = world.machine("b")

    def cut_in(call: str) -> None:
        if call == "push":
            other.ledger.refresh()
            other.ledger.transact(submit("other"))

    machine = world.machine("a", push=["wait"] * TRIES, meanwhile=cut_in)
    with pytest.raises(HubUnreachable, match=str(TRIES)):
        machine.ledger.transact(submit("mine"))
    assert machine.clock.seconds <= 5.0 * TRIES
    machine.ledger.transact(submit("mine"))
    assert same(machine, other)


# -- faults


@pytest.mark.parametrize("answer", ["after", "after and another on top", "twice"])
def test_a_push_that_landed_without_an_answer_counts_once(world: World, answer: str) -> None:
    other = world.machine("b")

    def on_top(call: str) -> None:
        other.ledger.refresh()
        other.ledger.transact(submit("other"))

    plan = {"after": {"push": ["after"]}, "twice": {"push": ["twice"]}}.get(
        answer, {"push": ["after"], "look": ["wait"]}
    )
    machine = world.machine("a", plan=script(plan), meanwhile=on_top)
    landed = machine.ledger.transact(submit("mine"))
    assert (landed.tries, landed.tx.seq) == (1, 1)
    assert same(machine, other)
    names = [job.spec.name for job in other.ledger.state.jobs.values()]
    assert names == (["mine"] if answer == "after" else ["mine", "other"])


def test_a_push_that_was_lost_is_tried_again(world: World) -> None:
    machine = world.machine("a", push=["before"])
    landed = machine.ledger.transact(submit("mine"))
    assert landed.tries == 2
    assert sorted(machine.ledger.state.jobs) == [1]


def test_a_push_that_arrives_late_is_not_done_twice(world: World) -> None:
    machine = world.machine("a", push=["late"])
    machine.ledger.transact(claim_or_submit)
    assert same(machine, world.machine("b"))
    assert sorted(machine.ledger.state.jobs) == [1]


def claim_or_submit(tx: Transaction) -> None:
    if not tx.jobs:
        submit("mine")(tx)


def test_an_unknown_outcome_shows_at_the_next_refresh(world: World) -> None:
    machine = world.machine("a", push=["after"], look=["before"] * 4)
    with pytest.raises(HubUnreachable):
        machine.ledger.transact(submit("mine"))
    assert machine.ledger.state.jobs == {}
    machine.ledger.refresh()
    assert sorted(machine.ledger.state.jobs) == [1]


def test_looks_that_fail_after_a_push_are_tried_again(world: World) -> None:
    machine = world.machine("a", push=["after"], look=["before", "after"])
    landed = machine.ledger.transact(submit("mine"))
    assert (landed.tries, landed.commit) == (1, world.tip())


@pytest.mark.parametrize("call", ["look", "fetch"])
@pytest.mark.parametrize("fault", ["before", "after"])
def test_a_refresh_without_an_answer_leaves_the_snapshot_as_it_was(
    world: World, call: str, fault: Any
) -> None:
    machine, other = world.machine("a", plan=script({call: [fault]})), world.machine("b")
    other.ledger.transact(submit("job"))
    before = machine.ledger.state
    with pytest.raises(HubUnreachable):
        machine.ledger.refresh()
    assert machine.ledger.state is before
    assert same(machine, other)


def test_an_answer_that_is_old_when_it_comes_is_still_a_snapshot(world: World) -> None:
    other = world.machine("b")
    machine = world.machine(
        "a", look=["stale"], meanwhile=lambda call: other.ledger.transact(submit("job")) and None
    )
    look = machine.ledger.refresh()
    assert machine.ledger.state.tip == look.ledger != world.tip()
    machine.ledger.transact(submit("mine"))
    assert same(machine, other)


def test_what_was_logged_can_be_replayed(world: World) -> None:
    machine = world.machine("a", push=["before", "after"], look=["after"])
    machine.ledger.transact(submit("mine"))
    log = machine.faults.log
    assert [fault for _, fault in log if fault] == ["before", "after", "after"]
    again = FaultyHub(world.hub("b"), replay(log))
    ledger = Ledger(again, ManualClock(), "b", random.Random(1))
    ledger.refresh()
    ledger.transact(submit("mine"))
    assert again.log == log


# -- telemetry beside it


def test_a_beat_goes_out_with_the_transaction_in_one_push(world: World) -> None:
    machine = world.machine("a")
    landed = machine.ledger.transact(submit("job"), beat_for=lambda tx: beat(machine, ""))
    assert machine.ledger.pushes == 1
    assert landed.beat_since == landed.since == machine.clock.boot()
    assert machine.hub.look().telemetry.keys() == {"s1"}


def test_a_beat_goes_out_alone_where_there_is_nothing_to_say(world: World) -> None:
    machine, tip = world.machine("a"), world.tip()
    landed = machine.ledger.transact(nothing, beat_for=lambda tx: beat(machine, ""))
    assert (landed.commit, landed.beat_since, world.tip()) == (None, machine.clock.boot(), tip)


def test_a_stale_lease_on_the_telemetry_does_not_starve_the_ledger(world: World) -> None:
    machine = world.machine("a")
    landed = machine.ledger.transact(submit("job"), beat_for=lambda tx: beat(machine, world.tip()))
    assert (landed.commit, landed.beat_since, landed.tries) == (world.tip(), None, 1)


def test_contention_for_the_ledger_does_not_starve_the_telemetry(world: World) -> None:
    one, two = world.machine("a"), world.machine("b")
    one.ledger.transact(submit("job"))
    asked: list[int] = []

    def beat_for(tx: Transaction) -> Beat:
        asked.append(tx.seq)
        return beat(two, "")

    landed = two.ledger.transact(submit("other"), beat_for=beat_for)
    assert (landed.tries, asked) == (2, [1])
    assert landed.beat_since is not None
    assert landed.beat_since < landed.since, (
        "the beat landed with the first push, the transaction with the second"
    )


@pytest.mark.parametrize("fault", ["before", "after"])
def test_a_beat_counts_from_before_the_first_push_that_may_have_brought_it(world: World, fault: Any) -> None:
    machine = world.machine("a", push=[fault])
    begun = machine.clock.boot()
    landed = machine.ledger.transact(submit("job"), beat_for=lambda tx: beat(machine, ""))
    assert landed.beat_since is not None
    assert landed.beat_since == begun, "nobody here can tell a push that was lost from one that is late"
    assert landed.beat_since <= machine.clock.boot()


# -- numbers that only grow


def forged(seq: int, next_job: int) -> bytes:
    return encode(Head(format=FORMAT, hub="x", seq=seq, next_job=next_job))


@pytest.mark.parametrize("head", [forged(0, 1), forged(900, 900), None, b"{", b"\xff"], ids=repr)
def test_numbers_go_on_from_the_newest_transaction_whatever_a_person_does_to_the_file(
    world: World, head: bytes | None
) -> None:
    machine = world.machine("a")
    machine.ledger.transact(submit("one", "two"))
    machine.ledger.transact(submit("three"))
    before = machine.ledger.state.head
    world.person({layout.HEAD: head}, message='Revert "a: submit"\n\nThis reverts commit 1234.')
    for each in (machine, world.machine("b")):
        each.ledger.refresh()
        assert each.ledger.state.head == before
        assert layout.HEAD in {problem.path for problem in each.ledger.state.problems}
    landed = machine.ledger.transact(submit("four"))
    assert (landed.tx.seq, sorted(machine.ledger.state.jobs)) == (3, [1, 2, 3, 4])
    assert same(machine, world.machine("c"))
    assert machine.ledger.state.head == msgspec.structs.replace(before, seq=3, next_job=5)
    assert machine.ledger.state.problems == ()


def test_every_transaction_takes_the_next_number(world: World) -> None:
    one, two = world.machine("a"), world.machine("b")
    for n in range(3):
        one.ledger.refresh()
        one.ledger.transact(submit(f"a{n}"))
        world.person({NOTE: b"%d" % n})
        two.ledger.refresh()
        two.ledger.transact(submit(f"b{n}"))
    assert seqs(world) == [0, 1, 2, 3, 4, 5, 6]
    assert sorted(two.ledger.state.jobs) == [1, 2, 3, 4, 5, 6]


def test_a_jobs_number_is_not_given_again_when_the_job_is_gone(world: World) -> None:
    machine = world.machine("a")
    machine.ledger.transact(submit("one", "two"))
    from bnet.rules.change import Change

    machine.ledger.transact(lambda tx: tx.apply(Change(verb="archive", target="#2", gone=(1, 2))))
    assert world.machine("b").ledger.state.jobs == {}
    machine.ledger.transact(submit("three"))
    assert sorted(machine.ledger.state.jobs) == [3]


# -- people in between


def test_a_persons_commits_in_between_are_welcome(world: World) -> None:
    machine = world.machine("a")
    machine.ledger.transact(submit("one"))
    world.person({"README.md": b"hello", layout.INBOX + "x.yaml": b"cancel: {job: 1}\n"})
    world.person({"docs/a b.md": b"more"})
    landed = machine.ledger.transact(submit("two"))
    assert landed.tries == 2
    assert [file.by for file in machine.ledger.state.inbox] == [ALICE]
    assert same(machine, world.machine("b"))
    hub = world.hub("b")
    assert hub.read(world.tip(), ["README.md", "docs/a b.md"]).keys() >= {"README.md"}


def test_settings_are_in_force_as_soon_as_they_are_committed(world: World) -> None:
    machine = world.machine("a")
    world.person({layout.SETTINGS: b"name: office\r\npush_budget: 6\r\n"})
    machine.ledger.refresh()
    assert (machine.ledger.state.settings.name, machine.ledger.state.settings.push_budget) == ("office", 6)
    assert machine.ledger.state.problems == ()


def test_another_place_for_the_telemetry_is_looked_at_at_once(world: World) -> None:
    machine = world.machine("a")
    commit = beat(machine, "").update.new
    assert machine.hub.push([Update("refs/elsewhere/s1", "", commit)]) is None
    world.person({layout.SETTINGS: b"telemetry_prefix: refs/elsewhere/\n"})
    assert machine.ledger.refresh().telemetry == {"s1": commit}


# -- the ledger only grows


def test_a_hub_that_lost_its_newest_commits_is_given_them_back(world: World) -> None:
    one, two = world.machine("a"), world.machine("b")
    one.ledger.transact(submit("one"))
    old = world.tip()
    one.ledger.transact(submit("two"))
    new = world.tip()
    world.move(old)
    two.ledger.refresh()
    one.ledger.refresh()
    assert world.tip() == new
    assert same(one, two, world.machine("c"))
    assert sorted(one.ledger.state.jobs) == [1, 2]


def test_a_branch_that_was_deleted_is_given_back(world: World) -> None:
    machine = world.machine("a")
    machine.ledger.transact(submit("one"))
    tip = world.tip()
    world.move("")
    look = machine.ledger.refresh()
    assert (world.tip(), look.ledger) == (tip, tip)
    machine.ledger.transact(submit("two"))
    assert same(machine, world.machine("b"))


def test_a_lost_branch_is_given_back_in_the_middle_of_a_transaction(world: World) -> None:
    machine = world.machine("a", push=["wait"], meanwhile=lambda call: world.move(""))
    machine.ledger.transact(submit("one"))
    assert sorted(world.machine("b").ledger.state.jobs) == [1]


def test_without_what_it_lacks_the_hub_is_unreachable_and_it_is_tried_again(world: World) -> None:
    machine = world.machine("a", push=["", "before"])
    machine.ledger.transact(submit("one"))
    tip = world.tip()
    world.move("")
    before = machine.ledger.state
    with pytest.raises(HubUnreachable):
        machine.ledger.refresh()
    assert machine.ledger.state is before
    machine.ledger.refresh()
    assert world.tip() == tip


def diverge(world: World, epoch: int = 0) -> str:
    """Let the hub go another way from the first commit on."""
    head = Head(format=FORMAT, hub="x", epoch=epoch, seq=1_000_000, next_job=1_000_001)
    message = "bob: adopt\n\nBnet-Seq: 1000000\nBnet-Next-Job: 1000001\nBnet-Nonce: z\n"
    return world.person({layout.HEAD: encode(head)}, message=message, parent=world.line()[0])


def test_a_hub_that_went_another_way_freezes_the_ledger(world: World) -> None:
    machine = world.machine("a")
    machine.ledger.transact(submit("one"))
    before, other = machine.ledger.state, diverge(world)
    for _ in range(2):
        with pytest.raises(Diverged, match=other[:10]):
            machine.ledger.refresh()
    assert (machine.ledger.state, world.tip()) == (before, other)
    with pytest.raises(Diverged):
        machine.ledger.transact(submit("two"))
    assert world.tip() == other


def test_another_way_with_a_greater_epoch_is_followed(world: World) -> None:
    machine = world.machine("a")
    machine.ledger.transact(submit("one"))
    diverge(world, epoch=1)
    machine.ledger.refresh()
    assert (machine.ledger.state.head.epoch, dict(machine.ledger.state.jobs)) == (1, {})
    landed = machine.ledger.transact(submit("next"))
    assert (landed.tx.seq, sorted(machine.ledger.state.jobs)) == (1_000_001, [1_000_001])
    assert same(machine, world.machine("b"))


def test_an_empty_hub_has_no_ledger(empty: World) -> None:
    with pytest.raises(NoLedger, match="no ledger"):
        empty.machine("a")


def test_a_branch_without_transactions_is_no_ledger(empty: World) -> None:
    empty.person({"README.md": b"something else"}, parent=None)
    with pytest.raises(NoLedger):
        empty.machine("a")


def test_a_mirror_that_lost_its_objects_is_damaged_and_not_a_divergence(git_world: GitWorld) -> None:
    machine = git_world.machine("a")
    machine.ledger.transact(submit("one"))
    for pack in (git_world.top / "a" / "mirror.git" / "objects").rglob("*.*"):
        pack.unlink()
    again = git_world.machine("a", fresh=False)
    try:
        again.ledger.refresh()
    except Diverged as error:
        pytest.fail(f"damage here was taken for a change there: {error}")
    except Exception:
        git_world.remote("a").remake()
        again = git_world.machine("a")
    assert sorted(again.ledger.state.jobs) == [1]


# -- formats


def newer(world: World) -> None:
    message = "s9: upgrade\n\nBnet-Seq: 50\nBnet-Next-Job: 9\nBnet-Nonce: q\n"
    world.person({layout.HEAD: b'{"format": 2, "hub": 7, "seq": {}}'}, message=message)


def test_a_newer_format_is_refused_with_its_version(world: World) -> None:
    machine = world.machine("a")
    before = machine.ledger.state
    newer(world)
    for each in (machine, world.machine("b", fresh=False)):
        with pytest.raises(TooNew, match=r"format 2.*up to 1"):
            each.ledger.refresh()
    assert machine.ledger.state is before
    with pytest.raises(TooNew):
        machine.ledger.transact(submit("one"))


def test_a_person_cannot_make_the_format_newer(world: World) -> None:
    world.person({layout.HEAD: b'{"format": 2, "hub": "x"}'})
    machine = world.machine("a")
    assert machine.ledger.state.head.format == 1


# -- fields of a newer bnet


def with_field(world: World, machine: Machine, path: str, **fields: Any) -> None:
    """Let a newer bnet of the same format add fields to a document."""
    hub = world.hub("auditor")
    hub.fetch(world.tip())
    document = msgspec.json.decode(hub.read(world.tip(), [path])[path])
    stamp = hub.newest_transaction(world.tip())
    assert stamp is not None
    for name, value in fields.items():
        outer, _, inner = name.partition("__")
        if inner:
            document[outer][inner] = value
        else:
            document[outer] = value
    message = f"s9: newer\n\nBnet-Seq: {stamp.seq + 1}\nBnet-Next-Job: {stamp.next_job}\nBnet-Nonce: q\n"
    world.person({path: msgspec.json.encode(document)}, message=message)
    machine.ledger.refresh()


def document(world: World, path: str) -> Any:
    hub = world.hub("auditor")
    hub.fetch(world.tip())
    return msgspec.json.decode(hub.read(world.tip(), [path])[path])


def pause(tx: Transaction) -> None:
    from bnet.rules import servers

    tx.apply(servers.wish(tx.servers["s1"], "paused", by=ALICE, why="disk"))


def test_unknown_fields_survive_a_rewrite(world: World) -> None:
    machine = world.machine("a")
    machine.ledger.transact(register("s1"))
    path = layout.server_path("s1")
    with_field(world, machine, path, colour="red", deep={"a": [1]})
    with_field(world, machine, layout.HEAD, mood="good")
    machine.ledger.transact(pause)
    found = document(world, path)
    assert (found["colour"], found["deep"], found["wanted"]) == ("red", {"a": [1]}, "paused")
    assert document(world, layout.HEAD)["mood"] == "good"


def test_unknown_fields_inside_a_known_one_survive_too(world: World) -> None:
    machine = world.machine("a")
    machine.ledger.transact(register("s1"))
    path = layout.server_path("s1")
    with_field(world, machine, path, accept={"queues": ["default"], "colours": ["red"]})
    machine.ledger.transact(pause)
    assert document(world, path)["accept"] == {"queues": ["default"], "colours": ["red"]}


def test_a_known_field_that_became_its_default_does_not_come_back(world: World) -> None:
    machine = world.machine("a")
    machine.ledger.transact(register("s1"))
    machine.ledger.transact(pause)

    def resume(tx: Transaction) -> None:
        from bnet.rules import servers

        tx.apply(servers.wish(tx.servers["s1"], "active", by=ALICE, why=""))

    machine.ledger.transact(resume)
    assert world.machine("b").ledger.state.servers["s1"].wanted == "active"
    assert "why" not in document(world, layout.server_path("s1"))


# -- refusals


def hook(world: GitWorld, text: str) -> None:
    path = world.bare / "hooks" / "pre-receive"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_a_hub_that_refuses_is_quoted(git_world: GitWorld) -> None:
    hook(git_world, 'echo "only on weekdays, says the admin" >&2; exit 1')
    machine, tip = git_world.machine("a"), git_world.tip()
    with pytest.raises(RefusedByPolicy, match="only on weekdays, says the admin"):
        machine.ledger.transact(submit("one"))
    assert (git_world.tip(), machine.ledger.pushes) == (tip, 2)
    Path(git_world.bare / "hooks" / "pre-receive").unlink()
    machine.ledger.transact(submit("one"))
    assert sorted(machine.ledger.state.jobs) == [1]


def test_an_update_hook_that_refuses_the_ledger_lets_telemetry_pass(git_world: GitWorld) -> None:
    hook(git_world, ":")
    path = git_world.bare / "hooks" / "update"
    path.write_text('#!/bin/sh\n[ "$1" != refs/heads/bnet ] || { echo "protected branch" >&2; exit 1; }\n')
    path.chmod(0o755)
    machine = git_world.machine("a")
    with pytest.raises(RefusedByPolicy, match="protected branch"):
        machine.ledger.transact(submit("one"), beat_for=lambda tx: beat(machine, ""))
    assert machine.hub.look().telemetry.keys() == {"s1"}


def test_what_is_written_reads_as_a_sentence(git_world: GitWorld) -> None:
    machine = git_world.machine("build2")
    machine.ledger.transact(submit("one", "two"))
    machine.ledger.transact(claim(1))
    machine.ledger.transact(finish(1))
    log = git_world.git("log", "--format=%an|%s|%(trailers:key=Bnet-Op,valueonly,separator=%x2C)", LEDGER)
    assert log.splitlines()[:3] == [
        "build2|build2: finish #1 (success)|"
        "finish 1 attempt=1 run=run-1-s1-1 result=success reason=exit exit_code=0",
        "build2|build2: claim #1|claim 1 attempt=1 server=s1 run=run-1-s1-1 token=2",
        f"build2|build2: submit #1 (one) #2 (two)|submit 1 by={ALICE} name=one,submit 2 by={ALICE} name=two",
    ]


@pytest.mark.parametrize("left", [None, b"", b"garbage"], ids=["gone", "empty", "garbage"])
def test_a_commit_that_a_power_loss_took_from_between_is_no_other_history(
    git_world: GitWorld, left: bytes | None
) -> None:
    """An older tip is known again, the newest is there, and Git cannot get from the one to the other."""
    machine = git_world.machine("a")
    for name in ("one", "two", "three"):
        machine.ledger.transact(submit(name))
    mirror = git_world.top / "a" / "mirror.git"
    for pack in list((mirror / "objects" / "pack").glob("*.pack")):
        data = pack.read_bytes()
        pack.unlink()
        pack.with_suffix(".idx").unlink()
        subprocess.run(["git", f"--git-dir={mirror}", "unpack-objects", "-q"], input=data, check=True)
    first, middle = git_world.line()[0], git_world.line()[2]
    (mirror / "refs" / "bnet" / "known").write_text(first + "\n")
    lost = mirror / "objects" / middle[:2] / middle[2:]
    lost.unlink()
    if left is not None:
        lost.write_bytes(left)
    again = git_world.machine("a")
    assert [job.spec.name for job in again.ledger.state.jobs.values()] == ["one", "two", "three"]


def test_a_sign_of_life_that_an_earlier_push_brought_late_counts_from_that_push(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Seed 41264 of the simulation: the lease of a lock began again with the try that found its beat there.
    machine = world.machine("a")
    arrives_with_the_next(machine, monkeypatch, 30)
    begun = machine.clock.boot()
    landed = machine.ledger.transact(claim_or_submit, beat_for=lambda tx: beat(machine, ""))
    assert machine.clock.boot() >= begun + 50
    assert landed.beat_since == begun
