"""The processes of a job: find all of them, and end them."""

import os
import sys

from .files import read_file
from .lean import TYPE_CHECKING, signal
from .system import stat_fields

if TYPE_CHECKING:
    from typing import Any

PR_SET_CHILD_SUBREAPER = 36


def become_subreaper() -> bool:
    """Make orphans of the job children of this process, so that none can leave the tree by a double fork.

    Importing _ctypes takes 0.5 ms, the ctypes package 8 ms; the call needs nothing of the package.

    Returns:
        False: the system cannot do that (only Linux can).
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        import _ctypes

        library = _ctypes.dlopen(None, 0)  # type: ignore[arg-type]  # None is the program itself; typeshed knows names only
        call: Any = getattr(_ctypes, "call_function")  # noqa: B009 (typeshed does not know it)
        return bool(call(_ctypes.dlsym(library, "prctl"), (PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)) == 0)
    except (ImportError, AttributeError, OSError):
        return False


class Member:
    """A living process of the job, as the last scan saw it."""

    def __init__(self, pid: int, group: int, start: bytes) -> None:
        self.pid = pid
        self.group = group
        self.key = (pid, start)  # a pid alone may come back as another process


class Tree:
    """All processes of the job: descendants of this one, and whoever carries its BNET_RUN."""

    def __init__(self, run: str) -> None:
        self._mark = b"\0BNET_RUN=" + os.fsencode(run) + b"\0"
        self._proc = os.path.exists("/proc/self/stat")
        self._subreaper = become_subreaper()
        self.group = 0  # of the main process
        self.has_children = False

    def reap(self, main: int) -> int | None:
        """Collect ended children.

        Returns:
            The wait status of the main process, if it is among them.
        """
        status = None
        while True:
            try:
                pid, code = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                self.has_children = False
                return status
            if pid == 0:
                self.has_children = True
                return status
            if pid == main:
                status = code

    def quiet(self) -> bool:
        """Tell, after a reap, whether nothing is left; a subreaper needs no scan of /proc to know."""
        if self._subreaper or self.has_children:
            return not self.has_children
        return not self._members() if self._proc else not self._signal_group(0)

    def tell(self, number: int, told: set[tuple[int, bytes]]) -> bool:
        """Send a signal to every member that was not told yet.

        Args:
            number: the signal.
            told: keys of the members that got it; filled here.

        Returns:
            Whether anything is left.
        """
        if not self._proc:
            left = self._signal_group(0 if told else number)
            told |= {(self.group, b"")} if left else set()
            return left
        members, first = self._members(), not told
        fresh = [member for member in members if member.key not in told]
        # The group as a whole at first, since that leaves no gap for a fork; never twice, as to many
        # programs a second SIGTERM means to drop everything.
        by_group = first and any(member.group == self.group for member in fresh)
        if by_group:
            self._signal_group(number)
        for member in fresh:
            told.add(member.key)
            if not (by_group and member.group == self.group):
                self._signal(member.pid, number)
        return bool(members) or self.has_children

    def _signal(self, pid: int, number: int) -> bool:
        try:
            os.kill(pid, number)
            if number == signal.SIGTERM:
                os.kill(pid, signal.SIGCONT)  # a stopped process would not see it
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def _signal_group(self, number: int) -> bool:
        return self.group > 1 and self._signal(-self.group, number)

    def _members(self) -> list[Member]:
        parents, found = self._table()
        children: dict[int, list[int]] = {}
        for pid, parent in parents.items():
            children.setdefault(parent, []).append(pid)
        ours, ahead = set[int](), [os.getpid()]
        while ahead:
            below = children.get(ahead.pop(), [])
            ours.update(below)
            ahead += below
        return [member for pid, member in found.items() if pid in ours or self._is_marked(pid)]

    def _table(self) -> tuple[dict[int, int], dict[int, Member]]:
        """Return every process's parent, and all living processes but this one."""
        parents: dict[int, int] = {}
        living: dict[int, Member] = {}
        for name in os.listdir("/proc"):
            if not name.isdigit() or name == str(os.getpid()):
                continue
            try:
                fields = stat_fields(name)
            except OSError:
                continue
            pid = int(name)
            parents[pid] = int(fields[1])
            if fields[0] not in (b"Z", b"X"):
                living[pid] = Member(pid, int(fields[2]), fields[19])
        return parents, living

    def _is_marked(self, pid: int) -> bool:
        try:
            return self._mark in b"\0" + read_file(f"/proc/{pid}/environ")
        except OSError:
            return False
