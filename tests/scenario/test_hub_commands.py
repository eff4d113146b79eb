"""`bnet hub`: shown, taken to a newer format, and accepted after its history went another way."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from lab import FORMAT_2, Lab
from msgspec.structs import replace

from bnet.app.hub.adopt import adopt, survey
from bnet.app.ledger import Diverged
from bnet.codec.submission import from_file
from bnet.errors import BnetError
from bnet.model.command import NeedRef, Submit
from bnet.ports.hub import Update
from bnet.rules import jobs, servers
from bnet.rules.transaction import Transaction

MILLION = 1_000_000


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


# -- show


def test_show_tells_what_is_in_force(lab: Lab) -> None:
    lab.join("a")
    lab.commit("coordination/hub.yaml", b"name: attic\nttl: 90\nread_budget: 0.5\n")
    told = lab.bnet("a", "hub", "show", "--json").json
    assert (told["url"], told["branch"], told["format"], told["epoch"]) == (lab.url, "bnet", 1, 0)
    assert (told["seq"], told["next_job"], told["commits"], told["servers"]) == (1, 1, 3, 1)
    assert told["settings"]["name"] == "attic" and told["settings"]["intervals"]["agent"] == 1.0
    assert told["in_force"]["ttl"] == 90 and told["in_force"]["heartbeat"] == 30
    assert told["in_force"]["agent"] == 2.0, "one server, and one read in two seconds"
    assert told["bytes"] > 0 and told["refs"] == 1


def test_show_for_people(lab: Lab) -> None:
    said = lab.bnet("a", "--hub", lab.url, "hub", "show")
    assert said.code == 0 and "ttl in force" in said.out and "intervals.agent" in said.out


# -- upgrade


def test_with_the_newest_format_there_is_nothing_to_upgrade(lab: Lab) -> None:
    tip = lab.tip()
    said = lab.bnet("a", "--hub", lab.url, "hub", "upgrade")
    assert said.code == 0 and "nothing to do" in said.err and lab.tip() == tip


def test_a_format_that_nobody_knows_is_refused(lab: Lab) -> None:
    said = lab.bnet("a", "--hub", lab.url, "hub", "upgrade", "--to", "3", before=FORMAT_2)
    assert said.code == 2 and "up to 2" in said.err


def test_an_older_server_stops_an_upgrade_until_it_is_newer(lab: Lab) -> None:
    lab.join("old")
    lab.join("new", formats=2)
    tip = lab.tip()
    said = lab.bnet("new", "hub", "upgrade", before=FORMAT_2)
    assert (said.code, lab.tip()) == (5, tip)
    assert "old (up to 1)" in said.err and "new (" not in said.err
    assert lab.bnet("old", "sync", before=FORMAT_2).code == 0
    said = lab.bnet("new", "hub", "upgrade", before=FORMAT_2)
    assert said.code == 0 and "format 2" in said.err
    assert "upgrade format 2" in lab.git("log", "-1", "--format=%s", "bnet")
    told = lab.bnet("new", "hub", "show", "--json", before=FORMAT_2).json
    assert (told["format"], told["name"]) == (2, "upgraded"), "the step's changes are in the same transaction"
    again = lab.bnet("new", "hub", "upgrade", before=FORMAT_2)
    assert again.code == 0 and "nothing to do" in again.err
    back = lab.bnet("new", "hub", "upgrade", "--to", "1", before=FORMAT_2)
    assert back.code == 2 and "only grows" in back.err


def test_after_an_upgrade_an_older_bnet_says_so_and_leaves_its_runs_alone(lab: Lab) -> None:
    lab.join("a")
    mark = lab.top / "mark"
    lab.submit("me", f"sleep 1; touch {mark}")
    assert lab.bnet("a", "sync").code == 0

    # The registration claims more than this bnet can: the machine was downgraded after the upgrade.
    def newer(tx: Transaction) -> None:
        tx.apply(servers.register(replace(tx.servers["a"], formats=2), tx.servers["a"]))

    lab.ledger("me").transact(newer)
    assert lab.bnet("me", "--hub", lab.url, "hub", "upgrade", before=FORMAT_2).code == 0
    tip = lab.tip()
    for words in (["sync"], ["jobs"], ["submit", "--", "true"], ["hub", "upgrade"]):
        said = lab.bnet("a", *words)
        assert said.code == 2, (words, said)
        assert "format 2" in said.err and "up to 1" in said.err and "upgrade bnet" in said.err
    assert "format 2" in lab.bnet("a", "doctor").out
    for _ in range(100):
        if mark.exists() and (lab.home("a") / "runs" / "1.1" / "exit.json").exists():
            break
        time.sleep(0.05)
    assert mark.exists() and lab.tip() == tip, "the run went on, nothing was decided"
    assert lab.bnet("a", "sync", before=FORMAT_2).code == 0
    job, kept = lab.bnet("a", "jobs", "--json", before=FORMAT_2).json
    assert (job["state"], job["result"]) == ("finished", "success")
    assert kept["name"] == "true", "what could not be submitted then was kept, and is delivered now"


# -- adopt


def claim(tx: Transaction) -> None:
    """Give the first job to server b."""
    held = jobs.claim(tx.jobs[1], tx.servers["b"], run="r", token=tx.seq, ttl_s=300.0, now=tx.now)
    tx.apply(held)


def diverge(lab: Lab) -> str:
    """Give the hub another history: servers a and b know three jobs of which it knows nothing.

    Returns:
        the tip that a and b know.
    """
    lab.join("a")
    lab.join("b")
    lab.submit("me", "sleep 2", name="common")
    backup = lab.tip()
    assert lab.bnet("a", "sync").code == 0
    lab.submit("me", "true", name="first", priority=2, key="mine", labels={"os": "plan9"})
    lab.submit("me", "echo two", name="second", needs=["first", 1])
    lab.submit("me", "true", name="over", labels={"os": "plan9"})
    lab.ledger("me").transact(lambda tx: tx.apply(jobs.cancel(tx.jobs[4], by="me", reason="", now=tx.now)))
    for name in ("a", "b"):
        lab.ledger(name)
    known = lab.tip()
    lab.move(backup)
    lab.submit("elsewhere", "true", name="theirs")
    lab.ledger("elsewhere").transact(claim)
    return known


def test_there_is_nothing_to_adopt_on_a_hub_that_goes_on(lab: Lab) -> None:
    lab.join("a")
    said = lab.bnet("a", "hub", "adopt", "--yes")
    assert said.code == 0 and "nothing to adopt" in said.err


def test_a_hub_from_a_backup_is_given_back_what_it_lost(lab: Lab) -> None:
    old = lab.tip()
    lab.submit("a", "true")
    new = lab.tip()
    lab.move(old)
    said = lab.bnet("a", "--hub", lab.url, "hub", "adopt", "--yes")
    assert said.code == 0 and "nothing to adopt" in said.err and lab.tip() == new


def test_adopting_is_a_decision(lab: Lab) -> None:
    known = diverge(lab)
    theirs = lab.tip()
    frozen = lab.bnet("a", "sync")
    assert frozen.code == 1 and "bnet hub adopt" in frozen.err
    said = lab.bnet("a", "hub", "adopt")
    assert said.code == 2 and "--yes" in said.err
    assert known[:10] in said.out and theirs[:10] in said.out
    assert "jobs that only the ledger known here has: 3" in said.out
    assert "not finished: 2 (#2 first #3 second)" in said.out
    assert "would end as lost: 1 (#1 common)" in said.out
    assert lab.tip() == theirs and not list(lab.home("a").glob("adopted-*"))
    assert lab.bnet("a", "sync").code == 1, "nothing was accepted either"


def test_adopting_begins_an_epoch_above_both_histories(lab: Lab) -> None:
    known = diverge(lab)
    seqs = [
        lab.git("log", "-1", "--format=%(trailers:key=Bnet-Seq,valueonly)", each) for each in (known, "bnet")
    ]
    said = lab.bnet("a", "hub", "adopt", "--yes")
    assert said.code == 0, said.err
    hub = lab.bnet("a", "hub", "show", "--json").json
    assert (hub["epoch"], hub["next_job"]) == (1, 5 + MILLION)
    assert hub["seq"] == max(map(int, seqs)) + MILLION
    assert "adopt epoch 1" in lab.git("log", "-1", "--format=%s", "bnet")
    job = lab.bnet("a", "show", "1", "--json").json
    assert [each["reason"] for each in job["attempts"]] == ["lost"] and job["state"] == "pending"
    mirror = lab.machine("a").checkup(lab.url)
    assert mirror.count("refs/bnet/before/epoch-1") > 0 and "refs/bnet/before/epoch-1" in said.err

    # The other server, which knows the old history too, goes on by itself; so does this one.
    for name in ("b", "a"):
        went = lab.bnet(name, "sync")
        assert went.code == 0, went.err
    assert lab.ledger("b").state.head.epoch == 1
    told = lab.bnet("b", "submit", "--json", "--", "true").json
    assert told["number"] == 5 + MILLION


def test_what_only_the_old_history_had_can_be_submitted_again(lab: Lab) -> None:
    diverge(lab)
    said = lab.bnet("a", "hub", "adopt", "--yes")
    path = lab.home("a") / "adopted-1.yaml"
    assert f"bnet submit -f {path}" in said.err
    first, second = from_file(path.read_bytes(), "x")
    assert isinstance(first, Submit) and isinstance(second, Submit)
    assert (first.name, first.priority, first.key, first.labels) == ("first", 2, "mine", {"os": "plan9"})
    assert second.needs == (NeedRef(job="first"), NeedRef(job=1))
    for _ in range(2):
        told = lab.bnet("a", "submit", "--json", "-f", str(path)).json
        assert [each["number"] for each in told] == [5 + MILLION, 6 + MILLION], "twice is once"


def test_an_adoption_that_could_not_be_pushed_is_none(lab: Lab) -> None:
    diverge(lab)
    hook = lab.bare / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho no >&2; exit 1\n")
    hook.chmod(0o755)
    assert lab.bnet("a", "hub", "adopt", "--yes").code == 5
    with pytest.raises(Diverged):
        lab.ledger("a")
    hook.unlink()
    assert lab.bnet("a", "hub", "adopt", "--yes").code == 0


def test_two_people_who_adopt_at_once_make_one_epoch(lab: Lab) -> None:
    diverge(lab)
    tip = lab.tip()
    holds = []
    for name in ("a", "b"):
        machine = lab.machine(name)
        ours, theirs = machine.ledger(lab.url), machine.ledger(lab.url)
        with pytest.raises(Diverged):
            theirs.refresh()
        holds.append((theirs, survey(ours, theirs, tip)))
    assert adopt(*holds[0]) == 1
    with pytest.raises(BnetError, match="somebody else adopted"):
        adopt(*holds[1])
    assert lab.ledger("b").state.head.epoch == 1


def test_the_ledger_may_grow_while_it_is_adopted(lab: Lab) -> None:
    diverge(lab)
    machine = lab.machine("a")
    ours, theirs = machine.ledger(lab.url), machine.ledger(lab.url)
    with pytest.raises(Diverged):
        theirs.refresh()
    found = survey(ours, theirs, lab.tip())
    push, raced = theirs.hub.push, []

    def slowly(updates: list[Update]) -> str | None:
        if not raced:
            raced.append(lab.submit("elsewhere", "true", name="meanwhile"))
        return push(updates)

    theirs.hub.push = slowly
    assert adopt(theirs, found) == 1
    assert raced[0] in theirs.state.jobs and theirs.state.head.epoch == 1
