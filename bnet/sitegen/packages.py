"""What builds came to: how each package was brought up to date last, how often from the cache, how long it takes."""

from collections.abc import Sequence
from datetime import datetime
from statistics import median

import msgspec

from bnet.model.job import Built, Job
from bnet.sitegen.facts import Facts
from bnet.sitegen.tables import Section, job, name, number, state, text, when
from bnet.sitegen.words import clipped, span

MOST = 300
CACHED = ("instant", "fresh", "local", "remote")  # tiers in which the command was not run


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One time that a package was brought up to date, or could not be: by which job, when, and how."""

    job: int
    at: datetime
    built: Built


def sections(facts: Facts) -> list[Section]:
    """Return the packages of the builds that are in the ledger, and how much of those builds came from the cache."""
    builds = [
        each for _, each in sorted(facts.state.jobs.items()) if each.result is not None and each.result.build
    ]
    lately = span(facts.state.settings.retention.finished)
    about = f"Of the builds that ended within {lately}; older ones are in the archive."
    return [_packages(builds, about), _builds(builds)]


def _packages(builds: Sequence[Job], about: str) -> Section:
    found: dict[str, list[Found]] = {}
    for each in builds:
        assert each.result is not None and each.result.build is not None
        for built in each.result.build.packages:
            one = Found(job=each.number, at=each.result.finished_at, built=built)
            found.setdefault(built.name, []).append(one)
    rows = []
    for title, times in sorted(found.items()):
        last, ran = times[-1], [one.built.seconds for one in times if one.built.tier not in CACHED]
        cached = sum(one.built.tier in CACHED for one in times)
        rows.append(
            [name(clipped(title, 100)), state(last.built.result), text(last.built.tier), number(len(times)),
             number(f"{100 * cached / len(times):.0f} %"), number(span(median(ran)) if ran else ""),
             job(last.job), when(last.at)]
        )  # fmt: skip
    heads = ("Package", "Last", "Tier", "Times", "Cached", "Built in", "Job", "When")
    nothing = "No job has built packages lately: bnet submit --package NAME asks for one."
    left_out = max(0, len(rows) - MOST)
    return Section(
        title="Packages", heads=heads, rows=rows[:MOST], nothing=nothing, about=about, left_out=left_out
    )


def _builds(builds: Sequence[Job]) -> Section:
    rows = []
    for each in reversed(builds[-MOST:]):
        assert each.result is not None and each.result.build is not None
        told = each.result.build
        share = f"{100 * told.cached / told.total:.0f} %" if told.total else ""
        rows.append(
            [job(each.number), name(each.spec.name), state(each.result.result), number(told.total),
             number(told.cached), number(share), number(told.failed), number(span(told.seconds)),
             when(each.result.finished_at)]
        )  # fmt: skip
    heads = ("Job", "Name", "Result", "Packages", "From the cache", "Share", "Failed", "Took", "When")
    left_out = max(0, len(builds) - MOST)
    return Section(
        title="Builds and the cache", heads=heads, rows=rows, nothing="There was no build.", left_out=left_out
    )
