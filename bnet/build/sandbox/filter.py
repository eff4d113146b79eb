"""Has the kernel stop a process, and all that it starts, at each call that names a file, until another looked.

seccomp_unotify(2). Of the ways to see what a build touches this is the one that needs neither root nor another
program, sees static executables, and goes along with every child. Standard library only.
"""

import contextlib
import ctypes
import errno
import fcntl
import os
import socket
import struct
from collections.abc import Iterable, Mapping
from typing import NamedTuple

_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_SET_MODE_FILTER = 1
_NEW_LISTENER, _WAIT_KILLABLE = 0x8, 0x20  # the second: no signal interrupts the wait; Linux 5.19

_ALLOW, _NOTIFY, _FAIL = 0x7FFF0000, 0x7FC00000, 0x00050000
_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06  # linux/bpf_common.h
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data
_EMPTY_PATH = 0x1000

_RECEIVE, _SEND = 0xC0502100, 0xC0182101  # SECCOMP_IOCTL_NOTIF_RECV, _SEND
_SET_FLAGS, _SYNCHRONOUS = 0x40082104, 1  # wakes the waiting on the same processor: Linux 6.6
_CONTINUE = 1
_ASKED = struct.Struct("<QIIiIQ6Q")  # id, pid, flags, call, architecture, instruction, arguments
_ANSWER = struct.Struct("<QqiI")


class Asked(NamedTuple):
    """A call that waits: its number here, the thread that makes it, which call, and its arguments."""

    id: int
    thread: int
    call: int
    arguments: tuple[int, ...]


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


def program(
    architecture: int, calls: Iterable[int], of_descriptors: Mapping[int, int], refused: int
) -> bytes:
    """Return the filter for the kernel.

    Args:
        architecture: as the kernel's filters call it; programs for another one are not stopped.
        calls: numbers of those at which to stop.
        of_descriptors: of these, number -> index of the flags that say that no path is given: no stop then.
        refused: a call that is answered as if the kernel did not know it: through io_uring files are opened
            without any call.
    """
    code = [(_LOAD, 0, 0, _ARCHITECTURE), (_EQUAL, 1, 0, architecture), (_RETURN, 0, 0, _ALLOW)]
    code.append((_LOAD, 0, 0, _NUMBER))
    for call in calls:
        flags = of_descriptors.get(call)
        if flags is None:
            code += [(_EQUAL, 0, 1, call), (_RETURN, 0, 0, _NOTIFY)]
        else:
            code += [(_EQUAL, 0, 4, call), (_LOAD, 0, 0, _ARGUMENTS + 8 * flags)]
            code += [(_ANY_BIT, 0, 1, _EMPTY_PATH), (_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _NOTIFY)]
    code += [(_EQUAL, 0, 1, refused), (_RETURN, 0, 0, _FAIL | errno.ENOSYS), (_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("<HBBI", *step) for step in code)


def install(code: bytes) -> int:
    """Put this process, and all that it will start, under a filter; return the descriptor to listen on.

    Raises:
        OSError: the kernel has no such thing, or another listens already.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "cannot give up privileges")
    number = _SECCOMP[os.uname().machine]
    made = _Program(len(code) // 8, code)
    for flags in (_NEW_LISTENER | _WAIT_KILLABLE, _NEW_LISTENER):
        handle = libc.syscall(number, _SET_MODE_FILTER, flags, ctypes.byref(made))
        if handle >= 0:
            return int(handle)
    code_ = ctypes.get_errno()
    raise OSError(code_, f"the kernel does not let system calls be watched ({os.strerror(code_)})")


def hand_over(through: socket.socket, handle: int) -> None:
    """Give a descriptor to the process at the other end."""
    socket.send_fds(through, [b"x"], [handle])


def take_over(through: socket.socket) -> int | None:
    """Take a descriptor from the process at the other end; None if that ended instead."""
    _, handles, _, _ = socket.recv_fds(through, 1, 1)
    return handles[0] if handles else None


class Listener:
    """The end at which stopped calls are seen, and let go on."""

    def __init__(self, handle: int) -> None:
        """Take the descriptor that `install` returned."""
        self._handle = handle
        self._asked = bytearray(_ASKED.size)
        with contextlib.suppress(OSError):
            fcntl.ioctl(handle, _SET_FLAGS, _SYNCHRONOUS)

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._handle

    def receive(self) -> Asked | None:
        """Return the next call that waits; None if it was given up meanwhile."""
        self._asked[:] = bytes(_ASKED.size)
        try:
            fcntl.ioctl(self._handle, _RECEIVE, self._asked)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.EINTR):
                return None
            raise
        number, thread, _, call, _, _, *arguments = _ASKED.unpack(self._asked)
        return Asked(number, thread, call, tuple(arguments))

    def let_go_on(self, asked: Asked) -> None:
        """Let the kernel do what the call says."""
        with contextlib.suppress(OSError):  # its process was killed meanwhile
            fcntl.ioctl(self._handle, _SEND, _ANSWER.pack(asked.id, 0, 0, _CONTINUE))


class _Piece(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class Memory:
    """Reads texts from other processes' memory."""

    _PAGE = 4096  # at most what is mapped or not at once, and the longest path

    def __init__(self) -> None:
        """Make room for one path."""
        self._buffer = ctypes.create_string_buffer(self._PAGE)
        self._into = _Piece(ctypes.addressof(self._buffer), self._PAGE)
        self._from = (_Piece * 2)()
        self._read = ctypes.CDLL(None, use_errno=True).process_vm_readv

    def text(self, thread: int, address: int) -> bytes:
        """Return what stands at an address up to the next NUL; empty if it cannot be read."""
        # The kernel copies whole pieces only, and the page behind the text may not be there.
        first = self._PAGE - address % self._PAGE
        self._from[0].base, self._from[0].length = address, first
        self._from[1].base, self._from[1].length = address + first, self._PAGE - first
        size = self._read(thread, ctypes.byref(self._into), 1, self._from, 2, 0)
        return self._buffer.raw[:size].partition(b"\0")[0] if size > 0 else b""
