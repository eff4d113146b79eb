"""The cache by itself: what goes in comes out as it was, or not at all; and its upkeep."""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from blake3 import blake3
from workbench import Bench

from bnet.build import upkeep
from bnet.build.cache import Cache
from bnet.build.entries import Entry, Kept, decode_entry, encode_entry
from bnet.build.files import Content
from bnet.build.keys import Inputs
from bnet.build.objects import Damaged
from bnet.stores.memory import MemoryStore

DAY = 86400.0
NOW = 1_800_000_000.0


class Shelf:
    """A cache, and files to keep in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.cache = Cache(root / "cache")

    def keep(
        self, name: str, *contents: bytes, used: float | None = None, cache: Cache | None = None
    ) -> bytes:
        """Keep files under a key of this name; return the key."""
        cache = cache or self.cache
        files = []
        for data in contents:
            path = self.root / f"file{len(files)}"
            path.write_bytes(data)
            files.append((Kept(path.name.encode(), "f", len(data), blake3(data).digest()), str(path)))
        key = blake3(name.encode()).digest()
        entry = Entry(
            name, tuple(kept for kept, _ in files), blake3(b"").digest(), 1.0, INPUTS, Content(), "2026"
        )
        assert cache.keep(key, entry, files, b"")
        if used is not None:
            os.utime(cache.entry_path(key), (used, used))
        return key

    def restore(self, key: bytes, cache: Cache | None = None) -> list[bytes] | None:
        """Return what comes out under a key; None if it is not there, or not whole."""
        cache = cache or self.cache
        entry = cache.find(key)
        if entry is None:
            return None
        target = self.root / "out"
        found = []
        for kept in entry.files:
            target.unlink(missing_ok=True)
            try:
                cache.objects.lay_out(kept, str(target))
            except Damaged:
                return None
            found.append(target.read_bytes())
        return found

    def age(self, seconds: float) -> None:
        """Let all objects have been written so long before NOW."""
        for path in (self.cache.path / "objects").rglob("*"):
            os.utime(path, (NOW - seconds, NOW - seconds))

    def files(self, kind: str) -> list[Path]:
        return sorted(path for path in (self.cache.path / kind).rglob("*") if path.is_file())

    def collect(self, most: float = 1e12, longest: float = 1e9) -> upkeep.Removed:
        return upkeep.collect(self.cache.path, most=int(most), longest=longest, now=NOW)


INPUTS = Inputs("", {}, {}, b"", {})
TEXT = b"many words, many words\n" * 1000
NOISE = random.Random(1).randbytes(20_000)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


@pytest.mark.parametrize("data", [b"", b"x", TEXT, NOISE], ids=["empty", "small", "text", "noise"])
def test_what_goes_in_comes_out(shelf: Shelf, data: bytes) -> None:
    assert shelf.restore(shelf.keep("a", data)) == [data]


@pytest.mark.parametrize("unit", [TEXT, NOISE], ids=["text", "noise"])
def test_what_is_too_large_for_memory_is_packed_and_verified_in_pieces(
    shelf: Shelf, unit: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bnet.build.objects.LARGE", 10_000)
    assert shelf.restore(shelf.keep("a", unit * 100)) == [unit * 100]
    packed = [path.suffix for path in shelf.files("objects") if path.stat().st_size]
    assert packed == [".z"]


def test_every_file_is_kept_once_and_small_where_that_pays(shelf: Shelf) -> None:
    shelf.keep("a", TEXT, NOISE)
    shelf.keep("b", TEXT)
    found = upkeep.stats(shelf.cache.path)
    assert (found.entries, found.objects) == (2, 3), "of the two, and an empty log"
    assert found.content == 2 * len(TEXT) + len(NOISE) and found.deduplicated == len(TEXT)
    assert found.compressed > 0.9 * len(TEXT)
    assert found.bytes == sum(
        path.stat().st_size for kind in ("entries", "objects") for path in shelf.files(kind)
    )


@pytest.mark.parametrize("kind", ["entries", "objects"])
@pytest.mark.parametrize("how", ["truncated", "altered", "emptied", "longer"])
def test_what_is_damaged_at_any_byte_never_comes_out(shelf: Shelf, kind: str, how: str) -> None:
    text = b"some words, " * 400
    key = shelf.keep("a", text)
    (path,) = [path for path in shelf.files(kind) if path.stat().st_size]
    data = path.read_bytes()
    for at in range(len(data)):
        hurt = {
            "truncated": data[:at],
            "altered": data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :],
            "emptied": b"",
            "longer": data + data[: at + 1],
        }[how]
        path.write_bytes(hurt)
        cache = Cache(shelf.cache.path)
        assert shelf.restore(key, cache) in (None, [text]), at
        if how in ("truncated", "emptied"):
            assert not path.exists() and "it was dropped and is made again" in cache.trouble
        shelf.keep("a", text, cache=cache)
        assert shelf.restore(key) == [text], "it was made again, or what was altered is none of it"
        path.write_bytes(data)


def test_what_was_damaged_beside_it_is_made_again_too(shelf: Shelf) -> None:
    key = shelf.keep("a", TEXT, NOISE)
    for path in shelf.files("objects"):
        path.write_bytes(path.read_bytes()[:-1] if path.stat().st_size else b"")
    assert shelf.restore(key) is None
    shelf.keep("a", TEXT, NOISE)
    assert shelf.restore(key) == [TEXT, NOISE]


def test_an_object_that_grew_is_made_again(shelf: Shelf) -> None:
    key = shelf.keep("a", b"small")
    (path,) = [path for path in shelf.files("objects") if path.stat().st_size]
    path.write_bytes(b"small and more")
    cache = Cache(shelf.cache.path)
    assert shelf.restore(key, cache) is None and not path.exists()
    shelf.keep("a", b"small", cache=cache)
    assert shelf.restore(key) == [b"small"]


def test_what_is_damaged_in_the_shared_store_is_given_again(tmp_path: Path) -> None:
    store = MemoryStore()
    shelves = [Shelf(tmp_path / name) for name in ("one", "two", "three")]
    for shelf in shelves:
        shelf.root.mkdir()
        shelf.cache = Cache(shelf.root / "cache", store)
    key = shelves[0].keep("a", b"shared")
    (name,) = [name for name, data in store.blobs.items() if data == b"shared"]
    store.blobs[name] = b"altered"
    assert shelves[1].cache.find_shared(key) is not None and shelves[1].restore(key) is None
    shelves[1].keep("a", b"shared")
    assert shelves[2].cache.find_shared(key) is not None and shelves[2].restore(key) == [b"shared"]


ODD: dict[str, dict[str, Any]] = {
    "a short digest": {"digest": b"x"},
    "no digest": {"digest": b""},
    "a negative size": {"size": -1},
    "another kind": {"kind": "d"},
    "a mode that gives rights": {"mode": 0o4755},
    "a link to nowhere at all": {"kind": "l", "target": b""},
    "a link that is no name": {"kind": "l", "target": b"a\0b"},
}


@pytest.mark.parametrize("change", ODD.values(), ids=list(ODD))
def test_an_entry_that_makes_no_sense_is_none(change: dict[str, Any]) -> None:
    kept = Kept(b"p", "f", 1, bytes(32))
    entry = Entry("p", (kept,), bytes(32), 1.0, INPUTS, Content(), "2026")
    assert decode_entry(encode_entry(entry)) == entry
    odd = msgspec.structs.replace(entry, files=(msgspec.structs.replace(kept, **change),))
    assert decode_entry(encode_entry(odd)) is None


HOSTILE = {
    "above": b"p/dist/../../../x",
    "absolute": b"/tmp/x",
    "beside": b"p/src/one",
    "empty parts": b"p/dist//x",
    "dots": b"p/dist/./x",
    "a name that is none": b"p/dist/x\0y",
}


def planted(bench: Bench, *files: Kept) -> dict[str, str]:
    """Build, put files into the entry as somebody with a hand on the store may, lose the outputs, build."""
    bench.declare(bench.package())
    bench.build()
    (path,) = bench.stored("entries")
    entry = decode_entry(path.read_bytes())
    assert entry is not None
    path.write_bytes(encode_entry(msgspec.structs.replace(entry, files=entry.files + files)))
    shutil.rmtree(bench.root / "p/dist")
    return bench.tiers()


@pytest.mark.parametrize("path", HOSTILE.values(), ids=list(HOSTILE))
def test_a_hostile_entry_is_not_restored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: bytes
) -> None:
    bench = Bench(tmp_path / "b", monkeypatch)
    assert planted(bench, Kept(path, "l", 0, bytes(32), b"evil")) == {"p": "full"}
    assert "names files that are none of its outputs" in bench.trouble
    assert bench.read("p/src/one") == "1" and not (bench.root.parent / "x").exists()
    shutil.rmtree(bench.root / "p/dist")
    assert bench.tiers() == {"p": "local"}, "the entry was made anew"
    assert not bench.trouble


def test_an_entry_does_not_write_through_its_own_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path / "b", monkeypatch)
    out = tmp_path / "outside"
    out.mkdir()
    link = Kept(b"p/dist/l", "l", 0, bytes(32), os.fsencode(out))
    assert planted(bench, link, Kept(b"p/dist/l/x", "l", 0, bytes(32), b"evil")) == {"p": "full"}
    assert list(out.iterdir()) == []


def test_an_entry_that_asks_for_more_than_the_disk_has_is_not_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path / "b", monkeypatch)
    assert planted(bench, Kept(b"p/dist/huge", "f", 1 << 60, blake3(b"1").digest())) == {"p": "full"}
    assert "more than the disk has" in bench.trouble


# -- a cache that cannot be used


def test_a_newer_cache_is_left_alone_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path / "b", monkeypatch)
    bench.declare(bench.package())
    bench.build()
    (bench.cache / "version").write_text("2\n")
    (entry,) = bench.stored("entries")
    entry.write_bytes(b"bnet entry 2\n...")
    shutil.rmtree(bench.root / "p/dist")
    assert bench.tiers() == {"p": "full"}
    assert "a newer bnet wrote it" in bench.trouble
    assert entry.read_bytes() == b"bnet entry 2\n..."


def test_a_cache_that_refuses_is_not_asked_for_every_package(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def full(path: Path, data: bytes) -> None:
        asked.append(path)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shelf.cache.shelf, "place", full)
    for _ in range(3):
        with pytest.raises(AssertionError):
            shelf.keep("a", b"1")
    assert len(asked) == 1
    assert shelf.cache.trouble.endswith("No space left on device")


# -- upkeep


def test_what_was_used_longest_ago_goes_first(shelf: Shelf) -> None:
    keys = [shelf.keep(str(number), bytes([number]) * 3000, used=NOW - number * DAY) for number in range(5)]
    shelf.age(DAY)
    size = upkeep.stats(shelf.cache.path).bytes
    assert shelf.collect(most=size).entries == 0
    os.utime(shelf.cache.entry_path(keys[4]), (NOW, NOW))
    removed = shelf.collect(most=size - 3001)
    assert (removed.entries, removed.objects) == (1, 1)
    assert shelf.restore(keys[3]) is None and shelf.restore(keys[4]) == [bytes([4]) * 3000]
    assert removed.left_bytes == upkeep.stats(shelf.cache.path).bytes


def test_what_was_not_used_for_long_goes(shelf: Shelf) -> None:
    old, new = shelf.keep("old", b"old", used=NOW - 31 * DAY), shelf.keep("new", b"new", used=NOW - 29 * DAY)
    shelf.age(40 * DAY)
    assert shelf.collect(longest=30 * DAY).entries == 1
    assert shelf.restore(old) is None and shelf.restore(new) == [b"new"]


def test_what_is_used_is_not_old(shelf: Shelf) -> None:
    key = shelf.keep("a", b"a", used=NOW - 31 * DAY)
    assert shelf.cache.find(key) is not None
    assert shelf.cache.entry_path(key).stat().st_mtime > NOW - 400 * DAY
    os.utime(shelf.cache.entry_path(key), (NOW, NOW))
    assert shelf.collect(longest=30 * DAY).entries == 0


def test_objects_that_no_entry_names_go_once_they_are_not_young(shelf: Shelf) -> None:
    key = shelf.keep("a", b"a")
    shelf.cache.entry_path(key).unlink()
    shelf.age(upkeep.YOUNG / 2)
    assert shelf.collect().objects == 0
    shelf.age(upkeep.YOUNG * 2)
    assert shelf.collect().objects == 2, "of a file and of a log"
    assert shelf.files("objects") == []


@pytest.mark.parametrize("before", [True, False])
def test_an_object_that_somebody_looks_for_just_when_it_goes(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    first = shelf.keep("a", NOISE)
    shelf.cache.entry_path(first).unlink()
    shelf.age(DAY)
    monkeypatch.setattr(upkeep, "move", meanwhile(shelf, NOISE, before=before))
    removed = shelf.collect().objects
    assert removed == 1 if before else removed == 2, "the log; what was adopted before is put back"
    assert shelf.restore(blake3(b"b").digest()) == [NOISE]


def meanwhile(shelf: Shelf, data: bytes, *, before: bool) -> Callable[[Path, Path], None]:
    """Return a move at whose first use of an object somebody keeps the same file, just before or just after it."""
    once: list[int] = []

    def move(path: Path, target: Path) -> None:
        acts = (
            not once and blake3(data).hexdigest().startswith(path.parent.name) and path.parent.name != "tmp"
        )
        if acts and before:
            once.append(1)
            shelf.keep("b", data)
        os.replace(path, target)
        if acts and not before:
            once.append(1)
            shelf.keep("b", data)

    return move


def test_an_entry_that_is_used_just_before_it_would_go_stays(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = shelf.keep("a", b"a", used=NOW - 60 * DAY)
    stored = list(upkeep.stored(shelf.cache.path))
    os.utime(shelf.cache.entry_path(key), (NOW, NOW))
    monkeypatch.setattr(upkeep, "stored", lambda path: iter(stored))
    assert shelf.collect(longest=30 * DAY).entries == 0
    assert shelf.restore(key) == [b"a"]


def test_what_killed_builds_left_goes(shelf: Shelf) -> None:
    shelf.keep("a", b"a")
    old, new = shelf.cache.path / "tmp/1.x.1", shelf.cache.path / "tmp/2.x.1"
    for path, age in ((old, upkeep.YOUNG * 2), (new, 1)):
        path.write_bytes(b"half a fi")
        os.utime(path, (NOW - age, NOW - age))
    shelf.collect()
    assert not old.exists() and new.exists()


def test_what_is_known_of_a_tree_that_is_gone_goes(shelf: Shelf) -> None:
    shelf.keep("a", b"a")
    tree = shelf.cache.path / "trees/1234"
    (tree / "logs").mkdir(parents=True)
    for name in ("record", "instant", "lock", "logs/p.log"):
        (tree / name).write_bytes(b"x")
    os.utime(tree / "record", (NOW - 40 * DAY, NOW - 40 * DAY))
    shelf.collect(longest=30 * DAY)
    assert [path.name for path in tree.rglob("*") if path.is_file()] == ["lock"], "a build may hold it"


def test_nothing_is_kept_of_a_tree_that_was_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    benches = [Bench(tmp_path / name, monkeypatch) for name in ("stays", "goes")]
    cache = benches[0].cache
    for bench in benches:
        bench.cache, bench.env["BNET_CACHE"] = cache, str(cache)
        os.chdir(bench.root)
        bench.declare(bench.package())
        bench.build()
    shutil.rmtree(benches[1].root)
    now = time.time()
    assert len(list((cache / "trees").iterdir())) == 2
    upkeep.collect(cache, most=10**9, longest=DAY, now=now)
    assert len(list((cache / "trees").iterdir())) == 2, "it may only be away for a moment"
    upkeep.collect(cache, most=10**9, longest=DAY, now=now + upkeep.YOUNG + 60)
    os.chdir(benches[0].root)
    assert benches[0].is_instant() and benches[0].state().joinpath(upkeep.ROOT).read_text() == str(
        benches[0].root
    )


def test_verify_removes_and_names_what_is_wrong_and_nothing_else(shelf: Shelf) -> None:
    good = shelf.keep("good", b"good")
    keys = {name: shelf.keep(name, name.encode() * 500) for name in ("object", "lacks", "entry")}
    assert upkeep.verify(shelf.cache) == []
    for name in ("object", "lacks"):
        path = shelf.cache.objects.path_of(blake3(name.encode() * 500).digest())
        path.unlink() if name == "lacks" else path.write_bytes(b"other")
    shelf.cache.entry_path(keys["entry"]).write_bytes(b"other")
    (shelf.cache.path / "objects/zz").mkdir()
    (shelf.cache.path / "objects/zz/stray").write_bytes(b"stray")
    told = sorted(wrong.why for wrong in upkeep.verify(shelf.cache))
    assert told == [
        "a damaged entry",
        "a file that is not what it was",
        "a file that is not what it was",
        "an entry of lacks that lacks a file",
        "an entry of object that lacks a file",
    ]
    assert upkeep.verify(shelf.cache) == []
    assert shelf.restore(good) == [b"good"]


def test_clear_leaves_nothing_but_what_is_known_of_trees(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path / "b", monkeypatch)
    bench.declare(bench.package())
    bench.build()
    removed = upkeep.clear(bench.cache)
    assert (removed.entries, removed.objects) == (1, 2)
    assert not bench.stored("entries") and not bench.stored("objects") and not bench.stored("tmp")
    assert bench.is_instant()
    shutil.rmtree(bench.root / "p/dist")
    assert bench.tiers() == {"p": "full"}


def test_now_and_then_is_once_a_day_and_only_beyond_the_bounds(shelf: Shelf) -> None:
    for number in range(3):
        shelf.keep(str(number), bytes([number]) * 5000, used=NOW - number * DAY)
    shelf.age(DAY)
    mark = shelf.cache.path / upkeep.MARK

    def look(now: float, most: int) -> upkeep.Removed | None:
        removed = upkeep.now_and_then(shelf.cache.path, most=most, now=now)
        os.utime(mark, (NOW, NOW))
        return removed

    assert look(NOW, 10**9) is None
    assert int(mark.read_text()) == upkeep.stats(shelf.cache.path).bytes
    assert look(NOW + 3600, 1) is None, "it was looked at an hour ago"
    removed = look(NOW + 2 * DAY, 1)
    assert removed is not None and removed.entries == 3
    assert int(mark.read_text()) == removed.left_bytes


def test_an_empty_place_is_an_empty_cache(tmp_path: Path) -> None:
    assert upkeep.stats(tmp_path / "none") == upkeep.Stats(0, 0, 0, 0, 0, 0)
    assert upkeep.verify(Cache(tmp_path / "none")) == []
    assert upkeep.now_and_then(tmp_path / "none", most=0, now=NOW) is None
    assert not (tmp_path / "none").exists()
