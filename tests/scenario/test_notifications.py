"""People are really told: by mail and by a webhook, from real servers of which one is killed as it tells them."""

from __future__ import annotations

import asyncio
import email
import json
import threading
from collections.abc import Iterator
from email.message import EmailMessage, Message
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from aiosmtpd.controller import UnthreadedController
from aiosmtpd.smtp import SMTP, Envelope, Session
from fleet import Fleet, kill

from bnet.errors import BnetError
from bnet.ports.outside import Attachment
from bnet.senders.outgoing import AppriseMessenger
from bnet.wiring.notify import ChannelSender

SETTINGS = "ttl: 6\nintervals: {agent: 0.3, idle_heartbeat: 3}\n"
FILE = """\
channels:
  mail: {urls: "${BNET_NOTIFY_MAIL}"}
  hook: {urls: "${BNET_NOTIFY_HOOK}"}
  slow: {urls: "${BNET_NOTIFY_SLOW}", timeout: 1}
routes:
  - {name: all, to: [hook], events: [job.failed, job.fixed, server.lost], group_wait: 0}
  - {name: broken, to: [mail, slow], events: [job.failed], group_wait: 0}
"""


class Web(ThreadingHTTPServer):
    """A webhook that keeps what it gets, after it has done what a test wants; `/slow` never answers."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Hook)
        self.got: list[str] = []
        self.before_answer = lambda: None
        self.over = threading.Event()

    def url(self, path: str) -> str:
        return f"json://127.0.0.1:{self.server_address[1]}/{path}"


class Hook(BaseHTTPRequestHandler):
    server: Web

    def do_POST(self) -> None:
        told = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path == "/slow":
            self.server.over.wait(600)
            return
        self.server.got.append(told["title"])
        self.server.before_answer()
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class Inbox:
    """An SMTP server on loopback that keeps what it gets."""

    def __init__(self) -> None:
        self.mails: list[Message] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        self.mails.append(email.message_from_bytes(envelope.content, policy=default))
        return "250 OK"


@pytest.fixture
def web() -> Iterator[Web]:
    made = Web()
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.over.set()
    made.shutdown()
    made.server_close()


@pytest.fixture
def inbox() -> Iterator[tuple[Inbox, int]]:
    kept, loop = Inbox(), asyncio.new_event_loop()
    controller = UnthreadedController(kept, hostname="127.0.0.1", port=0, loop=loop)
    controller.begin()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    port = controller.server.sockets[0].getsockname()[1]
    yield kept, port
    loop.call_soon_threadsafe(loop.stop)
    thread.join(30)
    controller.end()
    # A connection that nobody has closed would be complained of in the middle of whatever runs then.
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*left, asyncio.sleep(0), return_exceptions=True))
    loop.close()


def stewards(fleet: Fleet) -> dict[str, int]:
    """Return the stewards' processes: server -> pid."""
    found = {}
    for name in ("a", "b"):
        for process in fleet.marked(name):
            if "steward" in process.cmdline():
                found[name] = process.pid
    return found


@pytest.mark.timeout(300)  # a steward that was killed is followed within a minute or so
def test_people_are_told_whatever_happens_to_the_steward(
    fleet: Fleet, web: Web, inbox: tuple[Inbox, int]
) -> None:
    mails, port = inbox
    mail = f"mailto://localhost:{port}?smtp=127.0.0.1&mode=insecure&from=bnet@example.invalid&to=you@example.invalid"
    fleet.found(settings=SETTINGS)
    fleet.join_all(["a", "b"])
    for name in ("a", "b"):
        secrets = f"BNET_NOTIFY_MAIL={mail}\nBNET_NOTIFY_HOOK={web.url('hook')}\nBNET_NOTIFY_SLOW={web.url('slow')}\n"
        (fleet.root / name / "secrets.env").write_text(secrets)
    fleet.commit("coordination/notifications.yaml", FILE)
    tried = fleet.bnet("notify", "test", "mail", "hook", home="a")
    assert (tried.code, tried.out) == (0, b"mail: sent\nhook: sent\n")
    assert len(mails.mails) == 1 and len(web.got) == 1
    for name in ("a", "b"):
        fleet.start(name)
    fleet.until("somebody is the steward", lambda: fleet.look().state.notices is not None)

    # The one that tells is killed as the service has the message, and not yet answered.
    killed: list[str] = []

    def before_answer() -> None:
        for name, pid in [] if killed else stewards(fleet).items():
            killed.append(name)
            kill(pid)

    web.before_answer = before_answer
    number = fleet.submit("exit 3", "--name", "wheel")

    def told() -> bool:
        notices = fleet.look().state.notices
        return notices is not None and any(each.channel == "hook" for each in notices.history)

    fleet.until("another steward has told it", told, timeout=120)
    words = f"[{fleet.look().state.settings.name}] high: job.failed: #{number} wheel: failure (exit 3) on "
    about = [each for each in web.got if each.startswith(words)]
    assert killed and 1 <= len(about) <= 2, "at least once, and twice at most"

    # What hangs holds up nothing else, and is named without its address.
    fleet.until("the mail has come", lambda: len(mails.mails) >= 2)
    newest = mails.mails[-1]
    assert newest["subject"].startswith(words) and "you@example.invalid" in newest["to"]
    assert "bnet notify ack job:wheel" in newest.get_content()
    fleet.until(
        "that one hangs is known", lambda: "channel slow does not work" in fleet.ok("status", home="a")
    )
    assert str(web.server_address[1]) not in fleet.ok("status", home="a")

    fleet.ok("notify", "ack", "job:wheel", home="person")
    fleet.submit("exit 3", "--name", "wheel")
    fixed = fleet.submit("true", "--name", "wheel")
    fleet.until(
        "it is told that it works again",
        lambda: any(f"job.fixed: #{fixed} wheel" in each for each in web.got),
    )
    assert len([each for each in web.got if "job.failed" in each]) == len(about), (
        "taken on, it is not told again"
    )
    assert fleet.bnet("audit", "verify").code == 0


def test_a_report_comes_with_its_files_and_who_did_not_get_it_is_said(
    fleet: Fleet, inbox: tuple[Inbox, int]
) -> None:
    mails, port = inbox
    mail = f"mailto://localhost:{port}?smtp=127.0.0.1&mode=insecure&from=bnet@example.invalid&to=you@example.invalid"
    fleet.found()
    channels = ["mail: {urls: '${BNET_NOTIFY_MAIL}', tags: [team]}", "gone: {urls: '${BNET_NOTIFY_GONE}'}"]
    channels.append("two: {urls: ['json://localhost/1', 'json://localhost/2']}")
    channels.append("off: {urls: 'json://localhost/', tags: [team], enabled: false}")
    fleet.commit("coordination/notifications.yaml", f"channels: {{{', '.join(channels)}}}\n")
    sender = ChannelSender(fleet.look(), AppriseMessenger(lambda: {**fleet.env, "BNET_NOTIFY_MAIL": mail}))
    files = [Attachment(name="daily-2026-11-20.csv", kind="text/csv", data=b"a,b\r\n1,2\r\n")]
    sender.send("mail", "Daily", "**12** jobs ended", files)
    [got] = mails.mails
    assert isinstance(got, EmailMessage) and got["subject"] == "Daily"
    assert [(each.get_filename(), each.get_content()) for each in got.iter_attachments()] == [
        ("daily-2026-11-20.csv", "a,b\r\n1,2\r\n")
    ]
    assert sender.targets(["team", "mail", "two", "nobody"]) == ["mail", "two:1", "two:2", "nobody"]
    assert sender.targets(["two:2", "two:3"]) == ["two:2"], "each address is tried alone"
    with pytest.raises(BnetError, match="two has no address 3 any more"):
        sender.send("two:3", "Daily", "", [])
    with pytest.raises(BnetError, match="gone: BNET_NOTIFY_GONE is not set on this server"):
        sender.send("gone", "Daily", "", [])
    with pytest.raises(BnetError, match=r"no channel of notifications\.yaml has the name or the tag nobody"):
        sender.send("nobody", "Daily", "", [])
