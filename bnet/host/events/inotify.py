"""Watches a tree through Linux's inotify, and knows when it has seen everything."""

import contextlib
import errno
import os

from bnet.errors import BnetError
from bnet.host.events import kernel
from bnet.host.events.changes import Changes, Passes
from bnet.host.events.kernel import Event, Queue
from bnet.host.events.mounts import Mounts

_CAME = kernel.CREATE | kernel.MOVED_TO | kernel.ATTRIB  # with new attributes it may be readable at last
_WENT = kernel.DELETE | kernel.MOVED_FROM
_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


class _Directory:
    """A watched directory: its path from the root ("" for that), the kernel's number of it, what is in it."""

    __slots__ = ("above", "below", "name", "number", "path")

    def __init__(self, above: "_Directory | None", name: str) -> None:
        self.above = above
        self.name = name
        self.path: str = f"{above.path}/{name}" if above is not None and above.path else name
        self.number = -1
        self.below: dict[str, _Directory] = {}


class Watch:
    """Reports what happens to the files of a tree; everything, where `Changes.exact` says so.

    Two things the kernel tells nobody: a change through a hard link in a directory that is not watched, and one
    through a memory mapping before that is given up.
    """

    def __init__(self, root: str, passes: Passes) -> None:
        """Begin to watch; whatever happens from now on is reported.

        Args:
            root: the tree's directory.
            passes: what is not watched.

        Raises:
            BnetError: it is no directory that can be read, or a limit of the system is reached.
        """
        self._root = os.path.realpath(root)
        self._passes = passes
        self._directories: dict[int, _Directory] = {}
        self._blind: set[str] = set()
        self._sure = True
        self._gone = False
        self._queue = Queue()
        try:
            self._mounts = Mounts(self._root)
            self._identity = _identity(self._root)
            self._begin()
        except OSError as error:
            self.close()
            raise BnetError(f"cannot watch {self._root}: {error.strerror}") from None
        except BaseException:
            self.close()
            raise

    def fileno(self) -> int:
        """Return the descriptor that can be read from when there is something to report."""
        return self._queue.fileno()

    def read(self) -> Changes:
        """Return, without waiting, all that happened before this was called.

        Raises:
            BnetError: a limit of the system is reached; the next look says that events were lost.
        """
        if self._gone or _identity(self._root) != self._identity:
            self._gone = True
            return Changes(set(), lost=True, gone=True)
        events = self._queue.read()
        kinds = 0
        for event in events:
            kinds |= event.mask
        lost = self._mounts.changed() or not self._sure or bool(kinds & (kernel.OVERFLOW | kernel.UNMOUNT))
        paths: set[str] = set()
        self._sure = False  # until all is taken in
        try:
            if lost:
                self._begin_again()
            else:
                for event in events:
                    self._take(event, paths)
        except OSError as error:
            raise BnetError(f"cannot watch {self._root}: {error.strerror}") from None
        if not self._directories:  # removed, and another with its name and its inode number is there
            self._gone = True
            return Changes(set(), lost=True, gone=True)
        self._sure = True
        return Changes(paths, lost=lost, exact=not lost and not self._blind and self._mounts.local)

    def close(self) -> None:
        """Watch no longer."""
        self._queue.close()
        if hasattr(self, "_mounts"):
            self._mounts.close()

    # -- directories

    def _begin(self) -> None:
        self._directories, self._blind = {}, set()
        top = _Directory(None, "")
        if not self._watch(top):
            raise OSError(errno.EACCES, "it is no directory that can be read")
        self._take_in(top, None)

    def _begin_again(self) -> None:
        """Look at the whole tree anew; what was queued until now is told by that."""
        # Without its companions, which may be lost, an event could undo what is found now.
        self._queue.read()
        before = self._directories
        self._begin()
        for number in before.keys() - self._directories.keys():
            self._queue.remove(number)

    def _take_in(self, top: _Directory, found: set[str] | None) -> None:
        """Watch all directories below one that is watched, and name what is in them.

        Each is watched before it is listed: what comes later is an event, what came earlier is in the list.
        """
        waiting = [top]
        while waiting:
            at = waiting.pop()
            prefix = f"{at.path}/" if at.path else ""
            for entry in self._list(at):
                path = prefix + entry.name
                is_directory = entry.is_dir(follow_symlinks=False)
                if (is_directory or found is not None) and self._passes(path):
                    continue
                if is_directory:
                    inner = _Directory(at, entry.name)
                    if self._watch(inner):
                        waiting.append(inner)
                if found is not None:
                    found.add(path)

    def _list(self, directory: _Directory) -> list["os.DirEntry[str]"]:
        try:
            with os.scandir(f"{self._root}/{directory.path}") as entries:
                return list(entries)
        except OSError as error:
            self._fail(directory.path, error)
            return []

    def _watch(self, directory: _Directory) -> bool:
        """Begin to watch a directory; tell whether it is there, readable and was not watched before."""
        path = f"{self._root}/{directory.path}"
        try:
            number = self._queue.add(path)
            known = self._directories.get(number)
            if known is not None:
                if known.path == directory.path:
                    return False
                # It was moved, and the event that says so is still waiting to be read.
                self._drop(known)
                number = self._queue.add(path)
        except OSError as error:
            self._fail(directory.path, error)
            return False
        self._blind.discard(directory.path)
        directory.number = number
        self._directories[number] = directory
        if directory.above is not None:
            former = directory.above.below.get(directory.name)
            if former is not None:
                self._drop(former)
            directory.above.below[directory.name] = directory
        return True

    def _fail(self, path: str, error: OSError) -> None:
        """Note a directory into which one cannot see; one that is gone again has sent an event, or will."""
        if error.errno not in _ABSENT:
            if error.errno != errno.EACCES:
                raise error
            self._blind.add(path)

    def _drop(self, directory: _Directory) -> None:
        """Watch a directory, and all below it, no longer."""
        if directory.above is not None and directory.above.below.get(directory.name) is directory:
            del directory.above.below[directory.name]
        waiting = [directory]
        while waiting:
            at = waiting.pop()
            waiting.extend(at.below.values())
            if self._directories.pop(at.number, None) is not None:
                self._queue.remove(at.number)
        self._see_again(directory.path)

    def _see_again(self, path: str) -> None:
        if self._blind:
            self._blind = {p for p in self._blind if p != path and not p.startswith(f"{path}/")}

    # -- events

    def _take(self, event: Event, paths: set[str]) -> None:
        directory = self._directories.get(event.number)
        if directory is None:  # it was dropped; what is now at its place was listed since
            return
        if event.mask & kernel.IGNORED:
            self._drop(directory)
        elif not event.name:
            paths.add(directory.path or ".")
        else:
            path = f"{directory.path}/{event.name}" if directory.path else event.name
            if not self._passes(path):
                paths.add(path)
                if event.mask & kernel.IS_DIRECTORY:
                    self._take_directory(directory, event, path, paths)

    def _take_directory(self, above: _Directory, event: Event, path: str, paths: set[str]) -> None:
        if event.mask & _WENT:
            if (former := above.below.get(event.name)) is not None:
                self._drop(former)
            self._see_again(path)
        elif event.mask & _CAME:
            directory = _Directory(above, event.name)
            if self._watch(directory):
                self._take_in(directory, paths)


def _identity(path: str) -> tuple[int, int] | None:
    with contextlib.suppress(OSError):
        found = os.stat(path)
        return found.st_dev, found.st_ino
    return None
