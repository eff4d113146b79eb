"""How full disks are, asked so that none keeps us waiting: a network's disk may never answer.

A process that asks a dead NFS mount can be beyond SIGKILL. A thread would be as well, and take this process and the
locks that it holds with it. So each path is asked by a process that has nothing of ours; one that does not come back
is written down, and its path not asked again until it is gone.
"""

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from bnet.files import read_json, write_atomic
from bnet.host import processes
from bnet.host.clock import boot_id
from bnet.ports.machine import Disks
from bnet.process import heard

WAIT_S = 3.0  # a disk that is there answers in less than a thousandth of that
# Full is what psutil and `df` call so: what is used, of that and what this user may still write.
PROGRAM = """
import os, sys
for place, path in enumerate(sys.argv[1:]):
    if os.fork():
        continue
    os.write(1, b"%d asks %d\\n" % (place, os.getpid()))
    try:
        told = os.statvfs(path)
        used = told.f_blocks - told.f_bfree
        percent = 100 * used / (used + told.f_bavail)
    except (OSError, ValueError, ZeroDivisionError):
        percent = -1.0
    os.write(1, b"%d says %.1f\\n" % (place, percent))
    os._exit(0)
"""
_LINE = re.compile(rb"(\d+) (asks|says) (-?[\d.]+)")


def ask(paths: Sequence[str], noted: Path, *, wait_s: float = WAIT_S, program: str = PROGRAM) -> Disks:
    """Return how full the disks are that some paths are on, and which paths gave no answer.

    Args:
        paths: those that are nowhere are passed over.
        noted: a file that keeps who still waits for an answer.
        wait_s: seconds for all of them.
        program: what asks, with the paths as its arguments.
    """
    waiting = {path: who for path, who in (read_json(noted) or {}).items() if _waits(who)}
    asked = [path for path in paths if path not in waiting]
    full: dict[str, float] = {}
    if asked:
        words = [sys.executable, "-I", "-S", "-c", program, *asked]
        try:
            full, late = _understood(asked, heard(words, timeout=wait_s))
        except OSError:
            return Disks({})  # there is no room for another process: no figure is worth a failed sync
        waiting |= late
    if waiting or noted.exists():
        write_atomic(noted, msgspec.json.encode(waiting), durable=False)
    return Disks(
        {path: value for path, value in full.items() if value >= 0},
        tuple(path for path in paths if path not in full),
    )


def _waits(who: object) -> bool:
    return isinstance(who, Mapping) and bool(processes.is_noted_alive(who))


def _understood(asked: Sequence[str], said: bytes) -> tuple[dict[str, float], dict[str, object]]:
    """Return what each path's disk said, and who still asks of those that said nothing."""
    full: dict[str, float] = {}
    asking: dict[str, int] = {}
    for place, verb, value in _LINE.findall(said):
        if verb == b"asks":
            asking[asked[int(place)]] = int(value)
        else:
            full[asked[int(place)]] = float(value)
    late = {
        path: {"pid": pid, "start": start, "boot_id": boot_id()}
        for path, pid in asking.items()
        if path not in full and (start := processes.start_time(pid)) is not None
    }
    return full, dict(late)
