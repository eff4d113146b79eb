"""A server of files for whoever sits at this machine: it reads, listens on the loopback, and knows no other name."""

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import unquote, urlsplit

from bnet.errors import BnetError

if TYPE_CHECKING:
    from _typeshed import StrPath

HERE = "127.0.0.1"
# A page of somebody else's may let a browser look up its own name as 127.0.0.1, and read what is answered.
NAMES = frozenset({"127.0.0.1", "localhost"})
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


class _Handler(SimpleHTTPRequestHandler):
    """Sends the files of one directory."""

    server_version = "bnet"
    sys_version = ""
    extensions_map = {
        ".html": "text/html; charset=utf-8",
        ".css": "text/css; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".svg": "image/svg+xml",
        ".txt": "text/plain; charset=utf-8",
        "": "application/octet-stream",
    }

    def send_head(self) -> BytesIO | BinaryIO | None:
        """Refuse what is not for readers, then do as always."""
        path = unquote(urlsplit(self.path).path)
        if (self.headers.get("Host") or "").rpartition(":")[0] not in NAMES:
            self.send_error(421, "this server is called 127.0.0.1 and localhost")
            return None
        if any(part.startswith(".") for part in path.split("/")):
            self.send_error(404)
            return None
        return super().send_head()

    def list_directory(self, path: "StrPath") -> None:
        """Show no directories."""
        self.send_error(404)

    def end_headers(self) -> None:
        """Send with each answer what makes it harmless elsewhere."""
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: who reads is nobody's business."""


class WebServer:
    """Serves a directory in a thread of its own, as long as this process lives."""

    def __init__(self, directory: Path, port: int) -> None:
        """Take a port; 0 for any that is free.

        Raises:
            BnetError: it is taken, or not ours to take.
        """
        handler = partial(_Handler, directory=str(directory))
        try:
            self._server = ThreadingHTTPServer((HERE, port), handler)
        except OSError as error:
            raise BnetError(
                f"port {port} cannot be listened on: {error.strerror}", hint="--port 0 takes one that is free"
            ) from None
        self._server.daemon_threads = True
        self.url = f"http://{HERE}:{self._server.server_port}/"

    def start(self) -> None:
        """Begin to answer."""
        Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
