"""The server of the dashboard: files of one directory, to this machine, under its own name, and nothing else."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest

from bnet.errors import BnetError
from bnet.host.webserver import WebServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[WebServer]:
    root = tmp_path / "site"
    (root / "jobs").mkdir(parents=True)
    (root / "index.html").write_text("<p>hello")
    (root / "jobs" / "1.html").write_text("job")
    (root / ".bnet-site.json").write_text("{}")
    (tmp_path / "secret.txt").write_text("secret")
    server = WebServer(root, 0)
    server.start()
    yield server
    server.close()


def ask(
    server: WebServer, path: str, method: str = "GET", host: str | None = None
) -> http.client.HTTPResponse:
    port = int(server.url.rsplit(":", 1)[1].strip("/"))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.putrequest(method, path, skip_host=True)
    connection.putheader("Host", host or f"127.0.0.1:{port}")
    connection.endheaders()
    return connection.getresponse()


def test_it_listens_on_this_machine_alone(server: WebServer) -> None:
    assert server.url.startswith("http://127.0.0.1:")


def test_pages_are_sent_with_what_makes_them_harmless(server: WebServer) -> None:
    answer = ask(server, "/")
    assert (answer.status, answer.read()) == (200, b"<p>hello")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


@pytest.mark.parametrize(
    ("path", "status"),
    {
        "/jobs/1.html": 200,
        "/jobs/1.html?x=1": 200,
        "/jobs/": 404,
        "/nothing.html": 404,
        "/.bnet-site.json": 404,
        "/../secret.txt": 404,
        "/%2e%2e/secret.txt": 404,
        "/%2ebnet-site.json": 404,
        "//etc/passwd": 404,
    }.items(),
)
def test_what_is_there_for_whom(server: WebServer, path: str, status: int) -> None:
    assert ask(server, path).status == status


@pytest.mark.parametrize("host", ["evil.example:80", "127.0.0.1.evil.example:8080", "evil.example"])
def test_a_name_that_is_not_its_own_is_not_answered(server: WebServer, host: str) -> None:
    assert ask(server, "/", host=host).status == 421


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_can_be_changed_by_it(server: WebServer, method: str) -> None:
    assert ask(server, "/", method).status == 501


def test_a_port_that_is_taken_is_named(server: WebServer, tmp_path: Path) -> None:
    port = int(server.url.rsplit(":", 1)[1].strip("/"))
    with pytest.raises(BnetError, match=f"port {port} cannot be listened on"):
        WebServer(tmp_path, port)
