"""Looks at the hub again and again, beside the terminal, so that keys are heeded while it does not answer."""

import threading
from collections.abc import Callable

from bnet.app.logs import LogReader, last_run
from bnet.app.told.overview import heartbeats
from bnet.cli.context import App
from bnet.cli.top.board import Board
from bnet.cli.top.view import Log, plain
from bnet.errors import BnetError, HubUnreachable
from bnet.ports.hub import Look

LONGEST_PAUSE = 60.0  # seconds between two looks at a hub that does not answer
MOST_LOG = 200_000  # bytes of a log that are kept


class Watcher:
    """A thread with the newest board, and the log that is looked at."""

    def __init__(self, app: App, every: float, wake: Callable[[], None]) -> None:
        """Keep the parts; `start` begins.

        Args:
            app: the command line's.
            every: seconds between two looks.
            wake: called when there is something new.
        """
        self._app = app
        self._every = every
        self._wake = wake
        self._again = threading.Event()
        self._wanted = 0
        self._readers: dict[tuple[int, str, int], LogReader] = {}
        self._texts: dict[tuple[int, str, int], bytes] = {}
        self.board: Board | None = None
        self.log: Log | None = None
        self.trouble = ""
        self.broken: BaseException | None = None

    def start(self) -> None:
        """Begin to look."""
        threading.Thread(target=self._work, daemon=True, name="watcher").start()

    def show_log(self, job: int) -> None:
        """Bring this job's log with each look from now on; 0 for none."""
        self._wanted = job
        self.log = None
        if job:
            self._again.set()

    def _work(self) -> None:
        pause = self._every
        while True:
            try:
                self.look()
                pause, self.trouble = self._every, ""
            except HubUnreachable as error:
                pause = min(LONGEST_PAUSE, pause * 2)
                self.trouble = (
                    f"as it was at {self.board.now:%H:%M:%S} UTC; {error}" if self.board else str(error)
                )
            except BaseException as error:  # it ends the command, which tells of it like of any other
                self.broken = error
                self._wake()
                return
            self._wake()
            self._again.wait(pause)
            self._again.clear()

    def look(self) -> None:
        """Look once: one question to the hub, more only where something has moved."""
        app, machine = self._app, self._app.machine
        ledger = app.ledger
        look = ledger.refresh()
        machine.keep(app.url, ledger)
        try:
            beats = heartbeats(ledger.hub, look, sorted(ledger.state.servers))
        except HubUnreachable:
            beats = {}  # a server began its telemetry anew between the two questions
        state = ledger.state
        self.board = Board(
            state, beats, machine.durations(app.url, state), machine.shown(app.url), machine.clock.now()
        )
        self.log = self._log(self._wanted, look) if self._wanted else None

    def _log(self, number: int, look: Look) -> Log:
        job = self._app.ledger.state.jobs.get(number)
        run = None if job is None else last_run(job)
        if run is None:
            return Log(
                job=number, missing="it has not started yet" if job else f"#{number} is in the archive"
            )
        key = (number, *run)
        if key not in self._readers:
            self._readers = {key: LogReader(self._app.ledger.hub, run[0], f"{number}.{run[1]}")}
            self._texts = {}
        try:
            for piece in self._readers[key].read(look):
                cut = f"\n[... {piece.cut:,} bytes cut ...]\n".encode() if piece.cut else b""
                self._texts[key] = (self._texts.get(key, b"") + cut + piece.data)[-MOST_LOG:]
        except HubUnreachable:
            raise
        except BnetError as error:
            return Log(job=number, missing=str(error))
        text = self._texts.get(key, b"").decode(errors="replace")
        lines = tuple(plain(line) for line in text.split("\n"))
        return Log(job=number, lines=lines[:-1] if lines[-1] == "" else lines)
