"""A dashboard that is kept up to date while people ask for things: one thread does all that touches the hub."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TookLong
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from bnet.app.lookup import Lookup
from bnet.app.wish import Wishes
from bnet.errors import BnetError, HubUnreachable, said
from bnet.health.openmetrics import openmetrics
from bnet.host.webserver import WebServer
from bnet.wiring.health import examined
from bnet.wiring.machine import Machine
from bnet.wiring.site import build, own_directory

T = TypeVar("T")
PATIENCE = 120.0  # seconds that somebody who asks is let wait: longer than a hub may take to answer


class Served:
    """What the server of a dashboard does besides sending files."""

    def __init__(self, machine: Machine, url: str, every: float, note: Callable[[str], object]) -> None:
        """Keep what is served.

        Args:
            machine: this one.
            url: of the hub.
            every: seconds between two looks at it.
            note: called with what a person may want to know.
        """
        self._machine = machine
        self._url = url
        self._every = every
        self._note = note
        self._asked: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._figures: tuple[float, bytes] = (float("-inf"), b"")
        self._away = ""
        self._due = 0.0
        self.directory: Path = own_directory(machine, url)

    def begin(self) -> None:
        """Make the site for the first time.

        Raises:
            BnetError: that cannot be done.
        """
        build(self._machine, self._url, self.directory)

    def run(self, server: WebServer) -> None:
        """Do what is asked for, and in between bring the site up to date, until this process is ended."""
        clock = self._machine.clock
        looked = True
        while True:
            if looked:  # a page that hears nothing says in time how old it is
                server.news.tell(f"{clock.now():%Y-%m-%dT%H:%M:%SZ}")
            self._due = clock.boot() + self._every
            while (left := self._due - clock.boot()) > 0:
                try:
                    work = self._asked.get(timeout=left)
                except Empty:
                    break
                work()
            looked = self._update()

    def _update(self) -> bool:
        try:
            build(self._machine, self._url, self.directory)
        except (BnetError, OSError) as error:  # whatever it is, what was made before can still be seen
            if said(error) != self._away:
                self._note(f"{said(error)}; it is tried again")
            self._away = said(error)
            return False
        self._away = ""
        return True

    def ask(self, work: Callable[[], T]) -> T:
        """Have something done by the one thread, and return what it returns.

        Raises:
            HubUnreachable: it has not begun, and will not; or it has, and takes too long.
            BnetError: what it raises.
        """
        future: Future[T] = Future()

        def run() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(work())
                # Nothing is kept back: `result` raises it again in the thread that waits.
                except Exception as error:
                    future.set_exception(error)

        self._asked.put(run)
        try:
            return future.result(timeout=PATIENCE)
        except TookLong:
            if future.cancel():
                raise HubUnreachable("the hub keeps this server waiting; nothing was done") from None
            raise HubUnreachable("the hub does not answer; it is not known yet whether it was done") from None

    def act(self, wish: bytes) -> Mapping[str, Any]:
        """Do one command of the inbox, and show what became of it at once."""

        def work() -> Mapping[str, Any]:
            done = self._wishes().do(wish)
            self._due = 0.0
            return {"jobs": done.jobs, "said": done.said}

        return self.ask(work)

    def _wishes(self) -> Wishes:
        machine, url, me = self._machine, self._url, self._machine.identity
        ledger = machine.ledger(url)
        lookup = Lookup(ledger.hub, machine.repositories.resolve)
        reader = me.name if me is not None and me.hub == url else machine.who
        return Wishes(ledger, lookup, machine.outbox(), url, machine.who, reader, self._note)

    def metrics(self) -> bytes:
        """Return the network's health, looked at once between two builds however many ask."""

        def work() -> bytes:
            now = self._machine.clock.boot()
            at, text = self._figures
            if now - at >= self._every:
                text = openmetrics(*examined(self._machine, self._url))
                self._figures = now, text
            return text

        return self.ask(work)


def token_of(machine: Machine, *, made: Callable[[str], object]) -> str:
    """Return what everybody has to know who may see a site beyond this machine.

    Args:
        machine: this one; its environment or its home has the token.
        made: called with one that had to be made, this once.

    Raises:
        BnetError: it is too short to be one.
    """
    import secrets

    from bnet.files import read_or_none, write_atomic

    path = machine.home.path / "site-token"
    token, where = machine.env.get("BNET_SITE_TOKEN", "").strip(), "BNET_SITE_TOKEN"
    if not token:
        token, where = (read_or_none(path) or b"").decode(errors="replace").strip(), str(path)
    if not token:
        token = secrets.token_urlsafe(24)
        machine.home.ensure()
        write_atomic(path, f"{token}\n".encode(), mode=0o600)
        made(token)
    if len(token) < 16 or not token.isprintable() or not token.isascii():
        raise BnetError(
            f"the token in {where} is none: it takes 16 characters or more, letters, digits and signs",
            hint="take it away, and one is made",
        )
    return token
