"""From a schedule that fails to the few faults that make it fail."""

from __future__ import annotations

from collections.abc import Sequence

from world import Outcome, play


def shrink(failed: Outcome, storm: float) -> Outcome:
    """Return the schedule without the faults that it also fails without.

    Args:
        failed: what came of it.
        storm: for how many seconds things went wrong in it.
    """
    kept = [each.number for each in failed.injected]
    everything = range(1, max(kept, default=0) * 2 + 1000)
    best, size = failed, len(kept) // 2
    while size:
        for start in range(0, len(kept), size):
            fewer = [*kept[:start], *kept[start + size :]]
            tried = play(failed.seed, without=_all_but(fewer, everything), storm=storm)
            if tried.blames:
                kept, best = [each.number for each in tried.injected], tried
                break
        else:
            size //= 2
    return best


def _all_but(kept: Sequence[int], everything: range) -> set[int]:
    return set(everything) - set(kept)
