"""A host lock for what takes a moment: whoever meets it waits."""

from pathlib import Path

from bnet.errors import HubUnreachable, Taken
from bnet.host.lock import HostLock


class PatientLock:
    """A host lock that is waited for, and may be entered again by its holder."""

    def __init__(self, path: Path) -> None:
        """Name the lock; its directory is made when it is first entered."""
        self._lock = HostLock(path)

    def __enter__(self) -> "PatientLock":
        try:
            self._lock.acquire(timeout_s=60)
        except Taken as error:
            # As if the hub did not answer: whoever has the mirror waits for it, and an agent tries again.
            raise HubUnreachable(error.message, hint=error.hint) from None
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()
