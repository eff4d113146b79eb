"""The kernel's inotify, called through the C library."""

import array
import contextlib
import ctypes
import errno
import fcntl
import os
import struct
import termios
from collections.abc import Iterator
from typing import NamedTuple

from bnet.errors import BnetError

# include/uapi/linux/inotify.h
MODIFY, ATTRIB, CLOSE_WRITE = 0x2, 0x4, 0x8
MOVED_FROM, MOVED_TO, CREATE, DELETE = 0x40, 0x80, 0x100, 0x200
DELETE_SELF, MOVE_SELF = 0x400, 0x800
UNMOUNT, OVERFLOW, IGNORED = 0x2000, 0x4000, 0x8000
IS_DIRECTORY = 0x40000000
_ONLY_DIRECTORIES, _NO_LINKS, _NO_UNLINKED = 0x1000000, 0x2000000, 0x4000000

# CLOSE_WRITE is for what was written through a mapping, of which the kernel reports nothing but its end.
_CONTENT = MODIFY | ATTRIB | CLOSE_WRITE
_NAMES = MOVED_FROM | MOVED_TO | CREATE | DELETE | DELETE_SELF | MOVE_SELF
_MASK = _CONTENT | _NAMES | _ONLY_DIRECTORIES | _NO_LINKS | _NO_UNLINKED

_HEAD = struct.Struct("iIII")
_LIMITS = "/proc/sys/fs/inotify"


class Event(NamedTuple):
    """What happened: in which directory, by its number, what, and to which name in it ("": to itself)."""

    number: int
    mask: int
    name: str


class Queue:
    """One queue of events, and the directories that they come from."""

    def __init__(self) -> None:
        """Open a queue.

        Raises:
            BnetError: this user has too many.
        """
        libc = ctypes.CDLL(None, use_errno=True)
        self._add, self._remove = libc.inotify_add_watch, libc.inotify_rm_watch
        self._add.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32)
        self._remove.argtypes = (ctypes.c_int, ctypes.c_int)
        self._handle = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._handle < 0:
            raise _refusal(ctypes.get_errno(), "max_user_instances", "watches of trees")

    def fileno(self) -> int:
        """Return the queue's descriptor."""
        return int(self._handle)

    def add(self, directory: str) -> int:
        """Watch a directory; return its number, which is the same if it is watched already.

        Raises:
            OSError: it is not there, no directory, or may not be read.
            BnetError: this user watches too many.
        """
        number = self._add(self._handle, os.fsencode(directory), _MASK)
        if number >= 0:
            return int(number)
        code = ctypes.get_errno()
        if code in (errno.ENOSPC, errno.ENOMEM):
            raise _refusal(code, "max_user_watches", "watched directories")
        raise OSError(code, os.strerror(code), directory)

    def remove(self, number: int) -> None:
        """Watch a directory no longer; if the kernel dropped it before, all is well."""
        self._remove(self._handle, number)

    def read(self) -> list[Event]:
        """Return all that is queued at this moment, oldest first.

        The kernel queues an event within the system call that it tells of, so nothing that was done before is
        missing. What is queued while this reads is left, so that a busy writer cannot keep it reading.
        """
        waiting = array.array("i", [0])
        fcntl.ioctl(self._handle, termios.FIONREAD, waiting)
        return list(_parse(os.read(self._handle, waiting[0]))) if waiting[0] else []

    def close(self) -> None:
        """Close the queue."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def _parse(data: bytes) -> Iterator[Event]:
    at = 0
    while at < len(data):
        number, mask, _, length = _HEAD.unpack_from(data, at)
        at += _HEAD.size + length
        name = data[at - length : at].rstrip(b"\0") if length else b""
        yield Event(number, mask, os.fsdecode(name))


def _refusal(code: int, limit: str, what: str) -> BnetError:
    found = "unknown"
    with contextlib.suppress(OSError), open(f"{_LIMITS}/{limit}", encoding="ascii") as file:
        found = file.read().strip()
    return BnetError(
        f"the system allows no more {what} ({os.strerror(code)}); fs.inotify.{limit} is {found}",
        hint=f"raise it, for instance with: sudo sysctl fs.inotify.{limit}=1048576",
    )
