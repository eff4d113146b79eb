"""How long jobs took, in a file of this machine: it can be had again, and nothing waits for it."""

import contextlib
from pathlib import Path

from bnet.app.ledger import Ledger
from bnet.app.server.remembered import Remembered, brought_up, remembered
from bnet.codec.documents import encode
from bnet.errors import BnetError
from bnet.files import read_or_none, write_atomic
from bnet.model.state import State
from bnet.schedule.durations import Durations, gathered


class Took:
    """The durations of one hub's jobs."""

    def __init__(self, path: Path) -> None:
        """Name the file."""
        self._path = path

    def known(self, state: State) -> Durations:
        """Return those that were written down, and those of the jobs in the tree."""
        return gathered(self._read().durations, state.jobs.values())

    def take_in(self, ledger: Ledger) -> None:
        """Write down what has been archived since."""
        before = self._read()
        with contextlib.suppress(BnetError, OSError):
            now = brought_up(before, ledger)
            if now != before:
                write_atomic(self._path, encode(now), durable=False)

    def _read(self) -> Remembered:
        return remembered(read_or_none(self._path))
