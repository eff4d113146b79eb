"""What tools print about themselves; asked again only when their executable is another one."""

import os
import re
import shlex
import shutil
from collections.abc import Iterable, Mapping

from bnet.build.record import Tool
from bnet.build.stamps import ABSENT, stamp
from bnet.errors import BnetError
from bnet.process import TimedOut, run

TIMEOUT = 60.0  # seconds that a tool may take to say what it is
LONGEST = 4096  # characters of what it says that count
NOT_FOUND = "(not found)"
NO_COMMAND = 127  # the shell's exit code where it finds none
ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")


def ask(
    words: Iterable[str], known: Mapping[str, Tool], env: Mapping[str, str], root: str
) -> dict[str, Tool]:
    """Return what each tool says.

    Args:
        words: commands such as `node --version`.
        known: what was said before.
        env: the environment, with the PATH to find them on.
        root: where they run.

    Raises:
        BnetError: one of them does not answer.
    """
    told = {}
    for word in sorted(set(words)):
        path = executable(word, env)
        there = stamp(os.path.realpath(path)) if path else ABSENT
        before = known.get(word)
        if before is None or before.again or (before.path, before.stamp) != (path, there):
            before = _asked(word, path, there, env, root)
        told[word] = before
    return told


def _asked(word: str, path: str, there: bytes, env: Mapping[str, str], root: str) -> Tool:
    said, code = _say(word, env, root)
    if not path and code == NO_COMMAND:
        return Tool(path, there, NOT_FOUND)
    # What fails may work next time; and of what the shell itself answers, no file tells when it changes.
    return Tool(path, there, said if code == 0 else f"{said} (exit code {code})", again=code != 0 or not path)


def executable(word: str, env: Mapping[str, str]) -> str:
    """Return the path of a command's executable; "" if there is none, and perhaps the shell knows what is meant."""
    try:
        name = next(each for each in shlex.split(word) if not ASSIGNMENT.match(each))
    except (ValueError, StopIteration):
        raise BnetError(f"tool {word!r} is no command") from None
    return shutil.which(name, path=env.get("PATH")) or ""


def _say(word: str, env: Mapping[str, str], root: str) -> tuple[str, int]:
    from pathlib import Path

    try:
        done = run(["/bin/sh", "-c", word], env=env, cwd=Path(root), timeout=TIMEOUT)
    except TimedOut:
        raise BnetError(f"tool {word!r} does not answer; it must print what it is and end") from None
    return (done.out + done.err).decode(errors="backslashreplace").strip()[:LONGEST], done.code
