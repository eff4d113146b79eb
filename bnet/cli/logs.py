"""`bnet logs`: what a job printed."""

import sys

import click

from bnet.app.logs import LogReader, last_run
from bnet.cli.context import App, pass_app
from bnet.cli.jobs import find
from bnet.cli.render import coloured, note
from bnet.codec.sequences import Harmless
from bnet.errors import AnswerNo, BnetError

PAUSE = 1.0  # seconds between two looks while following


@click.command()
@click.argument("number", type=int)
@click.option("-f", "--follow", is_flag=True, help="Go on until the job has ended.")
@click.option("--attempt", type=int, metavar="N", help="Of an earlier attempt.")
@click.option("--raw", is_flag=True, help="Every byte as it is, to a terminal too.")
@pass_app
def logs(app: App, number: int, follow: bool, attempt: int | None, raw: bool) -> None:
    """Print what a job printed; the newest attempt's, unless another is asked for.

    A terminal is given its colours; what would move the cursor, set a title and the like is left out or spelt
    out. Into a file or a pipe every byte goes as it is.

    Example: bnet logs 12 -f
    """
    if not print_log(app, number, follow, attempt, raw=raw) and not follow:
        raise AnswerNo(f"nothing of job #{number}'s log is on the hub yet", hint="bnet logs -f waits for it")


def print_log(app: App, number: int, follow: bool, attempt: int | None, *, raw: bool = False) -> bool:
    """Print a log, and follow it if asked; return whether there was any."""
    tame = None if raw or not sys.stdout.isatty() else Harmless(colours=coloured())
    try:
        return _print_log(app, number, follow, attempt, tame)
    finally:
        if tame is not None:
            _write(b"", tame, last=True)
            sys.stdout.write("\x1b[0m" if coloured() else "")  # whatever the log left switched on
            sys.stdout.flush()


def _write(data: bytes, tame: Harmless | None, *, last: bool = False) -> None:
    text = data if tame is None else tame.feed(data, last=last).encode(errors="backslashreplace")
    sys.stdout.buffer.write(text)


def _print_log(app: App, number: int, follow: bool, attempt: int | None, tame: Harmless | None) -> bool:
    readers: dict[tuple[str, int], LogReader] = {}
    printed = False
    while True:
        look = app.ledger.refresh()
        job = find(app, number)
        if attempt is None:
            target = last_run(job)
        else:
            servers = [each.server for each in job.attempts if each.attempt == attempt]
            servers += [job.claim.server] if job.claim is not None and job.claim.attempt == attempt else []
            if not servers:
                raise BnetError(f"job #{number} has no attempt {attempt}")
            target = servers[0], attempt
        if target is not None:
            if target not in readers:
                readers[target] = LogReader(app.ledger.hub, target[0], f"{number}.{target[1]}")
            for piece in readers[target].read(look):
                printed = True
                if piece.cut:
                    note(f"[... {piece.cut:,} bytes cut ...]")
                _write(piece.data, tame)
            sys.stdout.flush()
        if not follow or job.result is not None:
            return printed
        app.machine.clock.sleep(PAUSE)
