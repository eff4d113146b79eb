"""Where people are told: a webhook and a mail server on loopback, which keep what they get with its time."""

from __future__ import annotations

import asyncio
import email
import json
import threading
import time
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from aiosmtpd.controller import UnthreadedController
from aiosmtpd.smtp import SMTP, Envelope, Session


class Heard(NamedTuple):
    """A message as it came: when, by which channel, and what it says; the files of a mail by their names."""

    at: float
    channel: str
    title: str
    body: str
    files: dict[str, bytes]


class Listeners:
    """A webhook with a path for each channel, and an SMTP server; what they got is in the order in which it came."""

    def __init__(self) -> None:
        """Begin to listen."""
        self.heard: list[Heard] = []
        self._web = _Web(("127.0.0.1", 0), _Hook)
        self._web.heard = self.heard
        threading.Thread(target=self._web.serve_forever, daemon=True).start()
        self._loop = asyncio.new_event_loop()
        self._mail = UnthreadedController(_Inbox(self.heard), hostname="127.0.0.1", port=0, loop=self._loop)
        self._mail.begin()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def web(self, channel: str) -> str:
        """Return the address of a channel of the webhook."""
        return f"json://127.0.0.1:{self._web.server_address[1]}/{channel}"

    def mail(self) -> str:
        """Return the address of the mail server."""
        port = self._mail.server.sockets[0].getsockname()[1]
        people = "from=bnet@example.invalid&to=team@example.invalid"
        return f"mailto://localhost:{port}?smtp=127.0.0.1&mode=insecure&{people}"


class _Web(ThreadingHTTPServer):
    daemon_threads = True
    heard: list[Heard]


class _Hook(BaseHTTPRequestHandler):
    server: _Web

    def do_POST(self) -> None:
        told = json.loads(self.rfile.read(int(self.headers["content-length"])))
        channel = self.path.strip("/")
        self.server.heard.append(Heard(time.time(), channel, told["title"], told["message"], {}))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class _Inbox:
    def __init__(self, heard: list[Heard]) -> None:
        self._heard = heard

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        mail = email.message_from_bytes(envelope.content, policy=default)
        assert isinstance(mail, EmailMessage)
        text = mail.get_body(("plain", "html"))
        files = {
            str(each.get_filename()): each.get_payload(decode=True) or b"" for each in mail.iter_attachments()
        }
        body = "" if text is None else text.get_content()
        self._heard.append(Heard(time.time(), "mail", str(mail["subject"]), body, files))
        return "250 OK"
