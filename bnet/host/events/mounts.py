"""The file systems that a tree lies on: only local ones report everything that happens to their files."""

import os
import re
import select

# A network's or a virtual machine's file system says nothing of what others do to it, nor does FUSE.
_LOCAL = frozenset(
    (
        "bcachefs",
        "btrfs",
        "exfat",
        "ext2",
        "ext3",
        "ext4",
        "f2fs",
        "jfs",
        "overlay",
        "tmpfs",
        "vfat",
        "xfs",
        "zfs",
    )
)
_TABLE = "/proc/self/mountinfo"
_ESCAPED = re.compile(rb"\\([0-7]{3})")


class Mounts:
    """Those of the mounted file systems that a tree consists of."""

    def __init__(self, root: str) -> None:
        """Look at the table of mounts.

        Args:
            root: the tree, as `os.path.realpath` gives it.
        """
        self._root = os.fsencode(root)
        self._handle = os.open(_TABLE, os.O_RDONLY | os.O_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._handle, select.POLLPRI)
        self._found = self._look()

    @property
    def local(self) -> bool:
        """Whether all of them report everything that happens."""
        return all(kind in _LOCAL for _, _, kind in self._found)

    def changed(self) -> bool:
        """Tell whether something was mounted or unmounted in the tree since this was asked last."""
        if not self._poll.poll(0):  # the kernel marks the table when it changes: proc(5)
            return False
        before, self._found = self._found, self._look()
        return before != self._found

    def close(self) -> None:
        """Look no longer."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _look(self) -> list[tuple[bytes, bytes, str]]:
        """Return number, place and kind of the file system that holds the root, and of those below it."""
        os.lseek(self._handle, 0, os.SEEK_SET)
        table = b""
        while piece := os.read(self._handle, 1 << 16):
            table += piece
        holder, below = (b"", b"", ""), []
        for line in table.splitlines():
            fields = line.split(b" ")
            place = _ESCAPED.sub(lambda octal: bytes([int(octal[1], 8)]), fields[4])
            found = fields[0], place, fields[fields.index(b"-") + 1].decode()
            if _holds(place, self._root):
                # Of several at one place, the last one hides the others.
                holder = found if len(place) >= len(holder[1]) else holder
            elif _holds(self._root, place):
                below.append(found)
        return [holder, *below]


def _holds(directory: bytes, path: bytes) -> bool:
    return path == directory or path.startswith(directory.rstrip(b"/") + b"/")
