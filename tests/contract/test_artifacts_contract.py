"""The list of artifacts on a ledger, in memory and on Git: written with an end, given up once, known to the audit."""

from __future__ import annotations

from msgspec.structs import replace
from worlds import Decide, World, claim, register, submit

from bnet.app.audit import audit
from bnet.codec import layout
from bnet.model.job import Artifact, Attempt
from bnet.rules import jobs, keeping
from bnet.rules.change import Change
from bnet.rules.jobs import Illegal
from bnet.rules.transaction import Transaction

LEFT = Artifact(path="a.whl", size=3, mode="0644", blake3="1" * 64, place="store:artifacts/x/a")


def leaves(number: int, digest: str = "2" * 64, *, unlisted: bool = False) -> Decide:
    """Report the end of a run that left a file."""

    def decide(tx: Transaction) -> None:
        job = tx.jobs[number]
        assert job.claim is not None
        ended = Attempt(
            attempt=job.claim.attempt,
            server=job.claim.server,
            run=job.claim.run,
            token=job.claim.token,
            result="success",
            reason="exit",
            exit_code=0,
            finished_at=tx.now,
            artifacts=(LEFT,),
            manifest=digest,
        )
        listed = {} if unlisted else keeping.listed(tx, job, ended, "store:artifacts/x/")
        tx.apply(replace(jobs.end_attempt(job, ended), documents=listed))

    return decide


def does(world: World, *decisions: Decide, by: str = "s1") -> None:
    for decide in decisions:
        world.machine(f"of {by}", actor=by).ledger.transact(decide)


def begun(world: World) -> None:
    does(world, register("s1"), submit("wheel"), claim(1))


def faults(world: World) -> list[str]:
    hub, tip = world.hub("auditor"), world.tip()
    hub.fetch(tip)
    return [each.fault.text for each in audit(hub, tip).wrong]


def test_what_a_run_left_is_listed_with_its_end_and_given_up_once(world: World) -> None:
    begun(world)
    does(world, leaves(1))
    reader = world.machine("reader").ledger
    [kept] = reader.state.kept.values()
    assert (kept.job, kept.name, kept.runs[0].run, kept.gone) == (1, "wheel", "run-1-s1-1", None)
    does(world, lambda tx: keeping.give_up_job(tx, 1, "why", "ann"), by="ann")

    def again(tx: Transaction) -> None:
        try:
            keeping.give_up_job(tx, 1, "again", "bob")
        except Illegal:
            return

    does(world, again, by="bob")
    reader.refresh()
    gone = reader.state.kept[1].gone
    assert gone is not None and (gone.why, gone.by) == ("why", "ann")
    does(world, lambda tx: keeping.forget(tx, (1,)), lambda tx: keeping.forget(tx, (1,)))
    reader.refresh()
    assert not reader.state.kept
    assert faults(world) == []


def test_the_list_is_not_believed_to_a_hand_and_comes_back(world: World) -> None:
    begun(world)
    does(world, leaves(1))
    path = layout.kept_path(1)
    world.person({path: None})
    reader = world.machine("reader").ledger
    assert 1 in reader.state.kept and path in reader.state.restore
    does(world, submit("next"), by="ann")
    reader.refresh()
    assert not reader.state.restore and faults(world) == []


def test_the_audit_finds_what_was_left_unlisted_and_what_was_dropped(world: World) -> None:
    begun(world)
    does(world, leaves(1, unlisted=True))
    assert faults(world) == ["attempt 1 left some that are not listed"]
    does(world, submit("other"), claim(2))
    does(world, leaves(2))
    dropped: dict[str, bytes | None] = {layout.kept_path(2): None}
    does(world, lambda tx: tx.apply(Change(verb="forge", target="#2", files=dropped)))
    assert faults(world)[1:] == ["were forgotten before they were given up"]
