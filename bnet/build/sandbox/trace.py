"""Runs a command in bubblewrap and writes down which files of the tree it asks for, whether it gets them or not.

A process of its own, so that it is ended like any command and a busy engine does not hold it up. Arguments: the
file for the record, the file with bubblewrap's arguments, bubblewrap; the tree's names, each after a `--root`;
`--`, the command. The record is a row of entries, each a letter of `calls` and a path from the root, with a NUL
after it. Standard library only.
"""

import contextlib
import os
import select
import signal
import socket
import sys
from collections.abc import Sequence

from bnet.build.sandbox import calls, filter

_HERE = 0xFFFFFF9C  # AT_FDCWD, in 32 bits
CANNOT = 125  # the exit code when the command could not even be tried
REST_MS = 1000  # for what a command left running to be ended, after the command itself


class Tracer:
    """Sorts out of all calls what they ask of the tree."""

    def __init__(self, roots: Sequence[bytes], record: int) -> None:
        """Begin.

        Args:
            roots: the tree's directory, by each name that it may be called.
            record: descriptor to write to.
        """
        self._roots = [root + b"/" for root in roots]
        self._record = record
        self._calls = calls.by_number()
        self._memory = filter.Memory()
        self._seen: set[bytes] = set()
        self._executed = 0

    def look(self, asked: filter.Asked) -> None:
        """Write down what a call asks of the tree."""
        for path in self._calls[asked.call]:
            if path.kind == calls.EXECUTE:
                self._executed += 1
            # The first program is bubblewrap, which looks at the whole tree to make a part of it visible.
            if self._executed > 1:
                self._note(asked, path)

    def _note(self, asked: filter.Asked, path: calls.Path) -> None:
        text = self._memory.text(asked.thread, asked.arguments[path.at])
        if not text:
            return
        if not text.startswith(b"/"):
            start = _HERE if path.directory < 0 else asked.arguments[path.directory] & 0xFFFFFFFF
            text = _directory(asked.thread, start) + b"/" + text
        inner = self._below(text)
        if inner is not None:
            kind = path.kind_with(asked.arguments[path.flags] if path.flags >= 0 else 0)
            entry = kind.encode() + inner + b"\0"
            if entry not in self._seen:
                self._seen.add(entry)
                os.write(self._record, entry)

    def _below(self, path: bytes) -> bytes | None:
        """Return a path from the root, `..` and links in it as they are; None if it is not in the tree."""
        for root in self._roots:
            if path.startswith(root):
                return path[len(root) :]
        if b"/." in path or b"//" in path:
            plain = os.path.normpath(path)
            for root in self._roots:
                if plain.startswith(root):
                    return plain[len(root) :]
        return None


def _directory(thread: int, descriptor: int) -> bytes:
    name = "cwd" if descriptor == _HERE else f"fd/{descriptor}"
    with contextlib.suppress(OSError):
        return os.readlink(b"/proc/%d/%s" % (thread, name.encode())).rstrip(b"/")
    return b""


def _become(through: socket.socket, code: bytes, argv: Sequence[str]) -> None:
    """Be the process that becomes bubblewrap."""
    try:
        filter.hand_over(through, filter.install(code))
        os.execv(argv[0], list(argv))
    except BaseException as error:  # the parent's code is none of this process's business
        os.write(2, f"bnet: {error}\n".encode(errors="replace"))
    finally:
        os._exit(CANNOT)


def _follow(child: int, listener: filter.Listener, tracer: Tracer) -> int:
    """Look at every call until the child has ended, and what it left running has been ended; return its exit code."""
    ended = os.pidfd_open(child)
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    poll.register(ended, select.POLLIN)
    code, anybody = None, True
    while code is None or anybody:
        happened = poll.poll(None if code is None else REST_MS)
        anybody = anybody and (code is None or bool(happened))
        for handle, events in happened:
            if handle == ended:
                code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
                poll.unregister(ended)
                continue
            if not events & select.POLLIN:  # nobody is left who could ask
                anybody = False
                poll.unregister(listener)
                continue
            asked = listener.receive()
            if asked is not None:
                try:
                    tracer.look(asked)
                finally:
                    listener.let_go_on(asked)
    return code if code >= 0 else 128 - code


def main(arguments: Sequence[str]) -> int:
    """Run a command; see the top of the file."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    record, settings, program, *rest = arguments
    split = rest.index("--")
    roots = [os.fsencode(root) for root in rest[1:split:2]]
    given = os.open(settings, os.O_RDONLY)
    os.set_inheritable(given, True)
    argv = [program, "--args", str(given), *rest[split:]]
    architecture = calls.audit_number()
    assert architecture is not None, "asked before"
    code = filter.program(architecture, calls.by_number(), calls.ASKED_OF_DESCRIPTORS, calls.IO_URING_SETUP)
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        ours.close()
        _become(theirs, code, argv)
    theirs.close()
    handle = filter.take_over(ours)
    if handle is None:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    kept = os.open(record, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    return _follow(child, filter.Listener(handle), Tracer(roots, kept))


def run() -> None:
    """Be the program."""
    code = main(sys.argv[1:])
    os._exit(code)  # nothing is left to be cleaned up, and that takes the interpreter 5 ms
