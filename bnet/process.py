"""The one gateway to other programs."""

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple


class Completed(NamedTuple):
    """How a program ended: its exit code (negative: the signal), and what it wrote."""

    code: int
    out: bytes
    err: bytes

    @property
    def complaint(self) -> str:
        """The last lines that it wrote about what went wrong, for people."""
        text = (self.err or self.out).decode(errors="replace").strip()
        return "\n".join(text.splitlines()[-8:]) or f"exit code {self.code}"


class TimedOut(Exception):
    """A program did not end in its time; it and its children were killed."""


def run(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    input: bytes | None = None,
    timeout: float | None = None,
) -> Completed:
    """Run a program to its end, in a process group of its own.

    Args:
        argv: the program and its arguments.
        env: its whole environment; None for ours.
        cwd: where it runs; without it, where we stand, or in / if that directory is gone.
        input: what it reads; without it, it reads nothing.
        timeout: seconds after which the whole group is killed.

    Raises:
        TimedOut: it did not end in time.
        OSError: it could not be started.
    """
    process = subprocess.Popen(
        argv,
        env=env,
        cwd=cwd or _standing(),
        stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(input, timeout)
    except subprocess.TimeoutExpired:
        raise TimedOut(f"{argv[0]} did not end within {timeout:.0f} s") from None
    finally:
        if process.poll() is None:
            _kill_group(process)
    return Completed(process.returncode, out, err)


def heard(argv: Sequence[str | Path], *, timeout: float) -> bytes:
    """Return what a program and its children have printed once all have ended, or so many seconds have passed.

    Those that are left are killed and not waited for: one in the hands of the kernel may not go for days.

    Args:
        argv: the program, which leaves what may take long to its children, and their arguments.
        timeout: seconds.

    Raises:
        OSError: it could not be started.
    """
    process = subprocess.Popen(
        argv,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stdout is not None
    told, until = b"", time.monotonic() + timeout
    with process.stdout as pipe:
        while (left := until - time.monotonic()) > 0 and select.select([pipe], [], [], left)[0]:
            piece = os.read(pipe.fileno(), 65536)
            if not piece:
                break
            told += piece
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return told


class Child:
    """A program in a session of its own, with all that it prints in one file."""

    def __init__(
        self, argv: Sequence[str | Path], *, env: Mapping[str, str], cwd: Path | str, log: int
    ) -> None:
        """Start it.

        Args:
            argv: the program and its arguments.
            env: its whole environment.
            cwd: where it runs.
            log: an open file that gets what it prints.

        Raises:
            OSError: it could not be started.
        """
        self._process = subprocess.Popen(
            argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )

    def wait(self, timeout: float | None) -> int:
        """Wait for its end, and end what it left running in its group.

        Returns:
            Its exit code; negative: the signal.

        Raises:
            TimedOut: it did not end in so many seconds; it was killed with its group.
        """
        try:
            if timeout is not None and not self._ends_within(timeout):
                raise TimedOut(f"did not end within {timeout:.0f} s")
            # Left as a zombie for a moment, so that its group's number is nobody else's while that is ended.
            os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        finally:
            self.kill()
        return self._process.wait()

    def _ends_within(self, timeout: float) -> bool:
        handle = os.pidfd_open(self._process.pid)
        try:
            return bool(select.select([handle], [], [], timeout)[0])
        finally:
            os.close(handle)

    def kill(self) -> None:
        """End it now, and what is in its group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)


class Attached:
    """A program in the foreground: it has our terminal, our input and our output."""

    def __init__(self, argv: Sequence[str], *, env: Mapping[str, str]) -> None:
        """Start it.

        Args:
            argv: the program and its arguments.
            env: its whole environment.

        Raises:
            OSError: it could not be started.
        """
        self._process = subprocess.Popen(argv, env=env)

    def wait(self, seconds: float) -> int | None:
        """Wait for its end for so many seconds; its exit code (negative: the signal), or None."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def signal(self, number: int) -> None:
        """Hand a signal on to it."""
        self._process.send_signal(number)


def _standing() -> str | None:
    try:
        os.getcwd()
    except FileNotFoundError:
        return "/"  # Git, for one, does not start in a directory that was removed
    return None


def _kill_group(process: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
