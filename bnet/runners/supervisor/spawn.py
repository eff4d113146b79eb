"""Start a program as a shell would."""

import errno
import os

from .lean import signal


class Unstartable(Exception):
    """A program cannot be started; the code is the one a shell would exit with."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


def find_program(name: str, search: str, workspace: str) -> str:
    """Return what a shell in the workspace would execute for a name.

    Raises:
        Unstartable: there is nothing of that name (127), or it may not be executed (126).
    """
    code, text = 127, "command not found"
    if "/" in name:
        code, text = 127, "no such file"
    for directory in [""] if "/" in name else search.split(":"):
        path = os.path.join(workspace, directory, name)
        if os.path.isdir(path):
            if "/" in name:
                code, text = 126, "is a directory"
        elif os.access(path, os.X_OK):
            return path
        elif os.path.exists(path):
            code, text = 126, "permission denied"
    raise Unstartable(code, f"{name}: {text}")


def spawn(argv: list[str], env: dict[str, str], workspace: str) -> tuple[int, int]:
    """Start a program in a session of its own, with both outputs in one pipe.

    Args:
        argv: program and arguments.
        env: its whole environment.
        workspace: its working directory.

    Returns:
        Its pid, and the reading end of the pipe.

    Raises:
        Unstartable: the program is missing or cannot be executed.
    """
    path = find_program(argv[0], env.get("PATH", os.defpath), workspace)
    reading, writing = os.pipe()
    os.chdir(workspace)  # posix_spawn knows no directory; this process uses absolute paths only
    try:
        return _posix_spawn(path, argv, env, writing), reading
    except OSError as error:
        os.close(reading)
        code = 127 if error.errno == errno.ENOENT else 126  # a script's interpreter may be what is missing
        raise Unstartable(code, f"{argv[0]}: cannot be executed: {error.strerror}") from error
    finally:
        os.close(writing)
        os.chdir("/")


def _posix_spawn(path: str, argv: list[str], env: dict[str, str], output: int) -> int:
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, output, 1),
        (os.POSIX_SPAWN_DUP2, output, 2),
    ]
    # Ignored signals survive an exec: Python ignores SIGPIPE and SIGXFSZ, this process SIGHUP, `sh &` SIGINT.
    default = [n for n in signal.valid_signals() if n not in (signal.SIGKILL, signal.SIGSTOP)]
    for program, arguments in ((path, argv), ("/bin/sh", ["sh", path, *argv[1:]])):
        try:
            return os.posix_spawn(
                program, arguments, env, file_actions=actions, setsid=True, setsigmask=(), setsigdef=default
            )
        except OSError as error:
            if error.errno != errno.ENOEXEC:  # a script without #! is run by the shell, as a shell would do
                raise
    raise OSError(errno.ENOEXEC, os.strerror(errno.ENOEXEC))
