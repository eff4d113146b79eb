"""The steward: the one server that at present does the chores with effects outside the hub."""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import Protocol, TypeVar

import msgspec

from bnet.app.ledger import Ledger
from bnet.app.locks.hold import Hold, Lost
from bnet.errors import AnswerNo, BnetError, HubUnreachable
from bnet.model.state import State
from bnet.ports.machine import Clock
from bnet.rules.leases import BEAT_SHARE, default_ttl

T = TypeVar("T")

LOCK = "steward"
TERM_S = 86400.0  # seconds; after that, whoever comes next may be a newer bnet
FAILURES = 3  # in a row of one chore, and the lock is given up: another server may do better
LOOK_S = 5.0  # seconds between two looks at the hub
AT_ONCE = 4  # errands


class Away(Protocol):
    """Does errands outside the hub, several at once, while the lock is kept."""

    def __call__(self, errands: Sequence[Callable[[], T]]) -> list[T]:
        """Return what each errand returns, in their order.

        Raises:
            Lost: the lock was lost; what is under way is not waited for.
        """


def at_once(errands: Sequence[Callable[[], T]]) -> list[T]:
    """Do errands where no lock is kept: the `Away` of a command."""
    return [each() for each in errands]


class Chore(Protocol):
    """One kind of work with effects outside the hub."""

    def do(self, away: Away) -> None:
        """Do what is due; it is called every few seconds.

        Raises:
            BnetError: nothing of it can be done from here.
        """


class Task(msgspec.Struct, frozen=True):
    """A chore as it is registered: its name, whether a network has anything of it, and how it is begun."""

    name: str
    wanted: Callable[[State], bool]
    begin: Callable[[], Chore]


class GaveUp(AnswerNo):
    """A chore failed too often; the lock was given back for another server to try."""


class Steward:
    """One term of office."""

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        tasks: Sequence[Task],
        *,
        who: str,
        told: Callable[[str], object],
        stop: Callable[[], bool],
    ) -> None:
        """Keep the parts.

        Args:
            ledger: the hub's.
            clock: this machine's.
            tasks: what there is to do.
            who: this server's name.
            told: called with a sentence for the log.
            stop: whether this process was asked to end.
        """
        self._ledger = ledger
        self._clock = clock
        self._tasks = tasks
        self._who = who
        self._told = told
        self._stop = stop
        self._chores: dict[str, Chore] = {}
        self._failures: dict[str, int] = {}

    def serve(self, *, once: bool = False) -> bool:
        """Do chores as long as there are any; False if another server does.

        Args:
            once: do each one once, and end.

        Raises:
            GaveUp: one of them failed three times in a row.
            HubUnreachable: the hub does not answer.
        """
        self._ledger.refresh()
        settings, servers = self._ledger.state.settings, len(self._ledger.state.servers)
        ttl_s = settings.ttl or default_ttl(servers, settings.push_budget)
        hold = Hold(self._ledger, self._clock, LOCK, self._who, ttl_s=ttl_s, note="chores")
        if not hold.step(waits=False):
            return False
        self._told(f"is the steward (token {hold.token})")
        try:
            self._work(hold, ttl_s * BEAT_SHARE / 2, once=once)
        except Lost as lost:
            self._told(str(lost))
        finally:
            hold.give_back()
        return True

    def _work(self, hold: Hold, patience_s: float, *, once: bool) -> None:
        pause = min(LOOK_S, patience_s)
        away = _Errands(hold, pause)
        ends = self._clock.boot() + TERM_S
        while not self._stop() and self._clock.boot() < ends:
            hold.keep()
            me = self._ledger.state.servers.get(self._who)
            if me is None or me.wanted != "active":
                self._told(f"{self._who} is {'no server any more' if me is None else me.wanted}")
                return
            wanted = [each for each in self._tasks if each.wanted(self._ledger.state)]
            if not wanted:
                self._told("there is nothing to do for a steward")
                return
            for task in wanted:
                self._do(task, away)
            if once:
                return
            self._rest(pause)

    def _rest(self, seconds: float) -> None:
        until = self._clock.boot() + seconds
        while not self._stop() and (left := until - self._clock.boot()) > 0:
            self._clock.sleep(min(0.2, left))

    def _do(self, task: Task, away: Away) -> None:
        try:
            chore = self._chores.get(task.name) or task.begin()
            self._chores[task.name] = chore
            chore.do(away)
            self._failures[task.name] = 0
        except (Lost, HubUnreachable):
            raise
        except BnetError as error:
            failures = self._failures[task.name] = self._failures.get(task.name, 0) + 1
            self._told(f"{task.name}: {error}")
            if failures >= FAILURES:
                raise GaveUp(f"{task.name} failed {failures} times in a row: {error}") from None


class _Errands:
    """Threads for what is slow; the ledger is touched by none of them."""

    def __init__(self, hold: Hold, patience_s: float) -> None:
        self._hold, self._patience_s = hold, patience_s

    def __call__(self, errands: Sequence[Callable[[], T]]) -> list[T]:
        if not errands:
            return []
        pool = ThreadPoolExecutor(min(AT_ONCE, len(errands)), thread_name_prefix="errand")
        try:
            futures = [pool.submit(each) for each in errands]
            left = set(futures)
            while left:
                left = wait(left, timeout=self._patience_s, return_when=FIRST_COMPLETED).not_done
                if left:
                    self._hold.keep()
            return [each.result() for each in futures]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def is_wanted(tasks: Sequence[Task], state: State) -> bool:
    """Tell whether a network has anything for a steward to do."""
    return any(each.wanted(state) for each in tasks)


def holder_of(state: State) -> str:
    """Return the server that is the steward; "" if none is."""
    lock = state.locks.get(LOCK)
    return lock.holders[0].by if lock is not None and lock.holders else ""
