"""A disk that keeps what was flushed, and of the rest what it likes."""

from __future__ import annotations

import os
import random
import shutil
import stat
from pathlib import Path


class Disk:
    """A directory of this machine, and what of it would survive a power loss.

    A file's content is safe once it was flushed, a name once its directory was (fsync(2)); what was written since
    may be there, be missing, be empty or be torn, each file on its own.
    """

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.root = root
        self._names: dict[int, dict[str, int]] = {}
        self._contents: dict[int, bytes] = {}

    def flushed(self, handle: int) -> None:
        """Take note of an fsync."""
        found = os.fstat(handle)
        path = os.readlink(f"/proc/self/fd/{handle}")
        if stat.S_ISDIR(found.st_mode):
            self._names[found.st_ino] = {each.name: each.inode() for each in os.scandir(path)}
        else:
            self._contents[found.st_ino] = Path(path).read_bytes()

    def new_directory(self, path: str) -> None:
        """Take note of a directory that was made: nothing in it is safe, whatever had its inode number before."""
        self._names.pop(os.lstat(path).st_ino, None)

    def all_flushed(self) -> None:
        """Take all there is for safe, as after a sync of everything."""
        for directory, names, files in os.walk(self.root):
            inodes = {name: os.lstat(os.path.join(directory, name)).st_ino for name in (*names, *files)}
            self._names[os.lstat(directory).st_ino] = inodes
            for name in files:
                self._contents[inodes[name]] = Path(directory, name).read_bytes()

    def lose_power(self, chance: random.Random) -> None:
        """Become what is found after a power loss."""
        kept = self._kept(self.root, chance)
        shutil.rmtree(self.root)
        self.root.mkdir()
        for path, data in kept.items():
            place = self.root / path
            place.parent.mkdir(parents=True, exist_ok=True)
            if data is not None:
                place.write_bytes(data)
            else:
                place.mkdir(exist_ok=True)
        self.all_flushed()

    def _kept(self, directory: Path, chance: random.Random) -> dict[str, bytes | None]:
        """Return what is left: path from the root -> content, None for a directory."""
        there = {each.name: each.inode() for each in os.scandir(directory)}
        safe = self._names.get(directory.lstat().st_ino, {})
        found: dict[str, bytes | None] = {}
        for name in sorted(there.keys() | safe.keys()):
            old, new = safe.get(name), there.get(name)
            inode = new if old == new else chance.choice([old, new])
            if inode is None:
                continue
            path = directory / name
            where = str(path.relative_to(self.root))
            if inode == new and path.is_dir():
                found[where] = None
                found.update(self._kept(path, chance))
            elif inode == new:
                found[where] = self._content(inode, path.read_bytes(), chance)
            elif inode in self._contents:
                found[where] = self._contents[inode]
        return found

    def _content(self, inode: int, data: bytes, chance: random.Random) -> bytes:
        safe = self._contents.get(inode)
        if safe == data:
            return data
        torn = data[: chance.randrange(len(data))] if data else b""
        return chance.choice([data, b"", torn, *([] if safe is None else [safe])])
