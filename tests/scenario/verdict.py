"""What the history of a hub, and what jobs wrote down themselves, must show after whatever happened."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

from fleet import Claimed, Fleet, whole_lines

from bnet.model.job import Job

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
    """Return how often the history says that the run of each job was its last."""
    return Counter(int(op.target) for op in fleet.history() if op.verb == "finish")


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
    begun = Counter(
        each[1] for each in words if each[2] == "start"
    )  # none, if each was ended before its first word
    assert max(begun.values(), default=1) == 1
    assert job.result is not None
    if job.result.result == "success":
        assert [each[2] for each in words if each[1] == job.result.run][-1] == "end"
