"""Bad days of shared stores: servers that die, fall silent, refuse, or are somebody else."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from uuid import uuid4

import psutil
import pytest
import store_servers
from store_servers import KNOWN, PASSWORD, USER, Server, looks_at_credentials, relay, silence

from bnet.errors import StoreFailed
from bnet.model.tree import SharedStore
from bnet.stores.opening import adapter, open_store

KINDS = list(store_servers.SERVERS)
LARGE = 3_000_000  # bytes; more than all buffers between here and there
CUT = 1_000_000

Get = Callable[[str], Server]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Get]:
    """Start each kind of server once, when it is needed first."""
    with store_servers.each_once(tmp_path_factory.mktemp("server")) as get:
        yield get


@pytest.fixture
def blob(tmp_path: Path) -> Path:
    path = tmp_path / "blob"
    path.write_bytes(os.urandom(LARGE))
    return path


@pytest.fixture
def here(tmp_path: Path) -> Path:
    path = tmp_path / "here"
    path.mkdir()
    return path


def shelf(server: Server) -> str:
    """Return the URL of a store that nobody used yet."""
    return f"{server.url}/{uuid4().hex}"


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_dies_midway_leaves_nothing_half_done(
    kind: str, server: Get, blob: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = server(kind)
    sound.introduce(monkeypatch)
    url = shelf(sound)
    store = adapter(url, 10)
    store.send("a/whole", blob)
    with relay(sound.port, CUT) as port:
        cut = sound.behind(port)
        cut.introduce(monkeypatch)
        url_cut = url.replace(f":{sound.port}/", f":{port}/")
        store_cut = adapter(url_cut, 5)
        with pytest.raises(StoreFailed, match="cannot write a/half"):
            store_cut.send("a/half", blob)
        with pytest.raises(StoreFailed, match="cannot read a/whole"):
            store_cut.fetch("a/whole", here / "x")
    assert list(here.iterdir()) == []
    assert not store.has("a/half") and list(store.names("")) == ["a/whole"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_is_killed_is_reported_once(
    kind: str, tmp_path: Path, blob: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    with store_servers.SERVERS[kind](tmp_path / "server") as server:
        server.introduce(monkeypatch)
        store = open_store(SharedStore(url=shelf(server), timeout=10), said.append)
        store.send("a", blob)
        assert store.has("a") and said == []
        kill(server.pid)
        began = time.monotonic()
        assert not store.has("a") and not store.fetch("a", tmp_path / "x") and list(store.names("")) == []
        store.send("b", blob)
        assert time.monotonic() - began < 11
    assert len(said) == 1 and said[0].endswith("; going on without it")
    assert PASSWORD not in said[0] and USER not in said[0]


def kill(pid: int) -> None:
    """Kill a server with the processes that serve its connections."""
    for each in [*psutil.Process(pid).children(recursive=True), psutil.Process(pid)]:
        with suppress(psutil.NoSuchProcess):
            each.kill()


def test_a_connection_that_the_server_ended_is_made_again(
    server: Get, blob: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = server("sftp")
    running.introduce(monkeypatch)
    store = adapter(shelf(running), 10)
    store.send("a", blob)
    for each in psutil.Process(running.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            each.kill()
    assert store.has("a")


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_never_answers_costs_the_time_out(
    kind: str, server: Get, blob: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    with silence() as port:
        silent = server(kind).behind(port)
        silent.introduce(monkeypatch)
        store = open_store(SharedStore(url=shelf(silent), timeout=0.5), said.append)
        began = time.monotonic()
        for _ in range(50):
            assert not store.has("a") and not store.fetch("a", tmp_path / "x")
            store.send("a", blob)
        assert time.monotonic() - began < 2.0
    assert len(said) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_library_gives_up_too(kind: str, server: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    with silence() as port:
        silent = server(kind).behind(port)
        silent.introduce(monkeypatch)
        began = time.monotonic()
        with pytest.raises(StoreFailed):
            adapter(shelf(silent), 0.3).has("a")
        assert time.monotonic() - began < 10


# -- somebody else


def test_sftp_talks_to_no_server_that_is_not_known(server: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    running = server("sftp")
    for known in ("", running.files[KNOWN].replace("127.0.0.1", "127.0.0.2")):
        unknown = Server(running.url, running.port, files={**running.files, KNOWN: known})
        unknown.introduce(monkeypatch)
        with pytest.raises(StoreFailed, match="not found in known_hosts"):
            adapter(shelf(running), 10).has("a")


def test_sftp_talks_to_no_server_with_another_key(
    server: Get, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = server("sftp")
    with store_servers.sftp(tmp_path / "other") as other:
        theirs = other.files[KNOWN].replace(f"]:{other.port} ", f"]:{running.port} ")
        Server(running.url, running.port, files={**running.files, KNOWN: theirs}).introduce(monkeypatch)
        with pytest.raises(StoreFailed, match="does not match"):
            adapter(shelf(running), 10).has("a")


@pytest.mark.parametrize("kind", KINDS)
def test_who_may_not_come_in_is_told_so(kind: str, server: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    running = server(kind)
    wrong = {
        "sftp": {".ssh/config": "", KNOWN: running.files.get(KNOWN, "")},
        "webdav": {".netrc": f"machine 127.0.0.1 login {USER} password wrong-{PASSWORD}\n"},
        "s3": {},
    }
    Server(running.url, running.port, env=running.env, files=wrong[kind]).introduce(monkeypatch)
    with ExitStack() as stack:
        if kind == "s3":
            stack.enter_context(looks_at_credentials(running.port))
        with pytest.raises(StoreFailed) as raised:
            adapter(shelf(running), 10).has("a")
    told = {"sftp": "uthentication", "webdav": "401", "s3": "orbidden"}
    assert told[kind] in str(raised.value)
    assert PASSWORD not in str(raised.value) and USER not in str(raised.value)


def test_a_bucket_that_does_not_exist_is_no_empty_store(
    server: Get, blob: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server("s3").introduce(monkeypatch)
    store = adapter("s3://no-such-bucket", 10)
    for work in (
        lambda: store.has("a"),
        lambda: list(store.names("")),
        lambda: store.fetch("a", blob.with_name("x")),
        lambda: store.send("a", blob),
    ):
        with pytest.raises(StoreFailed, match="s3://no-such-bucket"):
            work()


# -- disks


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with store_servers.small_disk(tmp_path / "disk") as at:
        yield at


def on(kind: str, disk: Path, server: Get, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the URL of a store on a disk of this machine."""
    if kind == "directory":
        return str(disk)
    running = server("sftp")
    running.introduce(monkeypatch)
    return f"sftp://root@127.0.0.1:{running.port}{disk}"


@pytest.mark.parametrize("kind", ["directory", "sftp"])
def test_a_full_disk_is_said_and_leaves_nothing(
    kind: str, disk: Path, server: Get, blob: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = adapter(on(kind, disk, server, monkeypatch), 10)
    small = tmp_path / "small"
    small.write_bytes(b"small")
    store.send("small", small)
    with pytest.raises(StoreFailed, match=r"cannot write large: .*(No space left|full)"):
        store.send("large", blob)
    assert not store.has("large") and list(store.names("")) == ["small"]
    store.send("smaller", small)  # what was written in vain is gone


@pytest.mark.parametrize("kind", ["directory", "sftp"])
def test_a_read_only_disk_is_still_read(
    kind: str, disk: Path, server: Get, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = on(kind, disk, server, monkeypatch)
    small, said = tmp_path / "small", list[str]()
    small.write_bytes(b"small")
    adapter(url, 10).send("a", small)
    store_servers.make_read_only(disk)
    store = open_store(SharedStore(url=url), said.append)
    store.send("b", small)
    store.send("c", small)
    assert store.fetch("a", tmp_path / "x")
    assert len(said) == 1 and said[0].endswith("; nothing more is sent to it")
