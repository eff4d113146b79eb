"""The command line in processes of its own that cost no start: forked from one that has loaded it.

Most of what a short command costs is Python's start and its imports, and the suite runs some thousand commands. Here
a process imports all that they need, and waits; each command is a fork of it, with the environment, directory and
streams that are asked for, and runs what `python -m bnet` runs. What is about the start itself, about signals,
streams or limits, and every agent, is tested with processes that are started as anybody starts them.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from bnet.process import Completed

TOP = Path(__file__).resolve().parents[2]
_LONGEST = 4 << 20  # bytes of a request: words and environment
_started: dict[int, tuple[str, subprocess.Popen[bytes]]] = {}  # pid of who asks -> address, process


def run(
    words: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path | str,
    input: bytes | None = None,
    timeout: float = 300,
) -> Completed:
    """Run `bnet` with these words to its end.

    Raises:
        subprocess.TimeoutExpired: it took too long, and was killed.
    """
    streams = [os.memfd_create(name) for name in ("in", "out", "err")]
    try:
        os.pwrite(streams[0], input or b"", 0)
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(_address())
            line.settimeout(timeout)
            asked = json.dumps({"words": list(words), "env": dict(env), "cwd": str(cwd)}).encode()
            socket.send_fds(line, [len(asked).to_bytes(4, "big")], streams)
            line.sendall(asked)
            pid = int.from_bytes(_exactly(line, 4), "big")
            try:
                code = int.from_bytes(_exactly(line, 4), "big", signed=True)
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(list(words), timeout) from None
        out, err = (os.pread(stream, os.fstat(stream).st_size, 0) for stream in streams[1:])
        return Completed(code, out, err)
    finally:
        for stream in streams:
            os.close(stream)


def _address() -> str:
    if os.getpid() not in _started:
        address = f"\0bnet-tests-{os.getpid()}-{os.urandom(4).hex()}"
        argv = [sys.executable, __file__, address[1:]]
        env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TOP), os.environ.get("PYTHONPATH", "")])}
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, cwd="/")
        assert process.stdout is not None and process.stdout.read(5) == b"ready"
        _started[os.getpid()] = address, process
        atexit.register(_end, process)
    return _started[os.getpid()][0]


def _end(process: subprocess.Popen[bytes]) -> None:
    process.communicate()  # it ends with its standard input


def _exactly(line: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = line.recv(size - len(data))
        if not more:
            raise ConnectionError("the process that commands are forked from has gone")
        data += more
    return data


# -- the process that is forked


def _serve(address: str) -> None:
    """Fork for each connection, until whoever started this one has gone."""
    import importlib

    from bnet.cli.main import SECTIONS

    for place in {place for section in SECTIONS.values() for place in section.values()}:
        importlib.import_module(place.partition(":")[0])
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody is waited for
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("\0" + address)
        listener.listen(64)
        os.write(1, b"ready")
        while True:
            ready, _, _ = select.select([0, listener], [], [])
            if 0 in ready:
                return
            line, _ = listener.accept()
            if os.fork() == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                listener.close()
                _attend(line)
            line.close()


def _attend(line: socket.socket) -> None:
    """Start a command, and tell its pid and then how it ended."""
    size, streams, _, _ = socket.recv_fds(line, 4, 3)
    asked = json.loads(_exactly(line, int.from_bytes(size, "big")))
    pid = os.fork()
    if pid == 0:
        line.close()
        _become(asked["words"], asked["env"], asked["cwd"], streams)
    line.sendall(pid.to_bytes(4, "big"))
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(OSError):  # who asked has given up
        line.sendall(os.waitstatus_to_exitcode(status).to_bytes(4, "big", signed=True))
    os._exit(0)


def _become(words: list[str], env: dict[str, str], cwd: str, streams: list[int]) -> NoReturn:
    """Be a process that was started for this command."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w")
    os.setsid()
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    sys.argv = [str(TOP / "bnet/__main__.py"), *words]
    from bnet.__main__ import main

    main()
    sys.exit()


if __name__ == "__main__":
    _serve(sys.argv[1])
