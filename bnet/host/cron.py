"""A marked block in the user's crontab; all other lines stay as they are, byte for byte."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from bnet.errors import BnetError
from bnet.host.command import Run, checked, started

# Debian's cron 3.0pl1 answers "command too long" to one of 999 bytes (tried; its MAX_COMMAND is 1000).
_LONGEST_COMMAND = 998
_HINT = "install cron (Debian: apt install cron), or use --systemd, or keep `bnet agent` running"


def entry(home: Path, path_env: str, argv: Sequence[str], log: Path) -> str:
    """Write the crontab line that runs a command each minute.

    Args:
        home: the BNET_HOME it works for.
        path_env: its PATH; cron's own has little more than /usr/bin.
        argv: the command, such as `bnet sync`, its program with its full path.
        log: where what it prints is appended.

    Raises:
        BnetError: a crontab cannot hold it.
    """
    # Through env, so that the program is found by the new PATH whatever shell the crontab names.
    words = ["/usr/bin/env", f"BNET_HOME={home}", f"PATH={path_env}", *argv]
    # cron ends the command at a bare % and takes the backslash away before the shell sees it, in quotes too.
    command = f"{shlex.join(words)} >>{shlex.quote(str(log))} 2>&1".replace("%", r"\%")
    if "\n" in command:
        raise BnetError("a crontab cannot hold a path with a line break", hint=f"rename {home} or its log")
    if len(command.encode("utf-8", "surrogateescape")) > _LONGEST_COMMAND:
        raise BnetError(
            f"the crontab line would be longer than cron's limit of {_LONGEST_COMMAND} bytes",
            hint="join again with a shorter PATH, or use --systemd",
        )
    return f"* * * * * {command}"


def install(crontab_text: str, block_id: str, line: str) -> str:
    """Put a line into the block of this id, which is made at the end if there is none.

    Args:
        crontab_text: the crontab as it is.
        block_id: what tells this block from those of other networks.
        line: the crontab line.

    Returns:
        The crontab as it should be; the same one if it was so already.

    Raises:
        BnetError: one of the block's two marks was lost.
    """
    begin, end = _marks(block_id)
    block = f"{begin}\n{line}\n{end}\n"
    if found := _find(crontab_text, block_id):
        return crontab_text[: found.start()] + block + crontab_text[found.end() :]
    # cron reads no last line without its line break.
    separator = "" if crontab_text.endswith("\n") or not crontab_text else "\n"
    return crontab_text + separator + block


def remove(crontab_text: str, block_id: str) -> str:
    """Take the block of this id out.

    Args:
        crontab_text: the crontab as it is.
        block_id: the id that it was installed with.

    Returns:
        The crontab as it should be; the same one if there is no such block.

    Raises:
        BnetError: one of the block's two marks was lost.
    """
    found = _find(crontab_text, block_id)
    return crontab_text if found is None else crontab_text[: found.start()] + crontab_text[found.end() :]


def read(run: Run) -> str:
    """Read the user's crontab.

    Args:
        run: what runs the `crontab` command.

    Returns:
        Its text, empty if the user has none.

    Raises:
        BnetError: there is no cron, or it does not let this user.
    """
    completed = started(run, ["crontab", "-l"], hint=_HINT)
    if completed.code == 0:
        return completed.out.decode("utf-8", "surrogateescape")
    # Having none is reported as a failure. Any other failure must not be taken for it, or the next write
    # would be the end of the lines that could not be read. (The second wording is busybox's.)
    if re.search(rb"no crontab for|No such file", completed.err):
        return ""
    raise BnetError(f"cannot read the crontab: {completed.complaint}", hint=_HINT)


def write(text: str, run: Run) -> None:
    """Replace the user's crontab.

    Args:
        text: all of it.
        run: what runs the `crontab` command.

    Raises:
        BnetError: cron refuses it, and says why.
    """
    checked(run, ["crontab", "-"], text.encode("utf-8", "surrogateescape"), hint=_HINT)


def _marks(block_id: str) -> tuple[str, str]:
    if not re.fullmatch(r"[A-Za-z0-9._-]+", block_id):
        raise ValueError(f"not an id for a crontab block: {block_id!r}")
    return f"# >>> bnet {block_id} >>>", f"# <<< bnet {block_id} <<<"


def _find(text: str, block_id: str) -> re.Match[str] | None:
    begin, end = _marks(block_id)
    marks = [line for line in text.split("\n") if line in (begin, end)]
    if marks and marks != [begin, end]:
        # What stands between may be anybody's, so that nothing is cut out by a guess.
        raise BnetError(
            f'the crontab has not one pair of the lines "{begin}" and "{end}"',
            hint="mend it with `crontab -e`",
        )
    return re.search(rf"^{re.escape(begin)}\n(?:.*\n)*?{re.escape(end)}(?:\n|\Z)", text, re.MULTILINE)
