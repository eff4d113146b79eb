"""`bnet demo`: a whole network on this machine, at work and in trouble."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click

from bnet.cli.context import json_option
from bnet.cli.demo.ending import Ending
from bnet.cli.demo.plan import bundled, cues
from bnet.cli.demo.story import Story
from bnet.cli.playground import Playground
from bnet.cli.render import note, word
from bnet.errors import AnswerNo, BnetError
from bnet.host.clock import SystemClock

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@click.command()
@click.option(
    "--plan",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Jobs as `bnet submit -f` takes them; BNET_DEMO in a job's env says what happens to it.",
)
@click.option(
    "--dir", "directory", type=click.Path(path_type=Path), help="Where; otherwise a temporary place."
)
@click.option("--keep", is_flag=True, help="Keep the network afterwards, to look around in.")
@click.option(
    "--as", "called", default="bnet demo", hidden=True, help="How a script that calls it was called."
)
@json_option
def demo(plan: Path | None, directory: Path | None, keep: bool, called: str, as_json: bool) -> None:
    """Play a network on this machine: a hub, three servers, a day's trouble in half a minute.

    One job fails and is tried again, one is cancelled, one server is killed and another takes its job over.
    What all servers share is $DEMO_SHARED for the jobs.

    Example: bnet demo --keep
    """
    plan = (plan or bundled()).absolute()
    cast = cues(plan)
    (root, ours), clock = _place(directory), SystemClock()
    begun = clock.boot()
    note(f"A hub and three servers in {root}, and the jobs of {plan.parent.name}/{plan.name}:\n")
    with _stage(root, ours=ours) as stage:
        story = Story(stage.ground, clock, cast, lambda who, what: _tell(clock.boot() - begun, who, what))
        story.found()
        story.play(plan)
        ending = Ending(root, story, clock.boot() - begun)
        stage.keep = keep or not ending.good
    ending.print(called, kept=stage.keep, as_json=as_json)
    if not ending.good:
        raise AnswerNo("the story did not end as it should", hint=f"everything is kept in {root}")


class Stage:
    """The playground, and whether it outlives the demo."""

    def __init__(self, ground: Playground, keep: bool) -> None:
        """Keep both."""
        self.ground = ground
        self.keep = keep


@contextmanager
def _stage(root: Path, *, ours: bool) -> Iterator[Stage]:
    """Lend a playground that leaves no process behind, and no file unless it is to be kept.

    Args:
        root: an empty directory.
        ours: whether that goes too.
    """
    for name in ("shared", "tmp"):
        (root / name).mkdir(parents=True)
    stage = Stage(Playground(root, env=_environment(os.environ, root)), keep=False)
    before = [signal.signal(number, _interrupt) for number in _SIGNALS]
    try:
        yield stage
    except BnetError as error:
        stage.keep = True
        error.hint = error.hint or f"everything is kept in {root}"
        raise
    finally:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not cut the clearing up short
        stage.ground.close()
        if not stage.keep:
            _remove(root, itself=ours)
        for number, handler in zip(_SIGNALS, before, strict=True):
            signal.signal(number, handler)


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _environment(outer: Mapping[str, str], root: Path) -> dict[str, str]:
    env = {name: value for name, value in outer.items() if not name.startswith("BNET_")}
    # What is killed in the middle leaves its temporary files behind; here they go with the rest.
    return env | {"BNET_USER": "you", "DEMO_SHARED": str(root / "shared"), "TMPDIR": str(root / "tmp")}


def _place(directory: Path | None) -> tuple[Path, bool]:
    """Return an empty directory, and whether it was made here."""
    if directory is None:
        return Path(tempfile.mkdtemp(prefix="bnet-demo-")), True
    found = directory.exists()
    if found and (not directory.is_dir() or any(directory.iterdir())):
        raise BnetError(f"{directory} is there already and not empty", hint="name one that is to be made")
    directory.mkdir(parents=True, exist_ok=True)
    return directory.absolute(), not found


def _remove(root: Path, *, itself: bool) -> None:
    for path in [root] if itself else root.iterdir():
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()


def _tell(at: float, who: str, what: str) -> None:
    when, name = click.style(f"{at:6.1f} s", dim=True), click.style(f"{who:<6}", fg=_COLOURS.get(who))
    note(f"{when}  {name}  {_lit(what)}")


_COLOURS = {"hub": "magenta", "you": "yellow", "build1": "cyan", "build2": "blue", "build3": "green"}


def _lit(text: str) -> str:
    """Colour what stands out in a line: the kill, and the result that a line ends with."""
    if text.startswith("kill "):
        return click.style(text, fg="red")
    head, colon, result = text.rpartition(": ")
    return f"{head}{colon}{word(result)}" if result in ("success", "cancelled", "skipped") else text
