"""Each job ends exactly once, whatever is killed; each `stop` job is at no time run twice."""

from __future__ import annotations

import random
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from fleet import Claimed, Fleet, kill, whole_lines

from bnet.model.job import Job

SERVERS = [f"build{number}" for number in range(1, 9)]
TTL = 8.0  # seconds
HAVOC = 45.0  # seconds of killing
LONG = int(TTL * 1.5 / 0.25)  # ticks of a job that outlives its lease when nobody stops it

# Says that it lives every quarter of a second until it is done; /proc/uptime is CLOCK_BOOTTIME. What an
# attempt that was killed did last, no end could tell. The third argument makes it deaf to SIGTERM.
TICKING = """\
[ -z "$3" ] || trap '' TERM
say() { read -r up _ </proc/uptime && echo "$BNET_ATTEMPT $BNET_RUN $1 $up" >>"$file"; }
file=$1 left=$2
say start
while [ "$left" -gt 0 ]; do sleep 0.25; say tick; left=$((left - 1)); done
say end
"""


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


def one_claim_at_a_time(fleet: Fleet) -> list[Claimed]:
    """Return all claims, after a look at what the ledger's history must show of them."""
    claims = fleet.claims()
    assert all(each.token == each.seq for each in claims), "a token is the number of its transaction"
    assert [each.token for each in claims] == sorted(each.token for each in claims), "tokens only grow"
    assert all(each.ended is not None for each in claims), "a claim is left over"
    by_job: dict[int, list[Claimed]] = {}
    for each in claims:
        by_job.setdefault(each.job, []).append(each)
    for number, of_job in by_job.items():
        assert [each.attempt for each in of_job] == list(range(1, len(of_job) + 1))
        for before, after in pairwise(of_job):
            assert before.token < after.token
            assert before.ended is not None and before.ended <= after.begun, f"#{number} was claimed twice"
    return claims


def finishes(fleet: Fleet) -> Counter[int]:
    """Return how often the history says that each job has got its result."""
    return Counter(int(op.target) for op in fleet.history() if op.verb in ("finish", "cancel"))


def cut_short(jobs: dict[int, Job], said: Path) -> list[str]:
    """Return the runs that began and did not come to their end."""
    cut = []
    for number in jobs:
        words = [line.split() for line in whole_lines(said / str(number))]
        cut += list({each[1] for each in words} - {each[1] for each in words if each[2] == "end"})
    return cut


def nothing_overlapped(job: Job, lines: list[str]) -> None:
    """See in what a job's attempts wrote into one file that each had stopped when the next one began."""
    words = [line.split() for line in lines]
    assert all(len(each) == 4 for each in words), lines
    attempts = [int(each[0]) for each in words]
    assert attempts == sorted(attempts), f"two attempts of #{job.number} ran at a time:\n" + "\n".join(lines)
    stamps = [float(each[3]) for each in words]
    assert stamps == sorted(stamps), f"#{job.number}: a stamp went back"
    runs = {each.attempt: each.run for each in job.attempts}
    assert {(int(each[0]), each[1]) for each in words} <= set(runs.items()), "an attempt was not recorded"
    assert Counter(each[1] for each in words if each[2] == "start").most_common(1)[0][1] == 1
    assert job.result is not None
    assert [each[2] for each in words if each[1] == job.result.run][-1] == "end"
