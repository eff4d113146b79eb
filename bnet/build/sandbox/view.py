"""The part of a tree that a package declared, standing elsewhere, and what a command made of it.

It is a copy. Mounting each declared file would take bubblewrap time that grows with the square of their number
(2,000: 5 s; 10,000 copies: 1 s); hard links would change the originals' stamps; and over a mounted output
directory no `rm -rf dist` succeeds, no rename into it, and no output beside its sources.
"""

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from bnet.errors import BnetError

_HOPS = 40  # links to follow at most, as the kernel does
_PIECE = 1 << 30  # bytes asked to be copied at once

_Look = tuple[int, int, int, int]


class Differences(NamedTuple):
    """What a command did to its view, as paths from the root, sorted.

    Attributes:
        changed: files and links that were made, or are no longer what they were.
        removed: those that are no longer there.
    """

    changed: list[str]
    removed: list[str]


class View:
    """A directory with copies of the declared files and links of a tree, at the same paths."""

    def __init__(self, place: str, root: str) -> None:
        """Name both.

        Args:
            place: where the view shall stand; best on the tree's file system.
            root: the tree.
        """
        self._place = place
        self._root = root
        self._looks: dict[str, _Look] = {}
        self._directories: set[str] = {""}

    def fill(self, paths: Iterable[str]) -> None:
        """Copy files and links, and with a link the file that it leads to, whose content counts with it.

        Raises:
            BnetError: one of them cannot be read or copied.
        """
        os.makedirs(self._place, exist_ok=True)
        for path in paths:
            try:
                for step in trail(self._root, path, missing_ok=False):
                    if step not in self._looks:
                        self._copy(step)
            except OSError as error:
                raise BnetError(f"cannot make {path!r} visible: {error.strerror}") from None

    def make_directory(self, path: str) -> None:
        """Make a directory, so that it is there without anything that was declared in it."""
        if path not in self._directories:
            os.makedirs(f"{self._place}/{path}", exist_ok=True)
            while path not in self._directories:
                self._directories.add(path)
                path = path.rpartition("/")[0]

    def holds(self, path: str) -> bool:
        """Tell whether a path was copied, or is a directory on the way to one that was."""
        return path in self._looks or path in self._directories

    def differences(self) -> Differences:
        """Look at what became of the view."""
        now = dict(_walk(self._place))
        changed = [path for path, look in now.items() if self._looks.get(path) != look]
        return Differences(sorted(changed), sorted(self._looks.keys() - now.keys()))

    def land(self, paths: Iterable[str]) -> None:
        """Move files and links into the tree, in the place of what is there.

        Raises:
            BnetError: one of them cannot get there.
        """
        for path in paths:
            try:
                os.makedirs(os.path.dirname(f"{self._root}/{path}"), exist_ok=True)
                _move(f"{self._place}/{path}", f"{self._root}/{path}")
            except OSError as error:
                raise BnetError(f"cannot put {path!r} in its place: {error.strerror}") from None

    def _copy(self, path: str) -> None:
        source, target = f"{self._root}/{path}", f"{self._place}/{path}"
        found = os.lstat(source)
        if stat.S_ISDIR(found.st_mode):
            # A link that leads to a directory: what is in that counts only if it is declared itself.
            self.make_directory(path)
            return
        self.make_directory(path.rpartition("/")[0])
        if stat.S_ISLNK(found.st_mode):
            os.symlink(os.readlink(source), target)
        elif stat.S_ISREG(found.st_mode):
            _copy_file(source, target, found)
        else:
            return
        self._looks[path] = _look(os.lstat(target))


def trail(root: str, path: str, *, follow: bool = True, missing_ok: bool = True) -> list[str]:
    """Follow a path within a tree as the kernel does.

    Args:
        root: the tree.
        path: from the root; it may contain `..` and pass through links.
        follow: whether a link at its end is followed, too.
        missing_ok: whether the end is told if nothing is there.

    Returns:
        The links on the way, and where it ends, as plain paths from the root; no end if it leaves the tree.
    """
    passed: list[str] = []
    ahead, at = path.split("/")[::-1], ""
    while ahead:
        part = ahead.pop()
        if part == "..":
            if not at:
                return passed
            at = at.rpartition("/")[0]
        elif part not in ("", "."):
            at = f"{at}/{part}" if at else part
            if (follow or any(ahead)) and os.path.islink(f"{root}/{at}"):
                passed.append(at)
                target = os.readlink(f"{root}/{at}")
                at = at.rpartition("/")[0]
                if target.startswith("/"):
                    if not f"{target}/".startswith(f"{root}/"):
                        return passed
                    target, at = target[len(root) :], ""
                if len(passed) > _HOPS:
                    return passed
                ahead.extend(target.split("/")[::-1])
    if missing_ok or os.path.lexists(f"{root}/{at}"):
        passed.append(at)
    return passed


def _walk(top: str) -> Iterator[tuple[str, _Look]]:
    """Yield every file and link below a directory, and how it looks."""
    waiting = [""]
    while waiting:
        directory = waiting.pop()
        with os.scandir(f"{top}/{directory}") as entries:
            for entry in entries:
                path = directory + entry.name
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(f"{path}/")
                else:
                    yield path, _look(entry.stat(follow_symlinks=False))


def _look(found: os.stat_result) -> _Look:
    # Not the time of the last change of the inode: a hard link from an output changes that, and no content.
    return found.st_mtime_ns, found.st_size, found.st_mode, found.st_ino


def _copy_file(source: str, target: str, found: os.stat_result) -> None:
    mode = stat.S_IMODE(found.st_mode)
    reader = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        writer = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            _copy_content(reader, writer)
            os.fchmod(writer, mode)
            os.utime(writer, ns=(found.st_atime_ns, found.st_mtime_ns))
        finally:
            os.close(writer)
    finally:
        os.close(reader)


def _copy_content(reader: int, writer: int) -> None:
    try:
        while os.copy_file_range(reader, writer, _PIECE):  # shares the blocks where the file system can
            pass
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
            raise
        os.lseek(reader, 0, os.SEEK_SET)
        os.ftruncate(writer, 0)
        os.lseek(writer, 0, os.SEEK_SET)
        while data := os.read(reader, 1 << 20):
            os.write(writer, data)


def _move(source: str, target: str) -> None:
    try:
        Path(source).replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with contextlib.suppress(FileNotFoundError):
            os.unlink(target)
        shutil.move(source, target)
