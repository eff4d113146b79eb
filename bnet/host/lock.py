"""Locks among the processes of one machine, which the kernel frees when their holder dies."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING, Self

from bnet.errors import BnetError, Taken

if TYPE_CHECKING:
    from types import TracebackType

    from filelock import UnixFileLock

# What flock answers where the file system does not have it: some FUSE and NFS mounts, 9p.
_NO_FLOCK = frozenset({errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP})


class HostLock:
    """An exclusive lock on a file: between processes, and between two instances in one process.

    It is held until it is released, its instance is dropped or the process ends, killed or not. One instance
    may acquire it again while it holds it, and then releases it as often.
    """

    def __init__(self, path: Path) -> None:
        """Name the lock; nothing is opened yet.

        Args:
            path: the lock's file; it and its directories are made on the first try, and the file stays.
        """
        self._path = path
        self._lock: UnixFileLock | None = None

    def try_acquire(self) -> bool:
        """Take the lock if it is free.

        Returns:
            Whether it is ours now.

        Raises:
            BnetError: this file system has no working lock, or the file cannot be opened.
        """
        return self._acquire(timeout_s=0.0)

    def acquire(self, timeout_s: float) -> None:
        """Wait for the lock and take it.

        Args:
            timeout_s: seconds to wait at most.

        Raises:
            Taken: another held it all that time.
            BnetError: this file system has no working lock, or the file cannot be opened.
        """
        if not self._acquire(timeout_s=max(timeout_s, 0.0)):
            raise Taken(
                f"{self._path} is locked by another bnet process (waited {timeout_s:g} s)",
                hint=f"try again when it is done; `fuser -v {self._path}` shows who it is",
            )

    def release(self) -> None:
        """Give the lock back; nothing happens if it is not ours."""
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Self:
        """Take the lock now or raise `Taken`."""
        self.acquire(timeout_s=0.0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the lock back."""
        self.release()

    def _acquire(self, timeout_s: float) -> bool:
        from filelock import Timeout

        try:
            self._opened().acquire(timeout=timeout_s, poll_interval=0.02)
        except Timeout:
            return False
        except OSError as error:
            raise self._explained(error) from error
        return True

    def _opened(self) -> UnixFileLock:
        # filelock costs 16 ms beside what a sync has imported anyway, 40 ms in a bare Python. Importing its
        # Unix part alone saves nothing: the package's own __init__ loads all of it.
        from filelock import UnixFileLock

        if self._lock is None:
            # Without flock, filelock would fall back to a file whose existence is the lock: one that outlives
            # a holder killed by SIGKILL, while another process may take flock for granted.
            # Not thread-local, so that any thread of the holder may release it.
            self._lock = UnixFileLock(self._path, fallback_to_soft=False, thread_local=False)
        return self._lock

    def _explained(self, error: OSError) -> BnetError:
        if error.errno in _NO_FLOCK:
            return BnetError(
                f"the file system of {self._path} has no working lock ({os.strerror(error.errno or 0)})",
                hint="set BNET_HOME to a directory on a local disk",
            )
        return BnetError(f"cannot open the lock {self._path}: {error.strerror or error}")
