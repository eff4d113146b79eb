"""Runs a package's command so that it sees nothing of the tree but what the package declared."""

import os
import shutil
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from bnet import process
from bnet.build.globs import Patterns
from bnet.build.sandbox import calls
from bnet.build.sandbox.view import View, trail
from bnet.build.sandbox.whole import whole_directories
from bnet.errors import BnetError

BASE = ("PATH", "HOME", "LANG", "LC_ALL", "TERM", "TMPDIR", "USER", "SHELL")
HOME, TEMPORARY = "/tmp/home", "/tmp"
_TRIAL_S = 20.0
_LIBRARY = str(Path(__file__).resolve().parents[3])
_START = "import sys; sys.path.insert(0, sys.argv.pop(1)); from bnet.build.sandbox.trace import run; run()"


class Undeclared(NamedTuple):
    """What a command reached for beyond what its package declared, as paths from the root, sorted.

    Attributes:
        reads: what is in the tree and was asked for, though not seen.
        writes: what was written, removed, or tried to be, besides the outputs.
    """

    reads: list[str]
    writes: list[str]


@lru_cache(1)
def available() -> str | None:
    """Return None if commands can be run so; else why not, and what to do."""
    if not sys.platform.startswith("linux"):
        return "--strict needs Linux"
    if calls.audit_number() is None:
        return f"--strict does not know the system calls of {os.uname().machine}"
    if shutil.which("bwrap") is None:
        return "--strict needs bubblewrap: install the package bubblewrap"
    with TemporaryDirectory(prefix="bnet-strict.") as place:
        root = f"{place}/tree"
        os.mkdir(root)
        box = Box(f"{place}/box", root, directory=".", readable=(), writable=Patterns((), "."))
        try:
            done = process.run(box.command(["true"]), env=dict(os.environ), timeout=_TRIAL_S)
        except (OSError, process.TimedOut) as error:
            return f"--strict does not work here: {error}"
    return None if done.code == 0 else f"--strict does not work here: {done.complaint}"


def environment(environ: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """Return what a command finds in its environment: a base, and the variables that its package names.

    Args:
        environ: the caller's.
        names: of the package's variables.
    """
    kept = {name: environ[name] for name in (*BASE, *names) if name in environ}
    return {**kept, "HOME": HOME, "TMPDIR": TEMPORARY}


class Box:
    """One package's part of the tree, for one run of its commands.

    At the root's own path they find a copy of what is readable; they may write there, and what is an output is
    moved into the tree by `land`. Larger directories in which everything is readable, and no output, are not
    copied but mounted, and cannot be written to. All else of the machine is there to be read, /tmp and HOME are
    empty.
    """

    def __init__(
        self,
        place: str,
        root: str,
        *,
        directory: str,
        readable: Collection[str],
        writable: Patterns,
        tools_dirs: Sequence[str] = (),
    ) -> None:
        """Copy what is readable.

        Args:
            place: a directory that is made for this, best on the tree's file system; `remove` removes it.
            root: the tree.
            directory: the package's, from the root, where its commands run.
            readable: its sources and its dependencies' outputs: files and links, from the root.
            writable: its outputs.
            tools_dirs: directories that are visible as they are, and cannot be written to: from the root, or
                absolute, for what lies below /tmp.

        Raises:
            BnetError: something cannot be copied.
        """
        self._names = list(dict.fromkeys([os.path.realpath(root), os.path.abspath(root)]))
        self._root = self._names[0]
        self._place = os.path.abspath(place)
        self._directory = "" if directory == "." else directory
        self._writable = writable.match
        self._bound: list[str] = []
        try:
            os.makedirs(f"{self._place}/tmp/home")
            self._view = View(f"{self._place}/tree", self._root)
            self._fill(readable, [*writable.bases, *filter(None, [self._directory])])
            for path in tools_dirs:
                self._show(path)
        except OSError as error:
            raise BnetError(f"cannot prepare {self._place}: {error.strerror}") from None

    def command(self, argv: Sequence[str]) -> list[str]:
        """Return how to run a command in the package's directory; its environment is that which this is given.

        Args:
            argv: the command.

        Raises:
            BnetError: bubblewrap is not installed.
        """
        settings, program = f"{self._place}/arguments", shutil.which("bwrap")
        if program is None:
            raise BnetError("bwrap is not in the PATH", hint="install the package bubblewrap")
        with open(settings, "wb") as file:
            file.write(b"".join(os.fsencode(word) + b"\0" for word in self._settings()))
        roots = [word for name in self._names for word in ("--root", name)]
        start = [sys.executable, "-I", "-S", "-c", _START, _LIBRARY]
        return [*start, self._record, settings, program, *roots, "--", *argv]

    def land(self) -> None:
        """Move the outputs into the tree, and remove there those that the command removed.

        Call it after `undeclared`, which looks at what is moved.

        Raises:
            BnetError: one of them cannot get there.
        """
        found = self._view.differences()
        self._view.land(path for path in found.changed if self._writable(path))
        for path in filter(self._writable, found.removed):
            Path(self._root, path).unlink(missing_ok=True)

    def undeclared(self) -> Undeclared:
        """Return what the command reached for beyond what was declared."""
        found = self._view.differences()
        writes = {path for path in (*found.changed, *found.removed) if not self._writable(path)}
        reads: set[str] = set()
        for kind, path in self._recorded():
            if kind in (calls.WRITE, calls.MAKE):
                writes.update(self._written(path, kind))
            else:
                reads.update(self._read(path, follow=kind != calls.LINK))
        return Undeclared(_deepest(reads - writes), _deepest(writes))

    def remove(self) -> None:
        """Remove the copy, and whatever the command left in it."""
        shutil.rmtree(self._place, ignore_errors=True)

    # -- what is visible

    @property
    def _record(self) -> str:
        return f"{self._place}/record"

    def _fill(self, readable: Collection[str], keep_writable: Sequence[str]) -> None:
        whole = whole_directories(self._root, readable, keep_writable)
        inside = tuple(f"{path}/" for path in whole)
        self._view.fill(path for path in readable if not path.startswith(inside))
        for path in whole:
            self._view.make_directory(path)
        self._view.make_directory(self._directory)
        self._bound += whole

    def _show(self, path: str) -> None:
        """Make a tools directory visible; if it is a link, that and the directory."""
        if path.startswith("/"):
            if os.path.isdir(path):
                self._bound.append(os.path.abspath(path))
            return
        self._view.fill([path])
        for end in trail(self._root, path)[-1:]:
            place = f"{self._root}/{end}"
            if os.path.isdir(place) and not os.path.islink(place):
                self._bound.append(end)

    def _settings(self) -> list[str]:
        words = ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
        words += ["--bind", f"{self._place}/tmp", TEMPORARY]
        words += ["--bind", f"{self._place}/tree", self._root]
        for path in self._bound:
            place = os.path.join(self._root, path)
            words += ["--ro-bind", place, place]
        words += ["--unshare-pid", "--unshare-ipc", "--die-with-parent"]
        return [*words, "--chdir", f"{self._root}/{self._directory}"]

    # -- what was reached for

    def _recorded(self) -> list[tuple[str, str]]:
        try:
            with open(self._record, "rb") as file:
                entries = os.fsdecode(file.read()).split("\0")[:-1]
        except FileNotFoundError:
            return []
        return [(entry[0], entry[1:]) for entry in entries]

    def _read(self, path: str, *, follow: bool) -> list[str]:
        """Return what of the tree was missed on the way along a path."""
        steps = trail(self._root, path, follow=follow, missing_ok=False)
        return [step for step in steps if not self._declared(step)]

    def _written(self, path: str, kind: str) -> list[str]:
        """Return the path if it was to be changed, and that is not seen from what became of the view."""
        end = trail(self._root, path, follow=False)[-1:]
        if not end or self._declared(end[0], but_bound=False):
            return []
        there = os.path.lexists(f"{self._root}/{end[0]}")
        above = end[0].rpartition("/")[0]
        # What was made and removed again where nothing is in the tree harms nobody.
        elsewhere = os.path.isdir(f"{self._root}/{above}") and not os.path.isdir(
            f"{self._place}/tree/{above}"
        )
        return end if (there and kind == calls.WRITE) or elsewhere or self._in_bound(end[0]) else []

    def _declared(self, path: str, *, but_bound: bool = True) -> bool:
        return self._view.holds(path) or self._writable(path) or (but_bound and self._in_bound(path))

    def _in_bound(self, path: str) -> bool:
        return any(path == bound or path.startswith(f"{bound}/") for bound in self._bound)


def _deepest(paths: Iterable[str]) -> list[str]:
    """Return paths, sorted, without the directories on the way to others of them."""
    found = set(paths)
    above = {path.rpartition("/")[0] for path in found}
    for path in list(above):
        while path := path.rpartition("/")[0]:
            above.add(path)
    return sorted(found - above)
