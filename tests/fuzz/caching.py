"""Targets of `bnet.build`: entries and objects of the cache, what they restore, records, patterns, ignore files."""

from __future__ import annotations

import io
import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr, suppress
from pathlib import Path

import msgspec
import xxhash
import zstandard
from blake3 import blake3
from bundle import pack, unpack
from target import Target, must, scratch

from bnet.build import instant, keys, record
from bnet.build.cache import Cache
from bnet.build.entries import MAGIC, Entry, Kept, decode_entry
from bnet.build.files import Content
from bnet.build.globs import MOST_ALTERNATIVES, Patterns, compile_glob, expand
from bnet.build.keys import Inputs
from bnet.build.lister import Lister
from bnet.build.objects import Damaged
from bnet.build.reach import Reach
from bnet.build.recent import recent, remember
from bnet.build.record import Made, Record, Unmade, Watched
from bnet.build.restore import Blocked, There, restore
from bnet.build.upkeep import stats, verify
from bnet.codec.tree import read_tree
from bnet.errors import Invalid
from bnet.model.tree import Package, Tree
from bnet.stores.memory import MemoryStore

KEY = bytes(range(32))
TEXTS = (b"one\n", b"two " * 3000)
DIGESTS = tuple(blake3(text).digest() for text in TEXTS)
INPUTS = Inputs(
    recipe='{"path":"lib"}', env={"A": "b"}, tools={"cc": "12"}, sources=DIGESTS[0], dependencies={}
)
HIDDEN = msgspec.structs.replace(INPUTS, env=keys.hidden(INPUTS.env))
SOURCES = Content(paths=b"lib/a.c\0lib/b.c\0", kinds="fl", quick=bytes(16), digests=DIGESTS[0] + DIGESTS[1])
ENTRY = Entry(
    package="lib",
    files=(
        Kept(b"lib/dist/a.js", "f", len(TEXTS[0]), DIGESTS[0]),
        Kept(b"lib/dist/deep/run", "x", len(TEXTS[1]), DIGESTS[1], b"", 0o700),
        Kept(b"lib/gen/x.h", "l", 0, DIGESTS[0], b"../dist/a.js"),
    ),
    log=DIGESTS[0],
    seconds=1.5,
    inputs=HIDDEN,
    sources=SOURCES,
    at="2026-11-20T12:00:00+00:00",
)
TREE = b"""\
packages:
  - name: lib
    path: lib
    build_cmd: make
    outputs: ["dist/**", "gen/*.h", "**/*.o"]
"""


def sealed(body: bytes) -> bytes:
    """Return an entry's bytes under the digest that they have now: what somebody would write on purpose."""
    return MAGIC + blake3(body).digest() + body


def entry(data: bytes) -> None:
    """An entry is whole, or none; one that is whole can be compared and counted."""
    decode_entry(data)
    found = decode_entry(sealed(data))
    if found is None:
        return
    found.digests()
    found.content().names()
    remember(scratch() / "cache", found.package, KEY)
    list(keys.differences(found.inputs, INPUTS, found.sources, SOURCES))
    list(keys.differences(INPUTS, found.inputs, SOURCES, found.sources))


class Place:
    """A tree with a cache beside it, and around both what nobody may touch."""

    def __init__(self) -> None:
        self.top = scratch() / "restore"
        self.root = self.top / "tree"
        self.cache = self.top / "cache"
        self.before: dict[str, tuple[str, bytes]] = {}

    def prepare(self) -> None:
        """Make it as it is at first, unless it still is."""
        shutil.rmtree(self.cache, ignore_errors=True)
        if self.before and self.look() == self.before:
            return
        shutil.rmtree(self.top, ignore_errors=True)
        for path in (
            "canary/secret",
            "tree/lib/src.c",
            "tree/lib/dist/old.js",
            "tree/app/x.c",
            "tree/lib/o.d/k",
        ):
            place = self.top / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(path.encode())
        (self.root / "lib/out").symlink_to("../../canary")
        (self.root / "lib/here").symlink_to("src.c")
        self.before = self.look()

    def look(self) -> dict[str, tuple[str, bytes]]:
        """Return everything but the cache: path -> kind, and content or target."""
        found: dict[str, tuple[str, bytes]] = {}
        for directory, names, files in os.walk(self.top):
            if directory == str(self.top) and "cache" in names:
                names.remove("cache")
            for name in (*files, *(each for each in names if os.path.islink(os.path.join(directory, each)))):
                path = os.path.join(directory, name)
                at = os.path.relpath(path, self.top)
                if os.path.islink(path):
                    found[at] = "l", os.fsencode(os.readlink(path))
                else:
                    found[at] = "f", Path(path).read_bytes()
        return found


PLACE = Place()


def restored(data: bytes) -> None:
    """Whatever an entry says, and whatever its objects hold, nothing but the package's outputs is touched."""
    files = unpack(data)
    package = _package(files.get("bnet.yaml", TREE))
    found = sealed(files.get("entry.msgpack", b""))
    if package is None or decode_entry(found) is None:
        return
    PLACE.prepare()
    store = MemoryStore()
    cache = Cache(PLACE.cache, store if "shared" in files else None)
    blobs = {"entries": found}
    for digest, text in zip(DIGESTS, TEXTS, strict=True):
        blobs[f"objects/{digest.hex()}"] = text
    for number, digest in enumerate(DIGESTS):
        for ending in ("", ".z"):
            if f"object{number}{ending}" in files:
                blobs.pop(f"objects/{digest.hex()}", None)
                blobs[f"objects/{digest.hex()}{ending}"] = files[f"object{number}{ending}"]
    for name, blob in blobs.items():
        digits = name.partition("/")[2] or KEY.hex()
        path = cache.path / name.partition("/")[0] / digits[:2] / digits[2:]
        if cache.store is None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(blob)
        store.blobs[path.relative_to(cache.path).as_posix()] = blob
    with chdir(PLACE.root):
        _restore(cache, package)
    _check_untouched(package)


def _package(config: bytes) -> Package | None:
    try:
        packages = read_tree(config).packages
    except Invalid:
        return None
    return packages[0] if packages and packages[0].outputs else None


def _restore(cache: Cache, package: Package) -> None:
    cache.look_shared(KEY)
    kept = cache.find_shared(KEY) if cache.store is not None else cache.find(KEY)
    if kept is None:
        return
    stats(cache.path)
    if os.path.isdir(package.path) and not Path(os.path.realpath(package.path)).is_relative_to(PLACE.root):
        return  # the tree itself leads out: nothing that an entry says
    with suppress(Blocked):
        restore(cache, package, There({}, (), lambda path: False), kept, KEY, INPUTS, 0o022)
    cache.log_of(kept)
    verify(cache)


def _check_untouched(package: Package) -> None:
    after, patterns = PLACE.look(), Patterns(package.outputs, package.path)
    for path in PLACE.before.keys() | after.keys():
        if PLACE.before.get(path) != after.get(path):
            inner = path.removeprefix("tree/")
            must(inner != path and patterns.match(inner), f"{path!r} is no output of {package.path!r}")


def damaged_object(data: bytes) -> None:
    """An object that is not what its name says is `Damaged`, packed or not, and is dropped."""
    cache = Cache(scratch() / "objects")
    for digest in (DIGESTS[0], blake3(data).digest()):
        for ending in ("", ".z"):
            plain = cache.objects.path_of(digest)
            path = plain.with_name(plain.name + ending)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            size = 0
            try:
                for piece in cache.objects.read(digest):
                    size += len(piece)
                    if size > 1 << 22:
                        break
            except Damaged:
                must(not path.exists(), "it was not dropped")
            path.unlink(missing_ok=True)


def notes_of_a_cache(data: bytes) -> None:
    """What stands beside the entries is a number and a row of keys, or nothing."""
    top = scratch() / "notes"
    (top / "recent").mkdir(parents=True, exist_ok=True)
    (top / "version").write_bytes(data)
    (top / "recent" / "lib").write_bytes(data)
    Cache(top).is_newer()
    must(all(len(each) == 32 for each in recent(top, "lib")), "a key of another size")


def tree_record(data: bytes) -> None:
    """A record is believed when it is whole and of this version, and else there is none."""
    path = scratch() / "record"
    path.write_bytes(data)
    must(record.load(path) == Record(), "believed without its checksum")
    body = record.MAGIC + data
    path.write_bytes(body + xxhash.xxh3_64_digest(body))
    record.load(path)


def instant_record(data: bytes) -> None:
    """A row of stamps is believed when it is whole, and else the build takes the long way."""
    top = scratch() / "instant"
    state = Path(instant.state_of(str(top / "cache"), str(top / "tree")))
    if not state.is_dir():
        state.mkdir(parents=True)
        (top / "tree").mkdir()
        (top / "tree" / instant.CONFIG).write_bytes(TREE)
    for checksum in (xxhash.xxh3_64_digest(data), b"\0" * 8):
        (state / instant.NAME).write_bytes(instant.MAGIC + checksum + data)
        with chdir(top / "tree"), redirect_stderr(io.StringIO()):
            instant.up_to_date({"BNET_CACHE": str(top / "cache"), "PATH": "/bin"}, 0.0)
        instant.read_head(state)


def globs(data: bytes) -> None:
    """A pattern means some paths and not others, in bounded time, whatever is in it."""
    lines = data.decode(errors="surrogateescape").split("\n")
    pattern, directory, path = (*lines, "", "", "")[:3]
    row = [pattern, "!**/x", f"!{pattern}", pattern]
    for patterns in (Patterns(row, "."), Patterns([pattern], directory.strip("/") or ".")):
        patterns.match(path)
        patterns.match("src/a/b/c.txt")
        patterns.into("src/a")
        patterns.unmatched([path, "src/x"])
        must(all(isinstance(each, str) for each in (*patterns.bases, *patterns.literal)), "no paths")
    must(1 <= len(expand(pattern)) <= MOST_ALTERNATIVES, "too many alternatives")
    compile_glob(pattern).fullmatch("a" * 200 + "/" + "b" * 200)
    package = Package(name="x", path=directory.strip("/") or ".", sources=tuple(row))
    reach = Reach(Tree(packages=(package,)))
    for each in (path, "src/", "src/a/b"):
        if each:
            reach.has(package, each)


def ignore_file(data: bytes) -> None:
    """Whatever stands in a `.gitignore`, the files of a tree are listed."""
    top = scratch() / "ignoring"
    if not top.is_dir():
        for path in ("a.c", "b/c/d.txt", "b/e", "node_modules/x", "[x]/y z"):
            (top / path).parent.mkdir(parents=True, exist_ok=True)
            (top / path).touch()
    (top / ".gitignore").write_bytes(data)
    with chdir(top):
        found = Lister([]).find(Patterns(["**"], "."))
    must(set(found.paths) <= {".gitignore", "a.c", "b/c/d.txt", "b/e", "[x]/y z"}, "a file that is not there")


@contextmanager
def without_warnings() -> Iterator[None]:
    """Let Python say what it likes of `[a~~b]`: pathspec makes the expression, and it is a right one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


def _records() -> list[bytes]:
    watched = Watched(paths=b"lib\0", stamps=bytes(40))
    made = Made(KEY, KEY, INPUTS, KEY, SOURCES, SOURCES, watched, watched, 1.5, "full", "why", "2026-11-20")
    found = Record(
        config=KEY,
        tree=read_tree(TREE),
        tools={"cc": record.Tool("/usr/bin/cc", bytes(40), "12")},
        made={"lib": made},
        unmade={"app": Unmade(why="it failed", sources=b"app/x\0")},
    )
    return [msgspec.msgpack.encode(found), msgspec.msgpack.encode(Record())]


def _instants() -> list[bytes]:
    variables = b"PATH\0=/bin\0A\0-\0"
    end = (instant.FIXED + len(variables)).to_bytes(4, "big")
    return [b"\0\0\0\1" + end + bytes(16) + variables + b"bnet.yaml\0lib/a.c\0"]


def _restores() -> list[bytes]:
    body = msgspec.msgpack.encode(ENTRY)
    bomb = zstandard.ZstdCompressor().compress(bytes(1 << 20))
    whole = zstandard.ZstdCompressor().compress(TEXTS[1])
    other = msgspec.structs.replace(
        ENTRY, files=(Kept(b"lib/out/a.o", "f", 4, DIGESTS[0]), Kept(b"lib/src.c/b.o", "f", 4, DIGESTS[0]))
    )
    return [
        pack({"bnet.yaml": TREE, "entry.msgpack": body}),
        pack({"bnet.yaml": TREE, "entry.msgpack": body, "object1.z": whole, "shared": b""}),
        pack({"bnet.yaml": TREE, "entry.msgpack": body, "object1.z": bomb}),
        pack({"bnet.yaml": TREE, "entry.msgpack": msgspec.msgpack.encode(other), "shared": b""}),
    ]


def _globs() -> list[bytes]:
    rows = (
        b"src/**/*.c\nlib\nsrc/a/b.c",
        b"{a,b{c,d}}/[!a-c]*?\n.\nbc/dx",
        b"**/a*b*c*d*e/**/f\nx/y\naaaaaaaaaaaaaaaaaaaaa",
        b"/top/[[:alpha:]]\n\ntop/x",
        b"!dist\n.\ndist/x",
    )
    return list(rows)


TARGETS = (
    Target("entry", "msgpack", entry, lambda: [msgspec.msgpack.encode(ENTRY)], 15.0),
    Target("restore", "files", restored, _restores, 0.8),
    Target(
        "object",
        "bytes",
        damaged_object,
        lambda: [
            *TEXTS,
            zstandard.ZstdCompressor().compress(TEXTS[1]),
            zstandard.ZstdCompressor().compress(b""),
        ],
        0.6,
    ),
    Target("cache-notes", "bytes", notes_of_a_cache, lambda: [b"1\n", KEY * 3], 1.5),
    Target("record", "msgpack", tree_record, _records, 6.0),
    Target("instant", "bytes", instant_record, _instants, 2.0),
    Target("globs", "text", globs, _globs, 0.6),
    Target(
        "ignore",
        "text",
        ignore_file,
        lambda: [b"*.o\n!keep.o\n/build/\n# c\n**/x/**\n[a-c]?\\ \n", b"node_modules\n"],
        1.2,
        without_warnings,
    ),
)
