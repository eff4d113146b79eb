"""`bnet watch`: build again whenever something is saved."""

import os
import signal
from pathlib import Path
from types import FrameType

import click

from bnet.cli.plain import Plain, Story
from bnet.cli.render import note
from bnet.cli.summary import tell
from bnet.errors import BnetError


@click.command()
@click.argument("words", nargs=-1, metavar="[PACKAGE]...")
@click.option(
    "-j", "--jobs", type=click.IntRange(1), metavar="N", help="So many at once; otherwise the cores."
)
def watch(words: tuple[str, ...], jobs: int | None) -> None:
    """Build, and build again what a saved file affects, until interrupted.

    Meanwhile a `bnet build` in the same tree need not look at any file to know that there is nothing to do.

    Example: bnet watch api
    """
    from bnet.build.engine import default_jobs
    from bnet.build.totals import totals
    from bnet.build.watch import Index, Watcher
    from bnet.host.events import watch_tree
    from bnet.wiring.workshop import Workshop

    first = Workshop(Path.cwd(), os.environ, note)
    here = first.here
    os.chdir(first.root)

    def build(touched: set[str] | None) -> bool:
        """Build with what is on disk by now, the configuration included."""
        try:
            shop = Workshop(Path(first.root), os.environ, note)
            with shop.lock(note):
                names = shop.graph.select(list(words), here=here) if words else shop.graph.order()
                made = shop.build(
                    names,
                    jobs=jobs or default_jobs(),
                    keep_going=True,
                    force=False,
                    dry_run=False,
                    told=Plain(Story("new", shop.log)).told,
                    touched=touched,
                )
                report = made.run(names)
        except BnetError as error:
            note(f"bnet: {error}")
            return False
        except OSError:
            if os.path.isdir(first.root):
                raise
            return False  # it was removed under the build's feet
        worked = any(each.tier not in ("instant", "fresh") for each in report.outcomes)
        if worked or touched is None:
            tell(report, totals(report, shop.graph))
        return worked and not report.failed

    stopped: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.append(number)

    signal.signal(signal.SIGTERM, stop)
    first.lock(note).release()
    events = watch_tree(first.root, Index(first.known, first.root).passes)
    try:
        Watcher(first.state, first.root, events, build).run(lambda: bool(stopped))
    finally:
        events.close()
    if not os.path.isdir(first.root):
        note(f"bnet: {first.root} is gone")
