"""How a run ended."""

import os
import time

from .lean import Document
from .system import now


def timestamp(epoch: float) -> str:
    """Return a time as RFC 3339 in UTC with milliseconds.

    Args:
        epoch: seconds since 1970.
    """
    whole, milli = divmod(int(epoch * 1000), 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{milli:03d}Z"


class Result:
    """The content of exit.json while it comes together."""

    def __init__(self, run: object) -> None:
        self._epoch, self._begin = time.time(), now()
        self.run = run
        self.outcome = "internal"
        self.exit_code: int | None = None
        self.signal: int | None = None
        self.reason: str | None = None
        self.message: str | None = None
        self.text = ""  # for the last line of the log
        self.artifacts: list[Document] = []
        self.problems: list[str] = []

    def set_status(self, status: int | None) -> None:
        """Take over the wait status of the command."""
        if status is not None:
            code = os.waitstatus_to_exitcode(status)
            self.exit_code, self.signal = (code, None) if code >= 0 else (128 - code, -code)

    def seconds(self) -> float:
        """Return the seconds since the start."""
        return round(now() - self._begin, 3)

    def ending(self) -> str:
        """Return how it ended, as the last line of the log says it."""
        if self.outcome != "exit":
            return self.text
        how = f"signal {self.signal}" if self.signal else f"exit {self.exit_code}"
        why = f": {self.message}" if self.message else ""
        verdict = "failure" if self.exit_code else "success"
        return f"{verdict} ({how}{why}) after {self.seconds():.1f} s"

    def document(self, log_size: int) -> Document:
        """Return exit.json.

        Args:
            log_size: bytes of the whole output.
        """
        return {
            "run": self.run,
            "outcome": self.outcome,
            "exit_code": self.exit_code,
            "signal": self.signal,
            "reason": self.reason,
            "message": self.message,
            "started_at": timestamp(self._epoch),
            "finished_at": timestamp(time.time()),
            "seconds": self.seconds(),
            "artifacts": self.artifacts,
            "artifact_problem": "; ".join(self.problems) or None,
            "log_size": log_size,
        }
