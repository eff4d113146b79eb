"""The system calls that name a file: how each gives its path, and how it treats it. Standard library only."""

import os
from typing import NamedTuple

READ, LINK, WRITE, MAKE, EXECUTE = "r", "l", "w", "m", "x"
"""What a call does to a path: looks through it, looks at the link itself, changes it, makes a directory, runs it."""

AT_NO_FOLLOW = 0x100
AT_EMPTY_PATH = 0x1000
IO_URING_SETUP = 425  # on every architecture
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class Path(NamedTuple):
    """A path among a call's arguments.

    Attributes:
        at: index of the argument that has it.
        directory: index of the argument with the descriptor that it starts from; -1: it has none.
        kind: what is done to it.
        flags: index of the argument whose flags change that; -1: none does.
        opens: these are flags of `open`, not of the `at` calls.
    """

    at: int
    directory: int = -1
    kind: str = READ
    flags: int = -1
    opens: bool = False

    def kind_with(self, flags: int) -> str:
        """Return what is done to it, given the value of the argument `flags`."""
        if self.opens:
            if flags & _WRITING:
                return WRITE
            return LINK if flags & os.O_NOFOLLOW else READ
        return LINK if self.kind == READ and flags & AT_NO_FOLLOW else self.kind


class Call(NamedTuple):
    """A system call: its numbers on x86_64 and aarch64 (-1: it has none), and the paths it is given."""

    x86_64: int
    aarch64: int
    paths: tuple[Path, ...]


# arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h, in that order; the arguments
# are those of each call's page in section 2 of the manual.
CALLS = (
    Call(2, -1, (Path(0, flags=1, opens=True),)),  # open
    Call(4, -1, (Path(0),)),  # stat
    Call(6, -1, (Path(0, kind=LINK),)),  # lstat
    Call(21, -1, (Path(0),)),  # access
    Call(59, 221, (Path(0, kind=EXECUTE),)),  # execve
    Call(76, 45, (Path(0, kind=WRITE),)),  # truncate
    Call(80, 49, (Path(0),)),  # chdir
    Call(82, -1, (Path(0, kind=WRITE), Path(1, kind=WRITE))),  # rename
    Call(83, -1, (Path(0, kind=MAKE),)),  # mkdir
    Call(84, -1, (Path(0, kind=WRITE),)),  # rmdir
    Call(85, -1, (Path(0, kind=WRITE),)),  # creat
    Call(86, -1, (Path(0, kind=LINK), Path(1, kind=WRITE))),  # link
    Call(87, -1, (Path(0, kind=WRITE),)),  # unlink
    Call(88, -1, (Path(1, kind=WRITE),)),  # symlink
    Call(89, -1, (Path(0, kind=LINK),)),  # readlink
    Call(90, -1, (Path(0, kind=WRITE),)),  # chmod
    Call(92, -1, (Path(0, kind=WRITE),)),  # chown
    Call(94, -1, (Path(0, kind=WRITE),)),  # lchown
    Call(132, -1, (Path(0, kind=WRITE),)),  # utime
    Call(133, -1, (Path(0, kind=WRITE),)),  # mknod
    Call(137, 43, (Path(0),)),  # statfs
    Call(191, 8, (Path(0),)),  # getxattr
    Call(192, 9, (Path(0, kind=LINK),)),  # lgetxattr
    Call(235, -1, (Path(0, kind=WRITE),)),  # utimes
    Call(257, 56, (Path(1, 0, flags=2, opens=True),)),  # openat
    Call(258, 34, (Path(1, 0, MAKE),)),  # mkdirat
    Call(259, 33, (Path(1, 0, WRITE),)),  # mknodat
    Call(260, 54, (Path(1, 0, WRITE),)),  # fchownat
    Call(261, -1, (Path(1, 0, WRITE),)),  # futimesat
    Call(262, 79, (Path(1, 0, flags=3),)),  # newfstatat
    Call(263, 35, (Path(1, 0, WRITE),)),  # unlinkat
    Call(264, 38, (Path(1, 0, WRITE), Path(3, 2, WRITE))),  # renameat
    Call(265, 37, (Path(1, 0, LINK), Path(3, 2, WRITE))),  # linkat
    Call(266, 36, (Path(2, 1, WRITE),)),  # symlinkat
    Call(267, 78, (Path(1, 0, LINK),)),  # readlinkat
    Call(268, 53, (Path(1, 0, WRITE),)),  # fchmodat
    Call(269, 48, (Path(1, 0),)),  # faccessat
    Call(280, 88, (Path(1, 0, WRITE),)),  # utimensat
    Call(316, 276, (Path(1, 0, WRITE), Path(3, 2, WRITE))),  # renameat2
    Call(322, 281, (Path(1, 0, EXECUTE),)),  # execveat
    Call(332, 291, (Path(1, 0, flags=2),)),  # statx
    Call(437, 437, (Path(1, 0),)),  # openat2
    Call(439, 439, (Path(1, 0, flags=3),)),  # faccessat2
    Call(452, 452, (Path(1, 0, WRITE),)),  # fchmodat2
)
# With AT_EMPTY_PATH they ask about an open file, and programs ask that all the time: number -> flags argument.
ASKED_OF_DESCRIPTORS = {262: 3, 79: 3, 332: 2, 291: 2}

_AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # include/uapi/linux/audit.h


def audit_number() -> int | None:
    """Return what the kernel's filters call this machine's architecture; None: it is not in the table."""
    return _AUDIT.get(os.uname().machine)


def by_number() -> dict[int, tuple[Path, ...]]:
    """Return the calls of this machine's architecture: number -> paths."""
    machine = os.uname().machine
    numbered = {getattr(call, machine): call.paths for call in CALLS}
    numbered.pop(-1, None)
    return numbered
