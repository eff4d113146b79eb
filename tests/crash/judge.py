"""What the history of the soak's hub must show, and what its jobs wrote down themselves."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from itertools import pairwise

from askers import Askers
from fleet import Claimed, whole_lines
from network import TTL, Network, pushes
from verdict import finishes, nothing_overlapped, one_claim_at_a_time


def judge(network: Network, askers: Askers) -> list[str]:
    """Print what the history shows, and return what it must not show."""
    fleet, blames = network.fleet, []
    state = fleet.look().state
    audit = fleet.bnet("audit", "verify", timeout=1800)
    print(audit.out.decode().strip().splitlines()[-1])
    if audit.code != 0:
        blames.append(f"bnet audit verify: {audit.out.decode()[-2000:]}")
    history = fleet.history()
    jobs = state.jobs  # none is a day old, so none is in the archive
    submitted = [int(op.target) for op in history if op.verb == "submit"]
    ended = finishes(fleet)
    lost = [number for number in submitted if jobs[number].result is None]
    twice = [number for number in submitted if ended[number] > 1]
    blames += [f"jobs without a result: {lost}"] * bool(lost) + [f"jobs with two results: {twice}"] * bool(
        twice
    )
    try:
        claims = one_claim_at_a_time(fleet)
    except AssertionError as error:
        blames.append(str(error))
        claims = fleet.claims()
    tags = Counter(job.spec.env.get("TAG") for job in jobs.values())
    missing = [tag for tag, heard in askers.asked.items() if heard and not tags[tag]]
    doubled = [tag for tag, count in tags.items() if tag and count > 1]
    blames += [f"accepted and not there: {missing}"] * bool(missing)
    blames += [f"asked once, there twice: {doubled}"] * bool(doubled)
    known, overlaps, unclaimed, started_twice = {each.run for each in claims}, 0, 0, 0
    for job in jobs.values():
        lines = whole_lines(askers.said / str(job.spec.env.get("TAG")))
        words = [line.split() for line in lines if len(line.split()) == 4]
        begun = Counter(each[1] for each in words if each[2] == "start")
        unclaimed += len(begun.keys() - known)
        started_twice += sum(count > 1 for count in begun.values())
        if job.spec.on_lost_lease == "stop":
            try:
                nothing_overlapped(job, lines)
            except AssertionError as error:
                overlaps += 1
                blames.append(str(error))
    blames += [f"{unclaimed} runs without a claim"] * bool(unclaimed)
    blames += [f"{started_twice} runs started twice"] * bool(started_twice)
    bugs = [str(path.relative_to(network.root)) for path in network.root.glob("*/logs/bug.log")]
    bugs += [
        path.name for path in network.root.glob("s*.log") if "Traceback" in path.read_text(errors="replace")
    ]
    blames += [f"tracebacks: {bugs}"] * bool(bugs)
    elsewhere = taken_over(network, claims)
    results = Counter(job.result.result for job in jobs.values() if job.result is not None)
    rows = {
        "jobs": len(submitted),
        "by result": dict(results),
        "claims": len(claims),
        "claims that ended as lost": sum(
            each.reason == "lost" for job in jobs.values() for each in job.attempts
        ),
        "transactions": max(op.seq for op in history),
        "pushes that reached the hub": pushes(network.root),
        "processes killed": network.killed,
        "connections with weather": dict(network.proxy.met),
        "jobs lost": len(lost) + len(missing),
        "jobs with two results": len(twice) + len(doubled),
        "stop attempts that overlapped": overlaps,
        "runs without a claim, or started twice": unclaimed + started_twice,
        "from death to the next claim, in TTLs": elsewhere,
        "faults": dict(network.met.most_common()),
    }
    print(json.dumps(rows, indent=1))
    return blames


def taken_over(network: Network, claims: list[Claimed]) -> str:
    """Say how long it took from a server's death until what it ran was claimed again."""
    told = network.fleet.git(
        "--git-dir", network.fleet.url, "log", "--reverse", "--topo-order", "--format=%ct", "bnet"
    )
    times = [int(line) for line in told.split()]
    of_job: dict[int, list[Claimed]] = {}
    for each in claims:
        of_job.setdefault(each.job, []).append(each)
    took = []
    for chain in of_job.values():
        for before, after in pairwise(chain):
            ended = times[before.ended or 0]
            for name, at in network.deaths:
                if before.server == name and times[before.begun] < at <= ended < at + 4 * TTL:
                    took.append((times[after.begun] - at) / TTL)
    if not took:
        return "none"
    took.sort()
    late = took[int(len(took) * 0.95)]
    return f"{len(took)}: median {statistics.median(took):.2f}, 95% {late:.2f}, longest {took[-1]:.2f}"
