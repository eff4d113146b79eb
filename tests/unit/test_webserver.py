"""The server of the dashboard: files of one directory, news, figures and wishes, for whoever may ask."""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from bnet.errors import BnetError, HubUnreachable, Invalid, RefusedByPolicy, Taken
from bnet.host import webdoor, webnews, webserver
from bnet.host.peers import NOBODY, owner
from bnet.host.webgate import LOCAL, Gate, is_local
from bnet.host.webnews import News
from bnet.host.webserver import LARGEST_BODY, WebServer

PAGE = "<head><title>T</title></head><p>hello"
TOKEN = "a-token-of-the-test"
WISH = b'{"cancel": {"job": 1}}'


class Desk:
    """Does nothing, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.error: Exception | None = None

    def act(self, wish: bytes) -> Mapping[str, Any]:
        if self.error is not None:
            raise self.error
        self.asked.append(wish)
        return {"jobs": [7], "said": "submitted: #7"}

    def metrics(self) -> bytes:
        return b"bnet_healthy 1\n# EOF\n"


class Site:
    """A server that runs, and one who asks it things."""

    def __init__(self, root: Path, gate: Gate | None = None, listen: str = "127.0.0.1") -> None:
        self.desk, self.gate, self.bugs = Desk(), gate or Gate(), list[str]()
        self.server = WebServer(
            root,
            0,
            self.desk,
            gate=self.gate,
            listen=listen,
            script=b"//",
            bug=self.bug,
        )
        self.server.start()
        self.port = int(self.server.url.rsplit(":", 1)[1].strip("/"))
        self.host = f"127.0.0.1:{self.port}"

    def bug(self) -> str:
        self.bugs.append("a bug in bnet\nTraceback")
        return self.bugs[-1]

    def ask(
        self, path: str, method: str = "GET", body: bytes | None = None, **fields: str
    ) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        told = {"Host": self.host} | ({} if body is None else {"Content-Length": str(len(body))})
        for name, value in (told | {name.replace("_", "-"): value for name, value in fields.items()}).items():
            if value:
                connection.putheader(name, value)
        connection.endheaders(body)
        return connection.getresponse()

    def wish(self, body: bytes = WISH, **fields: str) -> tuple[int, dict[str, Any]]:
        own = {"X-Bnet-Mark": self.gate.mark, "Content-Type": "application/json"}
        answer = self.ask("/_bnet/act", "POST", body, **(own | fields))
        return answer.status, json.loads(answer.read())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "site"
    (root / "jobs").mkdir(parents=True)
    (root / "index.html").write_text(PAGE)
    (root / "jobs" / "1.html").write_text(PAGE)
    (root / ".bnet-site.json").write_text("{}")
    (tmp_path / "secret.txt").write_text("secret")
    return root


@pytest.fixture
def site(root: Path) -> Iterator[Site]:
    site = Site(root)
    yield site
    site.server.close()
    assert site.bugs == []


@pytest.fixture
def guarded(root: Path) -> Iterator[Site]:
    site = Site(root, Gate(LOCAL | {"build.lan"}, addresses=True, token=TOKEN))
    yield site
    site.server.close()


def test_it_listens_on_this_machine_alone(site: Site) -> None:
    assert site.server.url.startswith("http://127.0.0.1:")


def test_pages_are_sent_with_what_makes_them_harmless(site: Site) -> None:
    answer = site.ask("/")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Content-Security-Policy"].startswith("script-src 'self';")
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert site.gate.mark.encode() in answer.read(), "which is what lets them act"
    assert b'src="../_bnet/live.js' in site.ask("/jobs/1.html").read()


def test_a_page_that_is_known_is_not_sent_again(site: Site, root: Path) -> None:
    tag = site.ask("/").headers["ETag"]
    assert site.ask("/", If_None_Match=tag).status == 304
    (root / "index.html").write_text(PAGE + "!")
    assert site.ask("/", If_None_Match=tag).status == 200


@pytest.mark.parametrize(
    ("path", "status"),
    {
        "/jobs/1.html": 200,
        "/jobs/1.html?x=1": 200,
        "/jobs/": 404,
        "/jobs": 404,
        "/nothing.html": 404,
        "/.bnet-site.json": 404,
        "/../secret.txt": 404,
        "/%2e%2e/secret.txt": 404,
        "/jobs/%2e%2e%2f%2e%2e%2fsecret.txt": 404,
        "/%2ebnet-site.json": 404,
        "//etc/passwd": 404,
        "http://elsewhere/index.html": 200,
        "http://[elsewhere/": 400,
        "/index.html%00": 404,
    }.items(),
)
def test_what_is_there_for_whom(site: Site, path: str, status: int) -> None:
    assert site.ask(path).status == status


HOSTS = [
    "evil.example:80",
    "127.0.0.1.evil.example:8080",
    "evil.example",
    "127.0.0.1:x",
    "[::1",
    "10.0.0.1",
    "",
]


@pytest.mark.parametrize("host", HOSTS)
def test_a_name_that_is_not_its_own_is_not_answered(site: Site, host: str) -> None:
    assert site.ask("/", Host=host).status == 421
    assert site.wish(Host=host)[0] == 421 and site.desk.asked == []


def test_a_name_may_be_given_with_its_port_and_no_name_is_none(root: Path) -> None:
    site = Site(root, Gate(LOCAL | {"", "Build.lan:8443"}))
    assert [site.ask("/", Host=host).status for host in ("build.lan:8443", "build.lan", "[::1", "x:y")] == [
        200,
        200,
        421,
        421,
    ]
    site.server.close()


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "[::1]:8765", "127.0.0.1"])
def test_its_own_names_are(site: Site, host: str) -> None:
    assert site.ask("/", Host=host).status == 200


# -- wishes


def test_a_page_of_its_own_is_done_what_it_asks_for(site: Site) -> None:
    assert site.wish() == (200, {"jobs": [7], "said": "submitted: #7"})
    same = {"Origin": f"http://{site.host}", "Sec-Fetch-Site": "same-origin"}
    assert site.wish(**same)[0] == 200
    assert site.desk.asked == [WISH, WISH]


STRANGE: dict[str, tuple[dict[str, str], int, str]] = {
    "no mark": ({"X-Bnet-Mark": ""}, 403, "load it again"),
    "another mark": ({"X-Bnet-Mark": "x" * 32}, 403, "load it again"),
    "a mark beyond ASCII": ({"X-Bnet-Mark": "ü"}, 403, "load it again"),
    "another origin": ({"Origin": "https://evil.example"}, 403, "a page of somebody else"),
    "no origin of a page": ({"Origin": "null"}, 403, "a page of somebody else"),
    "another port": ({"Origin": "http://127.0.0.1:1"}, 403, "a page of somebody else"),
    "another site": ({"Sec-Fetch-Site": "cross-site"}, 403, "a page of somebody else"),
    "a name beside its own": ({"Sec-Fetch-Site": "same-site"}, 403, "a page of somebody else"),
    "a form": ({"Content-Type": "application/x-www-form-urlencoded"}, 415, "application/json"),
    "a text": ({"Content-Type": "text/plain"}, 415, "application/json"),
    "no length": ({"Content-Length": ""}, 411, "Content-Length"),
    "no sound length": ({"Content-Length": "-1"}, 411, "Content-Length"),
    "too much": ({"Content-Length": str(LARGEST_BODY + 1)}, 413, "200,000 bytes"),
    "far too much": ({"Content-Length": "9" * 5000}, 413, "200,000 bytes"),
    "pieces": ({"Transfer-Encoding": "chunked"}, 411, "Content-Length"),
}


@pytest.mark.parametrize(("fields", "status", "why"), STRANGE.values(), ids=STRANGE.keys())
def test_what_somebody_else_asks_for_is_not_done(
    site: Site, fields: dict[str, str], status: int, why: str
) -> None:
    code, told = site.wish(**fields)
    assert (code, site.desk.asked) == (status, []) and why in told["error"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_who_only_looks_changes_nothing(site: Site, method: str) -> None:
    mark = {"X-Bnet-Mark": site.gate.mark, "Content-Type": "application/json"}
    assert site.ask("/_bnet/act?cancel=1", method, WISH, **mark).status == 404
    assert site.desk.asked == []


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE"])
def test_other_methods_there_are_none(site: Site, method: str) -> None:
    assert site.ask("/_bnet/act", method).status == 501


def test_a_page_of_somebody_else_may_lead_here_and_take_nothing(site: Site) -> None:
    assert site.ask("/", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate").status == 200
    assert site.ask("/built.js", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors").status == 403


ERRORS: list[tuple[Exception, int]] = [
    (Invalid("is wrong", file="the request", line=1), 400),
    (BnetError("there is no job #7"), 422),
    (RefusedByPolicy("not yours", hint="ask"), 403),
    (Taken("somebody has it"), 409),
    (HubUnreachable("no answer"), 503),
]


@pytest.mark.parametrize(("error", "status"), ERRORS, ids=[type(each).__name__ for each, _ in ERRORS])
def test_what_cannot_be_done_is_said_in_words(site: Site, error: Exception, status: int) -> None:
    site.desk.error = error
    assert site.wish()[0] == status
    assert site.wish()[1]["error"] == str(error)


def test_a_bug_is_kept_for_a_person_and_ends_one_request(site: Site) -> None:
    site.desk.error = RuntimeError("a bug")
    assert site.wish() == (500, {"error": "a bug in bnet"})
    site.desk.error = None
    assert site.wish()[0] == 200
    assert site.bugs.pop() == "a bug in bnet\nTraceback"


# -- the token


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


PASSES = [(basic(f"anybody:{TOKEN}"), 200), (basic(f":{TOKEN}"), 200), (f"Bearer {TOKEN}", 200)]
FAILS = [
    "",
    basic("anybody:wrong"),
    f"Bearer {TOKEN}x",
    "Bearer ",
    "Basic %%%",
    TOKEN,
    basic(f"{TOKEN}:"),
    "Bearer ü",
]


@pytest.mark.parametrize(("given", "status"), [*PASSES, *((each, 401) for each in FAILS)])
def test_beyond_this_machine_everything_takes_the_token(guarded: Site, given: str, status: int) -> None:
    for path in ("/", "/metrics"):
        answer = guarded.ask(path, Authorization=given)
        assert answer.status == status
        assert (answer.headers["WWW-Authenticate"] is not None) is (status == 401)
        assert TOKEN.encode() not in answer.read()


def test_a_browser_sends_the_password_by_itself_so_it_takes_the_mark_as_well(guarded: Site) -> None:
    password = basic(f"x:{TOKEN}")
    assert guarded.wish(Authorization="")[0] == 401
    assert guarded.wish(Authorization=password, **{"X-Bnet-Mark": ""})[0] == 403
    assert guarded.wish(Authorization=password)[0] == 200
    assert guarded.wish(Authorization=f"Bearer {TOKEN}", **{"X-Bnet-Mark": ""})[0] == 200, "none sends that"


@pytest.mark.parametrize(
    ("host", "status"), [("build.lan:80", 200), ("10.1.2.3", 200), ("evil.example", 421)]
)
def test_beyond_this_machine_it_goes_by_its_addresses_and_names(
    guarded: Site, host: str, status: int
) -> None:
    assert guarded.ask("/", Host=host, Authorization=f"Bearer {TOKEN}").status == status


@pytest.mark.parametrize(
    ("address", "local"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False),
     ("10.0.0.1", False), ("build.lan", False)],
)  # fmt: skip
def test_which_addresses_are_of_this_machine_alone(address: str, local: bool) -> None:
    assert is_local(address) is local


def test_whose_the_other_end_is_can_be_told(site: Site) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux tells")
    with (
        socket.create_server(("127.0.0.1", 0)) as there,
        socket.create_connection(there.getsockname()) as asks,
    ):
        answers, _ = there.accept()
        with answers:
            assert owner(answers) == owner(asks) == os.getuid()
            asks.close()
            assert owner(answers) in (NOBODY, None), "not root's, whoever it was"


@pytest.mark.parametrize(
    ("uid", "status"),
    [(None, 200), (0, 200), (os.getuid(), 200), (54321, 403)],
    ids=["unknown", "root", "own", "other"],
)
def test_another_user_of_this_machine_is_not_let_in_without_a_token(
    site: Site, guarded: Site, monkeypatch: pytest.MonkeyPatch, uid: int | None, status: int
) -> None:
    monkeypatch.setattr(webserver, "owner", lambda connection: uid)
    assert site.ask("/").status == site.wish()[0] == status
    assert guarded.ask("/", Authorization=f"Bearer {TOKEN}").status == 200


# -- figures and news


def test_the_figures_are_openmetrics(site: Site) -> None:
    answer = site.ask("/metrics")
    assert answer.headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert answer.read() == b"bnet_healthy 1\n# EOF\n"


def test_news_come_to_every_reader_the_newest_first_thing(site: Site) -> None:
    site.server.news.tell("one")
    streams = [site.ask("/_bnet/events") for _ in range(20)]
    assert {each.headers["Content-Type"] for each in streams} == {"text/event-stream; charset=utf-8"}
    for each in streams:
        assert until(each, b"data:") == b"data: one\n", "who comes later has missed nothing"
    site.server.news.tell("two")
    for each in streams:
        assert until(each, b"data:") == b"data: two\n"
    assert site.ask("/").status == 200, "they hold nobody up"
    site.server.close()
    for each in streams:
        assert each.read().strip(b"\n") == b"", "and are let go in the end"


def until(stream: http.client.HTTPResponse, begin: bytes) -> bytes:
    while not (line := stream.readline()).startswith(begin):
        assert line, "it has ended"
    return line


def test_too_many_readers_are_told_so(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webnews, "MOST_READERS", 1)
    first = site.ask("/_bnet/events")
    assert first.status == 200
    assert site.ask("/_bnet/events").status == 503


def test_a_reader_who_has_gone_is_noticed() -> None:
    news = News()
    stream = news.stream(quiet=0.01)
    assert next(stream) == b"retry: 3000\n\n"
    assert next(stream) == b": still here\n\n", "which a closed connection does not take"


def test_who_does_not_come_to_the_point_is_let_go(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webdoor, "PATIENCE", 0.5)
    with socket.create_connection(("127.0.0.1", site.port), timeout=60) as slow:
        Thread(target=trickle, args=(slow,), daemon=True).start()
        assert site.ask("/").status == 200, "and holds nobody up meanwhile"
        assert slow.recv(1) == b""


def test_where_no_thread_can_begin_the_next_one_finds_room(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(webdoor, "MOST_AT_ONCE", 1)
    with monkeypatch.context() as full:
        full.setattr(webdoor.ThreadingHTTPServer, "process_request", fail)
        with socket.create_connection(("127.0.0.1", site.port), timeout=60) as turned_away:
            assert turned_away.recv(1) == b""
    assert site.ask("/").status == 200


def trickle(connection: socket.socket) -> None:
    try:
        connection.sendall(b"GET / HTTP/1.0\r\n")
        while True:
            connection.sendall(b"X")
            time.sleep(0.05)
    except OSError:
        return


def test_a_port_that_is_taken_is_named(site: Site, tmp_path: Path) -> None:
    with pytest.raises(BnetError, match=f"port {site.port} of 127.0.0.1 cannot be listened on"):
        WebServer(tmp_path, site.port, Desk())


def test_an_address_that_is_not_its_own_is_named(tmp_path: Path) -> None:
    with pytest.raises(BnetError, match=r"of nowhere\.invalid cannot be listened on"):
        WebServer(tmp_path, 0, Desk(), listen="nowhere.invalid")
