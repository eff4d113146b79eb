"""Watching a tree: build what a change touches, and answer a `bnet build` that asks whether anything did.

The answer is worth something only if it is certain: the kernel queues an event while the call that causes it is
still under way, so that one look at the queue after a question has all that happened before it.
"""

import contextlib
import os
import select
import socket
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

import xxhash

from bnet.build import instant
from bnet.build.files import NEVER, split_names
from bnet.build.record import Record, load
from bnet.build.stamps import stamps

QUIET = 0.02  # seconds without another change after which a build begins; editors save in several steps
LONGEST = 0.15  # seconds after which it begins all the same
ROUNDS = 5  # looks after a build at what it has itself caused, before it counts as somebody else's work
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


class Index:
    """Which packages a path matters to."""

    def __init__(self, known: Record, root: str) -> None:
        """Gather the paths of a record; those outside of the tree are not watched, and looked at when asked."""
        self._users: dict[str, list[str]] = {}
        self._outside: list[str] = []
        for name, made in known.made.items():
            paths: set[str] = set()
            for joined in (made.sources, made.outputs, made.source_places, made.output_places):
                paths.update(split_names(joined.paths))
            for path in paths:
                self._users.setdefault(path, []).append(name)
        for tool in known.tools.values():
            self._outside += [os.path.dirname(tool.path), os.path.realpath(tool.path)]
        self._stamps = stamps(self._outside)

    def of(self, paths: Iterable[str]) -> set[str]:
        """Return the packages that a change of these paths may concern: their files, or where they look for some."""
        found: set[str] = set()
        for path in paths:
            found.update(self._users.get(path, ()))
            found.update(self._users.get(os.path.dirname(path) or ".", ()))
            if os.path.isdir(path) or path == ".":
                inner = "" if path == "." else f"{path}/"
                found.update(*(users for each, users in self._users.items() if each.startswith(inner)))
        return found

    def passes(self, path: str) -> bool:
        """Tell whether nothing in a directory can matter."""
        return os.path.basename(path) in NEVER and path not in self._users

    def outside_is_same(self) -> bool:
        """Tell whether the tools are those that they were."""
        return stamps(self._outside) == self._stamps


class Watcher:
    """Builds whenever something changes, and answers."""

    def __init__(
        self, state: Path, root: str, events: Events, build: Callable[[set[str] | None], bool]
    ) -> None:
        """Begin to listen.

        Args:
            state: the tree's directory; the socket is there.
            root: the tree's own; one stands in it.
            events: of the tree, watched since before now.
            build: brings up to date what is wanted, looking only at some packages, or at all of them (None);
                tells whether any command was run or anything restored.
        """
        self._state = state
        self._root = root
        self._events = events
        self._build = build
        self._index = Index(Record(), root)
        self._clean = b""
        self._touched: set[str] = set()
        self._lost = True
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
                if self._concerned() != set():
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
        if not seen.exact:
            self._clean = b""
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
        if self._lost or instant.CONFIG in self._touched:
            return None
        return self._index.of(self._touched)

    def _rebuild(self) -> bool:
        """Build until nothing is left to do; False if the tree is gone."""
        self._clean = b""
        worked = True
        for _ in range(ROUNDS):
            concerned = self._concerned()
            self._touched, self._lost = set(), False
            if concerned == set() and not worked:
                break
            worked = self._build(concerned)
            self._index = Index(load(self._state / "record"), self._root)
            if not self._take():  # what the build has done itself, most of all
                return False
        else:
            return True
        self._clean = instant.read_head(self._state)
        return True

    # -- answering

    def _answer(self) -> None:
        """Tell somebody whether the tree is as the record says, now."""
        with contextlib.suppress(OSError):
            connection, _ = self._server.accept()
            with connection:
                connection.settimeout(PATIENCE)
                asked = connection.recv(64)
                self._take()
                same = self._clean and not self._lost and self._concerned() == set()
                same = same and asked == xxhash.xxh3_128_digest(self._clean) and self._index.outside_is_same()
                connection.sendall(instant.CLEAN if same else b"no")


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
