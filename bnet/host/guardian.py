"""Ends what a process has started, where that process is killed and cannot do so itself."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bnet.host import processes

_WELL = b"."  # what is said before an end that needs nobody's help


@contextmanager
def guarded(mark: str, grace_s: float) -> Iterator[None]:
    """Have somebody beside us end all processes of a mark, should this one be killed meanwhile.

    That is a fork which waits for the end of a pipe; as a fork, it is for a process of one thread.

    Args:
        mark: the variable that they have in their environment, with the value 1.
        grace_s: seconds between asking and killing.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _stand_by(reader, lambda: processes.end(processes.find_run("1", mark), grace_s))
    os.close(reader)
    try:
        yield
    finally:
        os.write(writer, _WELL)
        os.close(writer)
        os.waitpid(child, 0)


def _stand_by(reader: int, act: Callable[[], object]) -> None:
    """Act once the other end of a pipe is closed without a word; never return."""
    try:
        os.setsid()  # neither the terminal nor a signal to its group ends this one first
        kept = os.dup2(reader, 3)
        os.closerange(kept + 1, os.sysconf("SC_OPEN_MAX"))
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):  # whoever reads what the command prints must see its end
            os.dup2(nothing, stream)
        if os.read(kept, 1) != _WELL:
            act()
    finally:
        os._exit(0)
