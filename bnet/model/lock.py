"""A named lock: who holds it, and who waits, in the order of asking."""

from bnet.model.base import Moment, Name, Record, Seconds


class Stake(Record, frozen=True, kw_only=True):
    """One who holds a lock, or waits for it.

    Attributes:
        id: of this holding, for its life, from the asking on.
        by: who asked.
        token: the number of the transaction that granted it; of one who waits, of the one in which it asked.
        ttl_s: for how many seconds it counts without a sign of life.
        beats: the name of the telemetry ref that gives these signs; "" where there are none, and `ttl_s` counts
            from `token` or, if that was later, from `renewed`.
        renewed: the number of the transaction that began the count anew; 0 if none did.
        at: when it asked or was granted, for people.
        note: what it is for, likewise.
    """

    id: str
    by: str
    token: int
    ttl_s: Seconds
    beats: str = ""
    renewed: int = 0
    at: Moment
    note: str = ""


class Lock(Record, frozen=True, kw_only=True):
    """`locks/<name>.json`: exists while anybody holds the lock or waits for it."""

    name: Name
    holders: tuple[Stake, ...] = ()
    waiters: tuple[Stake, ...] = ()
