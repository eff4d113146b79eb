"""Play many schedules and say what was met: python tests/simulation/soak.py [--schedules N] [--first SEED] [-j N].

A schedule that fails is named by its seed, which plays it again exactly, and shrunk to the faults that it takes:
python tests/simulation/soak.py --seed SEED
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable
from functools import partial

import weather
from shrink import shrink
from world import STORM, Outcome, play

ENOUGH = 100  # so often each fault has to be met in a soak, or it proves little about that fault


def main() -> int:
    """Play, and print a table; 1 if anything did not hold."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--schedules", type=int, default=1000, metavar="N")
    parser.add_argument("--first", type=int, default=1, metavar="SEED", help="the first seed (default 1)")
    parser.add_argument("--seed", help="play this one alone, and shrink it if it fails")
    parser.add_argument(
        "--storm", type=float, default=STORM, metavar="S", help="seconds in which things go wrong"
    )
    parser.add_argument("-j", type=int, default=os.cpu_count() or 1, metavar="N", help="so many at a time")
    asked = parser.parse_args()
    if asked.seed is not None:
        return _one(int(asked.seed) if asked.seed.isdecimal() else asked.seed, asked.storm)
    begun, seeds = time.monotonic(), range(asked.first, asked.first + asked.schedules)
    with multiprocessing.Pool(asked.j) as pool:
        outcomes = pool.imap_unordered(partial(play, storm=asked.storm), seeds, chunksize=4)
        failed = _sum_up(outcomes, len(seeds), begun)
    for each in failed[:5]:
        print()
        _one(each.seed, asked.storm)
    return 1 if failed else 0


def _sum_up(outcomes: Iterable[Outcome], count: int, begun: float) -> list[Outcome]:
    faults: Counter[str] = Counter()
    checks: Counter[str] = Counter()
    failed, jobs, pushes, seconds = [], 0, 0, 0.0
    for done, each in enumerate(outcomes, 1):
        faults.update(fault.what for fault in each.injected)
        checks.update(each.checks)
        jobs, pushes, seconds = jobs + each.jobs, pushes + each.pushes, seconds + each.seconds
        if each.blames:
            failed.append(each)
            print(f"seed {each.seed}: {each.blames[0]}", flush=True)
        if sys.stderr.isatty():
            print(f"\r{done} of {count}", end="", file=sys.stderr)
    took = time.monotonic() - begun
    print(
        f"{count} schedules in {took:.0f} s: {seconds / 3600:.0f} simulated hours, {jobs} jobs, {pushes} pushes"
    )
    print(f"{len(failed)} of them broke a promise")
    print("\nchecked\n" + "\n".join(f"  {what:<22} {number:>9,}" for what, number in sorted(checks.items())))
    print("\ninjected")
    for what in weather.ALL:
        few = "" if faults[what] >= ENOUGH else f"  (fewer than {ENOUGH})"
        print(f"  {what:<22} {faults[what]:>9,}{few}")
    return failed


def _one(seed: int | str, storm: float) -> int:
    found = play(seed, storm=storm)
    if not found.blames:
        print(f"seed {seed}: {len(found.injected)} faults, and all is well")
        return 0
    least = shrink(found, storm)
    print(f"seed {seed} fails with {len(least.injected)} of {len(found.injected)} faults:")
    print("\n".join(f"  {each}" for each in least.injected))
    print("\n".join(least.blames[:5]))
    return 1


if __name__ == "__main__":
    sys.exit(main())
