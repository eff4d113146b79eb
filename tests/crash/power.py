"""A file system that can lose its power: python tests/crash/power.py BACKING MOUNT.

Whatever is written below MOUNT goes to the directory BACKING. When MOUNT is unmounted and a file BACKING.lost names
a seed, what had not been flushed by then is treated as a disk may treat it (tests/simulation/disk.py says how).
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import mfusepy
import rooms  # noqa: F401  before `disk`
from disk import Disk

PATIENCE = 20.0  # seconds for a mount to come or to go
_ATTRIBUTES = (
    *("st_atime_ns", "st_ctime_ns", "st_mtime_ns"),
    *("st_gid", "st_uid", "st_mode", "st_nlink", "st_size", "st_ino"),
)
_ROOM = ("f_bavail", "f_bfree", "f_blocks", "f_bsize", "f_favail", "f_ffree", "f_files", "f_frsize")


class LosingDisk:
    """A mount point whose files outlive a loss of power only where somebody flushed them."""

    def __init__(self, backing: Path, mount: Path) -> None:
        self.backing = backing
        self.mount = mount
        mount.mkdir(parents=True, exist_ok=True)
        self._served: subprocess.Popen[bytes] | None = None

    def power_on(self) -> None:
        """Mount it."""
        argv = [sys.executable, __file__, str(self.backing), str(self.mount)]
        self._served = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
        _until(lambda: os.path.ismount(self.mount), f"{self.mount} is mounted")

    def power_off(self, seed: int | None = None) -> None:
        """Unmount it, with nobody at work on it any more; with a seed, what was not flushed is lost."""
        served = self._served
        if served is None:
            return
        if seed is not None:
            self._order.write_text(str(seed))

        def gone() -> bool:
            subprocess.run(["umount", str(self.mount)], capture_output=True)
            return not os.path.ismount(self.mount)

        _until(gone, f"{self.mount} is unmounted")
        served.wait(PATIENCE)
        assert served.returncode == 0 and not self._order.exists(), f"{self.mount} ended badly"
        self._served = None

    @property
    def _order(self) -> Path:
        return self.backing.with_name(self.backing.name + ".lost")


def _until(so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not so():
        assert time.monotonic() < deadline, f"not so after {PATIENCE:g} s: {what}"
        time.sleep(0.02)


class _Passed(mfusepy.Operations):
    """Hands each call on to a directory of this machine, and tells a disk of it what was flushed."""

    use_ns = True

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._graves = disk.root.with_name(disk.root.name + ".graves")
        self._graves.mkdir(exist_ok=True)
        self._buried = len(os.listdir(self._graves))

    def _at(self, path: str) -> str:
        return f"{self._disk.root}{path}"

    def _bury(self, path: str) -> None:
        """Keep a file that loses its name: its inode number must not become another file's."""
        with contextlib.suppress(OSError):
            os.link(path, self._graves / str(self._buried), follow_symlinks=False)
            self._buried += 1

    # -- what is looked at

    def getattr(self, path: str, fh: int | None = None) -> dict[str, int]:
        found = os.lstat(self._at(path)) if fh is None else os.fstat(fh)
        return {name.removesuffix("_ns"): getattr(found, name) for name in _ATTRIBUTES}

    def readdir(self, path: str, fh: int) -> list[str]:
        return [".", "..", *os.listdir(self._at(path))]

    def readlink(self, path: str) -> str:
        return os.readlink(self._at(path))

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return os.pread(fh, size, offset)

    def statfs(self, path: str) -> dict[str, int]:
        found = os.statvfs(self._at(path))
        return {name: getattr(found, name) for name in _ROOM}

    # -- what is changed

    def create(self, path: str, mode: int, fi: object = None) -> int:
        return os.open(self._at(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, mode)

    def open(self, path: str, flags: int) -> int:
        # The kernel has worked out where an append goes, and says so with each write.
        return os.open(self._at(path), flags & ~os.O_APPEND | os.O_CLOEXEC)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        return os.pwrite(fh, data, offset)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        os.truncate(self._at(path) if fh is None else fh, length)
        return 0

    def release(self, path: str, fh: int) -> int:
        os.close(fh)
        return 0

    def chmod(self, path: str, mode: int) -> int:
        os.chmod(self._at(path), mode)
        return 0

    def chown(self, path: str, uid: int, gid: int) -> int:
        os.lchown(self._at(path), uid, gid)
        return 0

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        os.utime(self._at(path), ns=times or (time.time_ns(), time.time_ns()), follow_symlinks=False)
        return 0

    def mkdir(self, path: str, mode: int) -> int:
        os.mkdir(self._at(path), mode)
        self._disk.new_directory(self._at(path))
        return 0

    def mknod(self, path: str, mode: int, dev: int) -> int:
        os.mknod(self._at(path), mode, dev)
        return 0

    def symlink(self, target: str, source: str) -> int:
        os.symlink(source, self._at(target))
        return 0

    def link(self, target: str, source: str) -> int:
        os.link(self._at(source), self._at(target))
        return 0

    def unlink(self, path: str) -> int:
        self._bury(self._at(path))
        os.unlink(self._at(path))
        return 0

    def rmdir(self, path: str) -> int:
        os.rmdir(self._at(path))
        return 0

    def rename(self, old: str, new: str) -> int:
        self._bury(self._at(new))
        os.rename(self._at(old), self._at(new))
        return 0

    # -- what is flushed

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        self._disk.flushed(fh)
        return 0

    def fsyncdir(self, path: str, datasync: int, fh: int) -> int:
        handle = os.open(self._at(path), os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._disk.flushed(handle)
        finally:
            os.close(handle)
        return 0


def main() -> None:
    """Serve a directory until it is unmounted."""
    backing, mount = Path(sys.argv[1]), sys.argv[2]
    disk = Disk(backing)
    disk.all_flushed()
    passed = _Passed(disk)
    mfusepy.FUSE(
        passed, mount, foreground=True, nothreads=True, hard_remove=True, attr_timeout=0, entry_timeout=0
    )
    lost = backing.with_name(backing.name + ".lost")
    if lost.exists():
        disk.lose_power(random.Random(lost.read_text()))
        lost.unlink()
    shutil.rmtree(backing.with_name(backing.name + ".graves"))


if __name__ == "__main__":
    main()
