"""Differences between files, in words."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from bnet.cli.context import App
from bnet.cli.depot import depot_of
from bnet.codec.shown import escaped
from bnet.errors import BnetError

if TYPE_CHECKING:
    from bnet.app.artifacts.comparing import Compared
    from bnet.compare.explain import Difference
    from bnet.model.job import Job

BRIEF = 6  # differences of a file, and files, in `bnet show`


def lines_of(each: "Compared", most: int) -> Iterator[str]:
    """Yield a file's differences for people."""
    yield f"{escaped(each.path)}"
    for difference in each.why[:most]:
        yield from _lines(difference)
    if len(each.why) > most:
        yield f"  ... and {len(each.why) - most} more"


def _lines(each: "Difference") -> Iterator[str]:
    inside = "".join(f"{escaped(name)}: " for name in each.inside)
    words = [escaped(each.one), escaped(each.other)] if each.other else [escaped(each.one)]
    yield f"  {inside}{each.what}" + (f": {', '.join(words)}" if each.one else "")
    for line in each.lines:
        yield f"    {escaped(line)}"


def brief(app: App, job: "Job") -> Sequence[str]:
    """Return in a few lines why what several servers made of a job differs; nothing that cannot be had quickly."""
    from bnet.app.artifacts.comparing import compare as look_at
    from bnet.app.artifacts.comparing import of_run, two_of
    from bnet.compare.blobs import Budget

    hint = f"all of it: bnet artifact compare {job.number}"
    pair = two_of(job)
    if any(artifact.place.startswith("store:") for each in pair for artifact in each.attempt.artifacts):
        return [hint]  # they may be large
    try:
        depot = depot_of(app)
        sides = [of_run(depot, each) for each in pair]
        found = look_at(
            sides[0], sides[1], app.machine.home.cache / "incoming", lambda: Budget(50_000_000, 5_000)
        )
    except BnetError as error:
        return [f"what differs cannot be said: {escaped(error.message)}"]
    return [line for each in found[:BRIEF] for line in lines_of(each, BRIEF)] + [hint]
