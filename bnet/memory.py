"""A hub in memory and a clock set by hand, for simulation and tests: the same ports, without Git, without waiting."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from itertools import takewhile

from bnet.codec import layout
from bnet.codec.view import Changes, File
from bnet.errors import Damaged
from bnet.model.message import Brought
from bnet.ports.hub import Commit, Look, Recorded, Stamp, Update

_NUMBER = re.compile(r"[0-9]{1,14}")  # as gitstore/objects.py reads it


class ManualClock:
    """A clock that moves when somebody sleeps, of a machine that was started a thousand seconds ago."""

    def __init__(self, begun: datetime = datetime(2026, 11, 20, 12, tzinfo=UTC)) -> None:
        """Show a time of day; `seconds` is how far it has moved since."""
        self.begun = begun
        self.seconds = 0.0
        self.boot_name = "boot-1"

    def now(self) -> datetime:
        return self.begun + timedelta(seconds=self.seconds)

    def boot(self) -> float:
        return 1000.0 + self.seconds

    def boot_id(self) -> str:
        return self.boot_name

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


class Repository:
    """What a hub holds: commits by id, and refs. Several `MemoryHub`s share one."""

    def __init__(self) -> None:
        self.refs: dict[str, str] = {}
        self.commits: dict[str, Commit] = {}
        self.trees: dict[str, Mapping[str, bytes]] = {}
        self.recorded: dict[str, Recorded | None] = {}
        self.blobs: dict[str, bytes] = {}  # those that somebody has listed

    def put(self, commit: Commit) -> str:
        """Store a commit and return its id: as in Git, equal commits have equal ids."""
        base = commit.parent or commit.like
        tree = dict(self.trees[base]) if base else {}
        for path, data in commit.files.items():
            if data is None:
                tree.pop(path, None)
                for below in [each for each in tree if each.startswith(path + "/")]:
                    del tree[below]
        written = {path: data for path, data in commit.files.items() if data is not None}
        above = {each for path in written for each in _above(path)}
        # As in Git, a file takes the place of a directory, and a directory that of a file.
        tree = {
            path: data
            for path, data in tree.items()
            if path not in above and written.keys().isdisjoint(_above(path))
        }
        tree |= written
        digest = hashlib.sha1(repr((commit.parent, sorted(tree.items()))).encode(), usedforsecurity=False)
        digest.update(repr((commit.message, commit.author, commit.at)).encode())
        oid = digest.hexdigest()
        self.commits[oid], self.trees[oid] = commit, tree
        self.recorded[oid] = _recorded(oid, commit)
        return oid


class MemoryHub:
    """One machine's view of a `Repository`; see `ports.Hub` for what each method promises."""

    def __init__(self, repository: Repository) -> None:
        """Join a repository that others may have joined too."""
        self.repository = repository
        self.ledger_ref = "refs/heads/bnet"
        self.telemetry_prefix = "refs/bnet/servers/"
        self._known = ""

    def telemetry_ref(self, server: str) -> str:
        return self.telemetry_prefix + server

    def exclusive(self) -> AbstractContextManager[object]:
        return nullcontext()

    def remake(self) -> None:
        self._known = ""

    def look(self) -> Look:
        prefix = self.telemetry_prefix
        refs = self.repository.refs
        telemetry = {ref[len(prefix) :]: oid for ref, oid in refs.items() if oid and ref.startswith(prefix)}
        return Look(refs.get(self.ledger_ref, ""), telemetry)

    def fetch(self, tip: str) -> None:
        """Everything is here already."""

    def fetch_telemetry(self, servers: Sequence[str]) -> None:
        """Everything is here already."""

    def known(self) -> str:
        return self._known

    def accept(self, tip: str) -> None:
        self._known = tip

    def contains(self, tip: str, commit: str) -> bool:
        return any(each == commit for each in self._line(tip))

    def _line(self, tip: str) -> Iterator[str]:
        at: str | None = tip or None
        while at is not None and at in self.repository.commits:
            yield at
            at = self.repository.commits[at].parent

    def newest_transaction(self, tip: str) -> Stamp | None:
        stamps = [each.stamp for each in self.recorded(tip)]
        return max(stamps, key=lambda stamp: stamp.seq, default=None)  # the oldest of several

    def recorded(self, tip: str, after: str = "") -> Sequence[Recorded]:
        line = takewhile(lambda oid: oid != after, self._line(tip))
        found = (self.repository.recorded[oid] for oid in line)
        return [each for each in found if each is not None][::-1]

    def expand(self, word: str) -> str:
        found = [oid for oid in self.repository.commits if oid.startswith(word)] if len(word) >= 4 else []
        return found[0] if len(found) == 1 else ""

    def changes(self, old: str | None, new: str, under: str = layout.ROOT) -> Changes:
        if old and old not in self.repository.trees:
            raise Damaged(f"there is no commit {old}")
        before = self.repository.trees[old] if old else {}
        after = self.repository.trees[new]
        return {
            path: _file(path, after.get(path))
            for path in before.keys() | after.keys()
            if path.startswith(under) and before.get(path) != after.get(path)
        }

    def origin(self, tip: str, path: str) -> tuple[str, str]:
        last = tip
        for oid in self._line(tip):
            if self.repository.trees[oid].get(path) != self.repository.trees[tip].get(path):
                break
            last = oid
        return last, self.repository.commits[last].author

    def brought(self, tip: str, paths: Sequence[str]) -> Mapping[str, Brought]:
        found: dict[str, Brought] = {}
        for path in paths:
            for oid in self._line(tip):
                commit = self.repository.commits[oid]
                before = self.repository.trees[commit.parent] if commit.parent else {}
                if path in self.repository.trees[oid] and path not in before:
                    found[path] = Brought(oid, commit.author, commit.at)
                    break
        return found

    def older(self, tip: str, path: str) -> Iterator[tuple[str, bytes]]:
        versions: list[tuple[str, bytes | None]] = []
        for oid in self._line(tip):
            data = self.repository.trees[oid].get(path)
            if versions and versions[-1][1] == data:
                versions.pop()
            versions.append((oid, data))
        yield from ((oid, data) for oid, data in versions[1:] if data is not None)

    def read(self, tip: str, paths: Sequence[str]) -> Mapping[str, bytes]:
        tree = self.repository.trees[tip]
        return {path: tree[path] for path in paths if path in tree}

    def names(self, tip: str, under: str) -> list[str]:
        return sorted(path for path in self.repository.trees[tip] if path.startswith(under.rstrip("/") + "/"))

    def blobs(self, tip: str, under: str) -> Mapping[str, str]:
        tree = self.repository.trees[tip]
        found = {path: _blob(tree[path]) for path in self.names(tip, under)}
        self.repository.blobs |= {oid: tree[path] for path, oid in found.items()}
        return found

    def contents(self, oids: Sequence[str], limit: int = 1 << 30) -> Mapping[str, bytes]:
        found = {oid: self.repository.blobs[oid] for oid in oids if oid in self.repository.blobs}
        return {oid: data for oid, data in found.items() if len(data) <= limit}

    def write(self, commits: Sequence[Commit]) -> list[str]:
        return [self.repository.put(commit) for commit in commits]

    def push(self, updates: Sequence[Update]) -> str | None:
        refs = self.repository.refs
        stale = []
        for each in updates:
            if refs.get(each.ref, "") in (each.old, each.new):
                refs[each.ref] = each.new
            else:
                stale.append(each.ref)
        return f"stale: {' '.join(stale)}" if stale else None


def _recorded(oid: str, commit: Commit) -> Recorded | None:
    lines = commit.message.strip().rpartition("\n\n")[2].split("\n")  # trailers: the last paragraph
    pairs = [line.partition(": ") for line in lines if line.startswith("Bnet-")]
    found = {name: value for name, colon, value in pairs if colon}
    if not all(_NUMBER.fullmatch(found.get(name, "")) for name in ("Bnet-Seq", "Bnet-Next-Job")):
        return None
    stamp = Stamp(oid, int(found["Bnet-Seq"]), int(found["Bnet-Next-Job"]), commit.author, commit.at)
    ops = [value for name, _, value in pairs if name == "Bnet-Op"]
    return Recorded(stamp, [commit.parent] if commit.parent else [], ops)


def _blob(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _above(path: str) -> Iterator[str]:
    """Yield the directories that a path is in."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _file(path: str, data: bytes | None) -> File | None:
    if data is None:
        return None
    if not layout.is_read(path):
        return File(data=None)
    if len(data) > layout.DOCUMENT_LIMIT:
        return File(data=None, note=f"is over {layout.DOCUMENT_LIMIT:,} bytes")
    return File(data=data)
