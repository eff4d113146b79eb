"""What every shared store promises, on the servers that teams have."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import store_servers
from store_servers import Server

from bnet.errors import StoreFailed
from bnet.ports.outside import Store
from bnet.stores.guarded import Guarded
from bnet.stores.memory import MemoryStore
from bnet.stores.opening import adapter

KINDS = ["memory", "guarded", "directory", "fsspec memory", "sftp", "s3", "webdav"]
WRONG = ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/", "./a", "A", "a b", "ä", "a\n"]
LARGE = 300_000  # bytes: more than a packet, a buffer or a chunk of any of them


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Server]]:
    """Start each kind of server once, when it is needed first."""
    with store_servers.each_once(tmp_path_factory.mktemp("server")) as get:
        yield get


Open = Callable[[], Store]


@pytest.fixture(params=KINDS)
def open_again(
    request: pytest.FixtureRequest,
    server: Callable[[str], Server],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Open:
    """What opens one and the same store, empty at first, again and again."""
    kind = request.param
    if kind in ("memory", "guarded"):
        store = MemoryStore()
        said: list[str] = []
        return lambda: store if kind == "memory" else Guarded(store, "read-write", 60, said.append)
    if kind == "directory":
        (tmp_path / "store").mkdir()
        return lambda: adapter(str(tmp_path / "store"), 30)
    if kind == "fsspec memory":
        url = f"memory://{uuid4().hex}"
    else:
        running = server(kind)
        running.introduce(monkeypatch)
        url = f"{running.url}/{uuid4().hex}/deep"
    return lambda: adapter(url, 30)


@pytest.fixture
def store(open_again: Open) -> Store:
    return open_again()


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A directory of this machine."""
    path = tmp_path / "here"
    path.mkdir()
    return path


def give(store: Store, here: Path, name: str, data: bytes) -> None:
    path = here / uuid4().hex
    path.write_bytes(data)
    store.send(name, path)
    path.unlink()


def take(store: Store, here: Path, name: str) -> bytes | None:
    path = here / uuid4().hex
    found = store.fetch(name, path)
    assert path.exists() == found
    return path.read_bytes() if found else None


@pytest.mark.parametrize("size", [0, 1, LARGE])
def test_what_is_sent_is_fetched(open_again: Open, here: Path, size: int) -> None:
    data = os.urandom(size)
    give(open_again(), here, "objects/ab/cd.z", data)
    assert take(open_again(), here, "objects/ab/cd.z") == data
    assert os.listdir(here) and len(os.listdir(here)) == 1


def test_an_empty_store_has_nothing(store: Store, here: Path) -> None:
    assert not store.has("objects/ab/cd")
    assert take(store, here, "objects/ab/cd") is None
    assert list(store.names("")) == [] == list(store.names("objects/"))
    store.delete("objects/ab/cd")
    assert os.listdir(here) == []


def test_a_blob_is_there_from_sending_to_deleting(open_again: Open, here: Path) -> None:
    one, other = open_again(), open_again()
    assert not other.has("a/b")
    give(one, here, "a/b", b"blob")
    assert one.has("a/b") and other.has("a/b")
    other.delete("a/b")
    assert not one.has("a/b") and not other.has("a/b")
    assert take(one, here, "a/b") is None


def test_sending_again_does_no_harm_and_the_newer_content_stays(store: Store, here: Path) -> None:
    for data in (b"long content", b"short", b"short"):
        give(store, here, "a/b", data)
        assert take(store, here, "a/b") == data
    assert list(store.names("")) == ["a/b"]


def test_names_are_found_by_any_prefix(store: Store, here: Path) -> None:
    names = ["entries/ab/1", "entries/ab/2.z", "entries/ac/3", "entries-of-old/4", "top_5"]
    for name in names:
        give(store, here, name, b"x")
    for prefix in (
        "",
        "e",
        "entries",
        "entries/",
        "entries/a",
        "entries/ab/",
        "entries/ab/2",
        "top",
        "none/",
    ):
        assert sorted(store.names(prefix)) == sorted(each for each in names if each.startswith(prefix))


def test_a_name_never_leads_out_of_the_store(store: Store, here: Path) -> None:
    if isinstance(store, Guarded):
        return  # it says so and goes on, as with all other failures
    path = here / "blob"
    path.write_bytes(b"x")
    for name in WRONG:
        for call, *more in (("fetch", here / "other"), ("send", path), ("has",), ("delete",)):
            with pytest.raises(StoreFailed, match="can have the name"):
                getattr(store, str(call))(name, *more)
    assert os.listdir(here) == ["blob"] and list(store.names("")) == []


# Readers of fsspec's memory share one position in a file; nobody's store is there.
@pytest.mark.parametrize("open_again", [kind for kind in KINDS if kind != "fsspec memory"], indirect=True)
def test_threads_may_use_it_at_the_same_time(store: Store, here: Path) -> None:
    wrong: list[object] = []
    sent = threading.Barrier(6)

    def work(number: int) -> None:
        try:
            data = bytes([number]) * 50_000
            give(store, here, f"own/{number}", data)
            give(store, here, "common/name", b"the same for all" * 1000)
            # WebDAV lets a server replace a file in two steps, between which there is none.
            sent.wait(30)
            assert take(store, here, f"own/{number}") == data
            assert take(store, here, "common/name") == b"the same for all" * 1000
            assert store.has(f"own/{number}") and not store.has(f"nobody/{number}")
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert wrong == []
    assert len(list(store.names("own/"))) == 6


def test_a_reader_sees_a_blob_whole_or_not_at_all(open_again: Open, here: Path) -> None:
    whole = {bytes([number]) * LARGE for number in (1, 2)}
    reader, writer = open_again(), open_again()
    seen: set[bytes | None] = set()
    ended = threading.Event()

    def read() -> None:
        while not ended.is_set():
            seen.add(take(reader, here, "a/b"))
            seen.update(None for _ in reader.names("incoming"))

    thread = threading.Thread(target=read)
    thread.start()
    for data in sorted(whole) * 3:
        give(writer, here, "a/b", data)
    ended.set()
    thread.join()
    assert seen <= whole | {None}, {each and len(each) for each in seen}


def test_a_file_that_cannot_be_read_or_written_is_a_failure_of_the_store(
    open_again: Open, here: Path
) -> None:
    store = open_again()
    if isinstance(store, Guarded):
        return
    with pytest.raises(StoreFailed):
        store.send("a/b", here / "missing")
    assert not store.has("a/b")
    give(store, here, "a/b", b"blob")
    assert store.fetch("a/b", here / "new" / "directory" / "blob")
    (here / "file").touch()
    with pytest.raises(StoreFailed):
        store.fetch("a/b", here / "file" / "blob")
    assert take(store, here, "a/b") == b"blob"
