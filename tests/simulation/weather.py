"""What goes wrong, drawn from a seed; each fault has a number, under which it can be left out again."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection
from typing import NamedTuple

# Of a call over the network.
LOST, UNANSWERED, LATE, TWICE, SLOW, HALF = "lost", "unanswered", "late", "twice", "slow", "half"
# Of a process, at any of its effects.
KILLED, STALLED = "killed", "stalled"
# Of a machine, of the network, of the hub, by people.
POWER, REBOOT, CLOCK, CUT, CUT_ALL, SUPERVISOR, LOST_HOME, CLONE, DAMAGED = (
    "power loss",
    "reboot",
    "clock jumps",
    "partition",
    "hub away",
    "supervisor killed",
    "home deleted",
    "clone",
    "mirror damaged",
)
MUTE, READ_ONLY = "heartbeats refused", "pushes refused"
BACKUP, BROKEN, REVERT, SETTINGS, REMOVED, REPLACED, INBOX = (
    "hub from backup",
    "document broken",
    "transaction reverted",
    "settings edited",
    "server removed",
    "server replaced",
    "commands by commit",
)

CALLS = (LOST, UNANSWERED, LATE, TWICE, SLOW, HALF)
EVENTS = (
    POWER,
    REBOOT,
    CLOCK,
    CUT,
    CUT_ALL,
    SUPERVISOR,
    LOST_HOME,
    CLONE,
    DAMAGED,
    BACKUP,
    BROKEN,
    REVERT,
    SETTINGS,
    REMOVED,
    REPLACED,
    INBOX,
    MUTE,
    READ_ONLY,
)
RARE = {
    LOST_HOME: 0.25,
    CLONE: 0.25,
    BACKUP: 0.3,
    REMOVED: 0.3,
    REPLACED: 0.3,
}  # of a schedule that could have them at all
ALL = (*CALLS, KILLED, STALLED, *EVENTS)


class Injected(NamedTuple):
    """A fault that happened: its number, when, what, and to whom."""

    number: int
    at: float
    what: str
    whom: str

    def __str__(self) -> str:
        return f"{self.number:4} {self.at:8.1f} s  {self.what} ({self.whom})"


class Weather:
    """The faults of one schedule.

    Each schedule draws for itself which kinds it may have and how often, so that some meet a few of one kind and
    some meet everything at once: what one kind hides, another schedule shows.
    """

    def __init__(self, seed: int | str, without: Collection[int] = ()) -> None:
        """Draw; faults of these numbers are left out."""
        self._chance = random.Random(f"weather {seed}")
        self._without = frozenset(without)
        self.injected: list[Injected] = []
        self.asked = 0
        self.calm = False
        chosen = {kind for kind in ALL if self._chance.random() < RARE.get(kind, 0.45)}
        self.rates = {kind: self._chance.choice((0.01, 0.03, 0.1)) for kind in ALL if kind in chosen}

    def call(self, now: float, whom: str) -> str:
        """Return the fate of a call over the network; "" if it goes well."""
        return self._draw(CALLS, now, whom)

    def effect(self, now: float, whom: str) -> str:
        """Return what happens to a process at one of its effects; mostly nothing."""
        return self._draw((KILLED, STALLED), now, whom, share=0.15)

    def event(self, now: float, whom: str) -> str:
        """Return what happens to a machine, the hub or the ledger now; asked now and then."""
        return self._draw(EVENTS, now, whom, share=0.8)

    def _draw(self, kinds: tuple[str, ...], now: float, whom: str, share: float = 1.0) -> str:
        if self.calm:
            return ""
        at = self._chance.random()
        for kind in kinds:
            at -= self.rates.get(kind, 0.0) * share
            if at < 0:
                self.asked += 1
                if self.asked in self._without:
                    return ""
                self.injected.append(Injected(self.asked, now, kind, whom))
                return kind
        return ""

    def counted(self) -> Counter[str]:
        """Return how often each kind happened."""
        return Counter(each.what for each in self.injected)
