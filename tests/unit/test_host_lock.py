"""Locks between real processes."""

from __future__ import annotations

import errno
import fcntl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bnet.errors import BnetError, Taken
from bnet.host.lock import HostLock

HOLDER = """
import sys
from pathlib import Path
from bnet.host.lock import HostLock
lock = HostLock(Path(sys.argv[1]))
lock.acquire(0)
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def another_process_holding(path: Path) -> Iterator[subprocess.Popen[str]]:
    argv = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        try:
            yield holder
        finally:
            holder.kill()


def test_a_lock_that_another_process_holds_is_not_ours(tmp_path: Path) -> None:
    with another_process_holding(tmp_path / "sync.lock"):
        assert not HostLock(tmp_path / "sync.lock").try_acquire()


def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    with another_process_holding(tmp_path / "sync.lock") as holder:
        holder.kill()
        holder.wait()
        assert HostLock(tmp_path / "sync.lock").try_acquire()


def test_waiting_in_vain_says_for_what_and_how_long(tmp_path: Path) -> None:
    with another_process_holding(tmp_path / "sync.lock"):
        began = time.monotonic()
        with pytest.raises(Taken, match=r"sync\.lock is locked by another bnet process \(waited 0\.2 s\)"):
            HostLock(tmp_path / "sync.lock").acquire(0.2)
        assert 0.2 <= time.monotonic() - began < 5


def test_waiting_ends_when_the_holder_does(tmp_path: Path) -> None:
    with another_process_holding(tmp_path / "sync.lock") as holder:
        assert holder.stdin is not None
        holder.stdin.close()
        HostLock(tmp_path / "sync.lock").acquire(30)


def test_two_instances_in_one_process_exclude_each_other(tmp_path: Path) -> None:
    first, second = HostLock(tmp_path / "a.lock"), HostLock(tmp_path / "a.lock")
    assert first.try_acquire()
    assert not second.try_acquire()
    with pytest.raises(Taken):
        second.acquire(0.05)
    first.release()
    assert second.try_acquire()


def test_leaving_the_context_releases_after_an_error_too(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), HostLock(tmp_path / "a.lock"):
        raise RuntimeError
    assert HostLock(tmp_path / "a.lock").try_acquire()


def test_entering_the_context_of_a_taken_lock_is_refused(tmp_path: Path) -> None:
    held = HostLock(tmp_path / "a.lock")
    assert held.try_acquire()
    with pytest.raises(Taken), HostLock(tmp_path / "a.lock"):
        pass


def test_releasing_what_was_never_taken_does_nothing(tmp_path: Path) -> None:
    HostLock(tmp_path / "a.lock").release()
    assert not (tmp_path / "a.lock").exists()


def test_the_directory_is_made(tmp_path: Path) -> None:
    assert HostLock(tmp_path / "new" / "a.lock").try_acquire()


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_said_and_never_worked_around(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def flock(_fd: int, _operation: int) -> None:
        raise OSError(number, "no")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(BnetError, match="has no working lock") as caught:
        HostLock(tmp_path / "a.lock").try_acquire()
    assert caught.value.hint == "set BNET_HOME to a directory on a local disk"


def test_a_lock_that_cannot_be_opened_is_an_error_for_people(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BnetError, match="cannot open the lock"):
        HostLock(tmp_path / "file" / "a.lock").try_acquire()
