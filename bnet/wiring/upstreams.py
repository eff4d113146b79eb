"""The repositories of sources, as this machine reaches them."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bnet.gitstore.mirrors import FETCH_TIMEOUT, Mirrors
from bnet.host.borrowing import lent
from bnet.host.lock import HostLock
from bnet.wiring.machine import Machine

LOCK_PATIENCE = 600.0  # seconds: longer than any job works on a copy


def upstreams(
    machine: Machine, *, lock_patience: float = LOCK_PATIENCE, patience: float = FETCH_TIMEOUT
) -> Mirrors:
    """Return them, with the copies that all processes of this machine share.

    Args:
        machine: this one.
        lock_patience: seconds to wait for another process that works on the same copy.
        patience: seconds that a fetch may take.
    """
    home = machine.home
    # By this the processes of a run are found, also when whoever started them was killed.
    run = {name: value for name, value in machine.env.items() if name == "BNET_RUN"}
    return Mirrors(
        home.repositories,
        machine.git_env | run,
        partial(_locked, lock_patience),
        partial(lent, home.runs),
        patience=patience,
    )


@contextmanager
def _locked(patience: float, path: Path) -> Iterator[None]:
    lock = HostLock(path)
    lock.acquire(timeout_s=patience)
    try:
        yield
    finally:
        lock.release()
