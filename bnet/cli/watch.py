"""`bnet watch`: build again whenever something is saved."""

import os
import signal
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from bnet.cli.plain import Plain, Story
from bnet.cli.render import note
from bnet.cli.summary import tell
from bnet.errors import BnetError

if TYPE_CHECKING:
    from bnet.build.graph import Graph


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
    from bnet.build.crew import default_jobs
    from bnet.build.index import passes
    from bnet.build.totals import totals
    from bnet.build.watch import Watcher
    from bnet.host.events.tree import watch_tree
    from bnet.wiring.workshop import Workshop

    first = Workshop(Path.cwd(), os.environ, note)
    here = first.here
    os.chdir(first.root)

    def build(touched: set[str] | None) -> bool | None:
        """Build with what is on disk by now, the configuration included; None if that could not be tried."""
        try:
            shop = Workshop(Path(first.root), os.environ, note)
            with shop.lock(note):
                names = shop.graph.select(words, here=here)
                if touched is not None:
                    names = _without(shop.known.unmade.keys() - touched, names, shop.graph)
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
            return None
        except OSError:
            if os.path.isdir(first.root):
                raise
            return None  # it was removed under the build's feet
        worked = any(each.tier not in ("instant", "fresh") for each in report.outcomes)
        if worked or touched is None:
            tell(report, totals(report, shop.graph))
        return worked and not report.failed

    stopped: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.append(number)

    signal.signal(signal.SIGTERM, stop)
    first.graph.order()  # what is wrong with the configuration to begin with is an error
    first.lock(note).release()
    events = watch_tree(first.root, passes)
    try:
        Watcher(first.state, first.root, events, build, note).run(lambda: bool(stopped))
    finally:
        events.close()
    if not os.path.isdir(first.root):
        note(f"bnet: {first.root} is gone")


def _without(left: set[str], names: list[str], graph: "Graph") -> list[str]:
    """Return names without those that are left alone, and what depends on them."""
    for name in graph.order() if left else ():
        if not left.isdisjoint(graph.needs(name)):
            left.add(name)
    return [name for name in names if name not in left]
