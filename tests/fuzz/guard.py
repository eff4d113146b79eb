"""One input, under a limit of time and of memory; and what it was, where the process does not survive it.

Memory: an input has at most 32 kB, and what is made of it may take 64 MB more than the process ever had: 2,000
times its size, and far below what any server has to spare. It is measured as the growth of the process's peak
(`ru_maxrss`); beyond 1 GB more than at the start the kernel gives no more, and the input fails by a `MemoryError`.
"""

from __future__ import annotations

import mmap
import re
import resource
import signal
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from mutation import LONGEST
from target import Target

SECONDS = 2.0  # of CPU time that an input may take
GROWTH = 64 << 20  # bytes by which an input may raise the process's peak
ROOM = 1 << 30  # bytes of address space beyond what a process has at its start
_CODE = str(Path(__file__).parents[2] / "bnet") + "/"


class Hang(BaseException):
    """An input took too long; no `Exception`, so that no parser takes it for its own."""


class Greedy(BaseException):
    """An input took too much memory."""


class Crash(NamedTuple):
    """What went wrong: of which kind, where in bnet, and the whole story."""

    kind: str
    where: str
    told: str

    @property
    def name(self) -> str:
        """What tells this one from others."""
        return f"{self.kind} at {self.where}"


def feed(target: Target, data: bytes) -> tuple[Crash | None, float]:
    """Feed a target, and return what went wrong, if anything did, with the seconds of CPU that it took."""
    begun, peak = time.process_time(), _peak()
    crash = None
    try:
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        target.feed(data)
        if _peak() > peak + GROWTH:
            raise Greedy(f"it took {(_peak() - peak) >> 20} MB")
    # Whatever comes out of a target, a parser did not document.
    except (Exception, Hang, Greedy, SystemExit) as error:
        signal.setitimer(signal.ITIMER_PROF, 0)
        crash = _crash(error)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return crash, time.process_time() - begun


@contextmanager
def watched(*, bounded: bool = True) -> Iterator[None]:
    """Let an input that takes too long raise `Hang`, and a warning be an error.

    Args:
        bounded: whether this process gets no more than so much memory from now on.
    """
    before = signal.signal(signal.SIGPROF, _hang)
    limits = resource.getrlimit(resource.RLIMIT_AS)
    if bounded:
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + ROOM, limits[1]))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield
    finally:
        signal.signal(signal.SIGPROF, before)
        resource.setrlimit(resource.RLIMIT_AS, limits)


class Witness:
    """The input at hand, in memory that outlives the process."""

    def __init__(self, path: Path) -> None:
        """Take a file; it is made if it is missing."""
        if not path.exists():
            path.write_bytes(bytes(8 + LONGEST))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 8 + LONGEST)

    def note(self, data: bytes) -> None:
        """Remember an input."""
        self._memory[8 : 8 + len(data)] = data
        self._memory[:8] = len(data).to_bytes(8, "big")

    def noted(self) -> bytes:
        """Return the input that was remembered last."""
        return self._memory[8 : 8 + int.from_bytes(self._memory[:8], "big")]


def _hang(number: int, frame: FrameType | None) -> None:
    raise Hang(f"it takes more than {SECONDS:g} s")


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _crash(error: BaseException) -> Crash:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [each for each in frames if each.filename.startswith(_CODE)] or list(frames[-1:])
    last = ours[-1] if ours else None
    where = "?" if last is None else f"{last.filename.removeprefix(_CODE)}:{last.lineno}"
    kind = type(error).__name__
    if kind == "Broken":  # where it was found says nothing; what does
        where = re.sub(r"'.*'|[0-9]+", "...", str(error))[:60]
    if kind == "Hang":  # on which line of a loop it was met is chance
        where = where.partition(":")[0]
    return Crash(kind, where, "".join(traceback.format_exception(error, limit=-4))[-3000:])
