"""`bnet top`: the network, live."""

import os
import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from bnet.cli.context import App, pass_app
from bnet.cli.live import can_show
from bnet.cli.render import out
from bnet.cli.top.view import Choice, Log, fitted, log_picture, main_picture, moved, sorted_next
from bnet.cli.top.watcher import Watcher
from bnet.codec.shown import escaped

if TYPE_CHECKING:
    from bnet.cli.top.terminal import Screen

LETTERS = {"k": "up", "j": "down", "g": "home", "G": "end"}  # as in less and vi
ALL = 10**9  # lines; more than there are
WIDE = 120  # columns where there is no terminal


@click.command()
@click.option(
    "--once", is_flag=True, help="Print the network as it is now, and end; so too without a terminal."
)
@click.option(
    "--every",
    type=click.FloatRange(1, 3600),
    default=3,
    show_default=True,
    metavar="S",
    help="Seconds between two looks at the hub.",
)
@pass_app
def top(app: App, once: bool, every: float) -> None:
    """Show the network live: servers, what runs and how far it is, the queue, and the log of a job.

    q ends it, arrows choose a job, Enter shows its log, s sorts, / filters. A look is one question to the hub; more
    is fetched only if something has moved.

    Example: bnet top; bnet top --once | head -20
    """
    if once or not (sys.stdin.isatty() and can_show({**os.environ, "CI": ""}, sys.stdout)):
        watcher = Watcher(app, every, lambda: None)
        watcher.look()
        assert watcher.board is not None
        columns = shutil.get_terminal_size((WIDE, 24)).columns if sys.stdout.isatty() else WIDE
        out("\n".join(main_picture(watcher.board, Choice(), watcher.board.now, columns, None)).rstrip())
        return
    _live(app, every)


def _live(app: App, every: float) -> None:
    from bnet.cli.top.terminal import Ended, Screen

    screen, choice = Screen(), Choice()
    watcher = Watcher(app, every, screen.wake)
    with suppress(Ended), screen.taken():
        watcher.start()
        while watcher.broken is None:
            _draw(app, screen, watcher, choice)
            key = screen.key(1.0)
            if key and not _heed(key, choice, watcher, screen.size.rows):
                return
    if watcher.broken is not None:
        raise watcher.broken


def _draw(app: App, screen: "Screen", watcher: Watcher, choice: Choice) -> None:
    size, board, log = screen.size, watcher.board, watcher.log
    choice.trouble = watcher.trouble
    if board is None:
        screen.draw([fitted(escaped(choice.trouble) or "looking at the hub ...", size.columns)])
    elif choice.log:
        shown = log if log is not None and log.job == choice.job else Log(job=choice.job, missing="...")
        screen.draw(log_picture(shown, board, choice, size.columns, size.rows))
    else:
        screen.draw(main_picture(board, choice, app.machine.clock.now(), size.columns, size.rows))


def _heed(key: str, choice: Choice, watcher: Watcher, rows: int) -> bool:
    """Do what a key means; False if it ends the command."""
    if choice.typing:
        _typed(key, choice)
        return True
    key = LETTERS.get(key, key)
    steps = {"up": -1, "down": 1, "page up": 3 - rows, "page down": rows - 3, "home": -ALL, "end": ALL}
    if choice.log:
        _heed_in_log(key, choice, watcher, steps)
        return True
    if key in steps and watcher.board is not None:
        moved(watcher.board, choice, steps[key])
    elif key == "enter" and choice.job:
        choice.log, choice.up, choice.seen = True, 0, 0
        watcher.show_log(choice.job)
    elif key == "s":
        sorted_next(choice)
    elif key == "/":
        choice.typing = True
    elif key == "escape":
        choice.wanted = ""
    return key != "q"


def _heed_in_log(key: str, choice: Choice, watcher: Watcher, steps: Mapping[str, int]) -> None:
    if key in ("q", "escape", "enter"):
        choice.log = False
        watcher.show_log(0)
    elif key in steps:
        choice.up = max(0, choice.up - steps[key])


def _typed(key: str, choice: Choice) -> None:
    if key == "enter":
        choice.typing = False
    elif key == "escape":
        choice.typing, choice.wanted = False, ""
    elif key == "erase":
        choice.wanted = choice.wanted[:-1]
    elif len(key) == 1:
        choice.wanted = (choice.wanted + key)[:60]
