"""What runs while a named lock is held: it is ended as soon as the lock is lost."""

import threading
from typing import Protocol

from bnet.app.locks.hold import Hold, Lost

LOOK_S = 10.0  # seconds between two looks at the hub of one who holds
WAKE_S = 1.0  # seconds within which the end of a lease is noticed, whatever the hub is doing


class Program(Protocol):
    """What runs while a lock is held."""

    def wait(self, seconds: float) -> int | None:
        """Wait for its end for so many seconds; its exit code, or None."""

    def end(self, grace_s: float) -> None:
        """End it, and all that it has started."""


def guard(hold: Hold, program: Program) -> int:
    """Hold a lock until a program has ended; return its exit code.

    The hub is asked beside, since an answer may take longer than the lease lasts.

    Raises:
        Lost: the lock was lost; the program was ended.
    """
    lost: list[Lost] = []
    over = threading.Event()

    def look() -> None:
        try:
            while not over.wait(min(LOOK_S, hold.grace_s)):
                hold.keep()
        except Lost as error:
            lost.append(error)

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    code = None
    try:
        while (code := program.wait(min(WAKE_S, hold.grace_s / 2))) is None:
            if lost:
                raise lost[0]
            hold.check()
    except Lost:
        program.end(hold.grace_s)
        raise
    finally:
        over.set()
        looking.join(hold.grace_s if code is None else None)
        hold.busy = looking.is_alive()
    return code
