"""From an error to what a person reads and to an exit code; the only place that does either."""

import io
import os
import re
import sys
from typing import NoReturn

from bnet.errors import BnetError

BUG = 3
INTERRUPTED = 130
_SURROGATE = re.compile("[\ud800-\udfff]")


def guarded() -> NoReturn:
    """Run the command line, and exit with the code that its end means."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # What is not ASCII must not stop at a terminal that is.
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _run()
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BnetError as error:
        complain(error)
        code = error.exit_code
    except BrokenPipeError:
        # Whoever read our output has seen enough; nothing more may be written, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except UnicodeEncodeError as error:
        code = _undecodable(error) if _SURROGATE.search(error.object) else _bug()
    except OSError as error:
        code = _refused_by_system(error)
    except Exception:  # what is left is a fault of ours, and said to be one
        code = _bug()
    sys.exit(code)


def _run() -> int:
    """Let click parse and call; return the exit code."""
    import click

    from bnet.cli.main import cli

    if "_BNET_COMPLETE" in os.environ:
        cli.main(prog_name="bnet")  # a shell asks for completions
    # Not by `cli.main`, which would end a `bnet jobs | head -1` as a failure.
    try:
        with cli.make_context("bnet", sys.argv[1:]) as context:
            cli.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.exceptions.Abort:
        return INTERRUPTED
    except click.ClickException as error:
        error.show(sys.stderr)
        return 2
    return 0


def _refused_by_system(error: OSError) -> int:
    where = f"{error.filename}: " if error.filename else ""
    if isinstance(error, FileNotFoundError) and not where:
        where = "the directory that this was started in: "
    sys.stderr.write(f"bnet: {where}{error.strerror or error}\n")
    return 2


def complain(error: BnetError) -> None:
    """Tell a person what is wrong and what to do."""
    sys.stderr.write(f"bnet: {_shown(str(error))}\n")
    if error.hint:
        sys.stderr.write(f"      {_shown(error.hint)}\n")


def _shown(text: str) -> str:
    from bnet.codec.shown import escaped

    return escaped(text, keep="\n")


def _undecodable(error: UnicodeEncodeError) -> int:
    # Only what came from outside holds such signs: Python's way to carry bytes that are no text.
    shown = _SURROGATE.sub("\ufffd", error.object)[:80]
    sys.stderr.write(f"bnet: {shown!r} is no valid UTF-8; documents of the hub hold nothing else\n")
    return 2


def _bug() -> int:
    """Say in one line that there is a bug, and where its traceback is."""
    sys.stderr.write(f"bnet: {keep_bug()}\n")
    return BUG


def keep_bug() -> str:
    """Keep the traceback of the exception at hand where a person can find it; say where."""
    import traceback

    from bnet.cli.context import log_directory

    text = traceback.format_exc()
    last = text.strip().splitlines()[-1]
    try:
        path = log_directory(os.environ) / "bug.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8", errors="backslashreplace") as log:
            log.write(f"{' '.join(sys.argv)}\n{text}\n")
        return f"a bug in bnet: {last}; the traceback is in {path}"
    except (OSError, BnetError):
        return f"a bug in bnet: {last}\n{text}"
