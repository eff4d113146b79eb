"""Watching a tree: build what a change touches, and answer a `bnet build` that asks whether anything did.

The answer is worth something only if it is certain: the kernel queues an event while the call that causes it is
still under way, so that one look at the queue after a question has all that happened before it. What no event of
the tree tells of is looked at for each answer. One change escapes both: through a hard link in a directory that is
not watched, or through a memory mapping before that is given up.
"""

import contextlib
import os
import select
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import xxhash

from bnet.build import instant
from bnet.build.files import LINK, NEVER, Content, Lister, join_names, split_names
from bnet.build.globs import Patterns
from bnet.build.package import DEFAULT_SOURCES
from bnet.build.record import Record, Unmade, load
from bnet.build.stamps import digest_now, stamp
from bnet.errors import BnetError
from bnet.files import read_or_none
from bnet.model.tree import Package

QUIET = 0.02  # seconds without another change after which a build begins; editors save in several steps
LONGEST = 0.15  # seconds after which it begins all the same
ROUNDS = 5  # builds in a row of what the build before has itself touched
PATIENCE = 0.05  # seconds that a question may take to arrive once somebody has called


class Seen(Protocol):
    """What happened since the last look: paths from the root, and what is certain about them."""

    @property
    def paths(self) -> set[str]:
        """What was written, made, removed, renamed; a directory stands for all that is in it."""

    @property
    def lost(self) -> bool:
        """Whether anything else may have changed too."""

    @property
    def exact(self) -> bool:
        """Whether it is certain that nothing else had."""

    @property
    def gone(self) -> bool:
        """Whether the tree is not there any more."""


class Events(Protocol):
    """The platform's file events."""

    def fileno(self) -> int:
        """Return what `select` waits for."""

    def read(self) -> Seen:
        """Return, without waiting, what happened."""


def passes(path: str) -> bool:
    """Tell whether a path is not watched, nor anything in it; what matters of that is looked at when asked."""
    return os.path.basename(path) in NEVER


class Way:
    """Where the directories of a tree really are, and of which paths events tell; one stands in the root."""

    def __init__(self, root: str) -> None:
        """Take the root, as `os.path.realpath` gives it."""
        self._inside = root.rstrip("/") + "/"
        self._real: dict[str, str] = {"": ""}
        self._plain: dict[str, bool] = {"": True}

    def inner(self, path: str) -> str:
        """Return a path from the root, if it is absolute and in the tree; any other as it is."""
        if path + "/" == self._inside:
            return "."
        return path.removeprefix(self._inside)

    def place(self, path: str) -> str:
        """Return where a path is whose directory may be reached by links; absolute, if outside of the tree."""
        directory, _, name = path.rpartition("/")
        real = self._directory(directory)
        if name == ".":
            return real or "."
        return f"{real}/{name}" if real else name

    def leads(self, path: str) -> str:
        """Return where a path is once all links are followed, the last one too."""
        return self.inner(os.path.realpath(self._inside + path))

    def is_told(self, path: str) -> bool:
        """Tell whether events of the tree say what happens to a path, under this very name."""
        directory, _, name = path.rpartition("/")
        if name in NEVER or path.startswith("/"):
            return False
        plain = self._plain.get(directory)
        if plain is None:
            plain = self._directory(directory) == directory and NEVER.isdisjoint(directory.split("/"))
            self._plain[directory] = plain
        return plain and (name != "." or not directory)

    def _directory(self, directory: str) -> str:
        known = self._real.get(directory)
        if known is None:
            known = at = ""
            for name in directory.split("/"):
                at = f"{at}/{name}" if at else name
                if at in self._real:
                    known = self._real[at]
                    continue
                real = f"{known}/{name}" if known else name
                real = self.leads(at) if os.path.islink(real) else real
                known = self._real[at] = "" if real == "." else real
        return known


class Index:
    """Which packages a path matters to, and what matters of which no event tells."""

    def __init__(self, known: Record, root: str, watched: Sequence[str] = ()) -> None:
        """Gather paths.

        Args:
            known: what the last build has left.
            root: of the tree; one stands in it.
            watched: all whose stamps say that the tree is up to date, if a build has left it so.
        """
        self._way = Way(root)
        self._users: dict[str, list[str]] = {}
        self._below: dict[str, set[str]] = {}
        self._tried = Tried(known)
        self.unmade = set(known.unmade)
        outside: set[str] = set()
        for name, made in known.made.items():
            paths: set[str] = set()
            for joined in (made.sources, made.outputs, made.source_places, made.output_places):
                paths.update(split_names(joined.paths))
            untold = [path for path in paths if not self._way.is_told(path)]
            behind = {self._way.leads(path) for path in _links(made.sources, made.outputs)}
            outside.update(untold, behind)
            self._add(name, paths.union(map(self._way.place, untold), behind))
        for name, unmade in known.unmade.items():
            sources = split_names(unmade.sources)
            self._tried.add(name, unmade, self._way)
            behind = {self._way.leads(path) for path in sources if os.path.islink(path)}
            for path in behind.union(sources, map(self._way.place, sources)):
                self._users.setdefault(path, []).append(name)
        others = {self._way.inner(path) for path in watched if path not in self._users}
        outside.update(path for path in others if not self._way.is_told(path))
        self._made = set(known.made)
        self._of_all = {instant.CONFIG, self._way.leads(instant.CONFIG), *others}
        self._above_all = _above(self._of_all)
        self.outside = {path: stamp(path) for path in outside}

    def of(self, paths: Iterable[str]) -> set[str] | None:
        """Return the packages that a change of these paths may concern: their files, or where they look for some.

        None, if it may concern all of them.
        """
        found: set[str] = set()
        maybe: set[str] = set()
        for path in paths:
            at, above = "" if path == "." else path, os.path.dirname(path) or "."
            if path in self._of_all or at in self._above_all:
                return None
            if above in self._of_all:
                found |= self._made
            found.update(self._users.get(path, ()), self._users.get(above, ()), self._below.get(at, ()))
            maybe |= self._tried.near(path)
        found.update(name for name in maybe - found if self._tried.differs(name))
        return found

    def outside_is_same(self) -> bool:
        """Tell whether that of which no event tells is what it was."""
        return all(stamp(path) == row for path, row in self.outside.items())

    def _add(self, name: str, paths: set[str]) -> None:
        for path in paths:
            self._users.setdefault(path, []).append(name)
        for directory in _above(paths):
            self._below.setdefault(directory, set()).add(name)


class Tried:
    """Packages whose last build left nothing that counts: a change near them matters if it is one of sources.

    Their commands may have written anything beside their sources, and would do so again.
    """

    def __init__(self, known: Record) -> None:
        """Begin with none of them."""
        tree = known.tree
        self._everywhere = tree.sources if tree else ()
        self._packages = {package.name: package for package in tree.packages} if tree else {}
        self._lister = Lister([package.path for package in self._packages.values()])
        self._unmade: dict[str, Unmade] = {}
        self._places: dict[str, set[str]] = {}
        self._below: dict[str, set[str]] = {}

    def add(self, name: str, unmade: Unmade, way: Way) -> None:
        """Take in one; where it got no further than to be looked for, all of its directory counts."""
        self._unmade[name] = unmade
        places = split_names(unmade.places)
        if not places and name in self._packages:
            places = [f"{self._packages[name].path}/."]
        real = {*places, *map(way.place, places)}
        for place in real:
            self._places.setdefault("" if place == "." else place, set()).add(name)
        for directory in _above(real):
            self._below.setdefault(directory, set()).add(name)

    def near(self, path: str) -> set[str]:
        """Return those that have looked for sources at a path, below it, or in a directory that it is in."""
        if not self._unmade:
            return set()
        at = "" if path == "." else path
        found = {*self._below.get(at, ()), *self._places.get(at, ())}
        while at:
            at = at.rpartition("/")[0]
            found |= self._places.get(at, set())
        return found

    def differs(self, name: str) -> bool:
        """Tell whether other files are sources of a package than were."""
        unmade, package = self._unmade[name], self._packages.get(name)
        if package is None:
            return True
        if not (unmade.sources or unmade.places):
            return bool(package.sources or self._everywhere)
        besides = [*package.outputs]
        if package.sources == DEFAULT_SOURCES:
            besides += (glob for each in self._beside(package) for glob in each.outputs)
        try:
            own = self._lister.find(
                Patterns(package.sources, package.path), besides=Patterns(besides, package.path)
            )
            shared = self._lister.find(Patterns(self._everywhere, "."))
        except BnetError:
            return True
        return join_names(sorted({*own.paths, *shared.paths})) != unmade.sources

    def _beside(self, package: Package) -> list[Package]:
        return [each for each in self._packages.values() if each.path == package.path]


class Watcher:
    """Builds whenever something changes, and answers."""

    def __init__(
        self,
        state: Path,
        root: str,
        events: Events,
        build: Callable[[set[str] | None], bool | None],
        told: Callable[[str], None],
    ) -> None:
        """Begin to listen.

        Args:
            state: the tree's directory; the socket is there.
            root: the tree's own; one stands in it.
            events: of the tree, watched since before now.
            build: brings up to date what is wanted, looking only at some packages, or at all of them (None); what
                failed before and is not among them is left alone. Tells whether all went well and any command was
                run or anything restored; None, if it could not even be tried.
            told: what a person should know, in words.
        """
        self._state = state
        self._root = root
        self._events = events
        self._build = build
        self._told = told
        self._index = Index(Record(), root)
        self._clean = b""
        self._touched: set[str] = set()
        self._lost = True
        self._exact = False
        self._owed = False  # a look at all packages, once something is saved
        self._server = _listen(state)

    def run(self, stopped: Callable[[], bool]) -> None:
        """Go on until told to stop, or until the tree is gone."""
        try:
            here = self._rebuild()
            while here and not stopped():
                ready = select.select([self._events.fileno(), self._server.fileno()], [], [], 0.5)[0]
                if self._events.fileno() in ready and not self._gather():
                    return
                if self._server.fileno() in ready:
                    self._answer()
                if self._is_calm():
                    self._touched.clear()
                else:
                    here = self._rebuild()
        finally:
            self._server.close()
            with contextlib.suppress(OSError):
                (self._state / instant.SOCKET).unlink()

    # -- what happens

    def _take(self) -> bool:
        seen = self._events.read()
        self._touched |= seen.paths
        self._lost = self._lost or seen.lost
        self._exact = seen.exact
        return not seen.gone

    def _gather(self) -> bool:
        """Take in a change, and what follows it closely; False if the tree is gone."""
        until = time.monotonic() + LONGEST
        while self._take():
            left = min(QUIET, until - time.monotonic())
            if left <= 0 or not select.select([self._events], [], [], left)[0]:
                return True
        return False

    def _concerned(self) -> set[str] | None:
        """Return the packages to look at: None for all of them."""
        if self._lost:
            return None
        found = self._index.of(self._touched)
        return None if found and self._owed else found

    def _is_calm(self) -> bool:
        return self._concerned() == set()

    def _rebuild(self) -> bool:
        """Build until nothing is left to do; False if the tree is gone."""
        concerned = self._concerned() if self._index.outside_is_same() else None
        if concerned is not None:
            concerned |= self._index.unmade
        for _ in range(ROUNDS):
            self._touched, self._lost = set(), False
            worked = self._build(concerned)
            self._owed = worked is None
            self._learn(built=not self._owed)
            if not self._take():  # what the build has done itself, most of all
                return False
            concerned = self._concerned()
            if concerned == set() and not worked:
                return True
        return self._rest(concerned)

    def _rest(self, concerned: set[str] | None) -> bool:
        """Wait for somebody else, where builds go on touching what they are made from; False if the tree is gone."""
        if not self._gather():
            return False
        names = ", ".join(sorted((concerned or set()) & self._index.unmade or concerned or ["all"]))
        self._told(f"bnet: not built until something is saved, for it changes its own sources: {names}")
        self._touched, self._lost = set(), False
        self._clean, self._owed = b"", True
        return True

    def _learn(self, *, built: bool = False) -> None:
        """Take in what the last build, whoever's it was, has left: it is clean if it holds now.

        Args:
            built: whether it was left by a build of one's own, since whose beginning all events count.
        """
        data, head = read_or_none(self._state / instant.NAME) or b"", instant.read_head(self._state)
        paths = data[len(head) :] if data.startswith(head or b"-") else b""
        before = self._index.outside if built and self._clean else {}
        # The record is read last: it is of the same build, or of one that has begun to remove the other file.
        self._index = Index(load(self._state / "record"), self._root, split_names(paths))
        self._clean = head if paths else b""
        # What no event tells of may have changed after the build looked, and before it was stamped just now.
        if (
            paths
            and not (built and self._index.outside.items() <= before.items())
            and not _holds(head, paths)
        ):
            self._clean = b""

    # -- answering

    def _answer(self) -> None:
        """Tell somebody whether the tree is as the record says, now."""
        with contextlib.suppress(OSError):
            connection, _ = self._server.accept()
            with connection:
                connection.settimeout(PATIENCE)
                asked = connection.recv(64)
                self._take()
                calm = self._exact and self._is_calm()
                same = calm and self._clean != b"" and asked == xxhash.xxh3_128_digest(self._clean)
                same = same and self._index.outside_is_same()
                connection.sendall(instant.CLEAN if same else b"no")
            if calm and not same:
                self._learn()  # another build may have left another record since
                self._owed = self._owed or not self._clean


def _holds(head: bytes, paths: bytes) -> bool:
    """Tell whether the stamps of all paths still are those that a build has written down."""
    try:
        return digest_now(paths.split(b"\0")[:-1]) == head[instant.FIXED - 16 : instant.FIXED]
    except OSError:
        return False


def _links(*contents: Content) -> Iterator[str]:
    for content in contents:
        if LINK in content.kinds:
            yield from (
                path for path, kind in zip(content.names(), content.kinds, strict=True) if kind == LINK
            )


def _above(paths: Iterable[str]) -> set[str]:
    """Return all directories that paths are in, the root as ""."""
    found: set[str] = set()
    for directory in {path.rpartition("/")[0] for path in paths}:
        while directory not in found:
            found.add(directory)
            directory = directory.rpartition("/")[0]
    return found


def _listen(state: Path) -> socket.socket:
    """Return the socket; its directory may have a longer path than a socket's address can."""
    server = socket.socket(socket.AF_UNIX)
    stood = os.getcwd()
    os.chdir(state)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(instant.SOCKET)
        server.bind(instant.SOCKET)
        server.listen(16)
    finally:
        os.chdir(stood)
    return server
