"""`bnet logs`: what a job printed."""

import sys

import click

from bnet.app.logs import LogReader, last_run
from bnet.cli.context import App, pass_app
from bnet.cli.jobs import find
from bnet.cli.render import note
from bnet.errors import AnswerNo, BnetError

PAUSE = 1.0  # seconds between two looks while following


@click.command()
@click.argument("number", type=int)
@click.option("-f", "--follow", is_flag=True, help="Go on until the job has ended.")
@click.option("--attempt", type=int, metavar="N", help="Of an earlier attempt.")
@pass_app
def logs(app: App, number: int, follow: bool, attempt: int | None) -> None:
    """Print what a job printed; the newest attempt's, unless another is asked for.

    Example: bnet logs 12 -f
    """
    if not print_log(app, number, follow, attempt) and not follow:
        raise AnswerNo(f"nothing of job #{number}'s log is on the hub yet", hint="bnet logs -f waits for it")


def print_log(app: App, number: int, follow: bool, attempt: int | None) -> bool:
    """Print a log, and follow it if asked; return whether there was any."""
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
                sys.stdout.buffer.write(piece.data)
            sys.stdout.flush()
        if not follow or job.result is not None:
            return printed
        app.machine.clock.sleep(PAUSE)
