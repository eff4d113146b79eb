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
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import xxhash

from bnet.build import instant
from bnet.build.files import split_names
from bnet.build.index import Index
from bnet.build.record import Record, load
from bnet.build.stamps import digest_now
from bnet.files import read_or_none

QUIET = 0.02  # seconds without another change after which a build begins; editors save in several steps
LONGEST = 0.15  # seconds after which it begins all the same
ROUNDS = 5  # builds in a row of what the build before has itself touched
SURE = 0.5  # seconds without a change after which the last of these begins: what changes then is its own work
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
        left = ROUNDS
        while left:
            self._touched, self._lost = set(), False
            worked = self._build(concerned)
            self._owed = worked is None
            self._learn(built=not self._owed)
            if not self._take():  # what the build has done itself, most of all
                return False
            concerned = self._concerned()
            if concerned == set() and not worked:
                return True
            left -= 1
            if 0 < left < ROUNDS - 1:
                left = ROUNDS if self._is_somebody_at_work(QUIET if left > 1 else SURE) else left
                concerned = self._concerned()
        return self._rest(concerned)

    def _is_somebody_at_work(self, seconds: float) -> bool:
        """Tell whether something that matters is touched while nothing is built."""
        own, self._touched = self._touched, set()
        until = time.monotonic() + seconds
        while self._is_calm() and (left := until - time.monotonic()) > 0:
            if select.select([self._events], [], [], left)[0]:
                self._take()
        somebody = self._exact and not self._is_calm()  # where events come late, they may be the build's own
        self._touched |= own
        return somebody

    def _rest(self, concerned: set[str] | None) -> bool:
        """Leave alone, until something is saved, what builds go on touching; False if the tree is gone."""
        waiting = (concerned or set()) & self._index.unmade
        if waiting:
            names = ", ".join(sorted(waiting))
            self._told(f"bnet: not built until something is saved, for it changes its own sources: {names}")
        self._build(self._index.made)  # somebody may have saved something else meanwhile
        self._learn()
        here = self._take()
        self._touched, self._lost, self._owed = set(), False, True
        self._clean = b""
        return here

    def _learn(self, *, built: bool = False) -> None:
        """Take in what the last build, whoever's it was, has left: it is clean if it holds now.

        Args:
            built: whether it was left by a build of one's own, since whose beginning all events count.
        """
        data, head = read_or_none(self._state / instant.NAME) or b"", instant.read_head(self._state)
        paths = data[len(head) :] if data.startswith(head or b"-") else b""
        before = self._index.outside.items() if built and self._clean else {}.items()
        # The record is read last: it is of the same build, or of one that has begun to remove the other file.
        self._index = Index(load(self._state / "record"), self._root, split_names(paths))
        self._clean = head if paths else b""
        # What no event tells of may have changed after the build looked, and before it was stamped just now.
        sure = built and self._index.outside.items() <= before
        if paths and not sure and not _holds(head, paths):
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
