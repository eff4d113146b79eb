"""Processes that outlive the one that started them: start, recognise, find and end them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from bnet.errors import BnetError
from bnet.host.clock import boot_id as current_boot_id

_PROC = Path("/proc")
_HAS_PROC = (_PROC / "self" / "stat").exists()
_POLL_S = 0.02
# How long SIGKILL may take; a process that the kernel does not let go (a dead NFS mount) is not waited for.
_KILL_S = 2.0
# Python ignores the first two, nohup and `&` may have ignored the others, and exec passes that on.
_DEFAULTED = (
    signal.SIGPIPE,
    signal.SIGXFSZ,
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGCHLD,
)


def start_time(pid: int) -> int | None:
    """Tell when a process started, which with its pid and the boot names it for ever.

    Returns:
        Clock ticks since boot (field 22 of `/proc/<pid>/stat`) on Linux, elsewhere hundredths of a second
        since 1970; nothing if there is no such process, or only a zombie of it.
    """
    if not _HAS_PROC:
        return _start_time_by_psutil(pid)
    try:
        stat = (_PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    # The name, field 2, is in parentheses and may itself hold spaces and parentheses.
    fields = stat[stat.rindex(b")") + 2 :].split()
    # A zombie has ended; where nobody reaps it (many containers' pid 1) it would seem to live for ever.
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def is_alive(pid: int, start: int, boot_id: str) -> bool:
    """Tell whether the process that was once noted still runs, and is no other with its number.

    Args:
        pid: its number.
        start: what `start_time` gave for it.
        boot_id: the boot in which it was started.
    """
    return boot_id == current_boot_id() and start_time(pid) == start


def is_noted_alive(note: Mapping[str, object]) -> bool | None:
    """Tell whether the process that a `pid.json` names still runs; None if that names none, for it was damaged."""
    pid, start, boot_id = note.get("pid"), note.get("start"), note.get("boot_id")
    if not (isinstance(pid, int) and isinstance(start, int) and isinstance(boot_id, str)):
        return None
    return is_alive(pid, start, boot_id)


def find_run(run: str, mark: str = "BNET_RUN") -> list[int]:
    """Find the processes of a run by what they all inherit, whichever sessions they made.

    Args:
        run: the run's UUID.
        mark: the variable that holds it.

    Returns:
        Pids, in order, of those that have `<mark>=<run>` in their environment; never this process.
    """
    found = _pids_by_proc(mark, run) if _HAS_PROC else _pids_by_psutil(mark, run)
    return sorted(pid for pid in found if pid != os.getpid())


def end(pids: Iterable[int], grace_s: float) -> list[int]:
    """End processes: ask with SIGTERM, wait, then SIGKILL.

    Args:
        pids: whom to end; they need not be our children.
        grace_s: seconds between asking and killing, cut short when all have gone.

    Returns:
        Those that still run, two seconds after the last word: of another user, or stuck in the kernel.
    """
    # Noted first, so that a number which is given to a new process meanwhile is not signalled.
    starts = {pid: start for pid in pids if (start := start_time(pid)) is not None}
    _signal(starts, signal.SIGTERM)
    if left := _wait(starts, grace_s):
        _signal({pid: starts[pid] for pid in left}, signal.SIGKILL)
        left = _wait(starts, _KILL_S)
    return left


def spawn_detached(argv: Sequence[str], env: Mapping[str, str], cwd: Path, stderr_path: Path) -> int:
    """Start a process that owes us nothing: its own session, no terminal, none of our open files.

    It is forked twice, so that init reaps it and a long-lived parent never keeps a zombie. (Measured: 2 ms
    from a small parent, 13 ms from one of 200 MB. posix_spawn takes 0.1 ms, but knows no working directory
    and makes a child to be reaped; through a second interpreter it takes 10 ms.) As after any
    fork, what another thread holds locked just then stays so in the child: call it while there is one thread.

    Args:
        argv: the program, searched for in the PATH of `env`, and its arguments.
        env: its whole environment.
        cwd: its working directory.
        stderr_path: where its stderr is appended.

    Returns:
        Its pid, which is also the number of its session and of its process group.

    Raises:
        BnetError: it could not be started; why is said.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _fork_again(writer, argv, env, cwd, stderr_path)
    os.close(writer)
    with open(reader, encoding="utf-8") as report:
        # The end of the file comes with a successful exec, which closes the pipe's other end.
        pid, _, problem = report.read().partition(" ")
    os.waitpid(child, 0)
    if problem or not pid:
        raise BnetError(f"cannot start {argv[0]}: {problem or 'the process died at once'}")
    return int(pid)


class Sessions:
    """Starts processes in sessions of their own, many a second; as their parent it has to reap them.

    posix_spawn does not copy the parent, which from a busy agent takes ten times as long as the start itself
    (18 ms a run with a double fork beside other work, 1 ms so).
    """

    def __init__(self) -> None:
        """Begin without children."""
        self._children: set[int] = set()

    def start(self, argv: Sequence[str], env: Mapping[str, str], stderr_path: Path) -> int:
        """Start a process without terminal, input and output; files that it inherits are its to close.

        Args:
            argv: the program's path, and its arguments.
            env: its whole environment.
            stderr_path: where its stderr is appended.

        Raises:
            BnetError: it could not be started; why is said.
        """
        null, append = os.devnull, os.O_WRONLY | os.O_CREAT | os.O_APPEND
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, null, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, null, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, os.fspath(stderr_path), append, 0o600),
        ]
        try:
            pid = os.posix_spawn(
                argv[0],
                list(argv),
                env,
                file_actions=actions,
                setsid=True,
                setsigmask=(),
                setsigdef=_DEFAULTED,
            )
        except OSError as error:
            raise BnetError(f"cannot start {argv[0]}: {error.strerror}") from None
        self._children.add(pid)
        return pid

    def reap(self) -> None:
        """Take leave of those that have ended."""
        for pid in list(self._children):
            with contextlib.suppress(ChildProcessError):
                if os.waitpid(pid, os.WNOHANG) == (0, 0):
                    continue
            self._children.discard(pid)


def _fork_again(
    writer: int, argv: Sequence[str], env: Mapping[str, str], cwd: Path, stderr_path: Path
) -> NoReturn:
    """Be the process in between, which ends at once and never returns into the caller's code."""
    # A parent without stdin or stdout (`bnet sync <&-`) has a pipe whose number is about to be taken.
    report = fcntl.fcntl(writer, fcntl.F_DUPFD_CLOEXEC, 3)
    try:
        if os.fork() == 0:
            os.write(report, b"%d" % os.getpid())
            _become(report, argv, env, cwd, stderr_path)
    except BaseException as error:  # a second process must not go on with the first one's work
        os.write(report, f" {error}".encode(errors="replace"))
    finally:
        os._exit(0)


def _become(report: int, argv: Sequence[str], env: Mapping[str, str], cwd: Path, stderr_path: Path) -> None:
    os.setsid()
    errors = os.open(stderr_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    errors = fcntl.fcntl(errors, fcntl.F_DUPFD_CLOEXEC, 3)
    os.chdir(cwd)
    null = fcntl.fcntl(os.open(os.devnull, os.O_RDWR), fcntl.F_DUPFD_CLOEXEC, 3)
    for source, target in ((null, 0), (null, 1), (errors, 2)):
        os.dup2(source, target)
    # Python's own files close on exec; those that were inherited from cron or a shell might not.
    os.closerange(3, report)
    os.closerange(report + 1, os.sysconf("SC_OPEN_MAX"))
    for number in _DEFAULTED:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.execvpe(argv[0], list(argv), dict(env))


def _signal(starts: Mapping[int, int], number: signal.Signals) -> None:
    for pid, start in starts.items():
        if start_time(pid) == start:
            # Gone meanwhile, or another user's: the wait tells which.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)


def _wait(starts: Mapping[int, int], seconds: float) -> list[int]:
    deadline = time.monotonic() + seconds
    while True:
        left = [pid for pid, start in starts.items() if start_time(pid) == start]
        if not left or time.monotonic() >= deadline:
            return left
        time.sleep(_POLL_S)


def _pids_by_proc(mark: str, run: str) -> Iterator[int]:
    wanted = os.fsencode(f"{mark}={run}")
    for entry in os.listdir(_PROC):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/environ", "rb") as file:
                    environment = file.read()
            except OSError:  # gone meanwhile, or another user's
                continue
            if wanted in environment.split(b"\0"):
                yield int(entry)


def _pids_by_psutil(mark: str, run: str) -> Iterator[int]:
    import psutil

    for process in psutil.process_iter(["environ"]):
        if (process.info["environ"] or {}).get(mark) == run:
            yield process.pid


def _start_time_by_psutil(pid: int) -> int | None:
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else int(process.create_time() * 100)
    except psutil.Error:
        return None
