"""The story of a run: take it, let go of the starter, do what it asks, record how it ended."""

import os
import sys

from .attempt import carry_out, say_ending
from .commands import Commands
from .daemon import Signals, close_inherited, detach
from .files import read_file
from .job import Job
from .lean import Document, parse_object
from .result import Result
from .rundir import claim, note_error, publish


def main(argv: list[str]) -> int:
    """Run the attempt in the directory that the only argument names.

    Returns:
        The exit code: 0 also when another supervisor has the run; 1 when the end could not be recorded; 2
        when nothing was started.
    """
    if len(argv) != 2:
        sys.stderr.write("usage: supervisor RUN_DIR\n")
        return 2
    run_dir = os.path.abspath(argv[1])
    close_inherited()
    wake = Signals.listen()
    try:
        if not claim(run_dir):
            return 0
    except OSError as error:
        sys.stderr.write(f"supervisor: {error}\n")
        return 2
    detach()
    document = supervise(run_dir, wake)
    return 0 if document is None or publish(run_dir, document) else 1


def supervise(run_dir: str, wake: int) -> Document | None:
    """Do all there is to do for a run that is claimed.

    Returns:
        What belongs into exit.json; None when the run directory is gone.
    """
    result, commands = Result(None), None
    try:
        document = parse_object(read_file(f"{run_dir}/run.json"))
        result.run = document.get("run")
        job = Job(document, dict(os.environ), f"{run_dir}/workspace")
        commands = Commands(run_dir, job, wake)
        carry_out(run_dir, job, commands, result)
    except Exception as error:  # nobody is above this process to hear of it: it becomes the result
        note_error(run_dir)
        result.outcome, result.message = "internal", f"{type(error).__name__}: {error}"
        result.text = f"internal error: {result.message}"
        if commands:
            commands.kill()
    if result.outcome == "gone":
        return None
    if commands:
        say_ending(commands, result)
    return result.document(commands.log.size if commands else 0)
