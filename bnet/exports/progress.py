"""Which jobs' ends an export still has to send, so that none is left out, whatever becomes of it midway."""

from collections.abc import Iterable, Sequence, Set

from bnet.model.base import Record
from bnet.model.history import Past


class Progress(Record, frozen=True, kw_only=True):
    """What a collector has.

    Attributes:
        floor: the ends of all jobs with numbers below.
        beyond: those of others, by their numbers.
    """

    floor: int = 0
    beyond: tuple[int, ...] = ()


def due(past: Sequence[Past], known: Progress | None, since: float) -> list[Past]:
    """Return the jobs whose end is to be sent, the oldest end first.

    Args:
        past: all jobs.
        known: what the collector has; None if nothing was ever sent.
        since: seconds since 1970; what ended later is sent whether it has it or not.
    """
    has = set() if known is None else set(known.beyond)
    floor = float("inf") if known is None else known.floor
    found = [
        each
        for each in past
        if each.finished is not None
        and (each.finished >= since or (each.number >= floor and each.number not in has))
    ]
    return sorted(found, key=lambda each: each.key)


def after(past: Iterable[Past], still: Set[int]) -> Progress:
    """Return what a collector has once all ends were sent but those of some jobs, and of those that are open."""
    ended = {each.number: each.finished is not None and each.number not in still for each in past}
    floor = min((number for number, sent in ended.items() if not sent), default=max(ended, default=0) + 1)
    return Progress(
        floor=floor, beyond=tuple(sorted(number for number, sent in ended.items() if sent and number > floor))
    )
