"""A server's machine at work: its lock, its log, its leftovers."""

import contextlib
import os
import shutil
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType

from bnet.files import set_aside
from bnet.host.home import Home
from bnet.host.lock import HostLock
from bnet.model.hub import Retention
from bnet.ports.machine import Clock

LOG_BYTES = 1_000_000
RUNS_EVERY = 300.0  # seconds between two looks at what reported runs left behind


class Station:
    """What a server's work needs of its machine, beyond the ports."""

    def __init__(self, home: Home, clock: Clock) -> None:
        """Keep where the server's files are."""
        self.home = home
        self.clock = clock
        self._lock = HostLock(home.sync_lock)
        self._asked = False

    def enter(self) -> bool:
        """Take the host's sync lock; False if another process has it."""
        self.home.ensure()
        if not self._lock.try_acquire():
            return False
        self.heed_signals()
        return True

    def heed_signals(self) -> None:
        """Take being told to end as a question from now on, see `stop_asked`."""
        for name in (signal.SIGTERM, signal.SIGINT):
            with contextlib.suppress(ValueError):  # not in the main thread: a test, or an embedder's business
                signal.signal(name, self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True

    def leave(self) -> None:
        """Give the lock back."""
        self._lock.release()

    def stop_asked(self) -> bool:
        """Tell whether this process was asked to end: once means after this round, twice means now."""
        return self._asked

    def log(self, text: str, name: str = "sync.log") -> None:
        """Write a line into one of this server's logs, which are kept from growing for ever."""
        path = self.home.logs / name
        with contextlib.suppress(OSError):
            if path.exists() and path.stat().st_size > LOG_BYTES:
                set_aside(path, ".1")
            with path.open("a") as log:
                log.write(f"{self.clock.now():%Y-%m-%dT%H:%M:%SZ} {text}\n")

    def is_past(self, chore: str, every_s: float) -> bool:
        """Tell whether a chore was last done so many seconds ago."""
        with contextlib.suppress(OSError):
            done = (self.home.cache / f"{chore}.done").stat().st_mtime
            return not 0 <= self.clock.now().timestamp() - done < every_s
        return True

    def is_due(self, chore: str, every_s: float) -> bool:
        """Tell whether a chore was last done so many seconds ago, and if so, take it as done now."""
        past = self.is_past(chore, every_s)
        if past:
            with contextlib.suppress(OSError):
                (self.home.cache / f"{chore}.done").touch()
        return past

    def sweep_runs(self, retention: Retention) -> None:
        """Remove what reported runs left: at once what failed least, kept longest what failed."""
        if not self.is_due("runs", RUNS_EVERY):
            return
        settled = [path for path in self.home.runs.glob("[0-9]*.[0-9]*") if (path / "settled").exists()]
        for path in to_remove([_Leftover(each) for each in settled], self.clock.now(), retention):
            shutil.rmtree(path, ignore_errors=True)


class _Leftover:
    """A reported run's directory: when it ended, whether well, how large it is."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.at = datetime.fromtimestamp((path / "settled").stat().st_mtime, UTC)
        self.failed = b'"exit_code": 0' not in _bytes(path / "exit.json")
        self.size = _size(path)


def to_remove(leftovers: list["_Leftover"], now: datetime, retention: Retention) -> list[Path]:
    """Return the directories to remove: those past their time, then the oldest, failed ones last."""
    keep = timedelta(seconds=retention.workspaces)
    gone = [each for each in leftovers if now - each.at > keep]
    left = [each for each in leftovers if now - each.at <= keep]
    total = sum(each.size for each in left)
    for each in sorted(left, key=lambda one: (one.failed, one.at)):
        if total <= retention.workspace_bytes:
            break
        total -= each.size
        gone.append(each)
    return [each.path for each in gone]


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _size(path: Path) -> int:
    total = 0
    for directory, _, names in os.walk(path):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(directory, name)).st_size
    return total
