"""What the cache spared the builds of late."""

from collections.abc import Sequence

from bnet.model.job import Job
from bnet.sitegen.facts import Facts
from bnet.sitegen.packages import builds_of
from bnet.sitegen.tables import Section, job, name, number, state, when
from bnet.sitegen.words import span

MOST = 300


def sections(facts: Facts) -> list[Section]:
    """Return how much of the builds that are in the ledger came from the cache."""
    return [_builds(builds_of(facts))]


def _builds(builds: Sequence[Job]) -> Section:
    rows = []
    for each in reversed(builds[-MOST:]):
        assert each.result is not None and each.result.build is not None
        told = each.result.build
        share = f"{100 * told.cached / told.total:.0f} %" if told.total else ""
        rows.append(
            [job(each.number), name(each.spec.name), state(each.result.result), number(told.total),
             number(told.cached), number(share), number(told.failed), number(span(told.seconds)),
             number(span(told.saved) if told.saved else ""), when(each.result.finished_at)]
        )  # fmt: skip
    heads = ("Job", "Name", "Result", "Packages", "Cached", "Share", "Failed", "Took", "Saved", "When")
    left_out = max(0, len(builds) - MOST)
    return Section(title="Builds", heads=heads, rows=rows, nothing="There was no build.", left_out=left_out)
