"""The sockets of a server of pages: a thread for each connection, up to a limit, and none for whoever dawdles."""

import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from threading import Lock
from time import monotonic
from typing import Any

PATIENCE = 20.0  # seconds for all of a request, and for each piece of an answer
MOST_AT_ONCE = 200  # connections


class Door(ThreadingHTTPServer):
    """Listens, and lets in."""

    daemon_threads = True
    bug: Callable[[], str]

    def __init__(
        self, address: tuple[str, int], family: socket.AddressFamily, handler: type[BaseHTTPRequestHandler]
    ) -> None:
        """Listen at an address; raises what a socket does."""
        self.address_family = family
        self._begun: dict[socket.socket, float] = {}
        self._lock = Lock()
        self._open = 0
        super().__init__(address, handler)

    def server_bind(self) -> None:
        """Bind, and ask nobody for the name of this machine."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        """Begin with a connection, unless there are too many."""
        with self._lock:
            if self._open >= MOST_AT_ONCE:
                self.shutdown_request(request)
                return
            self._open += 1
        self.awaits(request)
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # there is no room for one more thread; others end
            self._left(request)
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer it."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._left(request)

    def _left(self, request: socket.socket) -> None:
        with self._lock:
            self._open -= 1
            self._begun.pop(request, None)

    def awaits(self, request: socket.socket) -> None:
        """Note that something is to come."""
        with self._lock:
            self._begun[request] = monotonic()

    def arrived(self, request: socket.socket) -> None:
        """Note that it is there."""
        with self._lock:
            self._begun.pop(request, None)

    def service_actions(self) -> None:
        """Let go of whoever does not come to the point: each byte in time is not enough."""
        late = monotonic() - PATIENCE
        with self._lock:
            slow = [each for each, begun in self._begun.items() if begun < late]
        for each in slow:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep what went wrong, unless it is that the reader has gone."""
        if not isinstance(sys.exception(), OSError):
            self.bug()
