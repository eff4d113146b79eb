"""A server of the dashboard's files for whoever may see them, with news of it, figures, and a counter for wishes."""

import json
import socket
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple, Protocol
from urllib.parse import unquote, urlsplit

from bnet.errors import BnetError, HubUnreachable, Invalid, RefusedByPolicy, Taken
from bnet.host.peers import owner
from bnet.host.webapi import Application, called
from bnet.host.webdoor import PATIENCE, Door
from bnet.host.webgate import Gate, Refusal
from bnet.host.webnews import News

HERE = "127.0.0.1"
OWN = "_bnet/"  # what is not of the site itself
API = "api/"
EVENTS = f"{API}v1/events"
LARGEST_BODY = 200_000  # bytes
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
JSON = "application/json"
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # The pages have a stricter one of their own; this is for pictures that are opened by themselves, too.
    "Content-Security-Policy": "script-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".txt": "text/plain; charset=utf-8",
    ".json": JSON,
}
STATUSES: Mapping[type[BnetError], int] = {
    HubUnreachable: 503,
    RefusedByPolicy: 403,
    Taken: 409,
    Invalid: 400,
}


class Office(Protocol):
    """Where wishes are done, and figures come from; called by any thread."""

    def act(self, wish: bytes) -> Mapping[str, Any]:
        """Do what a command of the inbox asks for, and tell what became of it; raise what the command line would."""

    def metrics(self) -> bytes:
        """Return how the network is, as OpenMetrics text."""


class Answer(NamedTuple):
    """What is sent back."""

    status: int
    kind: str
    body: bytes
    fields: Mapping[str, str] = {}


def said(status: int, **told: Any) -> Answer:
    """Return an answer for programs, and for pages that show what it says."""
    return Answer(status, JSON, json.dumps(told).encode() + b"\n")


def failed(error: BnetError) -> Answer:
    """Return an error for people as an answer."""
    status = next((code for kind, code in STATUSES.items() if isinstance(error, kind)), 422)
    return said(status, error=str(error), hint=error.hint)


class _Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: "_Server"
    server_version = "bnet"
    sys_version = ""
    timeout = PATIENCE

    def do_GET(self) -> None:
        """Send a file, the news, or the figures."""
        self._answer(self._get)

    do_HEAD = do_GET

    def do_POST(self) -> None:
        """Do what is wished for."""
        self._answer(self._post)

    def _answer(self, make: Callable[[str], Answer | None]) -> None:
        self.server.arrived(self.connection)
        gate = self.server.gate
        refused = gate.refusal(self.command, self.headers) or gate.foreign(lambda: owner(self.connection))
        try:
            answer = _refusing(refused) if refused is not None else make(self._path())
        except BnetError as error:
            answer = failed(error)
        except (ConnectionError, TimeoutError):
            raise  # the reader has gone
        # A fault of ours: its traceback is written down as that of any command, and others are served meanwhile.
        except Exception:
            answer = said(500, error=self.server.bug().partition("\n")[0])
        if answer is not None:
            self._send(answer)

    def _path(self) -> str:
        try:
            return unquote(urlsplit(self.path).path).removeprefix("/")
        except ValueError:  # http://[x, for instance
            raise Invalid("is no address of a page", file="the request") from None

    def _get(self, path: str) -> Answer | None:
        if path == "metrics":
            return Answer(200, OPENMETRICS, self.server.office.metrics())
        if path == f"{OWN}events":
            return self._stream()
        if path == EVENTS and "text/event-stream" in (self.headers.get("Accept") or ""):
            return self._stream()
        if path.startswith(API):
            return self._call(b"")
        if path == f"{OWN}live.js":
            return Answer(200, TYPES[".js"], self.server.script)
        return self._file(path)

    def _post(self, path: str) -> Answer:
        if path != f"{OWN}act" and not path.startswith(API):
            return said(404, error="nothing can be asked for here")
        kind = (self.headers.get("Content-Type") or "").partition(";")[0].strip().lower()
        if kind != JSON:
            return said(415, error=f"what is asked for is sent as {JSON}")
        body = self._body()
        if isinstance(body, Answer):
            return body
        return self._call(body) if path.startswith(API) else said(200, **self.server.office.act(body))

    def _call(self, body: bytes) -> Answer:
        if self.server.api is None:
            return said(404, error="there is no API here", hint="bnet site serve --api")
        head = {name.title(): value for name, value in self.headers.items()}
        status, fields, data = called(self.server.api, self.command, self.path, head, body)
        return Answer(status, fields.get("Content-Type", JSON), data)

    def _body(self) -> bytes | Answer:
        length = self.headers.get("Content-Length") or ""
        if self.headers.get("Transfer-Encoding") or not (length.isascii() and length.isdecimal()):
            return said(411, error="how long it is has to be said first: Content-Length")
        if len(length) > 9 or int(length) > LARGEST_BODY:
            return said(413, error=f"that is more than {LARGEST_BODY:,} bytes")
        self.server.awaits(self.connection)
        data = self.rfile.read(int(length))
        self.server.arrived(self.connection)
        return data if len(data) == int(length) else said(400, error="the request broke off")

    def _file(self, path: str) -> Answer:
        if path == "" or path.endswith("/"):
            path += "index.html"
        parts = path.split("/")
        if any(not part or part.startswith(".") or "\\" in part or "\0" in part for part in parts):
            return _nothing()
        file = self.server.directory.joinpath(*parts)
        try:
            data, stat = file.read_bytes(), file.stat()
        except (OSError, ValueError):
            return _nothing()
        tag = f'"{stat.st_mtime_ns:x}-{stat.st_size:x}-{self.server.gate.run}"'
        if tag in (self.headers.get("If-None-Match") or ""):
            return Answer(304, "", b"", {"ETag": tag})
        kind = TYPES.get(file.suffix, "application/octet-stream")
        if file.suffix == ".html":
            data = data.replace(b"<title>", self._extra("../" * (len(parts) - 1)) + b"<title>", 1)
        return Answer(200, kind, data, {"ETag": tag})

    def _extra(self, root: str) -> bytes:
        """Return what makes a page act and keep itself up to date; it comes before what changes the page."""
        gate = self.server.gate
        return (
            f'<meta name="bnet-mark" content="{gate.mark}">\n'
            f'<script src="{root}{OWN}live.js?{gate.run}" defer></script>\n'
        ).encode()

    def _stream(self) -> Answer | None:
        news = self.server.news
        if self.command == "HEAD" or not news.enter():
            return said(503, error="too many pages are open")
        try:
            self._head(200, "text/event-stream; charset=utf-8", {"X-Accel-Buffering": "no"})
            for piece in news.stream():
                self.wfile.write(piece)
        finally:
            news.leave()
        return None

    def _send(self, answer: Answer) -> None:
        fields = dict(answer.fields) | {"Content-Length": str(len(answer.body))}
        self._head(answer.status, answer.kind, fields)
        if self.command != "HEAD" and answer.status != 304:
            self.wfile.write(answer.body)

    def _head(self, status: int, kind: str, fields: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in (HEADERS | ({"Content-Type": kind} if kind else {}) | dict(fields)).items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: who reads is nobody's business."""


def _refusing(refused: Refusal) -> Answer:
    return said(refused.status, error=refused.why)._replace(fields=refused.fields)


def _nothing() -> Answer:
    return Answer(404, TYPES[".txt"], b"There is no such page.\n")


class _Server(Door):
    """What all requests share."""

    directory: Path
    gate: Gate
    news: News
    office: Office
    script: bytes
    api: Application | None


class WebServer:
    """Serves a directory in threads of its own, as long as this process lives."""

    def __init__(
        self,
        directory: Path,
        port: int,
        office: Office,
        *,
        gate: Gate | None = None,
        listen: str = HERE,
        script: bytes = b"",
        api: Application | None = None,
        bug: Callable[[], str] = str,
    ) -> None:
        """Take a port; 0 for any that is free.

        Args:
            directory: what is served.
            port: where.
            office: does what is wished for.
            gate: decides who may ask; otherwise this machine.
            listen: the address.
            script: what makes pages act.
            api: an application of WSGI, for what begins with /api/.
            bug: keeps the exception at hand, for a person to find.

        Raises:
            BnetError: it is taken, or not ours to take.
        """
        family = socket.AF_INET6 if ":" in listen else socket.AF_INET
        try:
            self._server = _Server((listen, port), family, _Handler)
        except (OSError, OverflowError) as error:
            raise BnetError(
                f"port {port} of {listen} cannot be listened on: {getattr(error, 'strerror', None) or error}",
                hint="--port 0 takes one that is free",
            ) from None
        self.news = News()
        self._server.directory, self._server.office, self._server.news = directory, office, self.news
        self._server.gate, self._server.script, self._server.bug = gate or Gate(), script, bug
        self._server.api = api
        shown = f"[{listen}]" if family == socket.AF_INET6 else listen
        self.url = f"http://{shown}:{self._server.server_port}/"

    def start(self) -> None:
        """Begin to answer."""
        Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Answer no more, and let go of whoever waits for news."""
        self.news.close()
        self._server.shutdown()
        self._server.server_close()
