"""One attempt: prepare, run, collect, and say how it ended."""

import os

from .artifacts import collect
from .commands import Commands
from .job import Job
from .result import Result
from .rundir import show_phase
from .spawn import Unstartable
from .watch import Stopped


class Refused(Exception):
    """A preparing command failed; the text names it."""


def carry_out(run_dir: str, job: Job, commands: Commands, result: Result) -> None:
    """Run the commands, keep the artifacts, and put how it ended into the result."""
    try:
        _run_commands(run_dir, job, commands)
        result.outcome = "exit"
        result.set_status(commands.status)
    except Unstartable as error:
        result.outcome, result.exit_code, result.message = "exit", error.code, str(error)
    except Refused as error:
        result.outcome, result.message, result.text = "refused", str(error), f"refused: {error}"
    except Stopped as error:
        verdict = error.verdict
        result.outcome, result.text = verdict.outcome, verdict.text
        result.reason, result.message = verdict.reason, verdict.message
        result.set_status(commands.status)
    if result.outcome == "exit":
        show_phase(run_dir, "collecting")
        if job.artifacts:
            try:
                result.artifacts, result.problems = collect(run_dir, job, must_match=result.exit_code == 0)
            except (OSError, RecursionError) as error:
                result.problems = [f"artifacts could not be read: {error}"]


def _run_commands(run_dir: str, job: Job, commands: Commands) -> None:
    show_phase(run_dir, "preparing")
    os.makedirs(f"{run_dir}/workspace", exist_ok=True)
    for argv in job.prepare:
        _prepare(argv, commands)
    show_phase(run_dir, "running")
    commands.run(job.command)


def _named(argv: list[str]) -> str:
    # A script passed to sh goes by the name that it is given as $0, a command of bnet without what starts that.
    if argv[:2] == ["sh", "-c"] and len(argv) > 3:
        return argv[3]
    begin = argv.index("bnet") if argv[0] == "env" and "bnet" in argv else 0
    return " ".join(argv[begin : begin + 3])[:80]


def _prepare(argv: list[str], commands: Commands) -> None:
    try:
        commands.run(argv)
    except Unstartable as error:
        raise Refused(f"preparing failed: {error}") from error
    if commands.status:
        code = os.waitstatus_to_exitcode(commands.status)
        how = f"exit {code}" if code > 0 else f"signal {-code}"
        raise Refused(
            f"preparing failed: {_named(argv)} ({how}): {commands.log.last_line()}".removesuffix(": ")
        )
    commands.status = None


def say_ending(commands: Commands, result: Result) -> None:
    """Write the last lines of the log."""
    for problem in result.problems:
        commands.say(f"artifacts: {problem}")
    lost = f"; the disk did not take {commands.log.lost} bytes of output" if commands.log.lost else ""
    commands.say(f"{result.ending()}{lost}")
    commands.log.close()
    if result.message:
        shown = commands.masker.feed(os.fsencode(result.message), final=True)
        result.message = shown.decode("utf-8", "replace")
