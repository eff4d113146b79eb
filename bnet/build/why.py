"""Why a package was brought up to date as it was, and what a build would do now: from what to what."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from bnet.build import keys
from bnet.build.cache import Cache
from bnet.build.engine import Build, Report
from bnet.build.entries import Entry, decode_entry
from bnet.build.graph import Graph
from bnet.build.keys import Difference
from bnet.build.outcome import Outcome
from bnet.build.package import Seen
from bnet.build.recent import recent
from bnet.build.record import Made
from bnet.build.totals import RUN
from bnet.files import read_or_none


class Near(NamedTuple):
    """An entry of the cache, and how what a package is made of now differs from that."""

    key: bytes
    entry: Entry
    differences: Sequence[Difference]


class Explained(NamedTuple):
    """What there is to say of a package.

    Attributes:
        name: the package's.
        last: how it was brought up to date last; None if it never was here.
        now: what a build would do, and why; its seconds mean nothing.
        causes: what of its dependencies would be built, the nearest first, each because of the next.
        seen: its inputs as they are; None where they cannot be told.
        differences: of what it is made of now from what it was made of then.
        nearest: the cached entry with the fewest differences, where a build would find none.
    """

    name: str
    last: Made | None
    now: Outcome
    causes: Sequence[Outcome]
    seen: Seen | None
    differences: Sequence[Difference]
    nearest: Near | None


def explain(build: Build, name: str) -> Explained:
    """Explain a package.

    Args:
        build: a dry run that was not run yet; the caller stands in the root of its tree.
        name: the package's.

    Raises:
        BnetError: a tool of the tree, or a file of the package, cannot be asked.
    """
    last = build.known.made.get(name)
    report = build.run([name])
    now = next(each for each in report.outcomes if each.name == name)
    if now.result != "success":
        return Explained(name, last, now, _causes(report, build.graph, name), None, (), None)
    seen = build.work.look(name)
    differences = (
        [] if last is None else _said(keys.differences(last.inputs, seen.inputs, last.sources, seen.sources))
    )
    nearest = nearest_of(build.shop.cache, name, seen) if now.tier in RUN else None
    return Explained(name, last, now, _causes(report, build.graph, name), seen, differences, nearest)


def nearest_of(cache: Cache, name: str, seen: Seen) -> Near | None:
    """Return the entry that was kept lately of a package and has the fewest differences, of such the last one."""
    found = [_near(key, entry, seen) for key in recent(cache.path, name) if (entry := _read(cache, key))]
    return min(found, key=lambda near: len(near.differences), default=None)


def _read(cache: Cache, key: bytes) -> Entry | None:
    """Read an entry without a trace: a look at it is no use of it."""
    data = read_or_none(cache.entry_path(key))
    return None if data is None else decode_entry(data)


def _near(key: bytes, entry: Entry, seen: Seen) -> Near:
    inputs = msgspec.structs.replace(seen.inputs, env=keys.hidden(seen.inputs.env))
    found = keys.differences(entry.inputs, inputs, entry.sources, seen.sources)
    differences = [_of_entry(each, entry, seen) if each.what == "variable" else each for each in found]
    return Near(key, entry, _said(differences))


def _of_entry(found: Difference, entry: Entry, seen: Seen) -> Difference:
    """Return how a variable differs from an entry's, which has only the digest of its value."""
    digest, value = entry.inputs.env.get(found.name), seen.inputs.env.get(found.name)
    unset = keys.hidden({"": keys.UNSET})[""]
    before = keys.NOT_ASKED if digest is None else keys.ABSENT if digest == unset else keys.SOME_VALUE
    after = keys.NOT_ASKED if value is None else keys.shown(found.name, value)
    return keys.of_variable(found.name, before, after)


def _said(differences: Iterable[Difference]) -> list[Difference]:
    """Return differences as people need them: an output that is to be made first has no digest to show."""
    return [
        Difference("dependency", each.name, "", "is to be built")
        if each.what == keys.OUTPUT and not each.after
        else each
        for each in differences
    ]


def _causes(report: Report, graph: Graph, name: str) -> list[Outcome]:
    """Follow what is to be built, or cannot be, down to what does not wait for another one."""
    outcomes = {each.name: each for each in report.outcomes}
    causes: list[Outcome] = []
    while True:
        below = [outcomes[each] for each in sorted(graph.needs(name)) if each in outcomes]
        cause = next((each for each in below if each.result != "success" or each.tier in RUN), None)
        if cause is None:
            return causes
        causes.append(cause)
        name = cause.name
