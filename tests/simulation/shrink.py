"""From a schedule that fails to the few faults that make it fail."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from world import Outcome, play


def shrink(seed: int | str, failed: Outcome, told: Callable[[int], None] = lambda left: None) -> Outcome:
    """Return the schedule without the faults that it also fails without.

    Args:
        seed: of the schedule.
        failed: what came of it.
        told: how many faults are left, after each step.
    """
    kept = [each.number for each in failed.injected]
    everything = range(1, max(kept, default=0) * 2 + 1000)
    best, size = failed, len(kept) // 2
    while size:
        for start in range(0, len(kept), size):
            fewer = [*kept[:start], *kept[start + size :]]
            tried = play(seed, without=_all_but(fewer, everything))
            if tried.blames:
                kept, best = [each.number for each in tried.injected], tried
                told(len(kept))
                break
        else:
            size //= 2
    return best


def _all_but(kept: Sequence[int], everything: range) -> set[int]:
    return set(everything) - set(kept)
