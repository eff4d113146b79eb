"""A run's log, from this machine where it is, from the telemetry of its server where it is not."""

from collections.abc import Iterator

import msgspec

from bnet.app.server.telemetry import join_chunks, run_path
from bnet.model.job import Job
from bnet.ports.hub import Hub, Look


class Piece(msgspec.Struct, frozen=True):
    """A piece of a log, and how many bytes were cut out before it."""

    cut: int
    data: bytes


class LogReader:
    """Reads one run's log, each time what is new."""

    def __init__(self, hub: Hub, server: str, key: str) -> None:
        """Keep whose run it is.

        Args:
            hub: where telemetry is.
            server: the run's server.
            key: `<job>.<attempt>`.
        """
        self._hub = hub
        self._server = server
        self._key = key
        self._tip = ""
        self._at = 0

    def read(self, look: Look) -> Iterator[Piece]:
        """Yield what the hub has beyond what was read before."""
        tip = look.telemetry.get(self._server, "")
        if not tip or tip == self._tip:
            return
        with self._hub.exclusive():
            self._hub.fetch_telemetry([self._server])
            base = run_path(self._key) + "log/"
            names = [name for name in self._hub.names(tip, base) if name[len(base) :].isdecimal()]
            fresh = self._hub.read(tip, names)
        self._tip = tip
        chunks = {int(name[len(base) :]): data for name, data in fresh.items()}
        offset = 0
        for cut, data in join_chunks(chunks):
            offset += cut
            end = offset + len(data)
            if end > self._at:
                skipped = max(0, self._at - offset)
                yield Piece(max(0, offset - self._at), data[skipped:])
                self._at = end
            offset = end


def last_run(job: Job) -> tuple[str, int] | None:
    """Return the server and number of a job's newest attempt; None if it was never claimed."""
    if job.claim is not None:
        return job.claim.server, job.claim.attempt
    if job.attempts:
        return job.attempts[-1].server, job.attempts[-1].attempt
    return None
