"""The parts of shared stores that need no server: names, words, opening, directories."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from bnet.errors import Invalid, StoreFailed
from bnet.model.tree import SharedStore
from bnet.stores.directory import DirectoryStore
from bnet.stores.failures import Refused, failures, reason, shown
from bnet.stores.names import INCOMING, is_name
from bnet.stores.opening import adapter, open_store


@pytest.fixture
def blob(tmp_path: Path) -> Path:
    path = tmp_path / "blob"
    path.write_bytes(b"blob")
    return path


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    path = tmp_path / "store"
    path.mkdir()
    return path


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("s3://bucket/prefix", "s3://bucket/prefix"),
        ("sftp://ada@host:2222/srv", "sftp://host:2222/srv"),
        ("sftp://ada:se/cr@et@host/srv", "sftp://host/srv"),
        ("webdavs://host/x?token=secret", "webdavs://host/x"),
        ("/srv/store?", "/srv/store?"),
    ],
)
def test_a_url_is_shown_without_what_is_secret(url: str, told: str) -> None:
    assert shown(url) == told


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(28, "No space left on device", "/srv/x"), "No space left on device"),
        (ValueError("\n  first line\nsecond"), "first line"),
        (TimeoutError(), "TimeoutError"),
        (RuntimeError("GET https://ada:secret@host/x?sig=secret failed"), "GET https://host/x failed"),
        (RuntimeError("x" * 1000), "x" * 300),
    ],
)
def test_a_reason_is_one_line_without_what_is_secret(error: Exception, told: str) -> None:
    assert reason(error) == told


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (PermissionError("Forbidden"), Refused),
        (OSError(28, "full"), Refused),
        (OSError(30, "read-only"), Refused),
        (OSError("Failure"), StoreFailed),
        (ConnectionResetError(104, "reset"), StoreFailed),
        (EOFError(), StoreFailed),
    ],
)
def test_a_refusal_is_told_from_being_away(error: Exception, kind: type[StoreFailed]) -> None:
    with pytest.raises(StoreFailed) as raised, failures("s3://b", "write a/b"):
        raise error
    assert type(raised.value) is kind
    assert str(raised.value).startswith("the shared store s3://b cannot write a/b: ")


def test_what_is_arriving_can_have_no_blobs_name() -> None:
    assert not is_name(INCOMING) and not is_name(f"{INCOMING}/x")


@pytest.mark.parametrize("url", ["sftp://ada:secret@host/srv", "webdavs://host/x?token=secret"])
def test_a_url_with_a_secret_is_refused_without_telling_it(url: str) -> None:
    with pytest.raises(Invalid) as raised:
        open_store(SharedStore(url=url), print)
    assert raised.value.field == "store.url" and "secret" not in str(raised.value)


def test_a_user_in_the_url_is_welcome() -> None:
    adapter("sftp://ada@host/srv", 1)


@pytest.mark.parametrize("url", ["{}", "file://{}", "local://{}"])
def test_a_path_is_a_directory(url: str, shelf: Path, blob: Path) -> None:
    adapter(url.format(shelf), 1).send("a", blob)
    assert (shelf / "a").read_bytes() == b"blob"


def test_a_relative_path_counts_from_the_root_of_the_tree_and_a_tilde_from_home(
    shelf: Path, blob: Path, isolated_environment: Path
) -> None:
    (isolated_environment / "mine").mkdir()
    adapter(shelf.name, 1, shelf.parent).send("a", blob)
    adapter("~/mine", 1, shelf.parent).send("a", blob)
    assert (shelf / "a").exists() and (isolated_environment / "mine" / "a").exists()


# -- a package or a protocol that is not there


def test_a_missing_package_is_named() -> None:
    needed = {"s3://b": "s3fs", "sftp://host/srv": "paramiko", "webdavs://host/x": "webdav4"}
    code = (
        "import sys; from bnet.errors import StoreFailed; from bnet.stores.opening import adapter\n"
        f"sys.modules |= dict.fromkeys({list(needed.values())})\n"
        f"for url in {list(needed)}:\n"
        "    try: adapter(url, 1).has('a')\n"
        "    except StoreFailed as error: print(error, '|', error.hint)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines() == [
        f"the shared store {url} needs a Python package that is not installed here | pip install {package}"
        for url, package in needed.items()
    ], done.stderr


def test_a_missing_package_of_another_protocol_is_named_as_fsspec_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "boxfs", None)
    with pytest.raises(StoreFailed, match="needs a Python package") as raised:
        adapter("box://folder", 1).has("a")
    assert "boxfs" in str(raised.value.hint)


def test_an_unknown_protocol_is_named() -> None:
    with pytest.raises(StoreFailed, match="Protocol not known: s4"):
        adapter("s4://bucket", 1).has("a")


def test_opening_a_store_imports_nothing_dear(shelf: Path) -> None:
    code = (
        "import sys; from bnet.model.tree import SharedStore; from bnet.stores.opening import open_store\n"
        "open_store(SharedStore(url='s3://bucket'), print)\n"
        "print(sorted({'fsspec', 's3fs', 'paramiko', 'asyncio', 'concurrent.futures'} & set(sys.modules)))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"


# -- directories


def test_a_directory_that_is_not_there_is_not_made(shelf: Path, blob: Path, tmp_path: Path) -> None:
    store = DirectoryStore(shelf / "mounted")
    for work in (
        lambda: store.has("a"),
        lambda: store.fetch("a", tmp_path / "x"),
        lambda: store.send("a", blob),
        lambda: list(store.names("")),
        lambda: store.delete("a"),
    ):
        with pytest.raises(StoreFailed, match="is no directory") as raised:
            work()
        assert "mount" in str(raised.value.hint)
    assert list(shelf.iterdir()) == []


def test_others_may_read_what_one_sends(shelf: Path, blob: Path, tmp_path: Path) -> None:
    blob.chmod(0o600)
    before = os.umask(0o002)
    try:
        DirectoryStore(shelf).send("a/b", blob)
    finally:
        os.umask(before)
    assert stat.S_IMODE((shelf / "a" / "b").stat().st_mode) == 0o664
    assert stat.S_IMODE((shelf / "a").stat().st_mode) == 0o775


def test_a_directory_is_no_blob(shelf: Path, blob: Path, tmp_path: Path) -> None:
    store = DirectoryStore(shelf)
    store.send("a/b", blob)
    for name in ("a", "a/b/c"):
        assert not store.has(name) and not store.fetch(name, tmp_path / "x")


def test_what_nobody_sent_is_no_blob(shelf: Path) -> None:
    for name in ("README", "Ä", "x y", f"{INCOMING}/abc"):
        (shelf / name).parent.mkdir(exist_ok=True)
        (shelf / name).touch()
    assert list(DirectoryStore(shelf).names("")) == []


def test_an_upload_that_breaks_off_leaves_nothing(
    shelf: Path, blob: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_handle: int) -> None:
        assert not (shelf / "a").exists()  # nor is it to be seen meanwhile
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(StoreFailed, match="Input/output error"):
        DirectoryStore(shelf).send("a", blob)
    assert [path for path in shelf.rglob("*") if path.is_file()] == []


def test_a_download_that_breaks_off_leaves_nothing(
    shelf: Path, blob: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = DirectoryStore(shelf)
    store.send("a", blob)

    def breaks(source: IO[bytes], target: IO[bytes], _size: int) -> None:
        target.write(b"bl")
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("shutil.copyfileobj", breaks)
    (tmp_path / "here").mkdir()
    with pytest.raises(StoreFailed, match="Input/output error"):
        store.fetch("a", tmp_path / "here" / "x")
    assert list((tmp_path / "here").iterdir()) == []
