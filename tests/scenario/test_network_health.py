"""A network of real servers, one killed, one with a job that does not end, both with a disk that is too full."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fleet import Fleet

SETTINGS = "ttl: 6\nintervals: {agent: 0.3, idle_heartbeat: 3}\n"
MONITORING = "disk: {/: {warning: 0.001}, /nowhere: {warning: 1}}\nraise_after: 1\nstuck_after: 4\n"
DISKS = {"disk-full:a:/", "disk-full:b:/"}


def judged(fleet: Fleet) -> dict[str, dict[str, Any]]:
    """Return what `bnet health` finds, by key; its exit code says the same."""
    done = fleet.bnet("health", "--json")
    told = json.loads(done.out)
    assert done.code == (0 if told["healthy"] else 1) and told["healthy"] == (not told["findings"])
    return {each["key"]: each for each in told["findings"]}


def test_what_is_wrong_is_found_and_is_gone_once_it_is_over(fleet: Fleet) -> None:
    fleet.found(settings=SETTINGS)
    assert judged(fleet) == {}
    fleet.commit("coordination/monitoring.yaml", MONITORING)
    fleet.join_all(["a", "b"])
    for name in ("a", "b"):
        fleet.start(name)
    fleet.until("two full disks are all", lambda: set(judged(fleet)) == DISKS)

    number = fleet.submit("sleep 600")
    stuck = fleet.until("a job is stuck", lambda: judged(fleet).get(f"job-stuck:{number}"))
    holder = fleet.job(number).claim
    assert holder is not None and stuck["evidence"]["server"] == holder.server

    other = "b" if holder.server == "a" else "a"
    fleet.kill(other)
    lost = f"server-lost:{other}"

    def observed() -> dict[str, dict[str, Any]] | None:
        there = judged(fleet)
        return there if there.get(lost, {}).get("sure") == "observed" else None

    found = fleet.until("a server is lost, as this machine has seen", observed)
    assert found[lost]["severity"] == "critical" and f"disk-full:{other}:/" not in found
    text = fleet.bnet("health")
    assert text.code == 1 and f"critical {lost}: ".encode() in text.out

    fleet.start(other)
    fleet.ok("cancel", str(number))
    fleet.until("all is as it was", lambda: set(judged(fleet)) == DISKS)


def test_a_hub_that_is_away_is_no_verdict(fleet: Fleet) -> None:
    fleet.found()
    assert fleet.bnet("health").code == 0
    Path(fleet.url).rename(fleet.root / "elsewhere.git")
    done = fleet.bnet("health", "--json")
    assert (done.code, done.out) == (4, b"")
