"""Who works on what, and when: packages in turn, and threads that take them."""

import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from bnet.build.outcome import Outcome


def default_jobs() -> int:
    """Return how many packages are worked on at once: as many as there are cores to use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


class Turn:
    """Whose turn it is: packages all of whose dependencies have ended, in the order of the graph."""

    def __init__(self, order: Sequence[str], needs: Mapping[str, Sequence[str]]) -> None:
        self._waiting = {name: set(needs[name]) for name in order}
        self._users: dict[str, list[str]] = {}
        for name in order:
            for each in needs[name]:
                self._users.setdefault(each, []).append(name)
        self.ready = deque(name for name in order if not self._waiting[name])

    def ended(self, name: str) -> None:
        """Let those begin that waited for this one last."""
        for user in self._users.get(name, ()):
            self._waiting[user].discard(name)
            if not self._waiting[user]:
                self.ready.append(user)


class Crew:
    """Threads that work on packages; they are begun as they are needed."""

    def __init__(self, most: int, work: Callable[[str], Outcome]) -> None:
        self.busy = 0
        self._most = most
        self._work = work
        self._given: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Outcome | BaseException] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def give(self, name: str) -> None:
        """Let one of them work on a package."""
        self.busy += 1
        if len(self._threads) < min(self._most, self.busy):
            self._threads.append(threading.Thread(target=self._toil, daemon=True))
            self._threads[-1].start()
        self._given.put(name)

    def take(self) -> Outcome:
        """Wait for one that has ended; what was raised in its thread is raised here."""
        ended = self._done.get()
        self.busy -= 1
        if isinstance(ended, BaseException):
            raise ended
        return ended

    def end(self) -> None:
        """Wait for all of them."""
        for _ in self._threads:
            self._given.put(None)
        for thread in self._threads:
            thread.join()

    def _toil(self) -> None:
        while (name := self._given.get()) is not None:
            try:
                self._done.put(self._work(name))
            except BaseException as error:  # it is raised again where somebody waits for it
                self._done.put(error)
