"""Each job ends exactly once, whatever is killed; each `stop` job is at no time run twice."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from fleet import Fleet, kill, whole_lines
from verdict import TICKING, cut_short, finishes, nothing_overlapped, one_claim_at_a_time

SERVERS = [f"build{number}" for number in range(1, 9)]
TTL = 8.0  # seconds
HAVOC = 45.0  # seconds of killing
LONG = int(TTL * 1.5 / 0.25)  # ticks of a job that outlives its lease when nobody stops it


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_each_of_300_jobs_on_8_servers_runs_once_and_has_one_result(fleet: Fleet, tmp_path: Path) -> None:
    fleet.poll = 1.0
    fleet.found()
    fleet.join_all(SERVERS, "--slots", "4")
    for name in SERVERS:
        fleet.start(name)
    ran = tmp_path / "ran"
    ran.mkdir()
    command = f"echo $BNET_RUN >>{ran}/$BNET_JOB"
    numbers = fleet.submit_all(*[{"command": command}] * 300)
    assert len(set(numbers)) == 300

    jobs = fleet.until_ended(*numbers, timeout=240)

    claims = {claimed.job: claimed for claimed in one_claim_at_a_time(fleet)}
    assert len(fleet.claims()) == 300
    for number, job in jobs.items():
        assert job.result is not None and job.result.result == "success"
        assert whole_lines(ran / str(number)) == [job.result.run] == [claims[number].run]
        assert [each.run for each in job.attempts] == [job.result.run]
    assert finishes(fleet) == Counter(numbers)
    assert len({claimed.server for claimed in claims.values()}) > 1, "one server did it all"


@pytest.mark.slow
@pytest.mark.timeout(420)
def test_killed_servers_leave_each_job_one_result_and_no_stop_job_runs_twice_at_a_time(
    fleet: Fleet, tmp_path: Path
) -> None:
    fleet.poll = 1.0
    fleet.found(settings=f"ttl: {TTL:g}\n")
    fleet.join_all(SERVERS, "--slots", "2")
    said = tmp_path / "said"
    said.mkdir()
    script = tmp_path / "ticking.sh"
    script.write_text(TICKING)
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")  # shown when the test fails
    chance = random.Random(seed)
    numbers = fleet.submit_all(*(wished(index, script, said) for index in range(120)))

    havoc(fleet, chance)

    jobs = fleet.until_ended(*numbers, timeout=240)
    claims = one_claim_at_a_time(fleet)
    assert finishes(fleet) == Counter(numbers)
    for number, job in jobs.items():
        of_job = [each for each in claims if each.job == number]
        assert [(each.attempt, each.run, each.token) for each in of_job] == [
            (each.attempt, each.run, each.token) for each in job.attempts
        ]
        assert job.result is not None and job.result.result == "success", job.result
        nothing_overlapped(job, whole_lines(said / str(number)))
    reasons = Counter(each.message for job in jobs.values() for each in job.attempts if each.reason == "lost")
    print(len(claims), "claims;", *reasons.items(), sep="\n")
    assert any("was not seen to move" in str(each) for each in reasons), "nobody took over from a dead server"
    assert cut_short(jobs, said), "no attempt was stopped while it ran"


def wished(index: int, script: Path, said: Path) -> dict[str, Any]:
    """Return one job of the second test: a tenth are long, half of these deaf; a sixth share two groups."""
    ticks, deaf = (LONG, "deaf" if index % 20 else "") if index % 10 == 0 else (1 + index % 4, "")
    guard: dict[str, Any] = {"on_lost_lease": "stop"}
    if index % 6 == 1:
        guard = {"group": {"name": f"group{index // 6 % 2}", "limit": 4}}
    command = f"exec sh {script} {said}/$BNET_JOB {ticks} {deaf}"
    return {"command": command, "retry": [{"limit": 100, "reason": "lost"}], **guard}


def havoc(fleet: Fleet, chance: random.Random) -> None:
    """Kill agents, supervisors and whole servers for a while, and start all of them again."""
    due = dict.fromkeys(SERVERS, 0.0)  # server -> when its agent is started again
    over = time.monotonic() + HAVOC
    while time.monotonic() < over:
        for name in [name for name, at in due.items() if at <= time.monotonic()]:
            del due[name]
            fleet.start(name)
        time.sleep(chance.uniform(0.1, 1.5))
        up = [name for name in SERVERS if name not in due]
        if len(up) < 4:
            continue
        victim = chance.choice(up)
        what = chance.choice(["agent", "agent", "agent", "server", "supervisor"])
        if what == "supervisor":
            orphan(fleet, victim, chance)
            continue
        if what == "agent":
            fleet.kill_agent(victim)
        else:
            fleet.kill(victim)
        due[victim] = time.monotonic() + chance.choice([0.0, TTL / 2, 2.5 * TTL])
    for name in due:
        fleet.start(name)


def orphan(fleet: Fleet, name: str, chance: random.Random) -> None:
    """Kill a supervisor alone, and wait until the agent has ended what it left.

    (Whoever kills an agent as well before it could do that leaves processes to which nobody holds a lease.)
    """
    runs = fleet.runs_of(name)
    if runs:
        pid = chance.choice(runs)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)  # what it started is known then, and it starts nothing more
        left = [each for each in fleet.marked(name) if each.pid != pid and _parent(each) == pid]
        kill(pid)
        fleet.until(f"{name} ends what a supervisor left", lambda: not any(_alive(each) for each in left))


def _parent(process: object) -> int:
    import psutil

    assert isinstance(process, psutil.Process)
    try:
        return process.ppid()
    except psutil.Error:
        return 0


def _alive(process: object) -> bool:
    import psutil

    assert isinstance(process, psutil.Process)
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
