"""A job is left to a clearly faster server for a moment (ADR 21), by real agents; and what commands say of it."""

from __future__ import annotations

import uuid

import pytest
from fleet import Fleet

from bnet.model.command import Submit
from bnet.model.job import Attempt
from bnet.rules import jobs
from bnet.rules.admit import admit
from bnet.rules.specs import Facts
from bnet.rules.transaction import Transaction

RUNS = 3  # as many as a judgement takes


def took(fleet: Fleet, server: str, name: str, seconds: float) -> None:
    """Let the ledger know of runs of a job on a server, each of them so long."""

    def decide(tx: Transaction) -> None:
        for _ in range(RUNS):
            [number] = admit(tx, [Submit(command="true", name=name)], by="somebody", facts=Facts())
            run, me = str(uuid.uuid4()), tx.servers[server]
            tx.apply(jobs.claim(tx.jobs[number], me, run=run, token=tx.seq, ttl_s=300.0, now=tx.now))
            ended = Attempt(
                attempt=1,
                server=server,
                run=run,
                token=tx.seq,
                result="success",
                reason="exit",
                exit_code=0,
                finished_at=tx.now,
                seconds=seconds,
            )
            tx.apply(jobs.end_attempt(tx.jobs[number], ended))

    ledger = fleet.look()
    with ledger.acting_as(server):
        ledger.transact(decide)


@pytest.mark.timeout(300)
def test_a_slow_server_leaves_a_job_to_a_fast_one_and_takes_it_if_that_lets_it_lie(fleet: Fleet) -> None:
    fleet.found()
    fleet.join("fast", "--slots", "2", "--label", "who=fast")
    fleet.join("slow", "--slots", "2", "--label", "who=slow")
    for name, saved in (("work", 240.0), ("brief", 16.0)):
        took(fleet, "fast", name, 1.0)
        took(fleet, "slow", name, 1.0 + saved)
    fleet.ok("sync", home="fast")
    fleet.start("slow", "--interval", "1")

    # Whoever takes the second has passed over the first, in one and the same choice.
    work, control = fleet.submit_all(
        {"command": "true", "name": "work"}, {"command": "true", "labels": {"who": "slow"}}
    )
    fleet.until_ended(control)
    assert fleet.job(control).result.server == "slow"
    assert fleet.job(work).state == "pending", "it is left to the fast one"
    assert "likely fastest on fast" in fleet.ok("why", str(work))

    fleet.ok("sync", home="fast")
    assert {claim.server for claim in fleet.claims() if claim.job == work} == {"fast"}

    [brief] = fleet.submit_all({"command": "true", "name": "brief"})
    ended = fleet.until_ended(brief)[brief].result
    assert ended is not None and ended.server == "slow", "the fast one let it lie"
